/*
 * target: the memory that jeheap reads: of a core file or of a live process.
 *
 * Owns:       struct target, its cache of blocks, its lists of mappings and
 *             threads.
 * Invariants: no data of the target are trusted: any address may be read.
 *             Unreadable bytes become zero and are counted. Mappings are sorted
 *             and do not overlap.
 * Locking:    none, one thread.
 */
#ifndef HEAP_TARGET_H
#define HEAP_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TARGET_PAGE        4096u
#define TARGET_BLOCK       32768u
#define TARGET_BLOCK_PAGES (TARGET_BLOCK / TARGET_PAGE)

struct mapping {
	uint64_t start, end;
	uint64_t offset;  /* in the file */
	const char *path; /* as the target calls the file, or NULL */
	bool readable, writable, executable;
};

struct target_thread {
	uint32_t tid;
	const char *name; /* or NULL */
	uint64_t stack;   /* the stack pointer, or 0 */
	uint64_t pointer; /* the thread pointer, or 0 */
	uint64_t pc;      /* the address of the next instruction, or 0 */
};

/* The functions that differ for a core file and for a process. */
struct target_source {
	/*
	 * Reads a block of TARGET_BLOCK bytes at a multiple of it. Bit i of the
	 * result says that page i could be read.
	 */
	unsigned (*read)(void *state, uint64_t address, unsigned char *block);
	/* Opens the file of a mapping; -1: it is not there, or another one. */
	int (*open_file)(void *state, const char *path);
	/*
	 * For a target that we have not stopped: has it not run since it was
	 * opened?
	 */
	bool (*is_exact)(void *state);
	/* Lets the target run again, if it was stopped. */
	void (*resume)(void *state);
};

struct target_options {
	long pid; /* 0: a core file */
	const char *core;
	const char *exe;     /* or NULL */
	const char *sysroot; /* or NULL */
	bool no_stop;
	const char *threads; /* with no_stop: a file, or NULL */
};

struct target {
	const struct target_source *source;
	void *state;
	const char *name; /* for messages */
	bool big_endian;
	unsigned pointer_size;
	bool approximate; /* it may run during the reads */
	bool truncated;   /* the file ends too early */
	struct mapping *mappings;
	size_t nmappings;
	struct target_thread *threads;
	size_t nthreads;
	uint64_t program_headers; /* of the main program, or 0 */
	struct target_block *blocks;
};

/* Ends the program if it cannot be opened. */
struct target *target_open(const struct target_options *options);

/* Lets a live process continue; nothing more is read from it. */
void target_resume(struct target *target);

/* Has it run while it was read? */
bool target_has_run(struct target *target);

/* True if all of it could be read. */
bool target_read(struct target *target, uint64_t address, void *bytes,
    size_t size);

/* The same, and returns how many bytes were unreadable; those are 0. */
size_t target_read_some(struct target *target, uint64_t address, void *bytes,
    size_t size);

/*
 * Reads a text up to a zero, to `size`, or to unreadable memory. `text` always
 * ends with a zero. False: not even the first byte is readable.
 */
bool target_text(struct target *target, uint64_t address, char *text,
    size_t size);

/* The mapping that has `address`, or NULL. */
const struct mapping *target_mapping(const struct target *target,
    uint64_t address);

int target_open_file(struct target *target, const char *path);

#endif
