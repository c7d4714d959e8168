/*
 * cfi: from an address in code to how its caller's registers are found.
 *
 * Owns:       nothing; reads .eh_frame_hdr and .eh_frame of loaded objects.
 * Invariants: entries are found by the sorted table of .eh_frame_hdr, in the one
 *             form that linkers write; without it nothing is found. What is not
 *             understood makes a call fail, and is never guessed.
 * Locking:    none; the object has to stay loaded.
 */
#ifndef UNWIND_CFI_H
#define UNWIND_CFI_H

#include <stdbool.h>
#include <stdint.h>

#include "os/registers.h"

enum cfi_kind {
	CFI_SAME,		/* the caller's is what the register has now */
	CFI_UNDEFINED,		/* lost; of the return address: the last frame */
	CFI_AT_OFFSET,		/* in memory at CFA + value */
	CFI_IS_OFFSET,		/* CFA + value; of the CFA: register + value */
	CFI_IN_REGISTER,	/* in register `value` */
	CFI_AT_EXPRESSION,	/* in memory at an expression's value */
	CFI_IS_EXPRESSION,	/* an expression's value */
};

/* An expression's value is its place, in bytes from the row's `base`. */
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
	bool signal;		/* the caller was interrupted, it called nothing */
	uint8_t return_register;
	struct cfi_rules rules;
};

/* Where an address's information is: one line of the table. */
struct cfi_line {
	uintptr_t index;		/* .eh_frame_hdr */
	uint32_t number;
};

/* The table's last line that starts at or before `pc`. */
bool cfi_find(uintptr_t index, uintptr_t pc, struct cfi_line *line);

/*
 * Almost a name for what the line says. Another object at the same place differs
 * in it, unless the line and the head of its entry are the same, byte for byte.
 * 0 if there is no such line.
 */
uint64_t cfi_fingerprint(const struct cfi_line *line);

/* What holds at `pc`; false where nothing does, or it is not understood. */
bool cfi_row_init(struct cfi_row *row, const struct cfi_line *line,
    uintptr_t pc);

#endif
