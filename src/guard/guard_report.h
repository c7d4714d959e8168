/*
 * guard_report: reports about objects between guard pages, with call stacks.
 *
 * Owns:       the text of one report at a time.
 * Invariants: allocates nothing and takes no lock, so it may be called in a
 *             signal handler, and in a thread that holds any lock. If another
 *             report is being written, it waits a short while, and then writes
 *             only the first line.
 * Locking:    none.
 */
#ifndef GUARD_GUARD_REPORT_H
#define GUARD_GUARD_REPORT_H

#include <stdbool.h>

#include "guard/guard_pool.h"

struct guard_report {
	const char *kind; /* see conf/safety.h */
	const void *addr;
	const char *details;
	const struct guard_slot *slot;
	const struct guard_stack *access; /* the mistake itself */
};

/* Takes the stack of the caller, without frames of this library. */
void guard_stack_take(struct guard_stack *stack);

/* The same for the code that a signal has interrupted. */
void guard_stack_take_interrupted(struct guard_stack *stack,
    const void *context);

/*
 * Writes the report, then ends the process or returns, as safety_report() does.
 */
COLD void guard_report(const struct guard_report *report);

/*
 * Writes the report and returns. True: the program has set a function that is
 * called instead of ending the process, and it has returned.
 */
COLD bool guard_report_print(const struct guard_report *report);

#endif
