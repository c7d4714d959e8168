#include "unwind/cfi_expression.h"

#include <string.h>

#include "../unit.h"
#include "os/registers.h"

/* Names of operations, as the DWARF standard numbers them. */
/* clang-format off */
enum {
	ADDR = 0x03, DEREF = 0x06, CONST1U = 0x08, CONST1S, CONST2U, CONST2S,
	CONST4U, CONST4S, CONST8U, CONST8S, CONSTU, CONSTS, DUP, DROP, OVER,
	PICK, SWAP, ROT, ABS = 0x19, AND, DIV, MINUS, MOD, MUL, NEG, NOT, OR,
	PLUS, PLUS_UCONST, SHL, SHR, SHRA, XOR, BRA, EQ, GE, GT, LE, LT, NE,
	SKIP, LIT0 = 0x30, LIT1, LIT2, LIT3, LIT4, LIT5, LIT31 = 0x4f,
	REG0 = 0x50, BREG0 = 0x70, BREG1, BREG2, BREG3, BREG31 = 0x8f,
	REGX = 0x90, BREGX = 0x92, DEREF_SIZE = 0x94, NOP = 0x96,
};

#define MINUS_1	CONST1S, 0xff
#define SMALLEST LIT1, CONST1U, 63, SHL
#define CODE(...) sizeof((const uint8_t[]){ __VA_ARGS__ }), { __VA_ARGS__ }
#define TOP	(~(uintptr_t)0)
#define HIGH	(UINT64_C(1) << 63)
/* clang-format on */

struct code {
	uint64_t value; /* of 64 bits, see main() */
	size_t n;
	uint8_t byte[32];
};

static uintptr_t registers[REGISTERS];
static uintptr_t words[4] = { (uintptr_t)0x1122334455667788,
	(uintptr_t)0xf1f2f3f4f5f6f7f8, 7, 9 };
static struct unwind_stack words_stack;

static bool
value_of(const uint8_t *code, size_t n, const uintptr_t *initial,
    uintptr_t *value)
{
	struct cfi_expression expression = {
		.start = code,
		.end = code + n,
		.registers = registers,
		.stack = &words_stack,
	};

	return cfi_expression_value(&expression, initial, value);
}

static int
set_up(void **state)
{
	(void)state;
	for (unsigned i = 0; i < REGISTERS; i++)
		registers[i] = 1000 + i;
	registers[3] = (uintptr_t)words;
	words_stack.low = (uintptr_t)words;
	words_stack.high = (uintptr_t)(words + ARRAY_LEN(words));
	return 0;
}

