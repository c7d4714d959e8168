/* The half that speaks to the library with prefix one_, by je_ names. */
#define JEMALLOC_NO_DEMANGLE
#include <jemalloc/jemalloc-1.h>

#include "names.h"

#define JOIN_TOKENS(a, b) a##b
#define JOIN(a, b)        JOIN_TOKENS(a, b)
#define SMALLOCX          JOIN(je_smallocx_, JEMALLOC_VERSION_GID_IDENT)

typedef struct {
	void *ptr;
	size_t size;
} smallocx_return_t;

smallocx_return_t SMALLOCX(size_t size, int flags);

size_t
first_smallocx(size_t size)
{
	smallocx_return_t result = SMALLOCX(size, MALLOCX_ALIGN(64));

	if (result.ptr == NULL || (uintptr_t)result.ptr % 64 != 0)
		return 0;
	je_sdallocx(result.ptr, result.size, MALLOCX_ALIGN(64));
	return result.size;
}

static void *
get(size_t size)
{
	return je_mallocx(size, MALLOCX_ZERO);
}

const struct half first = { get, je_free, je_mallctl };
