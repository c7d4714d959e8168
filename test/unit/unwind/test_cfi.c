#include "unwind/cfi.h"

#include <string.h>

#include "../unit.h"
#include "frame_info.h"

/* Names of instructions, as the DWARF standard numbers them. */
enum {
	ADVANCE = 0x40,
	OFFSET = 0x80,
	RESTORE = 0xc0,
	NOP = 0x00,
	SET_LOCATION = 0x01,
	ADVANCE1 = 0x02,
	ADVANCE2 = 0x03,
	ADVANCE4 = 0x04,
	OFFSET_EXTENDED = 0x05,
	RESTORE_EXTENDED = 0x06,
	UNDEFINED = 0x07,
	SAME_VALUE = 0x08,
	REGISTER = 0x09,
	REMEMBER = 0x0a,
	RECALL = 0x0b,
	DEF_CFA = 0x0c,
	DEF_CFA_REGISTER = 0x0d,
	DEF_CFA_OFFSET = 0x0e,
	DEF_CFA_EXPRESSION = 0x0f,
	EXPRESSION = 0x10,
	OFFSET_EXTENDED_SF = 0x11,
	DEF_CFA_SF = 0x12,
	DEF_CFA_OFFSET_SF = 0x13,
	VAL_OFFSET = 0x14,
	VAL_OFFSET_SF = 0x15,
	VAL_EXPRESSION = 0x16,
	ARGS_SIZE = 0x2e,
	NEGATIVE_OFFSET = 0x2f,
	NEGATE_RA_STATE = 0x2d,
	UNKNOWN = 0x3f,
};

enum { CFA = -1, MINUS_3 = 0x7d };

static const struct instruction {
	struct bytes own;
	int of; /* a register, or CFA */
	uint8_t kind;
	int32_t value;
	uint8_t cfa_register;
} instructions[] = {
	{ BYTES(DEF_CFA, 6, 16), CFA, CFI_IS_OFFSET, 16, 6 },
	{ BYTES(DEF_CFA_SF, 6, MINUS_3), CFA, CFI_IS_OFFSET, 24, 6 },
	{ BYTES(DEF_CFA_REGISTER, 6), CFA, CFI_IS_OFFSET, 8, 6 },
	{ BYTES(DEF_CFA_OFFSET, 0xc0, 1), CFA, CFI_IS_OFFSET, 192,
	    REGISTER_STACK },
	{ BYTES(DEF_CFA_OFFSET_SF, MINUS_3), CFA, CFI_IS_OFFSET, 24,
	    REGISTER_STACK },
	{ BYTES(OFFSET | 3, 5), 3, CFI_AT_OFFSET, -40, REGISTER_STACK },
	{ BYTES(OFFSET_EXTENDED, 3, 5), 3, CFI_AT_OFFSET, -40, REGISTER_STACK },
	{ BYTES(OFFSET_EXTENDED_SF, 3, MINUS_3), 3, CFI_AT_OFFSET, 24,
	    REGISTER_STACK },
	{ BYTES(NEGATIVE_OFFSET, 3, 5), 3, CFI_AT_OFFSET, 40, REGISTER_STACK },
	{ BYTES(VAL_OFFSET, 3, 5), 3, CFI_IS_OFFSET, -40, REGISTER_STACK },
	{ BYTES(VAL_OFFSET_SF, 3, MINUS_3), 3, CFI_IS_OFFSET, 24,
	    REGISTER_STACK },
	{ BYTES(REGISTER, 3, 9), 3, CFI_IN_REGISTER, 9, REGISTER_STACK },
	{ BYTES(UNDEFINED, 3), 3, CFI_UNDEFINED, 0, REGISTER_STACK },
	{ BYTES(OFFSET | 3, 5, SAME_VALUE, 3), 3, CFI_SAME, 0, REGISTER_STACK },
	/* Back to what the common instructions say. */
	{ BYTES(OFFSET | REGISTER_RETURN, 5, RESTORE | REGISTER_RETURN),
	    REGISTER_RETURN, CFI_AT_OFFSET, -8, REGISTER_STACK },
	{ BYTES(OFFSET | REGISTER_RETURN, 5, RESTORE_EXTENDED, REGISTER_RETURN),
	    REGISTER_RETURN, CFI_AT_OFFSET, -8, REGISTER_STACK },
	{ BYTES(OFFSET | 3, 5, RESTORE | 3), 3, CFI_SAME, 0, REGISTER_STACK },
	/* No effect of their own, and what follows counts. */
	{ BYTES(NOP, OFFSET | 3, 5), 3, CFI_AT_OFFSET, -40, REGISTER_STACK },
	{ BYTES(NEGATE_RA_STATE, OFFSET | 3, 5), 3, CFI_AT_OFFSET, -40,
	    REGISTER_STACK },
	{ BYTES(ARGS_SIZE, 0xff, 1, OFFSET | 3, 5), 3, CFI_AT_OFFSET, -40,
	    REGISTER_STACK },
	/* A register that isn't followed. */
	{ BYTES(OFFSET | 0x3f, 7, OFFSET_EXTENDED, 0xff, 1, 7, RESTORE | 0x3f,
	      OFFSET | 3, 5),
	    3, CFI_AT_OFFSET, -40, REGISTER_STACK },
	{ BYTES(OFFSET_EXTENDED, REGISTERS, 7, OFFSET | 3, 5), 3, CFI_AT_OFFSET,
	    -40, REGISTER_STACK },
	/* The inner state, then the outer one. */
	{ BYTES(OFFSET | 3, 5, REMEMBER, OFFSET | 3, 6, REMEMBER, OFFSET | 3, 7,
	      RECALL),
	    3, CFI_AT_OFFSET, -48, REGISTER_STACK },
	{ BYTES(OFFSET | 3, 5, REMEMBER, OFFSET | 3, 6, REMEMBER, OFFSET | 3, 7,
	      RECALL, RECALL),
	    3, CFI_AT_OFFSET, -40, REGISTER_STACK },
	{ BYTES(REMEMBER, DEF_CFA, 6, 16, RECALL), CFA, CFI_IS_OFFSET, 8,
	    REGISTER_STACK },
	{ BYTES(OFFSET | 3, 5, REMEMBER, REMEMBER, REMEMBER, REMEMBER, RECALL,
	      RECALL, RECALL, RECALL),
	    3, CFI_AT_OFFSET, -40, REGISTER_STACK },
};

