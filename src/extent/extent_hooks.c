#include "extent/extent_hooks.h"

#include "os/pages.h"

static void *
hook_alloc(struct extent_hooks *hooks, void *addr, size_t size, size_t align,
    bool *zero, bool *commit, unsigned arena)
{
	(void)hooks;
	(void)arena;
	if (addr == NULL)
		addr = pages_map(size, align);
	else if (!pages_map_at(addr, size))
		addr = NULL;
	if (addr != NULL)
		*zero = *commit = true;
	return addr;
}

static bool
hook_dalloc(struct extent_hooks *hooks, void *addr, size_t size,
    bool committed, unsigned arena)
{
	(void)hooks;
	(void)committed;
	(void)arena;
	return !pages_unmap(addr, size);
}

static void
hook_destroy(struct extent_hooks *hooks, void *addr, size_t size,
    bool committed, unsigned arena)
{
	(void)hook_dalloc(hooks, addr, size, committed, arena);
}

/* All memory is always committed. */
static bool
hook_commit(struct extent_hooks *hooks, void *addr, size_t size,
    size_t offset, size_t length, unsigned arena)
{
	(void)hooks, (void)addr, (void)size, (void)offset, (void)length;
	(void)arena;
	return false;
}

static bool
hook_decommit(struct extent_hooks *hooks, void *addr, size_t size,
    size_t offset, size_t length, unsigned arena)
{
	(void)hooks, (void)addr, (void)size, (void)offset, (void)length;
	(void)arena;
	return true;
}

static bool
hook_purge_lazy(struct extent_hooks *hooks, void *addr, size_t size,
    size_t offset, size_t length, unsigned arena)
{
	(void)hooks, (void)size, (void)arena;
	return !pages_purge_lazy((char *)addr + offset, length);
}

static bool
hook_purge_forced(struct extent_hooks *hooks, void *addr, size_t size,
    size_t offset, size_t length, unsigned arena)
{
	(void)hooks, (void)size, (void)arena;
	return !pages_purge_forced((char *)addr + offset, length);
}

/* Mappings can be cut anywhere, and adjacent ones be used as one. */
static bool
hook_split(struct extent_hooks *hooks, void *addr, size_t size, size_t size_a,
    size_t size_b, bool committed, unsigned arena)
{
	(void)hooks, (void)addr, (void)size, (void)size_a, (void)size_b;
	(void)committed, (void)arena;
	return false;
}

static bool
hook_merge(struct extent_hooks *hooks, void *addr_a, size_t size_a,
    void *addr_b, size_t size_b, bool committed, unsigned arena)
{
	(void)hooks, (void)addr_a, (void)size_a, (void)addr_b, (void)size_b;
	(void)committed, (void)arena;
	return false;
}

struct extent_hooks extent_hooks_default = {
	.alloc = hook_alloc,
	.dalloc = hook_dalloc,
	.destroy = hook_destroy,
	.commit = hook_commit,
	.decommit = hook_decommit,
	.purge_lazy = hook_purge_lazy,
	.purge_forced = hook_purge_forced,
	.split = hook_split,
	.merge = hook_merge,
};
