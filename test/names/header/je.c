#define JEMALLOC_NO_DEMANGLE
#include <jemalloc/jemalloc.h>
int
main(void)
{
	void *p = je_mallocx(10, MALLOCX_ZERO);
	je_dallocx(p, 0);
	return je_malloc_message != NULL;
}
