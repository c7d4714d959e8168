#include "guard/guard.h"

#include <string.h>

#include "arena/arena.h"
#include "arena/arena_table.h"
#include "conf/options.h"
#include "guard/guard_fault.h"
#include "guard/guard_pool.h"
#include "guard/guard_report.h"
#include "os/system.h"
#include "util/bits.h"
#include "util/format.h"

/* At most this many bytes of a gap are filled on each side of an object. */
#define GAP_MAX   ((size_t)4096)
#define ALIGN_MAX GUARD_SIZE_MAX

struct guard_state_of_all guard;
static _Atomic unsigned sides;
static unsigned char filling; /* the contents of gaps */

AT_START void
guard_init(void)
{
	guard_pool_init();
	system_random(&filling, sizeof(filling));
	/* Not zero, because programs write zeros by mistake most often. */
	filling |= 0x80;
	if (opt.guard_sample != 0)
		guard_set(opt.guard_sample);
}

static void
join(struct thread *thread, void *context)
{
	(void)context;
	tcache_set_rare(&thread->tcache, TCACHE_SAMPLED, true);
}

/* The new number holds for the caller at once, not only after a slow path. */
static void
follow(struct thread *thread, unsigned every)
{
	struct sampler sampler = thread->tcache.sampler;

	sampler.every = every;
	if (sampler.state == 0)
		sampler.state = thread_key() + (uintptr_t)thread;
	tcache_sample(&thread->tcache, &sampler);
}

bool
guard_set(unsigned every)
{
	if (every != 0 && !guard_pool_make(opt.guard_slots))
		return false;
	/*
	 * The number comes first, then the flags: see follow() in
	 * api/sampled.c.
	 */
	atomic_store(&guard.every, every);
	if (every != 0)
		thread_each(join, NULL);
	if (thread_is_own(thread_self))
		follow(thread_self, every);
	return true;
}

/* --- gaps ----------------------------------------------------------------- */

struct gap {
	unsigned char *start;
	size_t size;
};

static struct gap
gap_before(const struct guard_slot *slot, const char *object)
{
	size_t size = min_size((size_t)(object - slot->window), GAP_MAX);

	return (struct gap){ (unsigned char *)(uintptr_t)object - size, size };
}

static struct gap
gap_behind(const struct guard_slot *slot, const char *object)
{
	const char *start = object + slot->size;

	return (struct gap){ (unsigned char *)(uintptr_t)start,
		min_size((size_t)(slot->window + slot->window_size - start),
		    GAP_MAX) };
}

static void
fill(struct gap gap)
{
	memset(gap.start, filling, gap.size);
}

/*
 * The gaps of a freed object were checked when it was freed. If they covered
 * the rest of the window, only the place of that object is filled.
 */
static void
fill_gaps(const struct guard_slot *slot, const char *object)
{
	if (slot->changed != NULL && slot->window_size <= GAP_MAX) {
		memset(slot->changed, filling, slot->changed_size);
		return;
	}
	fill(gap_before(slot, object));
	fill(gap_behind(slot, object));
}

/* The first byte that somebody has written, or NULL. */
static const char *
damage(struct gap gap)
{
	size_t i = 0;

	if (gap.size == 0 ||
	    (gap.start[0] == filling &&
		memcmp(gap.start, gap.start + 1, gap.size - 1) == 0))
		return NULL;
	while (gap.start[i] == filling)
		i++;
	return (const char *)gap.start + i;
}

/* --- take --------------------------------------------------------------- */

static struct guard_slot *
take_slot(const struct guard_place *place)
{
	struct guard_slot *slot;
	enum guard_taken taken = GUARD_REFUSED;

	if (guard_fault_prepare())
		taken = guard_pool_take(place, &slot);
	if (taken == GUARD_REFUSED)
		atomic_fetch_add_explicit(&guard.unguarded, 1,
		    memory_order_relaxed);
	return taken == GUARD_TAKEN ? slot : NULL;
}

