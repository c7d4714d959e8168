#include "prof/prof_trace.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "extent/metadata.h"
#include "os/lock.h"
#include "unwind/backtrace.h"

#define BUCKETS 4096

static struct {
	struct lock lock; /* protects the buckets and the last holder */
	struct prof_trace *bucket[BUCKETS];
} traces SPARSE;

AT_START void
prof_trace_init(void)
{
	lock_init_zeroed(&traces.lock, LOCK_PROF_TRACES);
}

struct lock *
prof_trace_lock(void)
{
	return &traces.lock;
}

static size_t
trace_size(unsigned depth)
{
	return sizeof(struct prof_trace) + depth * sizeof(void *);
}

static struct prof_trace *
find_locked(void *const *pcs, unsigned depth, uint64_t hash)
{
	struct prof_trace *trace = traces.bucket[hash % BUCKETS];

	LOCK_ASSERT_HELD(&traces.lock);
	while (trace != NULL &&
	    (trace->hash != hash || trace->depth != depth ||
		(depth != 0 &&
		    memcmp(trace->pcs, pcs, depth * sizeof(void *)) != 0)))
		trace = trace->next;
	return trace;
}

/*
 * Holds the stack with these addresses. If there is none, `fresh` is entered,
 * unless that is NULL.
 */
static struct prof_trace *
find_or_enter(void *const *pcs, unsigned depth, uint64_t hash,
    struct prof_trace *fresh)
{
	struct prof_trace **bucket = &traces.bucket[hash % BUCKETS];
	struct prof_trace *trace;

	lock_acquire(&traces.lock);
	trace = prof_trace_share(find_locked(pcs, depth, hash));
	if (trace == NULL && fresh != NULL) {
		fresh->next = *bucket;
		*bucket = trace = fresh;
	}
	lock_release(&traces.lock);
	return trace;
}

struct prof_trace *
prof_trace_take(void *const *pcs, unsigned depth)
{
	uint64_t hash = backtrace_hash(pcs, depth);
	struct prof_trace *trace = find_or_enter(pcs, depth, hash, NULL);
	struct prof_trace *fresh;

	if (trace != NULL)
		return trace;
	fresh = metadata_take_piece(trace_size(depth));
	if (fresh == NULL)
		return NULL;
	memset(fresh, 0, sizeof(*fresh));
	fresh->hash = hash;
	fresh->holders = 1;
	fresh->depth = depth;
	if (depth != 0)
		memcpy(fresh->pcs, pcs, depth * sizeof(void *));
	/* Another thread may have entered the same stack since. */
	trace = find_or_enter(pcs, depth, hash, fresh);
	if (trace != fresh)
		metadata_give_piece(fresh, trace_size(depth));
	return trace;
}

void
prof_trace_give(struct prof_trace *trace)
{
	struct prof_trace **place;
	bool last;

	if (trace == NULL)
		return;
	lock_acquire(&traces.lock);
	last = atomic_fetch_sub_explicit(&trace->holders, 1,
		   memory_order_acq_rel) == 1;
	if (last) {
		place = &traces.bucket[trace->hash % BUCKETS];
		while (*place != trace)
			place = &(*place)->next;
		*place = trace->next;
	}
	lock_release(&traces.lock);
	if (last)
		metadata_give_piece(trace, trace_size(trace->depth));
}
