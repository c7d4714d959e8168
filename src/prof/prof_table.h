/*
 * prof_table: which stacks have how much alive, thread by thread.
 *
 * Owns:       stacks, threads that were seen, and the counts of each pair.
 * Invariants: a stack is there once. A pair is there while a sample of it is
 *             alive, or for ever once samples are accumulated; its stack and
 *             its thread are there as long.
 *             What was added is taken away again exactly: weights are integers
 *             that the sample keeps.
 * Locking:    LOCK_PROF_TABLE. Records are made and given back without it.
 */
#ifndef PROF_PROF_TABLE_H
#define PROF_PROF_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/options.h"

struct lock;
struct prof_pair;
struct prof_thread;

#define PROF_DEPTH_MAX	PROF_BT_LIMIT
#define PROF_NAME_SIZE	16	/* with the zero at the end */

/* 1 / p of an object is kept as so many parts, bytes / p likewise. */
#define PROF_WEIGHT_ONE	65536
#define PROF_WEIGHT_BYTE 256

/* Samples, or one of them. `weight`: by the chance to be one. */
struct prof_counts {
	uint64_t objects;
	uint64_t bytes;
	uint64_t weight_objects;	/* sum of 1/p, in parts */
	uint64_t weight_bytes;		/* sum of bytes/p, in parts */
};

void prof_table_init(void);

/* A thread's record, with a number of its own; NULL: no memory. */
struct prof_thread *prof_table_enter(void);

/* The thread is gone; its record stays while it has samples. */
void prof_table_leave(struct prof_thread *thread);

/* At most PROF_NAME_SIZE - 1 bytes; "": none. */
void prof_table_set_name(struct prof_thread *thread, const char *name);
const char *prof_table_name(const struct prof_thread *thread);
uint64_t prof_table_number(const struct prof_thread *thread);

/**
 * Counts one sample.
 * @param pcs    return addresses, innermost first
 * @param depth  how many, at most PROF_DEPTH_MAX
 * @return       where it was counted, for prof_table_remove(); NULL: nowhere,
 *               for lack of memory
 */
struct prof_pair *prof_table_add(struct prof_thread *thread, void *const *pcs,
    unsigned depth, const struct prof_counts *sample);

/* A sample has ended, `age_us` after it began. `pair` may be gone then. */
void prof_table_remove(struct prof_pair *pair,
    const struct prof_counts *sample, uint64_t age_us);

/* From now on (or no more) pairs stay, with the sum of all that ever was. */
void prof_table_accumulate(bool on);

/* Forgets all samples; those alive count no more, nor when they end. */
void prof_table_reset(void);

/* --- reading ------------------------------------------------------------------ */

/*
 * All there is at one moment, as a sequence of items in mapped memory: threads
 * in ascending order, then each stack with its pairs, likewise. Those of
 * threads and stacks have the sums of their pairs.
 */
struct prof_snapshot {
	char *memory;
	size_t size;		/* bytes mapped */
	size_t used;
	size_t nthreads;
	struct prof_counts live;	/* of all */
	struct prof_counts ever;
};

enum prof_item_kind { PROF_ITEM_THREAD, PROF_ITEM_STACK, PROF_ITEM_PAIR };

struct prof_item {
	uint32_t kind;
	uint32_t length;	/* bytes, this included */
	uint64_t thread;	/* its number; not for a stack */
	struct prof_counts live;
	struct prof_counts ever;
	uint64_t lifetime;	/* us, of all that `ever` has over `live` */
	char name[PROF_NAME_SIZE];
	uint32_t depth;
	void *pcs[];		/* of a stack */
};

/* False: no memory. */
bool prof_snapshot_take(struct prof_snapshot *snapshot);
void prof_snapshot_end(struct prof_snapshot *snapshot);

/* The item behind `item`, or the first one; NULL at the end. */
const struct prof_item *prof_snapshot_next(
    const struct prof_snapshot *snapshot, const struct prof_item *item);

/* The item of a thread, as an index: they are the first ones. */
size_t prof_snapshot_thread(const struct prof_snapshot *snapshot,
    uint64_t number);

struct lock *prof_table_lock(void);

#endif
