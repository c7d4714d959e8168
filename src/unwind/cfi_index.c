#include "unwind/cfi_index.h"

#include <stdbool.h>

#include "os/pages.h"
#include "os/system.h"
#include "unwind/cfi.h"
#include "unwind/cfi_table.h"
#include "util/bits.h"

/* Records follow each other. A record without length is a gap or the end. */
struct records {
	const uint8_t *at;
	const uint8_t *end;
};

/* The next record; NULL: there is none, or what follows is no record. */
static const uint8_t *
next_record(struct records *records)
{
	while (records->end - records->at >= 4) {
		const uint8_t *record = records->at;
		struct cfi_reader reader = { .at = record,
			.end = records->end };
		uint64_t length = cfi_read(&reader, 4);

		if (length == UINT32_MAX)
			length = cfi_read(&reader, 8);
		cfi_skip(&reader, length);
		if (reader.failed)
			return NULL;
		records->at = reader.at;
		if (length != 0)
			return record;
	}
	return NULL;
}

static bool
fits(uintptr_t address, uintptr_t base, int32_t *difference)
{
	intptr_t exact = (intptr_t)(address - base);

	*difference = (int32_t)exact;
	return exact == *difference;
}

/* Writes a line for each entry; only counts them if `lines` is NULL. */
static uint32_t
list(struct records records, uintptr_t base, struct cfi_table_line *lines)
{
	const uint8_t *record;
	uint32_t count = 0;

	while ((record = next_record(&records)) != NULL) {
		struct cfi_table_line line;
		uintptr_t pc;

		if (!cfi_entry_start(record, &pc) ||
		    !fits(pc, base, &line.pc) ||
		    !fits((uintptr_t)record, base, &line.entry))
			continue;
		if (lines != NULL)
			lines[count] = line;
		count++;
	}
	return count;
}

/* Moves the line at `i` down until none below it is larger. */
static void
sift(struct cfi_table_line *lines, uint32_t i, uint32_t count)
{
	struct cfi_table_line line = lines[i];

	for (uint32_t child; (child = 2 * i + 1) < count; i = child) {
		if (child + 1 < count && lines[child + 1].pc > lines[child].pc)
			child++;
		if (lines[child].pc <= line.pc)
			break;
		lines[i] = lines[child];
	}
	lines[i] = line;
}

/* A heap sort: the one of the C library may allocate. */
static void
sort(struct cfi_table_line *lines, uint32_t count)
{
	for (uint32_t i = count / 2; i-- > 0;)
		sift(lines, i, count);
	while (count > 1) {
		struct cfi_table_line largest = lines[0];

		lines[0] = lines[--count];
		lines[count] = largest;
		sift(lines, 0, count);
	}
}

uintptr_t
cfi_index_make(const uint8_t *eh_frame, size_t size, uintptr_t base)
{
	const struct records records = { eh_frame, eh_frame + size };
	uint32_t count = list(records, base, NULL);
	struct cfi_table *table;
	uintptr_t *memory;

	if (count == 0)
		return 0;
	memory = pages_map(round_up(sizeof(base) + sizeof(*table) +
				   count * sizeof(table->line[0]),
			       system_info.page_size),
	    system_info.page_size);
	if (memory == NULL)
		return 0;
	memory[0] = base;
	table = (struct cfi_table *)(memory + 1);
	*table = (struct cfi_table){ .version = CFI_TABLE_MADE,
		.pointer_encoding = CFI_S32,
		.count_encoding = CFI_U32,
		.table_encoding = CFI_TABLE_SORTED,
		.count = count };
	list(records, base, table->line);
	sort(table->line, count);
	return (uintptr_t)table;
}
