/* As a server uses a vendored library: version by #if, prefixed calls. */
#include <stdio.h>
#include <string.h>

#include <jemalloc/jemalloc.h>

#define QUOTE_TOKEN(s) #s
#define QUOTE(s)       QUOTE_TOKEN(s)
#define VERSION_TEXT \
	QUOTE(JEMALLOC_VERSION_MAJOR) \
	"." QUOTE(JEMALLOC_VERSION_MINOR) "." QUOTE(JEMALLOC_VERSION_BUGFIX)

#if (JEMALLOC_VERSION_MAJOR == 2 && JEMALLOC_VERSION_MINOR >= 1) || \
    (JEMALLOC_VERSION_MAJOR > 2)
#define usable_size(p) je_malloc_usable_size(p)
#else
#error "Newer version of jemalloc required"
#endif

int
main(void)
{
	const char *version = NULL;
	bool oblivious = true;
	ssize_t decay = 0;
	size_t size = sizeof(version);
	void *p = je_malloc(20);

	if (strcmp(VERSION_TEXT, "5.3.0") != 0 || p == NULL ||
	    usable_size(p) != 24)
		return 1;
	p = je_realloc(p, 4000);
	je_free(p);
	p = je_mallocx(100, MALLOCX_TCACHE_NONE);
	je_dallocx(p, MALLOCX_TCACHE_NONE);
	if (je_mallctl("version", &version, &size, NULL, 0) != 0)
		return 2;
	size = sizeof(oblivious);
	if (je_mallctl("config.cache_oblivious", &oblivious, &size, NULL, 0) !=
	    0)
		return 3;
	size = sizeof(decay);
	if (je_mallctl("opt.dirty_decay_ms", &decay, &size, NULL, 0) != 0)
		return 4;
	printf("%s %d %zu %zd\n", version, oblivious, je_nallocx(17, 0), decay);
	return 0;
}
