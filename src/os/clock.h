/*
 * clock: monotonic time, and the time of day, as the kernel tells them.
 *
 * Another library may have replaced clock_gettime(), and may allocate in it or
 * take a lock, and the clock is read under locks. So it is not called.
 *
 * Owns:       the address of the kernel's function that reads clocks without a
 *             system call.
 * Invariants: never fails: a clock that can't be read gives 0. Callers must
 *             work with any clock, even if it goes back or jumps.
 * Locking:    none. errno is kept.
 */
#ifndef OS_CLOCK_H
#define OS_CLOCK_H

#include <stdint.h>

/* Looks for that function. Before, clocks are read by system calls. */
void clock_init(void);

/* Nanoseconds since some fixed moment; cheap, but only exact to a few ms. */
uint64_t clock_coarse_ns(void);

/* Nanoseconds since the same moment, precise. */
uint64_t clock_now_ns(void);

/* Nanoseconds that the calling thread has run, on any CPU. */
uint64_t clock_thread_ns(void);

/* Nanoseconds since the beginning of 1970. */
uint64_t clock_wall_ns(void);

#endif
