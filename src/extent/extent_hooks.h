/*
 * extent_hooks: the user's hooks, or os/pages.
 *
 * Owns:       the default table.
 * Invariants: the layout is that of extent_hooks_t in the public header; its
 *             functions return true for failure, as that contract has it. The
 *             library itself calls os/pages directly: arenas with hooks of
 *             their own don't exist yet, and the table is there for programs
 *             that read it and call it.
 * Locking:    none.
 * Used by:    ctl/ctl_arena.
 */
#ifndef EXTENT_EXTENT_HOOKS_H
#define EXTENT_EXTENT_HOOKS_H

#include <stdbool.h>
#include <stddef.h>

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

#endif
