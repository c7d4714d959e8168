#include "cache/tcache.h"

#include <string.h>

#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/thread.h"
#include "conf/options.h"
#include "conf/safety.h"
#include "extent/metadata.h"
#include "os/clock.h"

/* Objects of one bin in one thread: at most so many, and so many bytes. */
#define SLOTS_MAX	2048
#define BIN_BYTES_SMALL	((size_t)256 << 10)
#define BIN_BYTES_LARGE	((size_t)1 << 20)
/*
 * Bytes of objects that all stacks of a thread may hold, small and large. The
 * first slots of small bins don't count.
 */
#define ROOM_SMALL	((int64_t)4 << 20)
#define ROOM_LARGE	((int64_t)1 << 20)
/* Taken objects of one bin between two events: bytes, but at least a few. */
#define EVENT_BYTES	((size_t)64 << 10)
#define EVENT_OBJECTS	128
/* Bins looked at by one event. */
#define AGE_BINS	6
/* Regions handled under one acquisition of a bin's lock, and on the stack. */
#define BATCH_MAX	128

static uint32_t
event_countdown(size_t usable)
{
	return (uint32_t)max_size(EVENT_BYTES / usable, EVENT_OBJECTS);
}

static uint32_t
slots_max(unsigned bin)
{
	size_t usable = cache_bin_usable(bin);
	size_t bytes = bin < SMALL_CLASSES ? BIN_BYTES_SMALL : BIN_BYTES_LARGE;

	if (usable > opt.tcache_max)
		return 0;
	return (uint32_t)min_size(SLOTS_MAX, max_size(bytes / usable, 2));
}

static uint32_t
slots_first(unsigned bin)
{
	size_t usable = cache_bin_usable(bin);

	return usable <= 512 ? 16 : usable <= SMALL_MAX ? 8 : 1;
}

void
tcache_init(struct thread *thread)
{
	/* Filling needs every call, so it does without a cache. */
	thread->cached = opt.tcache && !opt.zero && !opt.junk_alloc &&
	    !opt.junk_free;
	thread->room[0] = ROOM_SMALL;
	thread->room[1] = ROOM_LARGE;
	for (unsigned i = 0; i < CACHE_BINS; i++) {
		struct cache_bin *bin = &thread->bins[i + 1];

		bin->usable = (uint32_t)cache_bin_usable(i);
		thread->cold[i].max = thread->cached ? slots_max(i) : 0;
		bin->countdown = (int32_t)event_countdown(bin->usable);
		thread->cold[i].granted = (uint32_t)bin->countdown;
	}
	/* A size whose bin does not cache finds the dummy and so the slow path. */
	for (unsigned i = 0; i < CLASS_FINE_LEN; i++)
		if (thread->cold[size_class_tables.fine[i]].max != 0)
			thread->fine[i] =
			    kind_of_bin(size_class_tables.fine[i]);
	for (unsigned i = 0; i < CLASS_COARSE_LEN; i++)
		if (thread->cold[size_class_tables.coarse[i]].max != 0)
			thread->coarse[i] =
			    kind_of_bin(size_class_tables.coarse[i]);
}

static uint32_t
count_of(const struct thread *thread, unsigned bin)
{
	return (uint32_t)(thread->cold[bin].bottom -
	    thread->bins[bin + 1].head);
}

void
tcache_settle(struct thread *thread, unsigned i)
{
	struct cache_bin *bin = &thread->bins[i + 1];
	struct cache_bin_cold *cold = &thread->cold[i];
	uint32_t taken = cold->granted - (uint32_t)bin->countdown;
	uint32_t count = count_of(thread, i);

	cold->taken += taken;
	/* count = counted + given - taken */
	cold->given += (uint32_t)(count - cold->counted + taken);
	cold->counted = count;
	cold->granted = (uint32_t)bin->countdown;
}

/* --- between stacks and arenas ------------------------------------- */

