#include "unwind/cfi_expression.h"

#include <stddef.h>

#include "os/registers.h"
#include "unwind/cfi_reader.h"

enum {
	DEPTH_MAX = 16,
	OPERATIONS_MAX = 256,
	TOP_BIT = 8 * sizeof(uintptr_t) - 1,
};

enum {
	OP_ADDR = 0x03,
	OP_DEREF = 0x06,
	OP_CONST1U = 0x08,
	OP_CONST8S = 0x0f,
	OP_CONSTU = 0x10,
	OP_CONSTS = 0x11,
	OP_DUP = 0x12,
	OP_DROP = 0x13,
	OP_OVER = 0x14,
	OP_PICK = 0x15,
	OP_SWAP = 0x16,
	OP_ROT = 0x17,
	OP_ABS = 0x19,
	OP_AND = 0x1a,
	OP_DIV = 0x1b,
	OP_MINUS = 0x1c,
	OP_MOD = 0x1d,
	OP_MUL = 0x1e,
	OP_NEG = 0x1f,
	OP_NOT = 0x20,
	OP_OR = 0x21,
	OP_PLUS = 0x22,
	OP_PLUS_UCONST = 0x23,
	OP_SHL = 0x24,
	OP_SHR = 0x25,
	OP_SHRA = 0x26,
	OP_XOR = 0x27,
	OP_BRA = 0x28,
	OP_EQ = 0x29,
	OP_GE = 0x2a,
	OP_GT = 0x2b,
	OP_LE = 0x2c,
	OP_LT = 0x2d,
	OP_NE = 0x2e,
	OP_SKIP = 0x2f,
	OP_LIT0 = 0x30,
	OP_BREG0 = 0x70,
	OP_BREG31 = 0x8f,
	OP_BREGX = 0x92,
	OP_DEREF_SIZE = 0x94,
	OP_NOP = 0x96,
};

struct machine {
	struct cfi_reader code;
	const struct cfi_expression *expression;
	unsigned depth;
	bool failed;
	uintptr_t value[DEPTH_MAX];
};

static void
push(struct machine *machine, uint64_t value)
{
	if (machine->depth == DEPTH_MAX)
		machine->failed = true;
	else
		machine->value[machine->depth++] = (uintptr_t)value;
}

static uintptr_t
pop(struct machine *machine)
{
	if (machine->depth == 0) {
		machine->failed = true;
		return 0;
	}
	return machine->value[--machine->depth];
}

/* The value that is `below` places below the top of the stack. */
static uintptr_t
peek(struct machine *machine, unsigned below)
{
	if (below >= machine->depth) {
		machine->failed = true;
		return 0;
	}
	return machine->value[machine->depth - 1 - below];
}

static void
push_register(struct machine *machine, uint64_t number, int64_t offset)
{
	if (number >= REGISTERS)
		machine->failed = true;
	else
		push(machine,
		    machine->expression->registers[number] + (uintptr_t)offset);
}

static void
push_memory(struct machine *machine, size_t size)
{
	uintptr_t address = pop(machine), word = 0;

	if (size == 0 || size > sizeof(word) ||
	    !unwind_stack_read(machine->expression->stack, address, &word)) {
		machine->failed = true;
		return;
	}
	if (size < sizeof(word))
		word &= ((uintptr_t)1 << 8 * size) - 1;
	push(machine, word);
}

static bool
run_literal(struct machine *machine, unsigned op)
{
	struct cfi_reader *code = &machine->code;

	if (op >= OP_LIT0 && op < OP_LIT0 + 32) {
		push(machine, op - OP_LIT0);
	} else if (op >= OP_BREG0 && op <= OP_BREG31) {
		push_register(machine, op - OP_BREG0, cfi_read_sleb(code));
	} else if (op >= OP_CONST1U && op <= OP_CONST8S) {
		size_t size = (size_t)1 << (op - OP_CONST1U) / 2;

		push(machine,
		    op % 2 == 0 ? cfi_read(code, size)
				: (uint64_t)cfi_read_signed(code, size));
	} else if (op == OP_BREGX) {
		uint64_t number = cfi_read_uleb(code);

		push_register(machine, number, cfi_read_sleb(code));
	} else if (op == OP_ADDR) {
		push(machine, cfi_read(code, sizeof(uintptr_t)));
	} else if (op == OP_CONSTU) {
		push(machine, cfi_read_uleb(code));
	} else if (op == OP_CONSTS) {
		push(machine, (uint64_t)cfi_read_sleb(code));
	} else {
		return false;
	}
	return true;
}

static void
rotate(struct machine *machine)
{
	uintptr_t first = pop(machine), second = pop(machine);
	uintptr_t third = pop(machine);

	push(machine, first);
	push(machine, third);
	push(machine, second);
}

