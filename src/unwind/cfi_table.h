/*
 * cfi_table: the sorted table that leads from an address to its entry of
 * .eh_frame.
 *
 * Owns:       nothing.
 * Invariants: linkers write it as .eh_frame_hdr, relative to its own address.
 *             The one that cfi_index makes may be far from the code, so it is
 *             relative to an address that stands before it. Its version number
 *             is one that no linker writes.
 * Locking:    none.
 */
#ifndef UNWIND_CFI_TABLE_H
#define UNWIND_CFI_TABLE_H

#include <stdint.h>

#include "unwind/cfi_reader.h"

enum {
	CFI_TABLE_LINKED = 1,
	CFI_TABLE_MADE = 0xed,
	CFI_TABLE_SORTED = 0x30 | CFI_S32, /* relative to the start */
};

struct cfi_table_line {
	int32_t pc;
	int32_t entry;
};

struct cfi_table {
	uint8_t version;
	uint8_t pointer_encoding;
	uint8_t count_encoding;
	uint8_t table_encoding;
	int32_t eh_frame;
	uint32_t count;
	struct cfi_table_line line[];
};

static inline uintptr_t
cfi_table_base(const struct cfi_table *table)
{
	return table->version == CFI_TABLE_MADE
	    ? ((const uintptr_t *)(const void *)table)[-1]
	    : (uintptr_t)table;
}

#endif
