/*
 * unwind_row: what holds at an address, in the short form that is used again.
 *
 * Owns:       a table of such rows by address, shared by all threads.
 * Invariants: a row is short if the CFA is a register plus an offset and each
 *             kept register is untouched or in memory; all but few are.
 *             A row is found again only while the line of unwind information it
 *             was made of is there and reads the same, so neither an object that
 *             was unloaded nor the one that lies in its place is misread.
 * Locking:    none; readers find out if an entry changed while they read it, and
 *             of two writers one leaves.
 */
#ifndef UNWIND_ROW_H
#define UNWIND_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include "unwind/cfi.h"

enum { UNWIND_KEPT_MAX = 12, UNWIND_ROW_WORDS = 5 };

struct unwind_row {
	union {
		struct {
			int32_t cfa_offset;
			uint32_t line;	/* number of that it was made of */
			uint8_t cfa_register;
			bool last;	/* there is no caller */
			/* Words from the CFA; 0: untouched. */
			int16_t at[UNWIND_KEPT_MAX];
		};
		uint64_t word[UNWIND_ROW_WORDS];	/* to be copied by */
	};
};

/* The numbers of the kept registers; how many is returned. */
unsigned unwind_row_kept(const uint8_t **registers);

/* False if the row can't be short. */
bool unwind_row_init(struct unwind_row *row, const struct cfi_row *full);

/* The row for `pc` if it is known, of an object whose index is at `index`. */
bool unwind_row_find(struct unwind_row *row, uintptr_t index, uintptr_t pc);
void unwind_row_remember(struct unwind_row *row, const struct cfi_line *line,
    uintptr_t pc);

#endif