static void
each_instruction_sets_its_rule(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(instructions); i++) {
		const struct instruction *in = &instructions[i];
		struct written w = usual();
		struct cfi_row row;
		struct cfi_rule rule;

		w.own = in->own;
		assert_true(row_at(&row, &w, 0));
		rule = in->of == CFA ? row.rules.cfa : row.rules.of[in->of];
		if (rule.kind != in->kind || rule.value != in->value)
			fail_msg("%zu: kind %u, value %d", i, rule.kind,
			    rule.value);
		assert_int_equal(row.rules.cfa_register, in->cfa_register);
		assert_int_equal(row.return_register, REGISTER_RETURN);
		assert_false(row.signal);
		/* Others are as they were. */
		for (int k = 0; k < REGISTERS; k++)
			if (k != in->of && k != REGISTER_RETURN)
				assert_int_equal(row.rules.of[k].kind,
				    CFI_SAME);
		if (in->of != REGISTER_RETURN)
			assert_int_equal(row.rules.of[REGISTER_RETURN].value,
			    -8);
	}
}

static void
registers_that_are_not_followed_touch_no_other(void **state)
{
	(void)state;
	for (uint8_t other = REGISTERS; other < 0x40; other++)
		for (uint8_t known = 0; known < REGISTERS; known++) {
			struct written w = usual();
			struct cfi_row row, plain;

			assert_true(row_at(&plain, &w, 0));
			w.own = BYTES(OFFSET | other, 5, RESTORE | known,
			    RESTORE | other, RESTORE | known);
			assert_true(row_at(&row, &w, 0));
			assert_memory_equal(&row.rules.cfa, &plain.rules.cfa,
			    sizeof(row.rules.cfa));
			for (int k = 0; k < REGISTERS; k++) {
				assert_int_equal(row.rules.of[k].kind,
				    plain.rules.of[k].kind);
				assert_int_equal(row.rules.of[k].value,
				    plain.rules.of[k].value);
			}
		}
}

