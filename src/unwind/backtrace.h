/*
 * backtrace: the chain of callers, down to the thread's first function.
 *
 * Owns:       nothing; unwind_row and unwind_stack remember results between
 *             calls.
 * Invariants: allocates nothing, takes no lock, keeps errno, and reads only
 *             memory that is mapped: the trace of a broken stack ends early.
 *             May be called in a signal handler. Usually makes no system call.
 *             Frames are followed by unwind information; if the code has none,
 *             by frame pointers.
 * Locking:    none.
 */
#ifndef UNWIND_BACKTRACE_H
#define UNWIND_BACKTRACE_H

#include <stdbool.h>
#include <stdint.h>

/**
 * Fills `vec` with at most `max` return addresses, innermost first; the first
 * one is that of this call.
 * @return  the number of addresses
 */
unsigned backtrace_take(void **vec, unsigned max);

/**
 * The same for the code that a signal has interrupted.
 * @param context  what the kernel gave to the handler (a ucontext_t)
 * @return         the first address is that of the interrupted instruction
 */
unsigned backtrace_take_interrupted(const void *context, void **vec,
    unsigned max);

/* A hash of `depth` return addresses, for tables of stacks. */
uint64_t backtrace_hash(void *const *vec, unsigned depth);

/*
 * Finds out which objects are loaded. This is needed if the C library has no
 * function for this that may be called at any time (glibc before 2.35, other
 * libraries, static programs at their start). If it has one, this does nothing.
 * Call it when constructors run and after objects were loaded; until then only
 * frame pointers are used. It takes the dynamic loader's lock, so the caller
 * must hold no lock.
 */
void backtrace_refresh(void);

/*
 * The same, before stacks are wanted: if the program was linked without a table
 * of its unwind information (static programs), this makes one, and reads the
 * program's file for that.
 */
void backtrace_prepare(void);

/* Was one of the two called? Before, a short stack shows nothing. */
bool backtrace_is_ready(void);

#endif
