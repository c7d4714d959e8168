/* The half that speaks to the library with prefix Two_, by plain names. */
#define JEMALLOC_MANGLE
#include <jemalloc/jemalloc-2.h>

#include "names.h"

const char *malloc_conf = "dirty_decay_ms:222";

static void *
get(size_t size)
{
	return mallocx(size, MALLOCX_ZERO);
}

static void
put(void *ptr)
{
	free(ptr);
}

const struct half second = { get, put, mallctl };
