#include "cache/pace.h"

#include "util/bits.h"

/*
 * From event to event, a bin hands out this many bytes, but at least this many
 * objects.
 */
#define EVENT_BYTES   ((size_t)64 << 10)
#define EVENT_OBJECTS 128
/*
 * If a thread does little while much is unused, its bins hand out less from
 * event to event, so that pages go in time: events are to come this often.
 */
#define EVENT_MAX_NS UINT64_C(100000000)
#define EVENT_MIN_NS (EVENT_MAX_NS / 10)
#define EVENT_GROWTH 8
/*
 * If a thread has two events before the clock goes on, it comes this many times
 * as far to the next one.
 */
#define BUSY_STRIDES 4

uint32_t
pace_first(size_t usable)
{
	return (uint32_t)max_size(EVENT_BYTES / usable, EVENT_OBJECTS);
}

uint32_t
pace_stride(uint32_t stride, uint32_t granted, size_t usable, uint64_t since_ns,
    bool much_unused)
{
	uint32_t strides = since_ns == 0 ? BUSY_STRIDES : 1;

	/* It came early: how long does a whole stride take? */
	if (granted != 0 && granted < stride) {
		if (since_ns == 0)
			return stride;
		if (since_ns <= EVENT_MAX_NS)
			since_ns = since_ns * stride / granted;
	}
	if (since_ns > EVENT_MAX_NS && much_unused)
		return (uint32_t)max_size(stride * EVENT_MAX_NS / since_ns, 1);
	if (since_ns < EVENT_MIN_NS)
		return (uint32_t)min_size((size_t)stride * EVENT_GROWTH,
		    (size_t)strides * pace_first(usable));
	return stride;
}

int32_t
pace_soon(uint32_t granted, uint64_t since_ns)
{
	uint64_t n;

	if (since_ns > EVENT_MAX_NS)
		return 1;
	n = since_ns == 0 ? (uint64_t)granted * EVENT_GROWTH
			  : granted * EVENT_MIN_NS / since_ns;
	return n < 1 ? 1 : n > INT32_MAX ? INT32_MAX : (int32_t)n;
}
