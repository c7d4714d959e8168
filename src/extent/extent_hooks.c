#include "extent/extent_hooks.h"

#include <stdint.h>

#include "conf/options.h"
#include "extent/pagemap.h"
#include "os/lock.h"
#include "os/pages.h"
#include "os/system.h"

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
	if (addr == NULL)
		return NULL;
	if (opt.thp == THP_ALWAYS)
		pages_want_huge(addr, size);
	else if (opt.thp == THP_NEVER)
		pages_refuse_huge(addr, size);
	*zero = *commit = true;
	return addr;
}

static bool
hook_dalloc(struct extent_hooks *hooks, void *addr, size_t size, bool committed,
    unsigned arena)
{
	(void)hooks;
	(void)committed;
	(void)arena;
	return opt.retain || !pages_unmap(addr, size);
}

static void
hook_destroy(struct extent_hooks *hooks, void *addr, size_t size,
    bool committed, unsigned arena)
{
	(void)hooks;
	(void)committed;
	(void)arena;
	(void)pages_unmap(addr, size);
}

/* All memory is always committed. */
static bool
hook_commit(struct extent_hooks *hooks, void *addr, size_t size, size_t offset,
    size_t length, unsigned arena)
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

/*
 * Always allowed: the kernel unmaps any part of a mapping, and a range may
 * consist of several mappings.
 */
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

/* --- calling the user's functions ------------------------------------- */

static void *
enter_nothing(void)
{
	return &extent_hooks_guard;
}

static void
leave_nothing(void *before)
{
	(void)before;
}

struct extent_hooks_guard extent_hooks_guard = { enter_nothing, leave_nothing };

/* Before each call; see extent_hooks_guard. */
static void *
enter(void)
{
	LOCK_ASSERT_NONE();
	return extent_hooks_guard.enter();
}

/* Is this memory as requested, and can the library use it? */
static bool
is_usable(const struct hooked_range *range, size_t align, bool commit)
{
	size_t mask = align - 1;

	return ((uintptr_t)range->addr & mask) == 0 &&
	    pagemap_covers(range->addr, range->size) &&
	    (range->committed || !commit);
}

bool
extent_hooks_alloc(struct hooked_range *range, size_t align, bool commit,
    bool *zero)
{
	void *before = enter();
	/*
	 * A hook of arena 0 that allocates memory may need new memory from
	 * arena 0, and would be called again and again. So while a hook runs,
	 * memory comes from the kernel.
	 */
	struct extent_hooks *hooks = before != NULL ? range->hooks
						    : &extent_hooks_default;

	*zero = false;
	range->committed = commit;
	range->addr = hooks->alloc(hooks, NULL, range->size, align, zero,
	    &range->committed, range->arena);
	extent_hooks_guard.leave(before);
	if (range->addr == NULL)
		return false;
	if (is_usable(range, align, commit))
		return true;
	extent_hooks_dalloc(range);
	return false;
}

/*
 * The alignment of requests for records. It is always the same, because hooks
 * may rely on it. Memory with a smaller alignment is accepted.
 */
#define RECORDS_ALIGN ((size_t)2 << 20)

bool
extent_hooks_alloc_records(struct hooked_range *range)
{
	struct extent_hooks *hooks = range->hooks;
	void *before = enter();
	bool zero = false;

	range->committed = true;
	range->addr = hooks->alloc(hooks, NULL, range->size, RECORDS_ALIGN,
	    &zero, &range->committed, range->arena);
	extent_hooks_guard.leave(before);
	if (range->addr == NULL)
		return false;
	if (range->committed &&
	    (uintptr_t)range->addr % system_info.page_size == 0)
		return true;
	extent_hooks_dalloc(range);
	return false;
}

bool
extent_hooks_inside(void)
{
	void *before = extent_hooks_guard.enter();

	extent_hooks_guard.leave(before);
	return before == NULL;
}

bool
extent_hooks_dalloc(const struct hooked_range *range)
{
	bool (*hook)(struct extent_hooks *, void *, size_t, bool,
	    unsigned) = range->hooks->dalloc;
	void *before;
	bool declined;

	if (hook == NULL)
		return false;
	before = enter();
	declined = hook(range->hooks, range->addr, range->size,
	    range->committed, range->arena);
	extent_hooks_guard.leave(before);
	return !declined;
}

void
extent_hooks_destroy(const struct hooked_range *range)
{
	void (*hook)(struct extent_hooks *, void *, size_t, bool,
	    unsigned) = range->hooks->destroy;
	void *before;

	if (hook == NULL)
		return;
	before = enter();
	hook(range->hooks, range->addr, range->size, range->committed,
	    range->arena);
	extent_hooks_guard.leave(before);
}

/* Calls a hook that has an offset and a length, for the whole range. */
static bool
over_all(const struct hooked_range *range,
    bool (*hook)(struct extent_hooks *, void *, size_t, size_t, size_t,
	unsigned))
{
	void *before;
	bool declined;

	if (hook == NULL)
		return false;
	before = enter();
	declined = hook(range->hooks, range->addr, range->size, 0, range->size,
	    range->arena);
	extent_hooks_guard.leave(before);
	return !declined;
}

bool
extent_hooks_commit(const struct hooked_range *range)
{
	return over_all(range, range->hooks->commit);
}

bool
extent_hooks_decommit(const struct hooked_range *range)
{
	return over_all(range, range->hooks->decommit);
}

bool
extent_hooks_purge_lazy(const struct hooked_range *range)
{
	return over_all(range, range->hooks->purge_lazy);
}

bool
extent_hooks_purge_forced(const struct hooked_range *range)
{
	return over_all(range, range->hooks->purge_forced);
}

bool
extent_hooks_split(const struct hooked_range *range, size_t size)
{
	bool (*hook)(struct extent_hooks *, void *, size_t, size_t, size_t,
	    bool, unsigned) = range->hooks->split;
	void *before;
	bool declined;

	if (hook == NULL)
		return false;
	before = enter();
	declined = hook(range->hooks, range->addr, range->size, size,
	    range->size - size, range->committed, range->arena);
	extent_hooks_guard.leave(before);
	return !declined;
}

bool
extent_hooks_merge(const struct hooked_range *range, size_t size)
{
	bool (*hook)(struct extent_hooks *, void *, size_t, void *, size_t,
	    bool, unsigned) = range->hooks->merge;
	size_t first = range->size - size;
	void *before;
	bool declined;

	if (hook == NULL)
		return false;
	before = enter();
	declined = hook(range->hooks, range->addr, first, range->addr + first,
	    size, range->committed, range->arena);
	extent_hooks_guard.leave(before);
	return !declined;
}