static void
swap(struct machine *machine)
{
	uintptr_t first = pop(machine), second = pop(machine);

	push(machine, first);
	push(machine, second);
}

static void
jump(struct machine *machine, bool taken)
{
	int64_t offset = cfi_read_signed(&machine->code, 2);
	const uint8_t *start = machine->expression->start;
	ptrdiff_t at = machine->code.at - start;

	if (!taken)
		return;
	if (at + offset < 0 || at + offset > machine->code.end - start)
		machine->failed = true;
	else
		machine->code.at = start + at + offset;
}

static bool
run_order(struct machine *machine, unsigned op)
{
	switch (op) {
	case OP_DUP:
		push(machine, peek(machine, 0));
		return true;
	case OP_DROP:
		pop(machine);
		return true;
	case OP_OVER:
		push(machine, peek(machine, 1));
		return true;
	case OP_PICK:
		push(machine,
		    peek(machine, (unsigned)cfi_read(&machine->code, 1)));
		return true;
	case OP_SWAP:
		swap(machine);
		return true;
	case OP_ROT:
		rotate(machine);
		return true;
	case OP_SKIP:
		jump(machine, true);
		return true;
	case OP_BRA:
		jump(machine, pop(machine) != 0);
		return true;
	case OP_NOP:
		return true;
	default:
		return false;
	}
}

static bool
run_unary(struct machine *machine, unsigned op)
{
	uintptr_t value;

	switch (op) {
	case OP_DEREF:
		push_memory(machine, sizeof(uintptr_t));
		return true;
	case OP_DEREF_SIZE:
		push_memory(machine, (size_t)cfi_read(&machine->code, 1));
		return true;
	case OP_PLUS_UCONST:
		value = pop(machine);
		push(machine, value + cfi_read_uleb(&machine->code));
		return true;
	case OP_ABS:
		value = pop(machine);
		push(machine, (intptr_t)value < 0 ? 0 - value : value);
		return true;
	case OP_NEG:
		push(machine, 0 - pop(machine));
		return true;
	case OP_NOT:
		push(machine, ~pop(machine));
		return true;
	default:
		return false;
	}
}

/* Does an operation with two operands; false: unknown, or without result. */
static bool
compute(unsigned op, uintptr_t a, uintptr_t b, uintptr_t *result)
{
	intptr_t left = (intptr_t)a, right = (intptr_t)b;
	bool shifts_out = b >= 8 * sizeof(a);

	/* clang-format off */
	switch (op) {
	case OP_AND: *result = a & b; return true;
	case OP_OR: *result = a | b; return true;
	case OP_XOR: *result = a ^ b; return true;
	case OP_PLUS: *result = a + b; return true;
	case OP_MINUS: *result = a - b; return true;
	case OP_MUL: *result = a * b; return true;
	case OP_SHL: *result = shifts_out ? 0 : a << b; return true;
	case OP_SHR: *result = shifts_out ? 0 : a >> b; return true;
	case OP_SHRA:
		*result = (uintptr_t)(left >> (shifts_out ? TOP_BIT : b));
		return true;
	case OP_EQ: *result = a == b; return true;
	case OP_NE: *result = a != b; return true;
	case OP_GE: *result = left >= right; return true;
	case OP_GT: *result = left > right; return true;
	case OP_LE: *result = left <= right; return true;
	case OP_LT: *result = left < right; return true;
	case OP_MOD:
		if (b == 0)
			return false;
		*result = a % b;
		return true;
	case OP_DIV:
		if (right == 0 || (right == -1 && left == INTPTR_MIN))
			return false;
		*result = (uintptr_t)(left / right);
		return true;
	default: return false;
	}
	/* clang-format on */
}

static void
run_binary(struct machine *machine, unsigned op)
{
	uintptr_t b = pop(machine), a = pop(machine), result;

	if (compute(op, a, b, &result))
		push(machine, result);
	else
		machine->failed = true;
}

bool
cfi_expression_value(const struct cfi_expression *expression,
    const uintptr_t *initial, uintptr_t *value)
{
	struct machine machine;

	machine.code = (struct cfi_reader){
		.at = expression->start,
		.end = expression->end,
	};
	machine.expression = expression;
	machine.depth = 0;
	machine.failed = false;
	if (initial != NULL)
		push(&machine, *initial);
	for (unsigned i = 0;
	     i < OPERATIONS_MAX && machine.code.at < machine.code.end; i++) {
		unsigned op = (unsigned)cfi_read(&machine.code, 1);

		if (!run_literal(&machine, op) && !run_order(&machine, op) &&
		    !run_unary(&machine, op))
			run_binary(&machine, op);
		if (machine.failed || machine.code.failed)
			return false;
	}
	if (machine.code.at < machine.code.end)
		return false;
	*value = pop(&machine);
	return !machine.failed;
}
