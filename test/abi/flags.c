/* The flags of mallocx() and its kin, as callers compiled them in. */
#include "abi.h"

static unsigned
arena_of(void *ptr)
{
	unsigned arena = 0;
	size_t size = sizeof(arena);

	if (mallctl("arenas.lookup", &arena, &size, &ptr, sizeof(ptr)) != 0)
		return 12345;
	return arena;
}

static void
flags_by_size(size_t size, unsigned arena, unsigned tcache)
{
	const int kinds[] = { 0, MALLOCX_ZERO,
		MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE,
		MALLOCX_TCACHE(tcache), MALLOCX_TCACHE_NONE,
		MALLOCX_ZERO | MALLOCX_ARENA(arena) | MALLOCX_TCACHE(tcache) };

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		for (int lg = 3; lg < 22; lg += 3) {
			int flags = kinds[k] | MALLOCX_LG_ALIGN(lg);
			char *p = mallocx(size, flags);
			size_t usable = sallocx(p, 0);

			printf("%zu %zu %d:", size, k, lg);
			printf(" %d %d",
			    ((uintptr_t)p >> lg << lg) == (uintptr_t)p,
			    usable == nallocx(size, flags));
			if (kinds[k] & MALLOCX_ZERO)
				printf(" %d", all_zero(p, usable));
			if (kinds[k] >> 20 != 0 && k == 2)
				printf(" %d", arena_of(p) == arena);
			memset(p, 0x77, usable);
			p = rallocx(p, size * 3, flags);
			printf(" %d",
			    p[0] == 0x77 && p[size - 1] == 0x77 &&
				((uintptr_t)p >> lg << lg) == (uintptr_t)p);
			if (kinds[k] & MALLOCX_ZERO)
				printf(" %d",
				    all_zero(p + usable,
					sallocx(p, 0) > usable
					    ? sallocx(p, 0) - usable
					    : 0));
			usable = sallocx(p, 0);
			printf(" %d", xallocx(p, usable, 0, flags) == usable);
			p = rallocx(p, size, flags);
			if (lg % 2 != 0)
				sdallocx(p, size, flags);
			else
				dallocx(p, flags);
			puts("");
		}
	}
}

int
main(void)
{
	unsigned arena = READ(unsigned, "arenas.create");
	unsigned tcache = READ(unsigned, "tcache.create");
	void *p;

	printf("%#x %#x %#x %#x %#x\n", (unsigned)MALLOCX_ALIGN(4096),
	    (unsigned)MALLOCX_ZERO, (unsigned)MALLOCX_TCACHE(5),
	    (unsigned)MALLOCX_TCACHE_NONE, (unsigned)MALLOCX_ARENA(7));
	for (size_t size = 1; size < 3000000; size = size * 5 + 3)
		flags_by_size(size, arena, tcache);
	printf("%p %p\n", mallocx(SIZE_MAX, 0), mallocx((size_t)1 << 62, 0));
	p = mallocx(100, 0);
	printf("%d\n", rallocx(p, SIZE_MAX / 2 + 1, 0) == NULL);
	printf("%zu %zu\n", xallocx(p, SIZE_MAX / 2 + 1, 0, 0),
	    xallocx(p, 10, 5, 0));
	printf("%zu\n", xallocx(p, 100, SIZE_MAX - 100, 0));
	dallocx(p, 0);
	printf("%d\n",
	    mallctl("tcache.flush", NULL, NULL, &tcache, sizeof(tcache)));
	printf("%d\n",
	    mallctl("tcache.destroy", NULL, NULL, &tcache, sizeof(tcache)));
	return 0;
}