static void
an_expression_is_known_by_its_place(void **state)
{
	static const struct {
		struct bytes own;
		uint8_t kind;
		bool cfa;
	} cases[] = {
		{ BYTES(DEF_CFA_EXPRESSION, 2, 0x31, 0x96, OFFSET | 5, 5),
		    CFI_IS_EXPRESSION, true },
		{ BYTES(EXPRESSION, 3, 2, 0x31, 0x96, OFFSET | 5, 5),
		    CFI_AT_EXPRESSION, false },
		{ BYTES(VAL_EXPRESSION, 3, 2, 0x31, 0x96, OFFSET | 5, 5),
		    CFI_IS_EXPRESSION, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		static const uint8_t expected[] = { 2, 0x31, 0x96 };
		struct written w = usual();
		struct cfi_row row;
		struct cfi_rule rule;

		w.own = cases[i].own;
		assert_true(row_at(&row, &w, 0));
		rule = cases[i].cfa ? row.rules.cfa : row.rules.of[3];
		assert_int_equal(rule.kind, cases[i].kind);
		assert_memory_equal(row.base + rule.value, expected, 3);
		assert_int_equal(row.rules.of[5].value, -40);
	}
}

static void
instructions_count_from_their_address_on(void **state)
{
	uintptr_t far = IMAGE_CODE + 60;
	struct written w;
	struct cfi_row row;
	static const struct bytes advance[] = {
		BYTES(ADVANCE | 15, OFFSET | 3, 5),
		BYTES(ADVANCE1, 15, OFFSET | 3, 5),
		BYTES(ADVANCE2, 15, 0, OFFSET | 3, 5),
		BYTES(ADVANCE4, 15, 0, 0, 0, OFFSET | 3, 5),
		/* Steps add up. */
		BYTES(ADVANCE | 10, NOP, ADVANCE1, 5, OFFSET | 3, 5),
		BYTES(ADVANCE2, 10, 0, ADVANCE4, 5, 0, 0, 0, OFFSET | 3, 5),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(advance); i++) {
		w = usual();
		w.code_factor = 4;
		w.own = advance[i];
		assert_true(row_at(&row, &w, 59));
		assert_int_equal(row.rules.of[3].kind, CFI_SAME);
		assert_true(row_at(&row, &w, 60));
		assert_int_equal(row.rules.of[3].kind, CFI_AT_OFFSET);
	}
	/* All bytes of a number count. */
	for (size_t i = 0; i < 2; i++) {
		w = usual();
		w.own = i == 0 ? BYTES(ADVANCE2, 0x2c, 1, OFFSET | 3, 5)
			       : BYTES(ADVANCE4, 0x2c, 1, 0, 0, OFFSET | 3, 5);
		assert_true(row_at(&row, &w, 299));
		assert_int_equal(row.rules.of[3].kind, CFI_SAME);
		assert_true(row_at(&row, &w, 300));
		assert_int_equal(row.rules.of[3].kind, CFI_AT_OFFSET);
	}
	w = usual();
	w.data = BYTES(CFI_POINTER);
	w.encoding = CFI_POINTER;
	w.own = BYTES(SET_LOCATION, 0, 0, 0, 0, 0, 0, 0, 0, OFFSET | 3, 5);
	memcpy(w.own.byte + 1, &far, sizeof(far));
	assert_true(row_at(&row, &w, 59));
	assert_int_equal(row.rules.of[3].kind, CFI_SAME);
	assert_true(row_at(&row, &w, 60));
	assert_int_equal(row.rules.of[3].kind, CFI_AT_OFFSET);
}

/* Each of these must be refused, and none be guessed. */
static void
what_is_not_understood_fails(void **state)
{
	static const struct bytes bad[] = {
		BYTES(UNKNOWN),
		BYTES(0x17),
		BYTES(RECALL),
		BYTES(REMEMBER, RECALL, RECALL),
		BYTES(ARGS_SIZE, 1, RECALL),
		BYTES(REMEMBER, REMEMBER, REMEMBER, REMEMBER, REMEMBER),
		BYTES(DEF_CFA, REGISTERS, 8),
		BYTES(DEF_CFA_REGISTER, 0x7f),
		/* More than 32 bits. */
		BYTES(DEF_CFA_OFFSET, 0x80, 0x80, 0x80, 0x80, 0x10),
		BYTES(OFFSET | 3, 0x80, 0x80, 0x80, 0x80, 0x10),
		/* Behind the end of the entry. */
		BYTES(DEF_CFA_EXPRESSION, 0x7f),
		BYTES(EXPRESSION, 3, 0x7f),
	};
	struct written w = usual();
	struct cfi_row row;

	(void)state;
	assert_true(row_at(&row, &w, 0));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		w.own = bad[i];
		if (row_at(&row, &w, 0))
			fail_msg("%zu is understood", i);
	}
	w = usual();
	w.common.byte[0] = UNKNOWN;
	assert_false(row_at(&row, &w, 0));
}

