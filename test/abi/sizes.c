/* Sizes: what each entry point gives for each request. */
#include <malloc.h>

#include "abi.h"

static const size_t aligns[] = { 1, 8, 16, 32, 64, 128, 512, 2048, 4096, 8192,
	65536, 2097152 };
enum { ALIGNS = sizeof(aligns) / sizeof(aligns[0]) };

static void
table(size_t size)
{
	printf("%zu:", size);
	for (int i = 0; i < ALIGNS; i++)
		printf(" %zu", nallocx(size, MALLOCX_ALIGN(aligns[i])));
	if (size < (size_t)64 << 20) {
		void *p = malloc(size), *q = calloc(1, size), *r;
		void *x = mallocx(size, 0);

		r = realloc(malloc(1), size);
		printf(" | %zu %zu %zu %zu %zu\n", malloc_usable_size(p),
		    sallocx(q, 0), malloc_usable_size(r), sallocx(x, 0),
		    xallocx(x, size, 0, 0));
		free(p);
		free(q);
		free(r);
		sdallocx(x, size, 0);
	} else {
		puts("");
	}
}

int
main(void)
{
	for (size_t size = 1; size < 20000; size += 1 + size / 100)
		table(size);
	for (size_t size = 16384; size <= (size_t)1 << 40; size *= 2)
		for (int i = -1; i < 8; i++)
			table(size + size / 8 * (size_t)(i > 0 ? i : 0) +
			    (size_t)(i == -1 ? -1 : i == 7));
	printf("%zu\n", nallocx(((size_t)7 << 60) + 1, 0));
	printf("%zu\n", nallocx(SIZE_MAX, 0));
	return 0;
}