static void
report_faults(const struct bin_fault *faults, unsigned count, size_t size)
{
	for (unsigned i = 0; i < count; i++) {
		if (faults[i].double_free)
			safety_report("double-free", faults[i].object,
			    "size class %zu, found when its cache was flushed",
			    size);
		else
			safety_report("invalid-free", faults[i].object,
			    "not the start of an object, size class %zu, "
			    "found when its cache was flushed", size);
	}
}

static void
give_small(unsigned size_class, void **objects, unsigned count)
{
	struct bin_fault faults[BATCH_MAX];
	struct bin_batch batch = { .objects = objects, .count = count,
	    .faults = faults };

	while (batch.count > 0) {
		struct extent *slab = pagemap_find(objects[0]);
		struct arena *arena;

		if (unlikely(slab == NULL || !slab->is_slab ||
		    slab->size_class != size_class)) {
			faults[0] = (struct bin_fault){ objects[0], true };
			report_faults(faults, 1, small_class_size(size_class));
			objects[0] = objects[--batch.count];
			continue;
		}
		arena = arena_table_get(extent_arena(slab));
		bin_give(&arena->bins[size_class], &arena->pages, size_class,
		    &batch);
		if (unlikely(batch.nfaults != 0))
			report_faults(faults, batch.nfaults,
			    small_class_size(size_class));
	}
}

static void
give_large(void *object)
{
	struct extent *e = pagemap_find(object);
	struct arena *arena;

	if (unlikely(e == NULL || e->is_slab ||
	    extent_state(e) != EXTENT_ACTIVE || e->object != object)) {
		safety_report(e != NULL && !e->is_slab &&
		    extent_state(e) == EXTENT_ACTIVE ?
		    "invalid-free" : "double-free", object,
		    "large object, found when its cache was flushed");
		return;
	}
	arena = arena_table_get(extent_arena(e));
	large_give(&arena->large, &arena->pages, e);
}

/* Gives `count` objects at objects[] back; the array is garbage then. */
static void
give_back(unsigned bin, void **objects, unsigned count)
{
	if (bin >= SMALL_CLASSES) {
		for (unsigned i = 0; i < count; i++)
			give_large(objects[i]);
		return;
	}
	while (count > 0) {
		unsigned n = count < BATCH_MAX ? count : BATCH_MAX;

		give_small(bin, objects, n);
		objects += n;
		count -= n;
	}
}

static unsigned
fetch(struct arena *arena, unsigned bin, void **objects, unsigned count)
{
	struct extent *e;

	if (bin < SMALL_CLASSES)
		return bin_take(&arena->bins[bin], &arena->pages, bin,
		    objects, count);
	e = large_take(&arena->large, &arena->pages, &(struct large_request){
		.usable = cache_bin_usable(bin), .align = 1, .cached = true });
	if (e == NULL)
		return 0;
	objects[0] = e->object;
	return 1;
}

/* --- the stacks ----------------------------------------------------- */

/* The memory of the stack becomes `slots` long; false: it stays. */
static bool
stack_resize(struct thread *thread, unsigned i, uint32_t slots)
{
	struct cache_bin *bin = &thread->bins[i + 1];
	struct cache_bin_cold *cold = &thread->cold[i];
	uint32_t count = count_of(thread, i);
	void **memory = metadata_take_piece(slots * sizeof(void *));
	void **bottom;

	if (memory == NULL)
		return false;
	bottom = memory + slots;
	if (cold->bottom != NULL) {
		memcpy(bottom - count, bin->head, count * sizeof(void *));
		metadata_give_piece(cold->bottom - cold->capacity,
		    cold->capacity * sizeof(void *));
	}
	cold->bottom = bottom;
	cold->capacity = slots;
	bin->head = bottom - count;
	bin->empty = bottom;
	bin->full = bottom - cold->limit;
	return true;
}

/* What a bin's stack of `limit` slots takes of the thread's room. */
static int64_t
room_of(unsigned i, uint32_t limit)
{
	uint32_t gratis = i < SMALL_CLASSES ? slots_first(i) : 0;

	return limit <= gratis ? 0 :
	    (int64_t)(limit - gratis) * (int64_t)cache_bin_usable(i);
}

