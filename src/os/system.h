/*
 * system: what machine is this? Page size, CPUs, limits, randomness.
 *
 * Owns:       struct system_info, read once at start.
 * Invariants: every source may fail; each has a default, and start-up goes on.
 * Locking:    none; read only after system_init().
 */
#ifndef OS_SYSTEM_H
#define OS_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/compiler.h"

/* What the kernel makes of huge pages by itself. */
enum system_thp {
	SYSTEM_THP_MISSING,	/* it has none, or does not say */
	SYSTEM_THP_NEVER,
	SYSTEM_THP_MADVISE,	/* where it is asked to */
	SYSTEM_THP_ALWAYS,	/* everywhere */
};

struct system_info {
	size_t page_size;	/* bytes */
	size_t huge_page;	/* bytes; a guess where there are none */
	enum system_thp thp;
	unsigned ncpus;		/* by affinity mask and cgroup quota, >= 1 */
	unsigned ncpus_affinity;
	bool secure;		/* set-user-id: trust no environment */
};

extern HIDDEN struct system_info system_info;

void system_init(void);

/* system_info.thp in the kernel's word, or "not supported". */
const char *system_thp_text(void);

/*
 * The CPU that the caller runs on, by the kernel's numbers: these may have gaps,
 * be more than there are CPUs, and be wrong the moment after. -1: not known.
 */
int system_cpu(void);

/* Fills in `size` bytes of randomness; never blocks, never fails. */
void system_random(void *buf, size_t size);

/* The main program's image, or NULL if that is not to be known. */
const char *system_program_start(void);
const char *system_program_end(void);

/*
 * Is this function's address that of a stub in the main program, which stands
 * for a function of another object wherever the address is taken?
 */
bool system_is_stub(uintptr_t function);

#endif