/* The last instruction's operand would be behind the entry's end. */
static void
instructions_end_with_the_entry(void **state)
{
	static const uint8_t last[] = { OFFSET | 3, ADVANCE1, ADVANCE2,
		ADVANCE4, SET_LOCATION, DEF_CFA, DEF_CFA_OFFSET,
		DEF_CFA_EXPRESSION, OFFSET_EXTENDED, REMEMBER };
	struct written w = usual();
	struct cfi_row row;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(last); i++) {
		struct cfi_line line;

		w.own = BYTES(NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP);
		line = write_one(&w);
		image.byte[image.n - 1] = last[i];
		assert_int_equal(cfi_row_init(&row, &line, IMAGE_CODE),
		    last[i] == REMEMBER);
	}
}

static void
an_entry_covers_its_range_and_no_more(void **state)
{
	struct written w = usual();
	struct cfi_line line = write_one(&w);
	struct cfi_row row;

	(void)state;
	assert_false(cfi_row_init(&row, &line, IMAGE_CODE - 1));
	assert_true(cfi_row_init(&row, &line, IMAGE_CODE));
	assert_true(cfi_row_init(&row, &line, IMAGE_CODE + CODE_SIZE - 1));
	assert_false(cfi_row_init(&row, &line, IMAGE_CODE + CODE_SIZE));
}

static void
addresses_are_written_in_many_ways(void **state)
{
	static const uint8_t good[] = { CFI_POINTER, CFI_U64, CFI_S64,
		CFI_SIGNED_POINTER, CFI_FROM_HERE | CFI_S32,
		CFI_FROM_HERE | CFI_U64, CFI_FROM_HERE | CFI_S64,
		CFI_FROM_HERE | CFI_POINTER };
	struct written w;
	struct cfi_row row;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		w = usual();
		w.data.byte[0] = w.encoding = good[i];
		assert_true(row_at(&row, &w, 0));
		assert_true(row_at(&row, &w, CODE_SIZE - 1));
		assert_false(row_at(&row, &w, CODE_SIZE));
	}
	/* Relative to what isn't known here. */
	w.data.byte[0] = w.encoding = 0x30 | CFI_S32;
	assert_false(row_at(&row, &w, 0));
	w.data.byte[0] = w.encoding = CFI_ALIGNED;
	assert_false(row_at(&row, &w, 0));
}

static void
common_information_has_several_forms(void **state)
{
	struct written w;
	struct cfi_row row;

	(void)state;
	for (uint8_t version = 1; version <= 4; version++) {
		w = usual();
		w.version = version;
		w.own = BYTES(OFFSET | 3, 5);
		assert_true(row_at(&row, &w, 0));
		assert_int_equal(row.rules.of[3].value, -40);
		assert_int_equal(row.return_register, REGISTER_RETURN);
		/* In version 1 it is a byte, later a number of any length. */
		w.return_register = BYTES(0x80 | REGISTER_RETURN, 0);
		assert_int_equal(row_at(&row, &w, 0), version != 1);
	}
	w = usual();
	w.wide = true;
	assert_true(row_at(&row, &w, 0));
	assert_int_equal(row.rules.cfa.value, 8);
	w = usual();
	w.letters = "zS";
	w.data = NO_BYTES;
	w.encoding = CFI_POINTER;
	assert_true(row_at(&row, &w, 0));
	assert_true(row.signal);
	/* No letters: addresses are plain, and there is no more data. */
	w = usual();
	w.letters = "";
	w.encoding = CFI_POINTER;
	w.own = BYTES(OFFSET | 3, 5);
	assert_true(row_at(&row, &w, 0));
	assert_int_equal(row.rules.of[3].value, -40);
	/* What C++ writes: a personality, indirect; where exceptions lead. */
	w = usual();
	w.letters = "zPLR";
	w.data = BYTES(0x9b, 1, 2, 3, 4, 0x5b, CFI_FROM_HERE | CFI_S32);
	w.own_data = BYTES(0x3f, 0x3f, 0x3f, 0x3f);
	w.own = BYTES(OFFSET | 3, 5);
	assert_true(row_at(&row, &w, 0));
	assert_int_equal(row.rules.of[3].value, -40);
	assert_int_equal(row.rules.cfa.value, 8);
	assert_false(row.signal);
	w.letters = "zRR";
	w.data = BYTES(CFI_POINTER, CFI_FROM_HERE | CFI_S32);
	assert_true(row_at(&row, &w, 0));
	w.letters = "zBGR";
	w.data = BYTES(CFI_FROM_HERE | CFI_S32);
	assert_true(row_at(&row, &w, 0));
	/* Behind the letters there is no letter, behind the data no data. */
	w = usual();
	w.code_factor = 'S';
	assert_true(row_at(&row, &w, 0));
	assert_false(row.signal);
	w.data = NO_BYTES;
	w.encoding = CFI_POINTER;
	w.common = BYTES(DEF_CFA_OFFSET_SF, 1, DEF_CFA, 7, 8);
	assert_true(row_at(&row, &w, 0));
}