/* The limit becomes a smaller one, which is not below the count. */
static void
lower_limit(struct thread *thread, unsigned i, uint32_t limit)
{
	struct cache_bin_cold *cold = &thread->cold[i];

	thread->room[i >= SMALL_CLASSES] += room_of(i, cold->limit) -
	    room_of(i, limit);
	cold->limit = limit;
	thread->bins[i + 1].full = cold->bottom - limit;
}

/* Lets the stack hold `limit` objects, if there is room for them. */
static void
set_limit(struct thread *thread, unsigned i, uint32_t limit)
{
	struct cache_bin_cold *cold = &thread->cold[i];
	int64_t bytes = room_of(i, limit) - room_of(i, cold->limit);
	uint32_t slots = (uint32_t)1 << lg_ceil(limit);

	if (bytes > thread->room[i >= SMALL_CLASSES])
		return;
	if (slots > cold->capacity && !stack_resize(thread, i, slots))
		return;
	thread->room[i >= SMALL_CLASSES] -= bytes;
	cold->limit = limit;
	thread->bins[i + 1].full = cold->bottom - limit;
}

/* A refill or flush was needed; repeated ones make the stack grow. */
static void
note_miss(struct thread *thread, unsigned i)
{
	struct cache_bin_cold *cold = &thread->cold[i];
	uint32_t limit;

	if (cold->limit == 0) {
		limit = slots_first(i);
		set_limit(thread, i, limit < cold->max ? limit : cold->max);
		return;
	}
	if (++cold->misses < 2)
		return;
	cold->misses = 0;
	limit = cold->limit * 2;
	if (cold->limit < cold->max)
		set_limit(thread, i, limit < cold->max ? limit : cold->max);
}

static void
refill(struct thread *thread, unsigned i)
{
	struct cache_bin *bin = &thread->bins[i + 1];
	struct cache_bin_cold *cold = &thread->cold[i];
	void *batch[BATCH_MAX];
	unsigned want, got;

	note_miss(thread, i);
	if (cold->limit == 0)
		return;
	want = i < SMALL_CLASSES ? (cold->limit + 1) / 2 : 1;
	got = fetch(thread->arena, i, batch, want < BATCH_MAX ? want :
	    BATCH_MAX);
	memcpy(bin->head - got, batch, got * sizeof(void *));
	bin->head -= got;
	cold->counted += got;
}

/*
 * Gives the `count` objects at the bottom of the stack back, the oldest. They
 * stay below head meanwhile, so that a handler that allocates while a report
 * is made finds a stack in order.
 */
static void
drop_oldest(struct thread *thread, unsigned i, unsigned count)
{
	struct cache_bin *bin = &thread->bins[i + 1];
	struct cache_bin_cold *cold = &thread->cold[i];
	unsigned rest;

	bin->empty = cold->bottom - count;
	give_back(i, cold->bottom - count, count);
	rest = count_of(thread, i) - count;
	memmove(bin->head + count, bin->head, rest * sizeof(void *));
	bin->head += count;
	bin->empty = cold->bottom;
	cold->counted -= count;
}

/*
 * Objects below the mark were not used since the last visit: half of them go.
 * The new mark stands in the middle; if the stack sinks to it, they are needed.
 */
static void
age_bin(struct thread *thread, unsigned i)
{
	struct cache_bin *bin = &thread->bins[i + 1];
	struct cache_bin_cold *cold = &thread->cold[i];
	unsigned idle = (unsigned)(cold->bottom - bin->empty);
	unsigned count = count_of(thread, i);

	if (idle > 0) {
		/* A large object that was not used at all goes, and its room. */
		drop_oldest(thread, i, i < SMALL_CLASSES ? (idle + 1) / 2 :
		    idle);
		count = count_of(thread, i);
		if (count < cold->limit / 4 ||
		    (count == 0 && i >= SMALL_CLASSES))
			lower_limit(thread, i, cold->limit / 2 > count ?
			    cold->limit / 2 : count);
	}
	cold->misses = 0;
	if (count >= 2 || i >= SMALL_CLASSES)
		bin->empty = cold->bottom - (count + 1) / 2;
}

