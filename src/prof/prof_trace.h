/*
 * prof_trace: the stacks in records of samples. Equal stacks are kept once.
 *
 * Owns:       the stacks, found by their contents.
 * Invariants: a stack stays as long as it has a holder. These stacks are not
 *             those of prof_table: a reset of that does not change them.
 * Locking:    LOCK_PROF_TRACES. It is not held while memory is taken.
 */
#ifndef PROF_PROF_TRACE_H
#define PROF_PROF_TRACE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct lock;

struct prof_trace {
	struct prof_trace *next; /* in its bucket */
	uint64_t hash;
	_Atomic uint32_t holders;
	uint32_t depth;
	/* For prof_log; its lock protects these three. */
	uint32_t log_run; /* the last log that has it; 0: none */
	uint32_t log_index;
	struct prof_trace *log_next;
	void *pcs[]; /* innermost first */
};

void prof_trace_init(void);

/*
 * Finds or makes the stack with these addresses, and holds it. NULL: no memory.
 */
struct prof_trace *prof_trace_take(void *const *pcs, unsigned depth);

/* Adds a holder to a stack that has one already. `trace` may be NULL. */
static inline struct prof_trace *
prof_trace_share(struct prof_trace *trace)
{
	if (trace != NULL)
		atomic_fetch_add_explicit(&trace->holders, 1,
		    memory_order_relaxed);
	return trace;
}

/* Removes a holder. The last one frees the stack. `trace` may be NULL. */
void prof_trace_give(struct prof_trace *trace);

struct lock *prof_trace_lock(void);

#endif
