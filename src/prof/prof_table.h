/*
 * prof_table: counts the samples of each stack and thread.
 *
 * Owns:       stacks, threads with samples, and the counts of each pair of
 *             both.
 * Invariants: no stack is there twice. A pair exists while it has a live
 *             sample; if samples are accumulated, until a reset. Its stack and
 *             its thread exist as long. The end of a sample subtracts exactly
 *             what its beginning added, because weights are integers.
 * Locking:    LOCK_PROF_TABLE. It is not held while records are made or freed.
 */
#ifndef PROF_PROF_TABLE_H
#define PROF_PROF_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/options.h"
#include "util/compiler.h"

struct heap_part;
struct lock;
struct prof_pair;
struct prof_thread;

#define PROF_DEPTH_MAX PROF_BT_LIMIT
#define PROF_NAME_SIZE 16 /* with the zero at the end */

/*
 * p is the chance of an object to be a sample. 1 / p is counted in units of
 * 1 / PROF_WEIGHT_ONE, and bytes / p in units of 1 / PROF_WEIGHT_BYTE.
 */
#define PROF_WEIGHT_ONE  65536
#define PROF_WEIGHT_BYTE 256

/*
 * The counts of one or more samples. The weights count the objects that they
 * represent.
 */
struct prof_counts {
	uint64_t objects;
	uint64_t bytes;
	uint64_t weight_objects; /* sum of 1/p, see above */
	uint64_t weight_bytes;   /* sum of bytes/p, see above */
};

void prof_counts_add(struct prof_counts *to, const struct prof_counts *counts);

void prof_table_init(void);

/* Makes the record of a thread and gives it a number. NULL: no memory. */
struct prof_thread *prof_table_enter(void);

/* To be called when the thread ends. Its record stays while it has samples. */
void prof_table_leave(struct prof_thread *thread);

/* A name has at most PROF_NAME_SIZE - 1 bytes; "": the thread has no name. */
void prof_table_set_name(struct prof_thread *thread, const char *name);
const char *prof_table_name(const struct prof_thread *thread);
uint64_t prof_table_number(const struct prof_thread *thread);

/**
 * Counts one sample.
 * @param pcs    return addresses, innermost first
 * @param depth  how many, at most PROF_DEPTH_MAX
 * @return       the pair that counts it, for prof_table_remove(); NULL: there
 *               is no memory, and it is not counted
 */
struct prof_pair *prof_table_add(struct prof_thread *thread, void *const *pcs,
    unsigned depth, const struct prof_counts *sample);

/* Ends a sample, `age_us` after it began. `pair` may not exist afterwards. */
void prof_table_remove(struct prof_pair *pair, const struct prof_counts *sample,
    uint64_t age_us);

/* backtrace_hash() of a live sample's stack; 0: a reset has forgotten it. */
uint64_t prof_table_stack_hash(const struct prof_pair *pair);

/*
 * Sets whether pairs stay without live samples, and count all samples so far.
 */
void prof_table_accumulate(bool on);

/* Forgets all samples. The end of a live one changes no count any more. */
void prof_table_reset(void);

/* --- reading -------------------------------------------------------------- */

/*
 * The whole table at one moment, as a sequence of items in mapped memory. First
 * come the threads, by number. Then each stack comes, with its pairs behind it,
 * by number of the thread. Items of threads and stacks have the sums of their
 * pairs.
 */
struct prof_snapshot {
	char *memory;
	size_t size; /* bytes mapped */
	size_t used;
	size_t nthreads;
	struct prof_counts live; /* of all */
	struct prof_counts ever;
};

enum prof_item_kind { PROF_ITEM_THREAD, PROF_ITEM_STACK, PROF_ITEM_PAIR };

struct prof_item {
	uint32_t kind;
	uint32_t length; /* bytes of the item, with `pcs` */
	uint64_t thread; /* its number; not for a stack */
	struct prof_counts live;
	struct prof_counts ever;
	uint64_t lifetime; /* us, sum of all freed objects */
	char name[PROF_NAME_SIZE];
	uint32_t depth;
	void *pcs[]; /* of a stack */
};

/* Takes a snapshot. False: no memory. */
bool prof_snapshot_take(struct prof_snapshot *snapshot);
void prof_snapshot_end(struct prof_snapshot *snapshot);

/* The item behind `item`; the first one, if that is NULL. NULL: the end. */
const struct prof_item *prof_snapshot_next(const struct prof_snapshot *snapshot,
    const struct prof_item *item);

/* Copies an item, all but its `pcs`. The result is the place behind it. */
char *prof_item_append(char *at, const struct prof_item *item);

/* The index of a thread's item. Items of threads come first. */
size_t prof_snapshot_thread(const struct prof_snapshot *snapshot,
    uint64_t number);

struct lock *prof_table_lock(void);

/* For tools that read the heap. */
extern HIDDEN const struct heap_part prof_table_heap_part;

#endif
