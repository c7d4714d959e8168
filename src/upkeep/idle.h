/*
 * idle: what background_thread:auto does for a program that sleeps after a
 * burst.
 *
 * Owns:       nothing but how much is worth a thread.
 * Invariants: it does only what a call of the program would do, so nothing
 *             changes for a busy program. It never calls a function of the
 *             program: it leaves arenas alone that have extent hooks, or whose
 *             pages the kernel refuses.
 * Locking:    none. One thread at a time does steps.
 */
#ifndef UPKEEP_IDLE_H
#define UPKEEP_IDLE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * From now on background_wake() is called when an arena has many more unused
 * pages, until idle_stop_looking().
 */
void idle_look_out(void);
void idle_stop_looking(void);

/* The next slow call asks again, even if no more is unused then. */
void idle_ask_again(void);

/*
 * Is so much unused that a thread should give it back? Never in a process with
 * one thread: with a second thread, it could not enter namespaces.
 */
bool idle_is_worth_it(void);

struct idle {
	uint64_t low_since_ns; /* little has been unused since then; 0: no */
};

/**
 * Ages the pages of all arenas, and takes back what silent threads have cached.
 * @return  nanoseconds until the next step; 0: what is left is not worth it
 */
uint64_t idle_step(struct idle *idle, uint64_t now_ns);

#endif