static void
tick(struct thread *thread)
{
	uint64_t now_ns = clock_coarse_ns();
	struct arena *other;

	arena_tick(thread->arena, now_ns);
	/* Arenas that nobody uses any more age through those who pass by. */
	thread->tick_cursor++;
	if (thread->tick_cursor >= arena_table_count())
		thread->tick_cursor = 0;
	other = arena_table_get(thread->tick_cursor);
	if (other != NULL)
		arena_tick(other, now_ns);
}

static void
event(struct thread *thread, unsigned i)
{
	struct cache_bin *bin = &thread->bins[i + 1];

	tcache_settle(thread, i);
	bin->countdown = (int32_t)event_countdown(bin->usable);
	thread->cold[i].granted = (uint32_t)bin->countdown;
	for (unsigned n = 0; n < AGE_BINS; n++) {
		if (++thread->age_cursor >= CACHE_BINS)
			thread->age_cursor = 0;
		if (thread->cold[thread->age_cursor].limit != 0)
			age_bin(thread, thread->age_cursor);
	}
	tick(thread);
}

void *
tcache_take_slow(struct thread *thread, unsigned i)
{
	struct cache_bin *bin = &thread->bins[i + 1];
	struct cache_bin_cold *cold = &thread->cold[i];
	void *object;

	if (bin->countdown <= 0) {
		bin->countdown = 0;	/* what went below took nothing */
		event(thread, i);
	}
	if (bin->head == bin->empty)
		bin->empty = cold->bottom;	/* the mark was reached */
	if (bin->head == bin->empty && cold->max != 0)
		refill(thread, i);
	object = cache_bin_take(bin);
	if (object == NULL && cold->limit == 0) {
		object = tcache_take_uncached(thread->arena, i);
		if (object != NULL)
			thread->uncached_taken += bin->usable;
	}
	return object;
}

void
tcache_give_slow(struct thread *thread, unsigned i, void *object)
{
	struct cache_bin *bin = &thread->bins[i + 1];
	struct cache_bin_cold *cold = &thread->cold[i];

	if (bin->head == bin->full && cold->max != 0) {
		note_miss(thread, i);
		if (bin->head == bin->full && cold->limit != 0) {
			drop_oldest(thread, i, (cold->limit + 1) / 2);
			tick(thread);
		}
	}
	if (bin->head == bin->full) {
		thread->uncached_given += bin->usable;
		tcache_give_uncached(i, object);
		return;
	}
	*(uintptr_t *)object = thread->key;
	*--bin->head = object;
}

bool
tcache_contains(struct thread *thread, unsigned i, const void *object)
{
	void **bottom = thread->cold[i].bottom;

	for (void **p = thread->bins[i + 1].head; p < bottom; p++)
		if (*p == object)
			return true;
	return false;
}

void
tcache_flush(struct thread *thread)
{
	for (unsigned i = 0; i < CACHE_BINS; i++)
		if (thread->cold[i].limit != 0) {
			tcache_settle(thread, i);
			drop_oldest(thread, i, count_of(thread, i));
		}
}

void
tcache_fini(struct thread *thread)
{
	tcache_flush(thread);
	for (unsigned i = 0; i < CACHE_BINS; i++) {
		struct cache_bin_cold *cold = &thread->cold[i];

		if (cold->bottom != NULL)
			metadata_give_piece(cold->bottom - cold->capacity,
			    cold->capacity * sizeof(void *));
	}
	arena_tick(thread->arena, clock_coarse_ns());
}

void *
tcache_take_uncached(struct arena *arena, unsigned bin)
{
	void *object;

	return fetch(arena, bin, &object, 1) == 1 ? object : NULL;
}

void
tcache_give_uncached(unsigned bin, void *object)
{
	give_back(bin, &object, 1);
}
