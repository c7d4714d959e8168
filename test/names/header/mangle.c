#define JEMALLOC_MANGLE
#include <jemalloc/jemalloc.h>
int
main(void)
{
	void *p = malloc(10);
	p = realloc(p, 20);
	free_sized(p, 20);
	malloc_stats_print(NULL, NULL, NULL);
	return (malloc_conf != NULL) +
	    (mallctl("epoch", NULL, NULL, NULL, 0) != 0);
}
