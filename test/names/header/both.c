/* Both kinds of names at once; the header twice, and before others. */
#define JEMALLOC_MANGLE
#define JEMALLOC_NO_DEMANGLE
#include <jemalloc/jemalloc.h>
#include <jemalloc/jemalloc.h>

#include <stdio.h>
#include <stdlib.h>

int
main(void)
{
	void *p = malloc(10), *q = je_malloc(10);

	je_free(p);
	free(q);
	return (int)nallocx(1, 0) + (int)je_nallocx(1, MALLOCX_LG_ALIGN(4));
}
