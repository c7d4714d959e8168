/*
 * prof_signal: a signal that turns the heap profile on and off, or dumps.
 *
 * Owns:       the handler of the signal that the option names, and a thread
 *             that does what is asked for.
 * Invariants: the handler only notes and wakes. Where the thread can't be
 *             started, and in the child of a fork, the thread that got the
 *             signal does it in its next slow path.
 * Locking:    none.
 */
#ifndef API_PROF_SIGNAL_H
#define API_PROF_SIGNAL_H

/* Outside of start-up: starts a thread. */
void prof_signal_start(void);

/* Does what was asked for, if nobody has yet. */
void prof_signal_act(void);

/* In the child of a fork, where the thread is gone. */
void prof_signal_fork_child(void);

#endif
