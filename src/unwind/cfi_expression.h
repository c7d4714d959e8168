/*
 * cfi_expression: computes an address from an expression of unwind information.
 *
 * Owns:       nothing.
 * Invariants: ends after a bounded number of operations; reads memory only
 *             through the stack that is unwound. It knows the operations that
 *             PLT entries, signal frames and realigned stacks use, not those
 *             for objects and pieces.
 * Locking:    none.
 */
#ifndef UNWIND_CFI_EXPRESSION_H
#define UNWIND_CFI_EXPRESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "unwind/unwind_stack.h"

struct cfi_expression {
	const uint8_t *start;
	const uint8_t *end;
	const uintptr_t *registers; /* REGISTERS of them */
	struct unwind_stack *stack;
};

/*
 * Computes the value; false: that is not possible. *initial, unless it is NULL,
 * is the first value on the expression's stack.
 */
bool cfi_expression_value(const struct cfi_expression *expression,
    const uintptr_t *initial, uintptr_t *value);

#endif