static void
damaged_entries_are_refused(void **state)
{
	struct written w = usual();
	struct cfi_line line;
	struct cfi_row row;
	size_t entry, common;

	(void)state;
	w.letters = "";
	w.encoding = CFI_POINTER;
	assert_true(row_at(&row, &w, 0));
	w.id = 1;
	assert_false(row_at(&row, &w, 0));
	w.id = 0;
	line = write_one(&w);
	set_number(IMAGE_HEAD + IMAGE_LINE + 4, 0, 4);
	assert_false(cfi_row_init(&row, &line, IMAGE_CODE));
	w = usual();
	w.letters = "eh";
	w.encoding = CFI_POINTER;
	assert_false(row_at(&row, &w, 0));
	w = usual();
	w.return_register = BYTES(REGISTERS);
	assert_false(row_at(&row, &w, 0));
	w = usual();
	w.letters = "zPR";
	w.data = BYTES(CFI_ALIGNED, 0, 0, 0, 0, 0, 0, 0, 0,
	    CFI_FROM_HERE | CFI_S32);
	assert_false(row_at(&row, &w, 0));
	w = usual();
	w.data.byte[0] = CFI_FROM_HERE | CFI_S32;
	line = write_one(&w);
	common = IMAGE_HEAD + IMAGE_LINE + 4;
	entry = common + 4 + image.byte[common];
	assert_true(cfi_row_init(&row, &line, IMAGE_CODE));
	/* Its common part is itself. */
	set_number(entry + 4, 0, 4);
	assert_false(cfi_row_init(&row, &line, IMAGE_CODE));
	line = write_one(&w);
	set_number(entry, 0, 4); /* the list ends here */
	assert_false(cfi_row_init(&row, &line, IMAGE_CODE));
	line = write_one(&w);
	set_number(common, 0, 4);
	assert_false(cfi_row_init(&row, &line, IMAGE_CODE));
	line = write_one(&w);
	set_number(entry, 8, 4); /* ends within its addresses */
	assert_false(cfi_row_init(&row, &line, IMAGE_CODE));
	line = write_one(&w);
	set_number(common, 8, 4);
	assert_false(cfi_row_init(&row, &line, IMAGE_CODE));
}

/* ---- the index ---- */

static void
the_last_line_at_or_before_is_found(void **state)
{
	uint64_t seed = 7;

	(void)state;
	for (uint32_t lines = 0; lines < 40; lines++) {
		uintptr_t start[40], index = (uintptr_t)image.byte;
		uintptr_t at = IMAGE_CODE - 400;

		put_head(lines);
		for (uint32_t i = 0; i < lines; i++) {
			start[i] = at += 1 + random_below(&seed, 30);
			set_line(i, at, 0);
		}
		for (uintptr_t pc = IMAGE_CODE - 401; pc < at + 3; pc++) {
			struct cfi_line line;
			int expected = -1;

			for (uint32_t i = 0; i < lines; i++)
				if (start[i] <= pc)
					expected = (int)i;
			assert_int_equal(cfi_find(index, pc, &line),
			    expected >= 0);
			if (expected < 0)
				continue;
			assert_int_equal(line.number, expected);
			assert_int_equal(line.index, index);
		}
	}
}

static void
an_index_of_another_form_is_not_read(void **state)
{
	struct cfi_line line, found;
	struct written w = usual();

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		line = write_one(&w);
		assert_true(cfi_find(line.index, IMAGE_CODE, &found));
		assert_int_not_equal(cfi_fingerprint(&line), 0);
		image.byte[i] ^= 1;
		assert_false(cfi_find(line.index, IMAGE_CODE, &found));
		assert_int_equal(cfi_fingerprint(&line), 0);
	}
}

