/* An arena with extent hooks of the program. */
#include <sys/mman.h>

#include "abi.h"

static extent_hooks_t *below;
static int mapped;

static void *
hook_alloc(extent_hooks_t *hooks, void *address, size_t size, size_t alignment,
    bool *zero, bool *commit, unsigned arena)
{
	(void)hooks;
	mapped++;
	return below->alloc(below, address, size, alignment, zero, commit,
	    arena);
}

static bool
hook_dalloc(extent_hooks_t *hooks, void *address, size_t size, bool committed,
    unsigned arena)
{
	(void)hooks;
	return below->dalloc(below, address, size, committed, arena);
}

static void
hook_destroy(extent_hooks_t *hooks, void *address, size_t size, bool committed,
    unsigned arena)
{
	(void)hooks;
	(void)committed;
	(void)arena;
	munmap(address, size);
}

static extent_hooks_t mine;

static void
hooks(void)
{
	unsigned arena = 0;
	size_t size = sizeof(below);
	extent_hooks_t *new_hooks = &mine, *found = NULL;
	char name[64];
	void *p;

	mallctl("arena.0.extent_hooks", &below, &size, NULL, 0);
	printf("hooks %d %d\n", below->alloc != NULL, below->merge != NULL);
	mine = *below;
	mine.alloc = hook_alloc;
	mine.dalloc = hook_dalloc;
	mine.destroy = hook_destroy;
	size = sizeof(arena);
	printf("create %d",
	    mallctl("arenas.create", &arena, &size, &new_hooks,
		sizeof(new_hooks)));
	printf(" %d\n", arena >= READ(unsigned, "opt.narenas"));
	for (int i = 0; i < 50; i++) {
		p = mallocx(100000, MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE);
		memset(p, 1, 100000);
		if (i % 2 == 0)
			dallocx(p, MALLOCX_TCACHE_NONE);
	}
	printf("mapped %d\n", mapped > 0);
	snprintf(name, sizeof(name), "arena.%u.extent_hooks", arena);
	size = sizeof(found);
	printf("%d", mallctl(name, &found, &size, NULL, 0));
	printf(" %d\n", found == &mine);
	refresh();
	snprintf(name, sizeof(name), "stats.arenas.%u.large.nmalloc", arena);
	printf("nmalloc %" PRIu64 "\n", READ(uint64_t, name));
	snprintf(name, sizeof(name), "stats.arenas.%u.pactive", arena);
	printf("pactive %d\n", READ(size_t, name) >= 25 * 25);
	snprintf(name, sizeof(name), "arena.%u.dirty_decay_ms", arena);
	ssize_t decay = 0;
	printf("decay %d", mallctl(name, NULL, NULL, &decay, sizeof(decay)));
	printf(" %zd\n", READ(ssize_t, name));
	refresh();
	snprintf(name, sizeof(name), "stats.arenas.%u.pdirty", arena);
	printf("pdirty %zu\n", READ(size_t, name));
	snprintf(name, sizeof(name), "arena.%u.reset", arena);
	printf("reset %d\n", mallctl(name, NULL, NULL, NULL, 0));
	refresh();
	snprintf(name, sizeof(name), "stats.arenas.%u.large.allocated", arena);
	printf("allocated %zu\n", READ(size_t, name));
	snprintf(name, sizeof(name), "arena.%u.destroy", arena);
	printf("destroy %d\n", mallctl(name, NULL, NULL, NULL, 0));
	snprintf(name, sizeof(name), "arena.%u.initialized", arena);
	refresh();
	printf("initialized %d\n", READ(bool, name));
}

int
main(void)
{
	hooks();
	printf("%u\n",
	    READ(unsigned, "arenas.narenas") - READ(unsigned, "opt.narenas"));
	return 0;
}
