#include <jemalloc/jemalloc.h>
#if JEMALLOC_VERSION_MAJOR < 5 || MALLCTL_ARENAS_ALL != 4096
#error version
#endif
extent_hooks_t *hooks;
int flags;
int
main(void)
{
	flags = MALLOCX_ALIGN(64) | MALLOCX_ZERO | MALLOCX_TCACHE(1) |
	    MALLOCX_TCACHE_NONE | MALLOCX_ARENA(2) | MALLOCX_LG_ALIGN(3);
	return 0;
}
