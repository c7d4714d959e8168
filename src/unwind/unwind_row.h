/*
 * unwind_row: the rules at an address in a short form, kept to be used again.
 *
 * Owns:       a table of such rows by address, shared by all threads.
 * Invariants: a row is short if the CFA is a register plus an offset and each
 *             kept register is unchanged or in memory; nearly all rows are.
 *             A row is found again only while the unwind information that it
 *             was made from is still there and has the same contents. So no row
 *             of an unloaded object is used, nor is it used for another object
 *             that was loaded at the same place.
 * Locking:    none; a reader notices if an entry has changed while it read it.
 *             If two threads write one entry, one of them gives up.
 */
#ifndef UNWIND_ROW_H
#define UNWIND_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include "os/registers.h"
#include "unwind/cfi.h"

enum { UNWIND_KEPT_MAX = 15, UNWIND_ROW_WORDS = 5 };

struct unwind_row {
	union {
		struct {
			int32_t cfa_offset;
			uint32_t line; /* number of the line it is from */
			uint8_t cfa_register;
			bool last; /* there is no caller */
			/* Place in words from the CFA; 0: unchanged. */
			int16_t at[UNWIND_KEPT_MAX];
		};
		uint64_t word[UNWIND_ROW_WORDS]; /* to copy the row */
	};
};

/* The registers that a row describes: row->at[i] is the place of the i-th. */
static const uint8_t unwind_kept[] = REGISTERS_KEPT;

/* Makes a short row; false: it can't be short. */
bool unwind_row_init(struct unwind_row *row, const struct cfi_row *full);

/* The row for `pc`, if known; the index of its object is at `index`. */
bool unwind_row_find(struct unwind_row *row, uintptr_t index, uintptr_t pc);
void unwind_row_remember(struct unwind_row *row, const struct cfi_line *line,
    uintptr_t pc);

#endif
