#include <inttypes.h>
#include <stdio.h>

#include "census.h"
#include "json.h"
#include "session.h"
#include "tool.h"

#define BAR       24
#define TOP_LINES 20

/* With --include-cached, objects in caches are not told from live ones. */
static void
cached_as_live(struct census *census)
{
	for (size_t i = 0; i < census->nrows; i++) {
		uint64_t *count = census->rows[i].count;

		count[REGION_LIVE] += count[REGION_CACHED];
		count[REGION_CACHED] = 0;
	}
	census->count[REGION_LIVE] += census->count[REGION_CACHED];
	census->count[REGION_CACHED] = 0;
	census->bytes[REGION_LIVE] += census->bytes[REGION_CACHED];
	census->bytes[REGION_CACHED] = 0;
}

struct whole {
	uint64_t count, bytes;
};

static struct whole
whole_of(const struct census *census)
{
	struct whole whole = { census->count[REGION_LIVE],
		census->bytes[REGION_LIVE] };

	return whole;
}

static double
share(uint64_t part, uint64_t whole)
{
	return whole == 0 ? 0 : 100.0 * (double)part / (double)whole;
}

static const struct session *sorted_for;

static int
row_compare(const void *a, const void *b)
{
	const struct census_row *first = a, *second = b;
	uint64_t x = first->count[REGION_LIVE];
	uint64_t y = second->count[REGION_LIVE];

	if (sorted_for->options.sort == SORT_TOTAL) {
		x *= first->size;
		y *= second->size;
	}
	if (sorted_for->options.sort != SORT_SIZE && x != y)
		return x > y ? -1 : 1;
	return first->size < second->size ? -1 : first->size > second->size;
}

static void
row_print(const struct session *session, const struct census_row *row,
    struct whole whole)
{
	uint64_t count = row->count[REGION_LIVE], bytes = count * row->size;
	uint64_t regions = row->count[REGION_LIVE] + row->count[REGION_CACHED] +
	    row->count[REGION_FREE];

	printf("%12" PRIu64 " bytes * %10" PRIu64
	       " allocs (%5.1f%%) = %12" PRIu64 " bytes (%5.1f%%)",
	    row->size, count, share(count, whole.count), bytes,
	    share(bytes, whole.bytes));
	if (session->options.verbose && row->slabs > 0)
		printf("  in %" PRIu64 " slabs, %.1f%% used, %" PRIu64
		       " cached, %" PRIu64 " free",
		    row->slabs, share(count, regions),
		    row->count[REGION_CACHED], row->count[REGION_FREE]);
	else if (session->options.verbose && row->count[REGION_CACHED] > 0)
		printf("  %" PRIu64 " cached", row->count[REGION_CACHED]);
	if (row->inconsistent > 0)
		printf("  %" PRIu64 " inconsistent", row->inconsistent);
	if (session->bars && !session->options.verbose && bytes > 0) {
		int length = (int)(share(bytes, whole.bytes) * BAR / 100 + .5);

		printf("  %.*s", length, "########################");
	}
	putchar('\n');
}

static void
sums_print(const struct session *session, const struct census *census,
    struct whole whole)
{
	const uint64_t *pages = census->pages;

	printf("Total: %" PRIu64 " allocs, %" PRIu64 " bytes in use\n",
	    whole.count, whole.bytes);
	printf("VM allocated: %" PRIu64 " bytes, in use: %" PRIu64
	       " (%.1f%%)\n",
	    census->allocated, whole.bytes,
	    share(whole.bytes, census->allocated));
	printf("  cached: %" PRIu64 " regions, %" PRIu64 " bytes   free in "
	       "slabs: %" PRIu64 "   dirty: %" PRIu64 "   muzzy: %" PRIu64
	       "   metadata: %" PRIu64 "   retained: %" PRIu64
	       " (not in VM allocated)\n",
	    census->count[REGION_CACHED], census->bytes[REGION_CACHED],
	    census->bytes[REGION_FREE], pages[RUN_DIRTY] + pages[RUN_BUSY],
	    pages[RUN_MUZZY], census->metadata, pages[RUN_RETAINED]);
	if (session->options.verbose)
		printf("  slack: %" PRIu64 " (rounding, pages on their way)   "
		       "free in huge pages: %" PRIu64 "   internal: 0\n",
		    census->slack, census->packed);
}

static void
arenas_print(struct session *session)
{
	for (unsigned i = 0; i < session->heap->narenas; i++) {
		struct census census;

		if (heap_arena(session->heap, i) == 0 ||
		    !session_wants_arena(session, i))
			continue;
		census_take(&census, session->heap, i);
		if (session->options.include_cached)
			cached_as_live(&census);
		printf("  arena %u: %" PRIu64 " allocs, %" PRIu64 " bytes in "
		       "use; %" PRIu64 " bytes of slabs, %" PRIu64 " of large "
		       "objects\n",
		    i, census.count[REGION_LIVE], census.bytes[REGION_LIVE],
		    census.pages[RUN_SLAB], census.pages[RUN_LARGE]);
		census_free(&census);
	}
}

static void
stats_json(const struct session *session, const struct census *census,
    struct whole whole)
{
	json_array("classes");
	for (size_t i = 0; i < census->nrows; i++) {
		const struct census_row *row = &census->rows[i];

		if (!selector_has(&session->selector, row->size))
			continue;
		json_object(NULL);
		json_number("size", row->size);
		json_number("count", row->count[REGION_LIVE]);
		json_number("bytes", row->count[REGION_LIVE] * row->size);
		json_number("cached", row->count[REGION_CACHED]);
		json_number("free", row->count[REGION_FREE]);
		json_number("slabs", row->slabs);
		json_number("inconsistent", row->inconsistent);
		json_end();
	}
	json_end();
	json_number("allocs", whole.count);
	json_number("in_use", whole.bytes);
	json_number("vm_allocated", census->allocated);
	json_number("cached_regions", census->count[REGION_CACHED]);
	json_number("cached", census->bytes[REGION_CACHED]);
	json_number("free_in_slabs", census->bytes[REGION_FREE]);
	json_number("slack", census->slack);
	json_number("dirty",
	    census->pages[RUN_DIRTY] + census->pages[RUN_BUSY]);
	json_number("muzzy", census->pages[RUN_MUZZY]);
	json_number("free_in_huge_pages", census->packed);
	json_number("metadata", census->metadata);
	json_number("retained", census->pages[RUN_RETAINED]);
}

void
command_stats(struct session *session)
{
	struct census census;

	census_take(&census, session->heap, session->options.arena);
	if (session->options.include_cached)
		cached_as_live(&census);
	sorted_for = session;
	sort(census.rows, census.nrows, sizeof(struct census_row), row_compare);
	struct whole whole = whole_of(&census);

	if (session->options.json) {
		stats_json(session, &census, whole);
		census_free(&census);
		return;
	}
	uint64_t left = session_limit(session, UINT64_MAX);

	for (size_t i = 0; i < census.nrows; i++) {
		const struct census_row *row = &census.rows[i];

		if (row->count[REGION_LIVE] == 0 ||
		    !selector_has(&session->selector, row->size) || left == 0)
			continue;
		left--;
		row_print(session, row, whole);
	}
	sums_print(session, &census, whole);
	if (session->options.verbose)
		arenas_print(session);
	census_free(&census);
}

void
command_top(struct session *session)
{
	session->options.sort = SORT_TOTAL;
	if (session->options.limit < 0)
		session->options.limit = TOP_LINES;
	command_stats(session);
}