/* Operands that tell an operation from each other one. */
static const struct code results[] = {
	{ 0, CODE(LIT0) },
	{ 5, CODE(LIT5) },
	{ 31, CODE(LIT31) },
	{ 0x0807060504030201, CODE(ADDR, 1, 2, 3, 4, 5, 6, 7, 8) },
	{ 0xfe, CODE(CONST1U, 0xfe) },
	{ TOP - 1, CODE(CONST1S, 0xfe) },
	{ 0xfe01, CODE(CONST2U, 0x01, 0xfe) },
	{ TOP - 0x1fe, CODE(CONST2S, 0x01, 0xfe) },
	{ 0xfe030201, CODE(CONST4U, 1, 2, 3, 0xfe) },
	{ TOP - 0x1fcfdfe, CODE(CONST4S, 1, 2, 3, 0xfe) },
	{ 0xfe07060504030201, CODE(CONST8U, 1, 2, 3, 4, 5, 6, 7, 0xfe) },
	{ 0xfe07060504030201, CODE(CONST8S, 1, 2, 3, 4, 5, 6, 7, 0xfe) },
	{ 0x1ff, CODE(CONSTU, 0xff, 0x03) },
	{ TOP, CODE(CONSTS, 0x7f) },
	{ TOP - 0x7f, CODE(CONSTS, 0x80, 0x7f) },
	{ 0x3f, CODE(CONSTS, 0x3f) },
	{ 1002 - 3, CODE(BREG2, 0x7d) },
	{ 1002 + 200, CODE(BREG2, 0xc8, 1) },
	{ 1000 + 5, CODE(BREG0, 5) },
	{ 1002 - 3, CODE(BREGX, 2, 0x7d) },
	{ 1000 + REGISTERS - 1, CODE(BREGX, REGISTERS - 1, 0) },
	/* Two above it tell if the depth is right. */
	{ 8, CODE(LIT4, DUP, PLUS) },
	{ 4, CODE(LIT4, LIT5, DROP) },
	{ 4, CODE(LIT4, LIT5, OVER) },
	{ 4 - 5 + 4,
	    CODE(LIT4, LIT5, OVER, PLUS, MINUS, NEG, LIT5, LIT3, MINUS,
		MINUS) },
	{ 2, CODE(LIT2, LIT3, LIT4, PICK, 2) },
	{ 4, CODE(LIT2, LIT3, LIT4, PICK, 0) },
	{ 1, CODE(LIT4, LIT5, SWAP, MINUS) },
	/* first second third (top) -> third first second */
	{ 4, CODE(LIT3, LIT4, LIT5, ROT) },
	{ 3, CODE(LIT3, LIT4, LIT5, ROT, DROP) },
	{ 5, CODE(LIT3, LIT4, LIT5, ROT, DROP, DROP) },
	{ 3, CODE(CONST1S, 0xfd, ABS) },
	{ 3, CODE(LIT3, ABS) },
	{ 0, CODE(LIT0, ABS) },
	{ TOP - 2, CODE(LIT3, NEG) },
	{ TOP - 3, CODE(LIT3, NOT) },
	{ 3 + 200, CODE(LIT3, PLUS_UCONST, 0xc8, 1) },
	{ 12 & 10, CODE(CONST1U, 12, CONST1U, 10, AND) },
	{ 12 | 10, CODE(CONST1U, 12, CONST1U, 10, OR) },
	{ 12 ^ 10, CODE(CONST1U, 12, CONST1U, 10, XOR) },
	{ 22, CODE(CONST1U, 12, CONST1U, 10, PLUS) },
	{ 2, CODE(CONST1U, 12, CONST1U, 10, MINUS) },
	{ 120, CODE(CONST1U, 12, CONST1U, 10, MUL) },
	{ TOP - 3, CODE(CONST1S, 0xf4, LIT3, DIV) },
	{ 4, CODE(CONST1S, 0xf4, CONST1S, 0xfd, DIV) },
	{ TOP, CODE(LIT1, MINUS_1, DIV) },
	{ HIGH, CODE(SMALLEST, LIT1, DIV) },
	{ 2, CODE(CONST1U, 12, LIT5, MOD) },
	{ TOP % 7, CODE(MINUS_1, LIT5 + 2, MOD) },
	{ 3 << 4, CODE(LIT3, LIT4, SHL) },
	{ HIGH, CODE(LIT1, CONST1U, 63, SHL) },
	{ 0, CODE(LIT1, CONST1U, 64, SHL) },
	{ TOP >> 4, CODE(MINUS_1, LIT4, SHR) },
	{ 1, CODE(MINUS_1, CONST1U, 63, SHR) },
	{ 0, CODE(MINUS_1, CONST1U, 64, SHR) },
	{ TOP - 1, CODE(CONST1S, 0xe0, LIT4, SHRA) },
	{ TOP, CODE(SMALLEST, CONST1U, 64, SHRA) },
	{ TOP, CODE(SMALLEST, CONST1U, 63, SHRA) },
	{ TOP - 1, CODE(SMALLEST, CONST1U, 62, SHRA) },
	{ 0, CODE(LIT4, CONST1U, 200, SHRA) },
	/* Memory. */
	{ 0x1122334455667788, CODE(BREG3, 0, DEREF) },
	{ 0xf1f2f3f4f5f6f7f8, CODE(BREG3, 8, DEREF) },
	{ 0xf1f2f3f4f5f6f7f8, CODE(BREG3, 8, DEREF_SIZE, 8) },
	{ 0xf5f6f7f8, CODE(BREG3, 8, DEREF_SIZE, 4) },
	{ 0xf8, CODE(BREG3, 8, DEREF_SIZE, 1) },
	/* 1, 0 if there is a jump; 2 if there is none. */
	{ 1, CODE(LIT1, SKIP, 1, 0, DROP) },
	{ 1, CODE(LIT1, LIT1, BRA, 1, 0, DROP) },
	{ 1, CODE(LIT1, MINUS_1, BRA, 1, 0, DROP) },
	{ 1, CODE(LIT1, LIT2, LIT0, BRA, 1, 0, DROP) },
	{ 1, CODE(LIT1, SKIP, 0, 0) },
	{ 1, CODE(LIT1, SKIP, 5, 0, DROP, DROP, DROP, DROP, DROP, NOP) },
	{ 2, CODE(LIT1, NOP, LIT2, NOP) },
	/* 5 + 4 + 3 + 2 + 1, in a loop: sum i -> */
	{ 15,
	    CODE(LIT0, LIT5, DUP, ROT, PLUS, SWAP, LIT1, MINUS, DUP, BRA, 0xf6,
		0xff, DROP) },
};

