#define JEMALLOC_NO_RENAME
#include <jemalloc/jemalloc.h>
int
main(void)
{
	je_free(je_malloc(1));
	return 0;
}
