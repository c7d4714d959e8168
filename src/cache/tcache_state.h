/*
 * tcache_state: what a thread's cache consists of.
 *
 * Owns:       struct tcache, and how parts of it are called.
 * Invariants: bins[i + 1] is what fast paths know of bin i, cold[i] the rest.
 * Locking:    see cache/tcache.h.
 */
#ifndef CACHE_TCACHE_STATE_H
#define CACHE_TCACHE_STATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/cache_bin.h"
#include "cache/sampler.h"
#include "util/size_class.h"

struct arena;

enum miss { MISS_TAKE, MISS_GIVE };

/* What the slow paths know about a bin. */
struct cache_bin_cold {
	void **bottom;		/* end of the stack's memory */
	void **hidden_head;	/* head, while out of sight */
	uint32_t capacity;	/* slots in that memory */
	uint32_t limit;		/* slots in use of them: bottom - full */
	uint32_t granted;	/* countdown at the last settling */
	uint32_t stride;	/* objects from event to event */
	uint32_t counted;	/* objects in the stack at the last settling */
	uint16_t misses;	/* refills and flushes since the last growth */
	uint8_t recent[2];	/* how recent the last one was, by enum miss */
	uint32_t max;		/* most slots; 0 = this bin does not cache */
	/* Objects at the bottom that trim.c took; it alone raises this. */
	_Atomic uint32_t vacated;
	uint64_t until_sample;	/* objects to hand out first, not granted yet */
	uint64_t taken;		/* objects handed out, settled */
	uint64_t given;		/* objects taken back, settled */
};

/*
 * Between the owner of a cache and trim.c. The guard is held by the owner
 * while it is in a slow path, which may be long, so that trim.c only tries; and
 * by trim.c for a moment.
 */
struct tcache_guard {
	_Atomic bool held;
	bool mine;		/* the owner holds it */
	_Atomic bool marked;	/* trim.c has set marks, under the guard */
	unsigned depth;		/* of the owner's slow paths; one in another */
	_Atomic uint32_t entries;	/* odd: in a slow path */
	/* What trim.c knows: entries when it last came by. */
	uint32_t seen;
	_Atomic bool taking;	/* a fast path takes from a watched bin */
	bool done;		/* and that nothing is left */
	_Atomic uint64_t event_ns;	/* the owner's last event; a hint */
};

/* What makes a slow path longer; 0: nothing does. */
enum tcache_rare {
	TCACHE_FOLLOWS_CPU = 1,	/* arena is that of the CPU its thread is on */
	TCACHE_SAMPLED = 2,	/* the heap profile is on, or was */
	TCACHE_SIGNALLED = 4,	/* see api/prof_signal */
};

struct tcache {
	/* bins[0] is the dummy for kinds that are not bins. */
	struct cache_bin bins[1 + CACHE_BINS_MAX];
	struct tcache_guard guard;	/* looked at in all threads: here */
	/* Request size -> byte offset of its bin. */
	uint16_t fine[CLASS_FINE_LEN];
	uint16_t coarse[CLASS_COARSE_LEN];
	uintptr_t key;		/* the mark of freed objects */
	bool enabled;		/* does it cache at all? */
	bool hidden;		/* stacks are out of the fast paths' sight */
	unsigned age_cursor;	/* next bin to age */
	unsigned tick_cursor;	/* next foreign arena to tick */
	uint64_t used[(CACHE_BINS_MAX + 63) / 64];	/* bins with a stack */
	int64_t room[2];	/* bytes that stacks may hold more: small, large */
	size_t max_size;	/* largest object cached */
	uint64_t event_bytes;	/* that led to events, ever */
	uint64_t uncached_taken;	/* bytes, past the stacks */
	uint64_t uncached_given;
	struct arena *arena;	/* where objects come from */
	unsigned shard;		/* and from which bins of it */
	struct sampler sampler;
	_Atomic unsigned rare;	/* enum tcache_rare; others set it, too */
	struct cache_bin_cold cold[CACHE_BINS_MAX];
};

#endif
