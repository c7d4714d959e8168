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
 * Has the dynamic loader called the function of this library that the caller
 * works for? It does so for the C library, which may hold locks: pthread_join()
 * frees thread-local storage while it holds the lock of the thread stacks.
 * @param unknown  the answer if it can't be told, as in a static program
 */
bool loader_calls_us(bool unknown);

#endif
