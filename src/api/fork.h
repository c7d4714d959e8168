/*
 * fork: the library on both sides of fork().
 *
 * Owns:       the lock that allows one fork at a time.
 * Invariants: the thread that forks holds every lock while the process is
 *             copied, so the child's copy is consistent. That thread may
 *             allocate meanwhile, because other fork handlers run then: see
 *             os/lock.h. If it is the only thread, it holds none: it may be in
 *             the middle of a change, which its signal handler interrupts, and
 *             goes on with it on both sides.
 * Locking:    takes all locks in the order of os/lock_order.h.
 */
#ifndef API_FORK_H
#define API_FORK_H

void fork_init(void);

/* Registers the handlers with the C library. May allocate. */
void fork_register(void);

#endif
