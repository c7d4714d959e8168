/*
 * NAME(name) is given by who compiles this: the prefix joined to the name.
 *
 * By its real names, and with weak declarations and attributes of its own, as
 * programs have that work with and without the library.
 */
#include <jemalloc/jemalloc.h>

#ifdef __cplusplus
extern "C" {
#endif
void JEMALLOC_NOTHROW *NAME(mallocx)(size_t, int) JEMALLOC_ATTR(malloc)
    JEMALLOC_ALLOC_SIZE(1) JEMALLOC_ATTR(weak);
void JEMALLOC_NOTHROW *NAME(rallocx)(void *, size_t, int) JEMALLOC_ALLOC_SIZE(2)
    JEMALLOC_ATTR(weak);
size_t JEMALLOC_NOTHROW NAME(xallocx)(void *, size_t, size_t, int)
    JEMALLOC_ATTR(weak);
size_t JEMALLOC_NOTHROW NAME(sallocx)(const void *, int) JEMALLOC_ATTR(pure)
    JEMALLOC_ATTR(weak);
int JEMALLOC_NOTHROW NAME(mallctl)(const char *, void *, size_t *, void *,
    size_t) JEMALLOC_ATTR(weak);
size_t JEMALLOC_NOTHROW NAME(malloc_usable_size)(
    JEMALLOC_USABLE_SIZE_CONST void *) JEMALLOC_CXX_THROW JEMALLOC_ATTR(weak);
JEMALLOC_FORMAT_PRINTF(1, 2) JEMALLOC_COLD void say(const char *, ...);
JEMALLOC_FORMAT_ARG(1) const char *translate(const char *);
JEMALLOC_WARN_ON_USAGE("old") void old(void);
#ifdef __cplusplus
}
#endif

JEMALLOC_ALIGNED(64) JEMALLOC_SECTION(".data.x") static int aligned = 1;

JEMALLOC_NOINLINE static int
f(int n)
{
	switch (n) {
	case 1:
		n++;
		JEMALLOC_FALLTHROUGH
	default:
		return n + aligned;
	}
}

int
main(void)
{
	void *p = NAME(mallocx)(10, MALLOCX_ALIGN(64));

	NAME(sdallocx)(p, 10, MALLOCX_ALIGN(64));
	p = NAME(aligned_alloc)(64, 64);
	p = NAME(realloc)(p, 128);
	NAME(free_sized)(p, 128);
	NAME(malloc_message) = NULL;
	return f(1);
}
