/*
 * loader: does the dynamic loader call us?
 *
 * Owns:       nothing.
 * Invariants: as backtrace.h.
 * Locking:    none.
 */
#ifndef UNWIND_LOADER_H
#define UNWIND_LOADER_H

#include <stdbool.h>

/*
 * Is the dynamic loader among the callers? It frees thread-local storage for
 * the C library: for pthread_join(), which holds the lock of the thread stacks,
 * and in threads that are at their end.
 * @param unknown  the answer if it can't be told, as in a static program
 */
bool loader_calls_us(bool unknown);

#endif