static void
a_fingerprint_changes_with_every_bit_that_it_covers(void **state)
{
	struct written w = usual();
	struct cfi_line line;
	static _Alignas(8) uint8_t copy[256];
	uint64_t before;
	size_t entry;

	(void)state;
	for (w.own.n = 0; w.own.n < 80; w.own.n += 8) {
		size_t covered;

		line = write_one(&w);
		before = cfi_fingerprint(&line);
		memcpy(&entry, image.byte + IMAGE_HEAD + 4, 4);
		entry &= 0xffffffff;
		covered = (image.n - entry) / 8 * 8;
		if (covered > 64)
			covered = 64;
		/* The length itself says how much is covered. */
		for (size_t bit = 32; bit < 8 * covered; bit++) {
			image.byte[entry + bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_not_equal(cfi_fingerprint(&line), before);
			image.byte[entry + bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		for (size_t bit = 0; bit < 32; bit++) {
			size_t at = IMAGE_HEAD + bit / 8;

			image.byte[at] ^= (uint8_t)(1 << bit % 8);
			assert_int_not_equal(cfi_fingerprint(&line), before);
			image.byte[at] ^= (uint8_t)(1 << bit % 8);
		}
		/* What lies behind is not its business. */
		memset(image.byte + entry + covered, 0x77, 128);
		assert_true(cfi_fingerprint(&line) == before);
		memset(image.byte + entry + covered, 0x11, 128);
		assert_true(cfi_fingerprint(&line) == before);
		/* Nor half a word at its end. */
		image.byte[entry]--;
		before = cfi_fingerprint(&line);
		if (entry + covered == image.n)
			image.byte[image.n - 8]++;
		assert_true(cfi_fingerprint(&line) == before);
	}
	put_head(2);
	line.index = (uintptr_t)image.byte;
	set_line(0, IMAGE_CODE, image.n);
	set_line(1, IMAGE_CODE, image.n);
	put_number(4, 8);
	before = cfi_fingerprint(&line);
	line.number = 1;
	assert_true(cfi_fingerprint(&line) != before);
	line.number = 0;
	line.index = (uintptr_t)memcpy(copy, image.byte, sizeof(copy));
	assert_true(cfi_fingerprint(&line) != before);
	line.number = 2;
	assert_int_equal(cfi_fingerprint(&line), 0);
}

/* 0 means "no such line", so no line has it. */
static void
no_fingerprint_is_zero(void **state)
{
	struct written w = usual();
	struct cfi_line line = write_one(&w);
	size_t entry = 0;
	uint64_t zero, factor, inverse = 1, word = 0;

	(void)state;
	memcpy(&entry, image.byte + IMAGE_HEAD + 4, 4);
	memcpy(image.byte + entry + 8, &word, 8);
	zero = cfi_fingerprint(&line);
	word = 1;
	memcpy(image.byte + entry + 8, &word, 8);
	factor = cfi_fingerprint(&line) - zero;
	assert_int_equal(factor % 2, 1);
	for (unsigned i = 0; i < 6; i++) /* modulo 2^64 */
		inverse *= 2 - factor * inverse;
	word = (0 - zero) * inverse;
	memcpy(image.byte + entry + 8, &word, 8);
	assert_int_not_equal(cfi_fingerprint(&line), 0);
	/* It was right on it: one less differs by the factor alone. */
	word--;
	memcpy(image.byte + entry + 8, &word, 8);
	assert_true(cfi_fingerprint(&line) == 0 - factor);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_instruction_sets_its_rule),
		cmocka_unit_test(
		    registers_that_are_not_followed_touch_no_other),
		cmocka_unit_test(an_expression_is_known_by_its_place),
		cmocka_unit_test(instructions_count_from_their_address_on),
		cmocka_unit_test(what_is_not_understood_fails),
		cmocka_unit_test(instructions_end_with_the_entry),
		cmocka_unit_test(an_entry_covers_its_range_and_no_more),
		cmocka_unit_test(addresses_are_written_in_many_ways),
		cmocka_unit_test(common_information_has_several_forms),
		cmocka_unit_test(damaged_entries_are_refused),
		cmocka_unit_test(the_last_line_at_or_before_is_found),
		cmocka_unit_test(an_index_of_another_form_is_not_read),
		cmocka_unit_test(
		    a_fingerprint_changes_with_every_bit_that_it_covers),
		cmocka_unit_test(no_fingerprint_is_zero),
	};

	if (!REGISTERS_SUPPORTED)
		SKIP_BECAUSE("this machine's stacks are not unwound");
	if (WORD_BITS != 64)
		SKIP_BECAUSE("the entries have addresses of 64 bits");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
