/*
 * extent_hooks: the user's memory functions, and the default ones.
 *
 * Owns:       the default table; what a thread does around a user's function.
 * Invariants: the layout is that of extent_hooks_t in the public header, whose
 *             functions return true for failure; the calls here return true
 *             for success. A field that is NULL declines. A source without
 *             hooks of its own calls os/pages directly, and the default table
 *             is there for programs that read it and call it.
 * Locking:    no caller holds a lock. A user's function may allocate and free:
 *             `extent_hooks_guard` sees to it that the thread's cache, which
 *             may be in the middle of a change, is out of its sight.
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

/* Upcalls around a user's function: enter, and leave with what enter gave. */
struct extent_hooks_guard {
	/* NULL: the thread is inside of a user's function already. */
	void *(*enter)(void);
	void (*leave)(void *before);
};

extern HIDDEN struct extent_hooks_guard extent_hooks_guard;

/* What hooks are told about, beside the operation's own numbers. */
struct hooked_range {
	struct extent_hooks *hooks;
	char *addr;
	size_t size;		/* bytes */
	bool committed;
	unsigned arena;
};

/**
 * New memory.
 * @param range   hooks, size and arena; addr and committed are filled in
 * @param commit  must it be committed?
 * @param zero    out: is it known to be zero?
 * @return        false: there is none; or what was given is of no use, and
 *                went back
 */
bool extent_hooks_alloc(struct hooked_range *range, size_t align, bool commit,
    bool *zero);

/*
 * The same for records of the library, which are aligned to more than the
 * kernel's pages if the functions please.
 */
bool extent_hooks_alloc_records(struct hooked_range *range);

/* Is the caller inside of a user's function, which would ask itself? */
bool extent_hooks_inside(void);

/* Gives address space back; false: it stays. */
bool extent_hooks_dalloc(const struct hooked_range *range);

/* The end of what an arena has that is destroyed. */
void extent_hooks_destroy(const struct hooked_range *range);

/* For all bytes of the range. */
bool extent_hooks_commit(const struct hooked_range *range);
bool extent_hooks_decommit(const struct hooked_range *range);
bool extent_hooks_purge_lazy(const struct hooked_range *range);
bool extent_hooks_purge_forced(const struct hooked_range *range);

/* May the first `size` bytes be a range of their own? */
bool extent_hooks_split(const struct hooked_range *range, size_t size);

/* May the last `size` bytes, a range of their own, become part of it? */
bool extent_hooks_merge(const struct hooked_range *range, size_t size);

#endif
