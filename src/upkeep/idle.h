/*
 * idle: what background_thread:auto does for a program that sleeps after a
 * burst.
 *
 * Owns:       how much is worth a thread, and how long caches alone are not
 *             worth another one.
 * Invariants: it does only what a call of the program would do, so nothing
 *             changes for a busy program. It never calls a function of the
 *             program: it leaves arenas alone that have extent hooks, or whose
 *             pages the kernel refuses. Caches may have objects of arenas with
 *             hooks, which are called when slabs become empty; so it leaves all
 *             caches alone if there is such an arena.
 * Locking:    none. One thread at a time does steps.
 *
 * What caches hold can only be taken from threads that sleep, and nobody can
 * know in advance whether they will. So a thread that was started for what they
 * hold waits some seconds for that, and again after each time that it took much
 * from some of them. If they don't sleep, or have little, it
 * leaves, and the next one is not started for a second; each time that this
 * happens, for twice as long, up to an hour. If it took much and the program
 * has fallen asleep, the next one may come at once.
 */
#ifndef UPKEEP_IDLE_H
#define UPKEEP_IDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

/*
 * From now on background_wake() is called when an arena has many more unused
 * pages, or caches may hold much more, until idle_stop_looking().
 */
void idle_look_out(void);
void idle_stop_looking(void);

/* The next slow call asks again, even if no more is unused then. */
void idle_ask_again(void);

/*
 * Is so much unused, or in caches, that a thread should give it back? Never in
 * a process with one thread: with a second thread, it could not enter
 * namespaces.
 */
bool idle_is_worth_it(void);

/* The life of a thread; all 0 at its beginning. */
struct idle {
	uint64_t low_since_ns;  /* little has been unused since then; 0: no */
	uint64_t full_since_ns; /* the same: caches were full, it took little */
	bool has_begun;
	bool for_caches;     /* unused pages alone were not worth it */
	size_t taken;        /* bytes that it took from caches */
	size_t taken_before; /* until full_since_ns */
};

/**
 * Ages the pages of all arenas, and takes back what silent threads have cached.
 * @return  nanoseconds until the next step; 0: what is left is not worth it
 */
uint64_t idle_step(struct idle *idle, uint64_t now_ns);

/*
 * The thread will leave: decides how long the next one must wait, and does what
 * idle_look_out() does.
 */
void idle_end(struct idle *idle, uint64_t now_ns);

/*
 * The caller is the last thread of the program to end but one. If the threads
 * leave much, it goes back now: no thread of ours may stay in a process with
 * one thread, and nobody knows when that one calls again. A program that starts
 * a thread for each piece of work would lose its pages each time, so this takes
 * no more than a part of the time.
 */
void idle_last(void);

/* An object of this many bytes is very large. */
#define IDLE_LONG ((size_t)32 << 20)

/*
 * A very large object of `size` bytes was freed. In a process with one thread
 * nobody knows when that one calls again, so at most 128 MiB stay unused in its
 * arena, or as much as this object has: the next ones can have these pages.
 */
void idle_freed_long(struct arena *arena, size_t size);

/* In the child of a fork nothing is known of its caches. */
void idle_fork_child(void);

#endif
