#include "prof/prof_recent.h"

#include <string.h>

#include "conf/options.h"
#include "extent/metadata.h"
#include "os/clock.h"
#include "os/lock.h"
#include "os/pages.h"
#include "os/system.h"
#include "prof/prof_trace.h"
#include "util/bits.h"

_Atomic ssize_t prof_recent_max;

static struct {
	struct lock lock; /* protects all that follows, and records */
	struct list last; /* oldest first */
	size_t count;
} recent;

AT_START void
prof_recent_init(ssize_t max)
{
	lock_init_zeroed(&recent.lock, LOCK_PROF_RECENT);
	list_init(&recent.last);
	recent.count = 0;
	atomic_store_explicit(&prof_recent_max, max, memory_order_relaxed);
}

struct lock *
prof_recent_lock(void)
{
	return &recent.lock;
}

static uint64_t
now_ns(void)
{
	return opt.prof_time_resolution == PROF_TIME_HIGH ? clock_wall_ns()
							  : clock_coarse_ns();
}

/* --- records -------------------------------------------------------------- */

static struct prof_deed
deed_of(const struct prof_doer *doer)
{
	struct prof_deed deed = { .thread = doer->thread, .ns = now_ns() };
	size_t length = strnlen(doer->name, sizeof(deed.name) - 1);

	memcpy(deed.name, doer->name, length);
	deed.trace = prof_trace_take(doer->pcs, doer->depth);
	return deed;
}

static void
record_end(struct prof_record *record)
{
	prof_trace_give(record->taken.trace);
	prof_trace_give(record->given.trace);
	metadata_give_piece(record, sizeof(*record));
}

/*
 * Takes the oldest record out of the list. The record ends, unless a log still
 * needs it.
 */
static void
drop_oldest_locked(void)
{
	struct prof_record *record = container_of(recent.last.next,
	    struct prof_record, link);

	LOCK_ASSERT_HELD(&recent.lock);
	list_remove(&record->link);
	recent.count--;
	if (record->slot != NULL) {
		/* A running log needs the record until its object is freed. */
		if (record->run != 0 && record->run == prof_log_run())
			return;
		atomic_store_explicit(record->slot, NULL, memory_order_release);
	}
	record_end(record);
}

static void
keep_to_limit_locked(void)
{
	ssize_t max = atomic_load_explicit(&prof_recent_max,
	    memory_order_relaxed);

	LOCK_ASSERT_HELD(&recent.lock);
	while (max >= 0 && recent.count > (size_t)max)
		drop_oldest_locked();
}

void
prof_recent_set_max(ssize_t max)
{
	lock_acquire(&recent.lock);
	atomic_store_explicit(&prof_recent_max, max, memory_order_relaxed);
	keep_to_limit_locked();
	lock_release(&recent.lock);
}

void
prof_recent_begin(prof_record_slot *slot, size_t requested, size_t usable,
    const struct prof_doer *doer)
{
	struct prof_record *record = metadata_take_piece(sizeof(*record));

	if (record == NULL)
		return;
	*record = (struct prof_record){ .slot = slot,
		.requested = requested,
		.usable = usable,
		.run = prof_log_run(),
		.taken = deed_of(doer) };
	list_init(&record->link);
	atomic_store_explicit(slot, record, memory_order_relaxed);
	lock_acquire(&recent.lock);
	if (atomic_load_explicit(&prof_recent_max, memory_order_relaxed) != 0) {
		list_push_back(&recent.last, &record->link);
		recent.count++;
		keep_to_limit_locked();
	}
	lock_release(&recent.lock);
}

/*
 * A copy of a record for the log. It holds the stacks, because the record may
 * end before the copy is used.
 */
static struct prof_life
life_of(const struct prof_record *record, const struct prof_deed *given)
{
	struct prof_life life = { .run = record->run,
		.usable = record->usable,
		.taken = record->taken,
		.given = *given };

	prof_trace_share(life.taken.trace);
	prof_trace_share(life.given.trace);
	return life;
}

void
prof_recent_end(prof_record_slot *slot, const struct prof_doer *doer)
{
	struct prof_deed given = deed_of(doer);
	struct prof_life life = { .run = 0 };
	struct prof_record *record;

	lock_acquire(&recent.lock);
	record = atomic_load_explicit(slot, memory_order_relaxed);
	if (record != NULL) {
		if (record->run != 0 && given.thread != PROF_NO_THREAD)
			life = life_of(record, &given);
		record->slot = NULL;
		record->given = given;
		record->given_known = true;
		/* Not among the last samples: only the log needed it. */
		if (list_empty(&record->link))
			record_end(record);
	}
	lock_release(&recent.lock);
	if (record == NULL)
		prof_trace_give(given.trace);
	if (life.run == 0)
		return;
	prof_log_add(&life);
	prof_trace_give(life.taken.trace);
	prof_trace_give(life.given.trace);
}

/* --- reading -------------------------------------------------------------- */

/* False: there are more records now, so the copy is too small. */
static bool
fill_copy(struct prof_recent_copy *copy)
{
	bool fits;

	copy->count = 0;
	lock_acquire(&recent.lock);
	fits = recent.count <= copy->size / sizeof(*copy->records);
	for (struct list *link = recent.last.next; fits && link != &recent.last;
	     link = link->next) {
		struct prof_record *to = &copy->records[copy->count++];

		*to = *container_of(link, struct prof_record, link);
		prof_trace_share(to->taken.trace);
		prof_trace_share(to->given.trace);
	}
	copy->max = atomic_load_explicit(&prof_recent_max,
	    memory_order_relaxed);
	lock_release(&recent.lock);
	return fits;
}

bool
prof_recent_copy_take(struct prof_recent_copy *copy)
{
	size_t count;

	for (;;) {
		lock_acquire(&recent.lock);
		count = recent.count;
		lock_release(&recent.lock);
		/* Some more, because other threads take samples meanwhile. */
		copy->size = round_up((count + count / 8 + 1) *
			sizeof(*copy->records),
		    system_info.page_size);
		copy->records = pages_map(copy->size, system_info.page_size);
		if (copy->records == NULL)
			return false;
		if (fill_copy(copy))
			return true;
		pages_unmap(copy->records, copy->size);
	}
}

void
prof_recent_copy_end(struct prof_recent_copy *copy)
{
	for (size_t i = 0; i < copy->count; i++) {
		prof_trace_give(copy->records[i].taken.trace);
		prof_trace_give(copy->records[i].given.trace);
	}
	pages_unmap(copy->records, copy->size);
}
