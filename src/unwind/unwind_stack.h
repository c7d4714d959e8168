/*
 * unwind_stack: reads the stack that is unwound, and nothing else.
 *
 * Owns:       a table that remembers how far down threads' stacks were found
 *             readable; an entry is taken by who comes, so it may be lost.
 * Invariants: memory is read only when it lies between the stack pointer and the
 *             end of the page it points into, or when the kernel said that it
 *             can be read. The stack the process began with needs no question:
 *             it is one mapping up to its end. Nor does, after the first time,
 *             that of a thread, at whose end the C library keeps the thread's
 *             own record.
 * Locking:    none; entries are checked as they are read.
 */
#ifndef UNWIND_STACK_H
#define UNWIND_STACK_H

#include <stdbool.h>
#include <stdint.h>

#include "util/compiler.h"

/* Readable: [low, high), both aligned to words. Reads above make it longer, page by page, if they can. */
struct unwind_stack {
	uintptr_t low;
	uintptr_t high;
};

/* What is known about the stack that `pointer` points into. */
void unwind_stack_init(struct unwind_stack *stack, uintptr_t pointer);

/* Makes [address, address + sizeof(uintptr_t)) readable, or says that it isn't. */
bool unwind_stack_reach(struct unwind_stack *stack, uintptr_t address);

/*
 * The word at `address`; false where it can't be read. What lies between variables
 * on a stack is no business of sanitizers here.
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
