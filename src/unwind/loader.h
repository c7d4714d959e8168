/*
 * loader: does the dynamic loader call us?
 *
 * Owns:       nothing.
 * Invariants: those of backtrace.h.
 * Locking:    none.
 */
#ifndef UNWIND_LOADER_H
#define UNWIND_LOADER_H

#include <stdbool.h>

/*
 * Is the dynamic loader among the callers? It frees thread-local storage for
 * the C library: in pthread_join(), which holds the lock of the thread stacks,
 * and in threads that end.
 * @param unknown  the answer if this is not known, as in a static program
 */
bool loader_calls_us(bool unknown);

#endif
