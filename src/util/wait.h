/*
 * wait: how long until something is due, in nanoseconds.
 *
 * Owns:       nothing; pure functions.
 * Invariants: UINT64_MAX means never. If the clock went back, a wait is over:
 *             the difference wraps around to a huge number.
 * Locking:    none.
 */
#ifndef UTIL_WAIT_H
#define UTIL_WAIT_H

#include <stdint.h>

/* The rest of a wait of `delay_ns` that began at `since_ns`. */
static inline uint64_t
wait_rest(uint64_t since_ns, uint64_t delay_ns, uint64_t now_ns)
{
	uint64_t passed_ns = now_ns - since_ns;

	return passed_ns >= delay_ns ? 0 : delay_ns - passed_ns;
}

static inline uint64_t
wait_min(uint64_t a_ns, uint64_t b_ns)
{
	return a_ns < b_ns ? a_ns : b_ns;
}

#endif
