/*
 * tcache_state: what a thread's cache consists of.
 *
 * Owns:       the layout of struct tcache; there is no code here.
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
#include "cache/flight.h"
#include "cache/sampler.h"
#include "util/size_class.h"

struct arena;
struct quarantine_batch;

enum miss { MISS_TAKE, MISS_GIVE };

/* What the slow paths know about a bin. */
struct cache_bin_cold {
	void **bottom;      /* end of the stack's memory */
	void **hidden_head; /* head, while the stack is hidden */
	uint32_t capacity;  /* slots in that memory */
	uint32_t limit;     /* slots that may be used: bottom - full */
	uint32_t granted;   /* countdown at the last settling */
	uint16_t stride;    /* objects from event to event */
	uint16_t event_at;  /* time of the last one, see stride.c */
	uint32_t counted;   /* objects in the stack at the last settling */
	uint8_t misses;     /* refills and flushes since the last growth */
	uint8_t recent[2];  /* how recent the last miss was, by enum miss */
	uint32_t max;       /* most slots; 0 = this bin does not cache */
	/* Objects that trim.c took at the bottom. Only trim.c raises it. */
	_Atomic uint32_t vacated;
	uint16_t lacks; /* how often it lacked room since it last asked */
	uint16_t wait;  /* how often before it asks the next time */
	/* See cache/shrink.c: the numbers of looks, and what they saw. */
	uint16_t seen_uses;    /* at the last look */
	uint16_t used_at;      /* the last one that saw it used */
	uint16_t asked_at;     /* the last one that it asked for */
	uint64_t until_sample; /* objects before a sample, not granted yet */
	uint64_t taken;        /* objects handed out, settled */
	uint64_t given;        /* objects taken back, settled */
};

/*
 * The state that the owner of a cache shares with trim.c. While somebody trims,
 * the owner holds the guard in its slow paths. These may be long, so trim.c
 * only tries to take the guard. trim.c holds it for a moment, so the owner
 * waits for it.
 */
struct tcache_guard {
	_Atomic bool held;
	bool mine;                /* the owner holds it */
	_Atomic bool marked;      /* trim.c has set marks, under the guard */
	unsigned depth;           /* slow paths of the owner, nested */
	_Atomic uint32_t entries; /* odd: in a slow path */
	/* For trim.c: the value of `entries` when it last looked. */
	uint32_t seen;
	_Atomic bool taking; /* a fast path takes from a watched bin */
	bool done;           /* for trim.c: nothing was left to take then */
	_Atomic uint64_t event_ns; /* of the owner's last event; rough */
};

/* Rare work that a slow path has to do; 0: none. */
enum tcache_rare {
	TCACHE_FOLLOWS_CPU = 1, /* the arena is that of the thread's CPU */
	TCACHE_SAMPLED = 2,     /* allocations are picked, or were before */
	TCACHE_SIGNALLED = 4,   /* see api/prof_signal */
};

struct tcache {
	/* bins[0] is the dummy for kinds that are not bins. */
	struct cache_bin bins[1 + CACHE_BINS_MAX];
	struct tcache_guard guard; /* trim.c reads it in all threads */
	/* Request size -> byte offset of its bin. */
	uint16_t fine[CLASS_FINE_LEN];
	uint16_t coarse[CLASS_COARSE_LEN];
	cache_mark mark;      /* of freed objects; 0 in shared records */
	uintptr_t random;     /* what the mark was made from */
	uint16_t wrong_marks; /* stored by the program, since it was drawn */
	bool enabled;         /* does it cache at all? */
	bool hidden;          /* stacks are hidden from the fast paths */
	unsigned age_cursor;  /* next bin to age */
	unsigned tick_cursor; /* the last foreign arena that got a tick */
	unsigned ticks_here;  /* how many it got in a row, with a purge each */
	uint64_t used[(CACHE_BINS_MAX + 63) / 64]; /* bins with a stack */
	int64_t room[2]; /* bytes for limits to grow by: small, large */
	uint16_t looks;  /* how often bins looked for room, see shrink.c */
	size_t max_size; /* largest object cached */
	size_t held;     /* bytes that all stacks have room for */
	bool is_held;    /* they count, see cache/holding.h */
	/* For trim.c: how often the owner was back soon, when it was emptied */
	uint8_t returns;
	uint64_t emptied_ns;
	uint64_t uncached_taken; /* bytes that passed no stack */
	uint64_t uncached_given;
	struct arena *arena; /* where objects come from */
	/* Bytes in its unused pages, and in those of others: see stride.c. */
	size_t unused_seen;
	size_t unused_elsewhere;
	uint64_t shortened_ns;  /* when stride.c last made countdowns short */
	unsigned shard;         /* which of the arena's bins they come from */
	struct sampler sampler; /* picks for heap profile and guards */
	struct quarantine_batch *quarantine; /* what the thread freed last */
	/* Batches that it just gives back, see quarantine.c. */
	struct quarantine_batch *releasing;
	struct flight flight;
	_Atomic unsigned rare; /* enum tcache_rare; other threads set it too */
	struct cache_bin_cold cold[CACHE_BINS_MAX];
};

#endif
