/*
 * extent_hooks: the user's memory functions, and the default ones.
 *
 * Owns:       the default table; the guard around a user's function.
 * Invariants: the layout is that of extent_hooks_t in the public header, whose
 *             functions return true for failure; the calls here return true
 *             for success. A field that is NULL counts as a refusal. A source
 *             without hooks of its own calls os/pages directly; the default
 *             table is there for programs that read it and call it.
 * Locking:    no caller holds a lock. A user's function may allocate and free
 *             while the thread's cache is in the middle of a change:
 *             `extent_hooks_guard` makes these calls work without the cache.
 */
#ifndef EXTENT_EXTENT_HOOKS_H
#define EXTENT_EXTENT_HOOKS_H

#include <stdbool.h>
#include <stddef.h>

#include "util/compiler.h"

struct extent_hooks {
	void *(*alloc)(struct extent_hooks *hooks, void *addr, size_t size,
	    size_t align, bool *zero, bool *commit, unsigned arena);
	bool (*dalloc)(struct extent_hooks *hooks, void *addr, size_t size,
	    bool committed, unsigned arena);
	void (*destroy)(struct extent_hooks *hooks, void *addr, size_t size,
	    bool committed, unsigned arena);
	bool (*commit)(struct extent_hooks *hooks, void *addr, size_t size,
	    size_t offset, size_t length, unsigned arena);
	bool (*decommit)(struct extent_hooks *hooks, void *addr, size_t size,
	    size_t offset, size_t length, unsigned arena);
	bool (*purge_lazy)(struct extent_hooks *hooks, void *addr, size_t size,
	    size_t offset, size_t length, unsigned arena);
	bool (*purge_forced)(struct extent_hooks *hooks, void *addr,
	    size_t size, size_t offset, size_t length, unsigned arena);
	bool (*split)(struct extent_hooks *hooks, void *addr, size_t size,
	    size_t size_a, size_t size_b, bool committed, unsigned arena);
	bool (*merge)(struct extent_hooks *hooks, void *addr_a, size_t size_a,
	    void *addr_b, size_t size_b, bool committed, unsigned arena);
};

extern struct extent_hooks extent_hooks_default;

/*
 * Upcalls around a user's function: enter() before it, and after it leave()
 * with the result of enter().
 */
struct extent_hooks_guard {
	/* Returns NULL if the thread is already inside a user's function. */
	void *(*enter)(void);
	void (*leave)(void *before); /* with NULL it does nothing */
};

extern HIDDEN struct extent_hooks_guard extent_hooks_guard;

/* The arguments that all hooks get. */
struct hooked_range {
	struct extent_hooks *hooks;
	char *addr;
	size_t size; /* bytes */
	bool committed;
	unsigned arena;
};

/**
 * Gets new memory.
 * @param range   in: hooks, size and arena; out: addr and committed
 * @param commit  must it be committed?
 * @param zero    out: is it known to be zero?
 * @return        false: the hook gave none, or the memory was unusable and went
 *                back
 */
bool extent_hooks_alloc(struct hooked_range *range, size_t align, bool commit,
    bool *zero);

/*
 * Gets memory for records of the library. It asks for a large alignment, as the
 * contract says, but accepts that of the kernel's pages.
 */
bool extent_hooks_alloc_records(struct hooked_range *range);

/*
 * Does the caller run inside a user's function? Then that function must not be
 * asked for memory.
 */
bool extent_hooks_inside(void);

/* Gives address space back; false: the hook refused, it is still mapped. */
bool extent_hooks_dalloc(const struct hooked_range *range);

/* Gives back memory of an arena that is destroyed; the hook can't refuse. */
void extent_hooks_destroy(const struct hooked_range *range);

/* These concern all bytes of the range. */
bool extent_hooks_commit(const struct hooked_range *range);
bool extent_hooks_decommit(const struct hooked_range *range);
bool extent_hooks_purge_lazy(const struct hooked_range *range);
bool extent_hooks_purge_forced(const struct hooked_range *range);

/* May the first `size` bytes become a range of their own? */
bool extent_hooks_split(const struct hooked_range *range, size_t size);

/*
 * May the last `size` bytes, now a range of their own, be joined to the bytes
 * before them?
 */
bool extent_hooks_merge(const struct hooked_range *range, size_t size);

#endif
