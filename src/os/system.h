/*
 * system: what machine is this? Page size, CPUs, limits, random numbers.
 *
 * Owns:       struct system_info, read once at start.
 * Invariants: every source of information may fail; then a default is used, and
 *             start-up goes on.
 * Locking:    none; read only after system_init().
 */
#ifndef OS_SYSTEM_H
#define OS_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/compiler.h"

/* Where the kernel uses huge pages. */
enum system_thp {
	SYSTEM_THP_MISSING, /* it has none, or does not tell */
	SYSTEM_THP_NEVER,
	SYSTEM_THP_MADVISE, /* where madvise asks for them */
	SYSTEM_THP_ALWAYS,  /* everywhere */
};

struct system_info {
	size_t page_size; /* bytes */
	size_t huge_page; /* bytes; a guess if there are none */
	enum system_thp thp;
	unsigned ncpus; /* by affinity mask and cgroup quota, >= 1 */
	unsigned ncpus_affinity;
};

extern HIDDEN struct system_info system_info;

void system_init(void);

/* The kernel's word for system_info.thp, or "not supported". */
const char *system_thp_text(void);

/*
 * The kernel's number of the CPU that the caller runs on; -1: not known. It may
 * be larger than the number of CPUs, because the numbers may have gaps. The
 * thread may be on another CPU as soon as this returns. errno is kept.
 */
int system_cpu(void);

/*
 * Asks this function, which is not replaced, instead of sched_getcpu(). NULL:
 * there is none. Before threads start.
 */
void system_set_getcpu(int (*function)(void));

/* Fills `buf` with `size` random bytes; never blocks, never fails. */
void system_random(void *buf, size_t size);

/*
 * Does valgrind run this process? This executes the instructions that valgrind
 * documents for it. They do nothing elsewhere.
 */
bool system_on_valgrind(void);

/* The name of the host, with `_` for each `/` in it; "": not known. */
#define SYSTEM_HOST_SIZE 65
void system_host(char host[SYSTEM_HOST_SIZE]);

/* Where the main program is, by its own headers. */
struct system_program {
	uintptr_t base;      /* what the addresses in its file count from */
	uintptr_t end;       /* 0: not known */
	const void *dynamic; /* its dynamic section; NULL: none */
};

struct system_program system_program(void);

/*
 * Is this address that of a stub in the main program? A program that is linked
 * to a fixed address has such stubs for functions of other objects, and their
 * addresses are used instead of the real ones.
 */
bool system_is_stub(uintptr_t function);

#endif
