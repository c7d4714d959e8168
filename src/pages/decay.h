/*
 * decay: how many unused bytes may stay, given when they became unused.
 *
 * Owns:       struct decay: a ring of steps, each with the bytes that became
 *             unused in it.
 * Invariants: of the bytes that became unused in one step, all may stay at age
 *             0 and none at age `time_ms`; the share that may stay falls along
 *             a smooth curve in between. The limit is the sum over the ring.
 * Locking:    the caller's (LOCK_DECAY of the arena). This is arithmetic only:
 *             time comes in as a parameter.
 */
#ifndef PAGES_DECAY_H
#define PAGES_DECAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DECAY_STEPS 100

struct decay {
	int64_t time_ms; /* -1: never purge, 0: at once */
	uint64_t step_ns;
	uint64_t step_start_ns;
	size_t last_size; /* unused bytes at the last step */
	size_t keep;      /* how many might stay then */
	size_t owed;      /* bytes that still have to go */
	unsigned newest;  /* index of the current step */
	size_t added[DECAY_STEPS];
};

/* Starts with an empty ring. */
void decay_init(struct decay *decay, int64_t time_ms, uint64_t now_ns);

/* Is a step over, so that the limit may have changed? */
static inline bool
decay_is_due(const struct decay *decay, uint64_t now_ns)
{
	return decay->time_ms > 0 &&
	    now_ns - decay->step_start_ns >= decay->step_ns;
}

/**
 * Moves on to `now_ns`.
 * @param size  unused bytes now
 * @return      bytes that may stay
 */
size_t decay_advance(struct decay *decay, uint64_t now_ns, size_t size);

/*
 * How many of `size` unused bytes still have to go since the last step. Bytes
 * that became unused after it don't.
 */
size_t decay_owed(struct decay *decay, size_t size);

/* Notes that `size` bytes were purged. */
void decay_purged(struct decay *decay, size_t size);

#endif
