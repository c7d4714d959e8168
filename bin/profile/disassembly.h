/*
 * disassembly: the instructions of a function, as objdump prints them.
 *
 * Owns:       nothing.
 * Invariants: addresses ascend; they are those in the file, not in the process.
 * Locking:    none.
 */
#ifndef PROFILE_DISASSEMBLY_H
#define PROFILE_DISASSEMBLY_H

#include <stddef.h>
#include <stdint.h>

#include "samples.h"

struct instruction {
	uint64_t address;
	const char *file; /* or NULL */
	int line;
	const char *text;
	struct sample sample;
};

struct disassembly {
	struct instruction *item;
	size_t count;
};

void disassemble(struct disassembly *code, const char *file, uint64_t start,
    uint64_t end);
/* The instruction that contains the address, or NULL. */
struct instruction *disassembly_find(struct disassembly *code,
    uint64_t address);

#endif
