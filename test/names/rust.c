/* As foreign functions are bound: names written out, no macros. */
#define JEMALLOC_NO_RENAME
#include <stdio.h>

#include <jemalloc/jemalloc.h>

void *_rjem_mallocx(size_t size, int flags);
void *_rjem_rallocx(void *ptr, size_t size, int flags);
void _rjem_sdallocx(void *ptr, size_t size, int flags);
int _rjem_mallctl(const char *name, void *oldp, size_t *oldlenp, void *newp,
    size_t newlen);
extern const char *_rjem_malloc_conf;
void rust(void);

void
rust(void)
{
	const char *text = "";
	ssize_t decay = 0;
	size_t size = sizeof(text);
	void *p = _rjem_mallocx(100, MALLOCX_ALIGN(128) | MALLOCX_ZERO);

	p = _rjem_rallocx(p, 1000, MALLOCX_ALIGN(128));
	_rjem_sdallocx(p, 1000, MALLOCX_ALIGN(128));
	_rjem_mallctl("config.malloc_conf", &text, &size, NULL, 0);
	size = sizeof(decay);
	_rjem_mallctl("opt.muzzy_decay_ms", &decay, &size, NULL, 0);
	printf("%s %zd\n", text, decay);
	if (_rjem_malloc_conf != NULL)
		puts("malloc_conf is set");
}