static void
each_operation_has_its_result(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(results); i++) {
		uintptr_t value = 77;

		if (!value_of(results[i].byte, results[i].n, NULL, &value))
			fail_msg("%zu fails", i);
		if (value != results[i].value)
			fail_msg("%zu: %#zx instead of %#jx", i, value,
			    (uintmax_t)results[i].value);
	}
}

/* Each operator with a smaller, an equal and a larger left side, signed. */
static void
comparisons_have_a_sign(void **state)
{
	static const struct {
		uint8_t op;
		bool smaller, equal, larger;
	} of[] = {
		{ EQ, false, true, false },
		{ NE, true, false, true },
		{ GE, false, true, true },
		{ GT, false, false, true },
		{ LE, true, true, false },
		{ LT, true, false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(of); i++) {
		const uint8_t smaller[] = { MINUS_1, LIT1, of[i].op };
		const uint8_t equal[] = { LIT5, LIT5, of[i].op };
		const uint8_t larger[] = { LIT1, MINUS_1, of[i].op };
		uintptr_t value;

		assert_true(value_of(smaller, sizeof(smaller), NULL, &value));
		assert_int_equal(value, of[i].smaller);
		assert_true(value_of(equal, sizeof(equal), NULL, &value));
		assert_int_equal(value, of[i].equal);
		assert_true(value_of(larger, sizeof(larger), NULL, &value));
		assert_int_equal(value, of[i].larger);
	}
}

static void
the_initial_value_lies_at_the_bottom(void **state)
{
	uintptr_t initial = 500, value;
	static const uint8_t plus[] = { LIT5, PLUS };

	(void)state;
	assert_true(value_of(plus, 0, &initial, &value));
	assert_int_equal(value, 500);
	assert_true(value_of(plus, 2, &initial, &value));
	assert_int_equal(value, 505);
	assert_false(value_of(plus, 0, NULL, &value));
	assert_false(value_of(plus, 2, NULL, &value));
}

/* clang-format off */
static const struct code refused[] = {
	/* Nothing to work on. */
	{ 0, CODE(DUP) }, { 0, CODE(DROP, LIT1) }, { 0, CODE(LIT1, OVER) },
	{ 0, CODE(LIT1, PICK, 1) }, { 0, CODE(LIT1, SWAP) },
	{ 0, CODE(LIT1, LIT1, ROT) }, { 0, CODE(ABS) }, { 0, CODE(NEG) },
	{ 0, CODE(NOT) }, { 0, CODE(PLUS_UCONST, 1) }, { 0, CODE(LIT1, PLUS) },
	{ 0, CODE(BRA, 0, 0, LIT1) }, { 0, CODE(DEREF) },
	/* No result. */
	{ 0, CODE(LIT1, LIT0, DIV) }, { 0, CODE(LIT1, LIT0, MOD) },
	{ 0, CODE(SMALLEST, MINUS_1, DIV) },
	/* Operations that are not known, or of no use. */
	{ 0, CODE(0x00) }, { 0, CODE(LIT1, LIT1, 0x00) },
	{ 0, CODE(LIT1, LIT1, 0x18) }, { 0, CODE(LIT1, LIT1, REG0) },
	{ 0, CODE(LIT1, LIT1, REGX, 1) }, { 0, CODE(LIT1, LIT1, 0x91, 1) },
	{ 0, CODE(LIT1, LIT1, 0xff) },
	/* Registers that are not there. */
	{ 0, CODE(BREGX, REGISTERS, 0) }, { 0, CODE(BREGX, 0xff, 1, 0) },
	/* Memory that is no stack, or is cut. */
	{ 0, CODE(LIT0, DEREF) }, { 0, CODE(BREG3, 1, DEREF) },
	{ 0, CODE(BREG3, 0x78, DEREF) }, { 0, CODE(BREG3, 0, DEREF_SIZE, 0) },
	{ 0, CODE(BREG3, 0, DEREF_SIZE, 9) },
	/* Ends in the middle. */
	{ 0, CODE(CONST1U) }, { 0, CODE(CONST2U, 1) },
	{ 0, CODE(CONST8U, 1, 2, 3, 4, 5, 6, 7) }, { 0, CODE(CONSTU, 0x80) },
	{ 0, CODE(BREG0) }, { 0, CODE(LIT1, SKIP, 0) }, { 0, CODE(LIT1, PICK) },
	/* Out of it: backward, forward. */
	{ 0, CODE(LIT1, SKIP, 0xfb, 0xff) }, { 0, CODE(LIT1, SKIP, 1, 0) },
	/* For ever. */
	{ 0, CODE(LIT1, SKIP, 0xfd, 0xff) },
	{ 0, CODE(LIT1, DROP, SKIP, 0xfb, 0xff) },
};
/* clang-format on */

static void
what_has_no_value_fails(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		uintptr_t value;

		if (value_of(refused[i].byte, refused[i].n, NULL, &value))
			fail_msg("%zu has the value %#zx", i, value);
	}
}

