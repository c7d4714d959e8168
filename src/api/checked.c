#include "api/checked.h"

#include <string.h>

#include "arena/canary.h"
#include "arena/large.h"
#include "arena/slab.h"
#include "arena/wipe.h"
#include "conf/options.h"
#include "conf/safety.h"
#include "extent/pagemap.h"

static size_t
capacity_of(const struct extent *e)
{
	return e->is_slab ? small_class_size(e->size_class) : e->usable;
}

static bool
is_wiped_to_zero(void)
{
	return options_wipe() && !opt.junk_free;
}

static void
protect(char *object, size_t size, size_t capacity)
{
	if (opt.canary)
		canary_fill(object, size, canary_end(size, capacity));
}

static COLD void
report_use(const char *object, size_t offset, size_t capacity)
{
	safety_report("use-after-free", object, "written at offset %zu after "
	    "it was freed, size class %zu", offset, capacity);
}

bool
checked_hand_out(void *object, size_t size, bool zero)
{
	struct extent *e = pagemap_find(object);
	size_t capacity = capacity_of(e);

	if (!e->is_slab) {
		e->asked = size;
	} else if (slab_hand_out(e, object, size)) {
		size_t at = opt.uaf_check ? wipe_damage(object, capacity) :
		    capacity;

		if (unlikely(at != capacity)) {
			slab_hand_in(e, object, &size);
			report_use(object, at, capacity);
			return false;
		}
		if (zero && !is_wiped_to_zero())
			memset(object, 0, size);
	} else if (zero) {
		memset(object, 0, size);
	}
	protect(object, size, capacity);
	return true;
}

/*
 * If the first bytes of the canary are whole and the last one is not, somebody
 * has probably written before the object behind it.
 */
static COLD void
report_canary(const char *object, size_t size, size_t capacity, size_t at)
{
	size_t end = canary_end(size, capacity);

	if (at > size && end == capacity &&
	    canary_damage_is_last(object, end))
		safety_report("underflow", object + capacity,
		    "written before it; found in the object at 0x%lx of "
		    "%zu bytes, first damaged offset %zu, size class %zu",
		    (unsigned long)(uintptr_t)object, size, at, capacity);
	else
		safety_report("overflow", object, "first damaged offset %zu, "
		    "requested size %zu, size class %zu", at, size, capacity);
}

static bool
is_whole(const char *object, size_t size, size_t capacity)
{
	size_t end, at;

	if (!opt.canary)
		return true;
	end = canary_end(size, capacity);
	at = canary_damage(object, size, end);
	if (likely(at == end))
		return true;
	report_canary(object, size, capacity, at);
	return false;
}

bool
checked_take_back(void *object, size_t size)
{
	size_t capacity = capacity_of(pagemap_find(object));

	if (!is_whole(object, size, capacity))
		return false;
	if (options_wipe())
		wipe(object, capacity);
	return true;
}

/* What the program asked for; false: it has not got the object. */
static bool
find_size(const void *object, size_t *size)
{
	struct extent *e = pagemap_find(object);

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

	return !find_size(object, &size) || is_whole(object, size,
	    capacity_of(pagemap_find(object)));
}

void
checked_resize(void *object, size_t size)
{
	struct extent *e = pagemap_find(object);
	size_t old = 0;

	if (!find_size(object, &old))
		return;
	if (opt.canary && size > old)
		memset((char *)object + old, 0, size - old);
	if (e->is_slab)
		slab_hand_out(e, object, size);
	else
		e->asked = size;
	protect(object, size, capacity_of(e));
}

size_t
checked_size(const void *object)
{
	struct extent *e = pagemap_find(object);
	size_t size;

	if (opt.canary && find_size(object, &size))
		return size;
	return e != NULL ? capacity_of(e) : 0;
}