void *
guard_take(const struct guard_request *request)
{
	size_t size = request->size != 0 ? request->size : 1;
	size_t natural = size < QUANTUM ? 8 : QUANTUM;
	struct guard_place place = { .size = size,
		.align = max_size(request->align, natural) };
	struct guard_slot *slot;
	char *object;

	if (size > GUARD_SIZE_MAX || place.align > ALIGN_MAX)
		return NULL;
	place.at_start =
	    atomic_fetch_add_explicit(&sides, 1, memory_order_relaxed) % 2 != 0;
	slot = take_slot(&place);
	if (slot == NULL)
		return NULL;
	object = guard_slot_object(slot);
	slot->usable = request->usable;
	atomic_store_explicit(&slot->sample, request->sample,
	    memory_order_relaxed);
	fill_gaps(slot, object);
	if (request->zero && !slot->fresh)
		memset(object, 0, size);
	guard_stack_take(&slot->allocated);
	large_count_taken(&arena_table_first()->large, size, false);
	guard_pool_hand_out(slot);
	atomic_fetch_add_explicit(&guard.guarded, 1, memory_order_relaxed);
	return object;
}

/* --- give --------------------------------------------------------------- */

static bool
is_live_at(const struct guard_slot *slot, const void *ptr)
{
	return slot != NULL && guard_slot_is_live(slot) &&
	    guard_slot_object(slot) == ptr;
}

static COLD void
report(const struct guard_slot *slot, const char *kind, const void *addr,
    const char *details)
{
	struct guard_stack access;

	guard_stack_take(&access);
	guard_report(&(struct guard_report){ .kind = kind,
	    .addr = addr,
	    .details = details,
	    .slot = slot,
	    .access = &access });
}

/* Reports a pointer of the program that is not the start of an object. */
static COLD void
report_pointer(const struct guard_slot *slot, const void *ptr, const char *kind)
{
	const char *object = guard_slot_object(slot);
	char details[160];

	if (ptr == object && strcmp(kind, "invalid-free") == 0)
		kind = "double-free";
	if (ptr == object)
		format_text(details, sizeof(details),
		    "freed before, an "
		    "object of %zu bytes",
		    slot->size);
	else
		format_text(details, sizeof(details),
		    "offset %td of an "
		    "object of %zu bytes at 0x%zx",
		    (const char *)ptr - object, slot->size, (size_t)object);
	report(slot, kind, ptr, details);
}

static COLD void
report_damage(const struct guard_slot *slot, const char *object, const char *at)
{
	char details[160];

	format_text(details, sizeof(details),
	    "found at free: write at offset "
	    "%td of an object of %zu bytes",
	    at - object, slot->size);
	report(slot, at < object ? "underflow" : "overflow", object, details);
}

/* Have bytes around the object been written? Then reports it. */
static bool
is_damaged(struct guard_slot *slot, const char *object)
{
	const char *at = damage(gap_behind(slot, object));

	if (likely(at == NULL))
		at = damage(gap_before(slot, object));
	if (likely(at == NULL))
		return false;
	guard_pool_unclaim(slot);
	report_damage(slot, object, at);
	return true;
}

void *
guard_take_sample(const void *ptr)
{
	struct guard_slot *slot = guard_pool_find(ptr);

	return is_live_at(slot, ptr) ? atomic_exchange_explicit(&slot->sample,
					   NULL, memory_order_acquire)
				     : NULL;
}

size_t
guard_give(const void *ptr)
{
	struct guard_slot *slot = guard_pool_find(ptr);
	size_t size;

	if (slot == NULL)
		return 0;
	if (unlikely(!guard_pool_claim(slot, ptr))) {
		report_pointer(slot, ptr, "invalid-free");
		return 0;
	}
	/* After a report the program may have written everywhere. */
	if (!atomic_load_explicit(&slot->opened, memory_order_relaxed) &&
	    unlikely(is_damaged(slot, ptr)))
		return 0;
	guard_stack_take(&slot->freed);
	size = slot->size;
	large_count_given(&arena_table_first()->large, size);
	if (!guard_pool_give(slot))
		atomic_fetch_add_explicit(&guard.unguarded, 1,
		    memory_order_relaxed);
	return size;
}

/* --- questions ------------------------------------------------------------ */

size_t
guard_size(const void *ptr)
{
	struct guard_slot *slot = guard_pool_find(ptr);

	return is_live_at(slot, ptr) ? slot->size : 0;
}

size_t
guard_class(const void *ptr)
{
	struct guard_slot *slot = guard_pool_find(ptr);

	return is_live_at(slot, ptr) ? slot->usable : 0;
}

bool
guard_is_object(const void *ptr, const char *kind)
{
	struct guard_slot *slot = guard_pool_find(ptr);

	if (likely(is_live_at(slot, ptr)))
		return true;
	if (slot != NULL)
		report_pointer(slot, ptr, kind);
	return false;
}
