#include "selector.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "options.h"
#include "tool.h"

struct bounds {
	uint64_t below; /* the class below; 0: none */
	uint64_t class; /* that serves the request; 0: none */
};

/* The class of a request, and the one below. */
static struct bounds
class_of(const struct heap *heap, uint64_t size)
{
	const uint64_t *c = heap->layout->constants;
	uint64_t unit = (uint64_t)1 << c[HEAP_CONST_LG_UNIT];
	uint64_t small = heap->ngeometry == 0
	    ? 0
	    : heap->geometry[heap->ngeometry - 1].region_size;
	struct bounds bounds = { 0 };
	size_t i = 0;

	while (i < heap->nsizes && heap->sizes[i] < size)
		bounds.below = heap->sizes[i++];
	if (i == heap->nsizes)
		return bounds;
	bounds.class = heap->sizes[i];
	/* With fine sizes, large sizes are closer together than the classes. */
	if (c[HEAP_CONST_FINE_SIZES] && size > small) {
		bounds.class = (size + unit - 1) / unit * unit;
		if (bounds.class - unit > bounds.below)
			bounds.below = bounds.class - unit;
	}
	return bounds;
}

static void
range_add(struct selector *selector, uint64_t low, uint64_t high)
{
	selector->ranges = array_room(selector->ranges, selector->count,
	    sizeof(*selector->ranges));
	selector->ranges[selector->count++] = (struct selector_range){ low,
		high };
}

_Noreturn static void
no_class(const char *text, struct bounds bounds)
{
	if (bounds.below != 0 && bounds.class != 0)
		fail("%s: no size class; its neighbours are %" PRIu64
		     " and %" PRIu64,
		    text, bounds.below, bounds.class);
	if (bounds.below != 0)
		fail("%s: no size class; the largest is %" PRIu64, text,
		    bounds.below);
	fail("%s: no size class", text);
}

static void
part_parse(struct selector *selector, const struct heap *heap, const char *text)
{
	uint64_t small = heap->ngeometry == 0
	    ? 0
	    : heap->geometry[heap->ngeometry - 1].region_size;
	uint64_t low, high;
	const char *end;

	if (strcmp(text, "small") == 0) {
		range_add(selector, 0, small);
		return;
	}
	if (strcmp(text, "large") == 0) {
		range_add(selector, small + 1, UINT64_MAX);
		return;
	}
	if (!size_parse(text, &end, &low))
		fail("%s: is no size; 64, 1k-64k, small and large are", text);
	if (*end == '\0') {
		struct bounds bounds = class_of(heap, low);

		if (bounds.class == 0)
			no_class(text, bounds);
		range_add(selector, bounds.below + 1, bounds.class);
		return;
	}
	if (*end != '-' || !size_parse(end + 1, &end, &high) || *end != '\0')
		fail("%s: is no size; 64, 1k-64k, small and large are", text);
	if (high < low || class_of(heap, low).class > high)
		no_class(text, class_of(heap, low));
	if (class_of(heap, low).class == 0)
		no_class(text, class_of(heap, low));
	range_add(selector, low, high);
}

void
selector_parse(struct selector *selector, const struct heap *heap,
    const char *text)
{
	char *copy = print("%s", text), *rest = copy, *part;

	while ((part = strsep(&rest, ",")) != NULL)
		part_parse(selector, heap, part);
	free(copy);
}

bool
selector_has(const struct selector *selector, uint64_t size)
{
	if (selector->count == 0)
		return true;
	for (size_t i = 0; i < selector->count; i++) {
		if (size >= selector->ranges[i].low &&
		    size <= selector->ranges[i].high)
			return true;
	}
	return false;
}
