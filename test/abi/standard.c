/* The standard family at its edges. */
#include <malloc.h>

#include "abi.h"

int
main(void)
{
	void *p, *q = &p;
	int error;

	p = malloc(0);
	printf("%d %zu\n", p != NULL, malloc_usable_size(p));
	free(p);
	free(NULL);
	printf("%zu\n", malloc_usable_size(NULL));
	printf("%p %p\n", malloc(SIZE_MAX), calloc(SIZE_MAX / 2, 3));
	errno = 0;
	printf("%p %d\n", malloc((size_t)PTRDIFF_MAX + 1), errno == ENOMEM);
	for (size_t align = 0; align < 40; align++) {
		errno = 0;
		error = posix_memalign(&q, align, 100);
		printf("%zu: %d %d %d\n", align, error, error != 0 && q == &p,
		    errno);
		if (error == 0) {
			free(q);
			q = &p;
		}
	}
	for (size_t align = 0; align < 5; align++) {
		errno = 0;
		p = aligned_alloc(align, 7);
		printf("aligned %zu: %d %d\n", align, p != NULL,
		    p == NULL ? errno : 0);
		free(p);
	}
	printf("%d\n", posix_memalign(&q, 64, SIZE_MAX) == ENOMEM);
	printf("%d\n", (uintptr_t)(p = valloc(100)) % 4096 == 0);
	free(p);
	printf("%d\n", (uintptr_t)(p = memalign(256, 100)) % 256 == 0);
	free(p);
	p = calloc(10, 100);
	printf("%d\n", all_zero(p, malloc_usable_size(p)));
	memset(p, 3, 1000);
	p = realloc(p, 100000);
	printf("%d\n", ((char *)p)[999]);
	p = realloc(p, 10);
	printf("%d %zu\n", ((char *)p)[9], malloc_usable_size(p));
	printf("%p\n", realloc(p, 0));
	return 0;
}
