#include "api/checked.h"

#include <string.h>

#include "api/checked_small.h"
#include "arena/canary.h"
#include "arena/ledger.h"
#include "arena/slab.h"
#include "arena/wipe.h"
#include "conf/options.h"
#include "conf/safety.h"
#include "extent/pagemap.h"
#include "guard/guard.h"

/* Bytes of the canary in place of a guard. */
#define UNGUARDED_MIN 64
/* How often a neighbour that seems damaged is looked at. */
#define LOOKS 100

/*
 * The extent of an object that has a ledger entry or a record. NULL: the object
 * is not from an arena, or it is guarded, and guard.c checks it.
 */
static struct extent *
find_extent(const void *object)
{
	return pagemap_kind(object) == KIND_GUARDED ? NULL
						    : pagemap_find(object);
}

/*
 * The bytes of an object with its canary. If a large object should have a guard
 * page but has none, the canary continues into that page.
 */
static size_t
capacity_of(const struct extent *e)
{
	if (e->is_slab)
		return small_class_size(e->size_class);
	return opt.guard_large && !e->guarded ? e->usable + UNGUARDED_MIN
					      : e->usable;
}

static void
protect(char *object, size_t size, size_t capacity)
{
	if (opt.canary)
		canary_fill(object, size, canary_end(size, capacity));
}

/* --- handing out ---------------------------------------------------------- */

bool
checked_hand_out(void *object, size_t size, bool zero)
{
	struct extent *e = find_extent(object);

	if (e == NULL)
		return true;
	if (e->is_slab)
		return checked_hand_out_small(e, object, size, zero);
	e->asked = size;
	protect(object, size, capacity_of(e));
	return true;
}

/* --- checks --------------------------------------------------------------- */

/*
 * If the first bytes of the canary are whole and the last one is not, somebody
 * has probably written before the object behind it.
 */
static COLD void
report_canary(const char *object, size_t size, size_t capacity, size_t at)
{
	size_t end = canary_end(size, capacity);

	if (at > size && end == capacity && canary_damage_is_last(object, end))
		safety_report("underflow", object + capacity,
		    "written before it; found in the object at 0x%lx of "
		    "%zu bytes, first damaged offset %zu, size class %zu",
		    (unsigned long)(uintptr_t)object, size, at, capacity);
	else
		safety_report("overflow", object,
		    "first damaged offset %zu, "
		    "requested size %zu, size class %zu",
		    at, size, capacity);
}

static bool
is_whole(const char *object, size_t size, size_t capacity)
{
	size_t end = canary_end(size, capacity);
	size_t at = opt.canary ? canary_damage(object, size, end) : end;

	if (likely(at == end))
		return true;
	report_canary(object, size, capacity, at);
	return false;
}

/*
 * Another thread may free the neighbour, or get it, while we look at it. The
 * entry shows that, except if both happen between two looks. So apparent damage
 * is looked at many times before it is believed.
 */
static COLD bool
is_damaged(const struct neighbour *n, uint16_t entry)
{
	for (unsigned i = 0; i < LOOKS; i++) {
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(n->entry, memory_order_acquire) !=
			entry ||
		    neighbour_side_is_right(n, entry))
			return false;
	}
	return true;
}

/*
 * Guesses who wrote there. Our object's canary is whole, so damage behind our
 * object is probably a use of the freed neighbour. Damage before it is probably
 * an underflow of our object if the nearest byte has changed. In a live
 * neighbour this byte is part of the canary.
 */
static COLD void
report_neighbour(const char *object, const struct neighbour *n)
{
	uint16_t entry = atomic_load_explicit(n->entry, memory_order_relaxed);

	if (entry == LEDGER_FREED &&
	    (n->behind || wipe_damage(object - 1, 1) == 1))
		wipe_report(n->object, wipe_damage(n->object, n->capacity),
		    n->capacity);
	else
		safety_report("underflow", object,
		    "written before it, size "
		    "class %zu",
		    n->capacity);
}

/* Is the neighbour intact? If not, reports who has probably written there. */
static bool
neighbour_is_right(const char *object, const struct neighbour *n)
{
	if (neighbour_seems_right(n) ||
	    !is_damaged(n,
		atomic_load_explicit(n->entry, memory_order_acquire)))
		return true;
	report_neighbour(object, n);
	return false;
}

static bool
surroundings_are_right(const struct extent *slab, const char *object,
    _Atomic uint16_t *entry)
{
	size_t capacity = small_class_size(slab->size_class);
	struct neighbour before = neighbour_before(object, capacity, entry);
	struct neighbour behind = neighbour_behind(object, capacity, entry);

	return (object == slab->addr || neighbour_is_right(object, &before)) &&
	    (behind.object == extent_end(slab) ||
		neighbour_is_right(object, &behind));
}

/* --- taking back ---------------------------------------------------------- */

bool
checked_take_back(void *object, size_t size)
{
	struct extent *e = pagemap_find(object);
	size_t capacity = capacity_of(e);
	_Atomic uint16_t *entry;

	if (!is_whole(object, size, capacity))
		return false;
	if (!e->is_slab)
		return true;
	entry = slab_entry(e, object);
	if (!surroundings_are_right(e, object, entry))
		return false;
	checked_end_take_back(object, capacity, entry);
	return true;
}

/* --- live objects --------------------------------------------------------- */

/* The requested size. False: the program does not have the object. */
static bool
find_size(const void *object, size_t *size)
{
	struct extent *e = find_extent(object);

	if (e == NULL)
		return false;
	if (e->is_slab)
		return slab_probe_handed(e, object, size) == SLAB_GIVEN;
	*size = e->asked;
	return true;
}

bool
checked_is_whole(const void *object)
{
	size_t size;

	return !find_size(object, &size) ||
	    is_whole(object, size, capacity_of(pagemap_find(object)));
}

void
checked_resize(void *object, size_t size, bool zero)
{
	bool junk = opt.junk_alloc && !opt.zero && !zero;
	struct extent *e = pagemap_find(object);
	_Atomic uint16_t *entry = NULL;
	size_t old = 0;

	if (!find_size(object, &old))
		return;
	if (e->is_slab) {
		entry = slab_entry(e, object);
		ledger_begin_change(entry);
	}
	if (opt.canary && size > old)
		memset((char *)object + old, junk ? JUNK_ALLOC : 0, size - old);
	protect(object, size, capacity_of(e));
	if (entry != NULL)
		ledger_end_change(entry, ledger_entry_of(size));
	else
		e->asked = size;
}

size_t
checked_size(const void *object)
{
	const struct extent *e = pagemap_find(object);
	size_t size;

	/* A guarded object has only the requested bytes. */
	if (pagemap_kind(object) == KIND_GUARDED)
		return guard_size(object);
	if (opt.canary && find_size(object, &size))
		return size;
	return e == NULL ? 0
	    : e->is_slab ? small_class_size(e->size_class)
			 : e->usable;
}
