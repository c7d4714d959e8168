/*
 * Any call frame information, as of a damaged object: it is read within its
 * records only, and leads to a row or to none; expressions in the row lead to a
 * value or to none.
 *
 * The first byte is the length of what two records have in common, the second
 * one says how far the address is behind the beginning of its function. The
 * headers are right: a linker writes them, and nobody could check them.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "unwind/cfi.h"
#include "unwind/cfi_expression.h"
#include "unwind/cfi_reader.h"
#include "util/compiler.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of AddressSanitizer, if it is there. */
void __asan_poison_memory_region(const volatile void *at, size_t size) WEAK;
void __asan_unpoison_memory_region(const volatile void *at, size_t size) WEAK;

/* Between the records; a read of it is a fault. */
#define GAP 64

struct header {
	uint8_t version, pointer, count_encoding, table;
	int32_t frame;
	uint32_t count;
	int32_t pc;
	int32_t entry;
};

static void
allow(void *gap, bool allowed)
{
	if (__asan_poison_memory_region == NULL)
		return;
	if (allowed)
		__asan_unpoison_memory_region(gap, GAP);
	else
		__asan_poison_memory_region(gap, GAP);
}

/* A record: its length, `link`, and these bytes. Returns its end. */
static uint8_t *
put_record(uint8_t *at, uint32_t link, const uint8_t *bytes, size_t size)
{
	uint32_t length = (uint32_t)size + 4;

	memcpy(at, &length, 4);
	memcpy(at + 4, &link, 4);
	memcpy(at + 8, bytes, size);
	return at + 8 + size;
}

/* As backtrace.c does it. */
static void
evaluate(const struct cfi_row *row, const struct cfi_rule *rule)
{
	static uintptr_t stack_words[64], registers[REGISTERS];
	struct unwind_stack stack = {
		.low = (uintptr_t)stack_words,
		.high = (uintptr_t)&stack_words[64],
	};
	struct cfi_reader reader = {
		.at = row->base + rule->value,
		.end = row->base + rule->value + 10,
	};
	struct cfi_expression expression = { .registers = registers,
		.stack = &stack };
	uintptr_t initial = stack.low + 80, value;
	uint64_t size;

	if (rule->kind != CFI_AT_EXPRESSION && rule->kind != CFI_IS_EXPRESSION)
		return;
	for (unsigned i = 0; i < REGISTERS; i++)
		registers[i] = stack.low + 8 * i;
	for (unsigned i = 0; i < 64; i++)
		stack_words[i] = stack.high - 8 * i;
	size = cfi_read_uleb(&reader);
	expression.start = reader.at;
	expression.end = reader.at + size;
	cfi_expression_value(&expression, &initial, &value);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct header header = { .version = 1,
		.pointer = CFI_FROM_HERE | CFI_S32,
		.count_encoding = CFI_U32,
		.table = 0x3b,
		.count = 1 };
	size_t ncommon;
	uint8_t *memory, *common, *gap, *own;
	struct cfi_line line;
	struct cfi_row row;

	if (size < 2 || size > 4000)
		return 0;
	ncommon = data[0] < size - 2 ? data[0] : size - 2;
	memory = malloc(sizeof(header) + 16 + size - 2 + GAP + 8);
	if (memory == NULL)
		abort();
	common = memory + sizeof(header);
	gap = put_record(common, 0, data + 2, ncommon);
	gap += -(uintptr_t)gap % 8;
	own = gap + GAP;
	put_record(own, (uint32_t)(own + 4 - common), data + 2 + ncommon,
	    size - 2 - ncommon);
	header.pc = (int32_t)(own + 8 - memory);
	header.entry = (int32_t)(own - memory);
	memcpy(memory, &header, sizeof(header));
	allow(gap, false);
	if (!cfi_find((uintptr_t)memory, (uintptr_t)own + 8 + data[1], &line))
		abort();
	if (cfi_fingerprint(&line) == 0)
		abort();
	if (cfi_row_init(&row, &line, (uintptr_t)own + 8 + data[1])) {
		if (row.return_register >= REGISTERS ||
		    row.rules.cfa_register >= REGISTERS)
			abort();
		evaluate(&row, &row.rules.cfa);
		for (unsigned i = 0; i < REGISTERS; i++)
			evaluate(&row, &row.rules.of[i]);
	}
	allow(gap, true);
	free(memory);
	return 0;
}
