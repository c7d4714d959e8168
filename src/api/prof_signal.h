/*
 * prof_signal: a signal that turns the heap profile on and off, or dumps it.
 *
 * Owns:       the handler of the signal that the option names, and a thread
 *             that does the work.
 * Invariants: the handler only sets a flag and wakes the thread. If the thread
 *             can't be started, and in the child of a fork, the thread that got
 *             the signal does the work in its next slow path.
 * Locking:    none.
 */
#ifndef API_PROF_SIGNAL_H
#define API_PROF_SIGNAL_H

/* Must not be called during the start-up, because it starts a thread. */
void prof_signal_start(void);

/* Does the work of a signal, if there was one and no thread has done it yet. */
void prof_signal_act(void);

/* To be called in the child of a fork, where our thread does not exist. */
void prof_signal_fork_child(void);

#endif
