/*
 * cfi: how to find the caller's registers for an address in code.
 *
 * Owns:       nothing; reads .eh_frame_hdr and .eh_frame of loaded objects.
 * Invariants: entries are found by the sorted table of cfi_table.h; without it
 *             nothing is found. If
 *             something is not understood, the call fails; it never guesses.
 * Locking:    none; the object has to stay loaded.
 */
#ifndef UNWIND_CFI_H
#define UNWIND_CFI_H

#include <stdbool.h>
#include <stdint.h>

#include "os/registers.h"

enum cfi_kind {
	CFI_SAME,          /* the register has the caller's value */
	CFI_UNDEFINED,     /* lost; no return address: the last frame */
	CFI_AT_OFFSET,     /* in memory at CFA + value */
	CFI_IS_OFFSET,     /* CFA + value; for a CFA: register + value */
	CFI_IN_REGISTER,   /* in register `value` */
	CFI_AT_EXPRESSION, /* in memory at an expression's value */
	CFI_IS_EXPRESSION, /* an expression's value */
};

/* For an expression, `value` is its place, in bytes from the row's `base`. */
struct cfi_rule {
	int32_t value;
	uint8_t kind;
};

struct cfi_rules {
	struct cfi_rule cfa;
	uint8_t cfa_register;
	struct cfi_rule of[REGISTERS];
};

struct cfi_row {
	const uint8_t *base;
	bool signal; /* the caller was interrupted by a signal */
	uint8_t return_register;
	struct cfi_rules rules;
};

/* One line of the table: it says where the information of an address is. */
struct cfi_line {
	uintptr_t index; /* .eh_frame_hdr */
	uint32_t number;
};

/* The table's last line that starts at or before `pc`. */
bool cfi_find(uintptr_t index, uintptr_t pc, struct cfi_line *line);

/*
 * A hash of the line and of the first bytes of its entry; 0 if there is no such
 * line. If another object was loaded at the same place, its hash is different,
 * unless all these bytes are the same.
 */
uint64_t cfi_fingerprint(const struct cfi_line *line);

/*
 * The first address that an entry is about. False: this record of .eh_frame is
 * no entry, or it is not understood.
 */
bool cfi_entry_start(const uint8_t *record, uintptr_t *pc);

/* The rules at `pc`; false: there are none, or they are not understood. */
bool cfi_row_init(struct cfi_row *row, const struct cfi_line *line,
    uintptr_t pc);

#endif
