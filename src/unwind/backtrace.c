#include "unwind/backtrace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "os/interrupted.h"
#include "os/probe.h"
#include "os/registers.h"
#include "unwind/cfi.h"
#include "unwind/cfi_expression.h"
#include "unwind/cfi_reader.h"
#include "unwind/program_index.h"
#include "unwind/unwind_objects.h"
#include "unwind/unwind_row.h"
#include "unwind/unwind_stack.h"
#include "util/compiler.h"

/* There is no code below this address. */
enum { PC_MIN = 4096 };

struct walk {
	uintptr_t registers[REGISTERS];
	struct unwind_stack stack;
	struct unwind_object object; /* of the frame before, or empty */
	bool interrupted;   /* pc is exact, it does not follow a call */
	bool pointers_only; /* the stack pointer is no longer known */
};

/*
 * Continues with the caller of a frame, whose stack pointer is `stack`. It must
 * grow each time, or the walk might not end. Only a signal handler may have its
 * own stack, at any address.
 */
static bool
move_to(struct walk *walk, uintptr_t stack, bool signal)
{
	uintptr_t before = walk->registers[REGISTER_STACK];
	uintptr_t *pc = &walk->registers[REGISTER_PC];

	*pc = registers_plain_pc(*pc);
	if (*pc < PC_MIN)
		return false;
	if (signal) {
		if (stack == before)
			return false;
		if (stack < walk->stack.low || stack >= walk->stack.high)
			unwind_stack_init(&walk->stack, stack);
	} else if (stack < before || (stack == before && !walk->interrupted)) {
		return false;
	}
	if (stack % sizeof(uintptr_t) != 0)
		return false;
	walk->registers[REGISTER_STACK] = stack;
	walk->interrupted = signal;
	return true;
}

static bool
step_short(struct walk *walk, const struct unwind_row *row)
{
	uintptr_t *registers = walk->registers;
	uintptr_t cfa = registers[row->cfa_register] +
	    (uintptr_t)(intptr_t)row->cfa_offset;

	/* Refuses an invalid CFA without asking the kernel about it. */
	if (row->last || cfa < registers[REGISTER_STACK])
		return false;
	for (unsigned i = 0; i < ARRAY_LEN(unwind_kept); i++)
		if (row->at[i] != 0 &&
		    !unwind_stack_read(&walk->stack,
			cfa +
			    (uintptr_t)(intptr_t)row->at[i] * sizeof(uintptr_t),
			&registers[unwind_kept[i]]))
			return false;
	registers[REGISTER_PC] = registers[REGISTER_RETURN];
	return move_to(walk, cfa - STACK_BELOW_CFA, false);
}

static bool
value_of(struct walk *walk, const struct cfi_row *row, int32_t place,
    const uintptr_t *cfa, uintptr_t *value)
{
	struct cfi_reader reader = {
		.at = row->base + place,
		.end = row->base + place + 10,
	};
	uint64_t size = cfi_read_uleb(&reader);
	struct cfi_expression expression = {
		.start = reader.at,
		.end = reader.at + size,
		.registers = walk->registers,
		.stack = &walk->stack,
	};

	return cfi_expression_value(&expression, cfa, value);
}

/* Computes a register of the caller by its rule; false: it can't be known. */
static bool
apply(struct walk *walk, const struct cfi_row *row, const struct cfi_rule *rule,
    uintptr_t cfa, uintptr_t *value)
{
	uintptr_t place = cfa + (uintptr_t)(intptr_t)rule->value;

	switch (rule->kind) {
	case CFI_AT_OFFSET:
		return unwind_stack_read(&walk->stack, place, value);
	case CFI_IS_OFFSET:
		*value = place;
		return true;
	case CFI_IN_REGISTER:
		if (rule->value < 0 || rule->value >= REGISTERS)
			return false;
		*value = walk->registers[rule->value];
		return true;
	case CFI_AT_EXPRESSION:
		return value_of(walk, row, rule->value, &cfa, &place) &&
		    unwind_stack_read(&walk->stack, place, value);
	case CFI_IS_EXPRESSION:
		return value_of(walk, row, rule->value, &cfa, value);
	default:
		return true;
	}
}

/* A frame of a signal: all registers are in a record that the kernel wrote. */
static bool
step_signal_record(struct walk *walk, unsigned at)
{
	uintptr_t record = walk->registers[REGISTER_STACK] + at;
	uintptr_t registers[REGISTERS];

	for (unsigned i = 0; i < REGISTERS; i++)
		if (!unwind_stack_read(&walk->stack,
			record + REGISTERS_SIGNAL_PLACE(i) * sizeof(uintptr_t),
			&registers[i]))
			return false;
	for (unsigned i = 0; i < REGISTERS; i++)
		if (i != REGISTER_STACK)
			walk->registers[i] = registers[i];
	return move_to(walk, registers[REGISTER_STACK], true);
}

/*
 * Where this record is, in bytes from the stack pointer, if this is the code
 * that a signal handler returns to; or 0.
 */
static unsigned
signal_record_at(uintptr_t pc)
{
	__typeof__(REGISTERS_SIGNAL_CODE) code = 0;

	if (REGISTERS_SIGNAL_AT == 0 || pc % 2 != 0 ||
	    !probe_readable(pc, pc + sizeof(code)))
		return 0;
	memcpy(&code, (const void *)pc, sizeof(code));
	if (code == REGISTERS_SIGNAL_CODE)
		return REGISTERS_SIGNAL_AT;
	return code == REGISTERS_OLD_SIGNAL_CODE ? REGISTERS_OLD_SIGNAL_AT : 0;
}

