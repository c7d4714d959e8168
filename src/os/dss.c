#include "os/dss.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

#include "os/system.h"
#include "util/bits.h"
#include "util/heap_part.h"

static struct {
	_Atomic bool busy;
	_Atomic uintptr_t low; /* the bounds of all ranges together */
	_Atomic uintptr_t high;
} dss;

static const struct heap_field heap_fields[] = {
	HEAP_ROW(DSS, LOW, __typeof__(dss), low),
	HEAP_ROW(DSS, HIGH, __typeof__(dss), high),
};

const struct heap_part dss_heap_part = HEAP_VARIABLE(HEAP_ROOT_DSS, dss,
    heap_fields);

static uintptr_t
move_break(size_t size)
{
	void *before = sbrk((intptr_t)size);

	return before == (void *)-1 ? 0 : (uintptr_t)before;
}

/*
 * The break may be in the middle of a page, so this also takes the rest of the
 * page.
 */
static void *
take(size_t size)
{
	size_t page = system_info.page_size;
	uintptr_t end = move_break(0), start;
	size_t gap;

	if (end == 0)
		return NULL;
	gap = round_up(end, page) - end;
	if (size > INTPTR_MAX - gap)
		return NULL;
	start = move_break(gap + size);
	if (start == 0)
		return NULL;
	/*
	 * If other code has moved the break meanwhile, the range may be too
	 * short after rounding; then its memory is lost.
	 */
	if (round_up(start, page) + size > start + gap + size)
		return NULL;
	start = round_up(start, page);
	if (atomic_load_explicit(&dss.low, memory_order_relaxed) == 0)
		atomic_store_explicit(&dss.low, start, memory_order_release);
	atomic_store_explicit(&dss.high, start + size, memory_order_release);
	return (void *)start;
}

void *
dss_take(size_t size)
{
	int saved = errno;
	void *addr;

	if (atomic_exchange_explicit(&dss.busy, true, memory_order_acquire))
		return NULL;
	addr = take(size);
	atomic_store_explicit(&dss.busy, false, memory_order_release);
	errno = saved;
	return addr;
}

bool
dss_contains(const void *addr)
{
	uintptr_t a = (uintptr_t)addr;

	return a >= atomic_load_explicit(&dss.low, memory_order_acquire) &&
	    a < atomic_load_explicit(&dss.high, memory_order_acquire);
}