/* The code before and behind is fine, and none of the expression's. */
static void
a_jump_out_of_it_is_not_taken(void **state)
{
	uint8_t code[] = { LIT1, LIT1, LIT1, LIT1, LIT2, SKIP, 0, 0, LIT1, LIT1,
		LIT1, LIT1, LIT1 };
	uintptr_t value;

	(void)state;
	for (int offset = -8; offset <= 5; offset++) {
		int16_t written = (int16_t)offset;

		memcpy(code + 6, &written, 2);
		/* Back inside of it, it comes here again without end. */
		if (value_of(code + 4, 5, NULL, &value) !=
		    (offset == 0 || offset == 1))
			fail_msg("%d", offset);
	}
}

static void
depth_and_length_have_their_bounds(void **state)
{
	uint8_t code[400];
	uintptr_t value;

	(void)state;
	memset(code, LIT3, sizeof(code));
	assert_true(value_of(code, 16, NULL, &value));
	assert_int_equal(value, 3);
	assert_false(value_of(code, 17, NULL, &value));
	assert_true(value_of(code, 15, &(uintptr_t){ 1 }, &value));
	assert_false(value_of(code, 16, &(uintptr_t){ 1 }, &value));
	memset(code + 1, NOP, sizeof(code) - 1);
	assert_true(value_of(code, 256, NULL, &value));
	assert_int_equal(value, 3);
	assert_false(value_of(code, 257, NULL, &value));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_operation_has_its_result),
		cmocka_unit_test(comparisons_have_a_sign),
		cmocka_unit_test(the_initial_value_lies_at_the_bottom),
		cmocka_unit_test(what_has_no_value_fails),
		cmocka_unit_test(a_jump_out_of_it_is_not_taken),
		cmocka_unit_test(depth_and_length_have_their_bounds),
	};

	if (!REGISTERS_SUPPORTED)
		SKIP_BECAUSE("this machine's stacks are not unwound");
	if (WORD_BITS != 64)
		SKIP_BECAUSE("the results are those of 64 bits");
	return cmocka_run_group_tests(tests, set_up, NULL);
}
