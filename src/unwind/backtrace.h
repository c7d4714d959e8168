/*
 * backtrace: who called whom, down to the thread's first function.
 *
 * Owns:       nothing; what is remembered between calls is in unwind_row and
 *             unwind_stack.
 * Invariants: allocates nothing, takes no lock, keeps errno, and reads no memory
 *             that may not be there: a stack that is broken ends early. May be
 *             called in a signal handler. Usually makes no system call.
 *             Frames are followed by unwind information; where code has none, by
 *             frame pointers.
 * Locking:    none.
 */
#ifndef UNWIND_BACKTRACE_H
#define UNWIND_BACKTRACE_H

#include <stdint.h>

/**
 * Fills `vec` with at most `max` return addresses, innermost first; the first is
 * that of this call.
 * @return  how many there are
 */
unsigned backtrace_take(void **vec, unsigned max);

/* Of `depth` return addresses, for tables of stacks. */
uint64_t backtrace_hash(void *const *vec, unsigned depth);

/*
 * Finds out which objects are loaded, where the C library can't tell at any time
 * (glibc before 2.35, others, static programs as they start): when constructors
 * run, and after objects were loaded. Until then frame pointers must do. Takes
 * the dynamic loader's lock, so no lock of ours may be held; elsewhere it does
 * nothing.
 */
void backtrace_refresh(void);

#endif
