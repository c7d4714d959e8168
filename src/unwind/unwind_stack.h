/*
 * unwind_stack: reads the stack that is unwound, and nothing else.
 *
 * Owns:       a table that remembers how far down threads' stacks were found
 *             readable, and where not. Another thread may overwrite an entry.
 * Invariants: memory is read only if it is between the stack pointer and the
 *             end of that page, or if the kernel has said that it can be read.
 *             In two cases the kernel is asked less: the first stack of the
 *             process is one mapping up to its end, so the kernel is not asked.
 *             At the end of a thread's stack is the C library's record of the
 *             thread, so the kernel is asked once about all memory up to there.
 * Locking:    none; entries are checked as they are read.
 */
#ifndef UNWIND_STACK_H
#define UNWIND_STACK_H

#include <stdbool.h>
#include <stdint.h>

#include "util/compiler.h"

/*
 * [low, high) is readable; both are aligned to words. A read above `high`
 * extends it page by page, if the memory is there.
 */
struct unwind_stack {
	uintptr_t low;
	uintptr_t high;
};

/* Begins with what is known about the stack that `pointer` points into. */
void unwind_stack_init(struct unwind_stack *stack, uintptr_t pointer);

/* Extends the stack up to the word at `address`; false: it can't be read. */
bool unwind_stack_reach(struct unwind_stack *stack, uintptr_t address);

/*
 * The word at `address`; false: it can't be read. Sanitizers forbid reads
 * between the variables on a stack, but here they are intended.
 */
static inline UNSANITIZED bool
unwind_stack_read(struct unwind_stack *stack, uintptr_t address,
    uintptr_t *word)
{
	if (address % sizeof(uintptr_t) != 0)
		return false;
	if (unlikely(address < stack->low || address >= stack->high) &&
	    !unwind_stack_reach(stack, address))
		return false;
	*word = *(const volatile uintptr_t *)address;
	return true;
}

#endif