static bool
step_full(struct walk *walk, const struct cfi_row *row)
{
	const struct cfi_rules *rules = &row->rules;
	uintptr_t next[REGISTERS], cfa;

	if (rules->of[row->return_register].kind == CFI_UNDEFINED)
		return false;
	if (row->signal && REGISTERS_SIGNAL_AT != 0)
		return step_signal_record(walk, REGISTERS_SIGNAL_AT);
	if (rules->cfa.kind == CFI_IS_OFFSET)
		cfa = walk->registers[rules->cfa_register] +
		    (uintptr_t)(intptr_t)rules->cfa.value;
	else if (rules->cfa.kind != CFI_IS_EXPRESSION ||
	    !value_of(walk, row, rules->cfa.value, NULL, &cfa))
		return false;
	for (unsigned i = 0; i < REGISTERS; i++) {
		next[i] = walk->registers[i];
		if (!apply(walk, row, &rules->of[i], cfa, &next[i]))
			return false;
	}
	next[REGISTER_PC] = next[row->return_register];
	if (rules->of[REGISTER_STACK].kind == CFI_SAME)
		next[REGISTER_STACK] = cfa - STACK_BELOW_CFA;
	for (unsigned i = 0; i < REGISTERS; i++)
		if (i != REGISTER_STACK)
			walk->registers[i] = next[i];
	return move_to(walk, next[REGISTER_STACK], row->signal);
}

/* For code that says nothing of its frames. */
static bool
step_by_frame_pointer(struct walk *walk)
{
	uintptr_t *registers = walk->registers;
	uintptr_t frame = registers[REGISTER_FRAME] +
	    FRAME_RECORD_AT * sizeof(frame);
	uintptr_t caller, pc;

	if (!FRAME_RECORDS || frame < registers[REGISTER_STACK] ||
	    !unwind_stack_read(&walk->stack, frame, &caller) ||
	    !unwind_stack_read(&walk->stack, frame + sizeof(frame), &pc))
		return false;
	registers[REGISTER_FRAME] = caller;
	registers[REGISTER_PC] = pc;
	walk->pointers_only = !FRAME_POINTER_ON_TOP;
	return move_to(walk, frame + 2 * sizeof(frame), false);
}

/* For an address that is not in the table of short rows. */
static NOINLINE bool
step_slow(struct walk *walk, uintptr_t pc)
{
	struct unwind_row row;
	struct cfi_line line;
	struct cfi_row full;
	unsigned at;

	/* Not all kernels tell that this is the frame of a signal. */
	at = signal_record_at(walk->registers[REGISTER_PC]);
	if (at != 0)
		return step_signal_record(walk, at);
	if (!cfi_find(walk->object.index, pc, &line) ||
	    !cfi_row_init(&full, &line, pc))
		return step_by_frame_pointer(walk);
	if (!unwind_row_init(&row, &full))
		return step_full(walk, &full);
	unwind_row_remember(&row, &line, pc);
	return step_short(walk, &row);
}

/*
 * For code in no object: the code that signal handlers return to, or code that
 * was generated at run time.
 */
static COLD bool
step_unknown(struct walk *walk)
{
	unsigned at = signal_record_at(walk->registers[REGISTER_PC]);

	walk->object.start = walk->object.end = 0;
	if (at != 0)
		return step_signal_record(walk, at);
	return step_by_frame_pointer(walk);
}

static bool
step(struct walk *walk)
{
	/*
	 * A call may be the last instruction of a function, and then its return
	 * address is outside. So look one byte before it.
	 */
	uintptr_t pc = walk->registers[REGISTER_PC] - !walk->interrupted;
	struct unwind_object *object = &walk->object;
	struct unwind_row row;

	if (walk->pointers_only)
		return step_by_frame_pointer(walk);
	if (!unwind_object_contains(object, pc) &&
	    !unwind_objects_find(pc, object))
		return step_unknown(walk);
	if (unwind_row_find(&row, object->index, pc))
		return step_short(walk, &row);
	return step_slow(walk, pc);
}

AT_START void
backtrace_refresh(void)
{
	unwind_objects_refresh();
}

void
backtrace_prepare(void)
{
	program_index_make();
	unwind_objects_refresh();
}

bool
backtrace_is_ready(void)
{
	return unwind_objects_ready();
}

/* Adds the callers to the `n` addresses that are known. */
static unsigned
follow(struct walk *walk, void **vec, unsigned n, unsigned max)
{
	unwind_stack_init(&walk->stack, walk->registers[REGISTER_STACK]);
	while (n < max && step(walk))
		vec[n++] = (void *)walk->registers[REGISTER_PC];
	return n;
}

/*
 * __builtin_frame_address() gives this function a frame pointer, so that the
 * walk can leave it without unwind information.
 */
NOINLINE unsigned
backtrace_take(void **vec, unsigned max)
{
	struct walk walk = { .interrupted = true };

	if (!REGISTERS_SUPPORTED || __builtin_frame_address(0) == NULL)
		return 0;
	registers_take(walk.registers);
	return follow(&walk, vec, 0, max);
}

unsigned
backtrace_take_interrupted(const void *context, void **vec, unsigned max)
{
	struct walk walk = { .interrupted = true };

	if (max == 0 || !interrupted_registers(context, walk.registers))
		return 0;
	vec[0] = (void *)walk.registers[REGISTER_PC];
	if (!REGISTERS_SUPPORTED || walk.registers[REGISTER_STACK] == 0)
		return 1;
	return follow(&walk, vec, 1, max);
}

uint64_t
backtrace_hash(void *const *vec, unsigned depth)
{
	uint64_t hash = depth;

	for (unsigned i = 0; i < depth; i++) {
		hash ^= (uintptr_t)vec[i];
		hash *= UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 32;
	}
	return hash;
}
