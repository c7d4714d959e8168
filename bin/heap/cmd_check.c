#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "bytes.h"
#include "census.h"
#include "json.h"
#include "session.h"
#include "tool.h"

/* Was nobody changing sums when the process stopped? */
static bool
is_quiet(const struct heap *heap)
{
	return heap->locks_held == 0 && heap->slow_paths == 0 &&
	    heap->uncertain == 0;
}

/* Bits of a slab: as many as its record says, and none behind the last. */
static void
slab_check(struct heap *heap, const struct run *run)
{
	struct layout *layout = heap->layout;
	const struct geometry *g = &heap->geometry[run->size_class];
	uint64_t at = layout_place(layout, run->record, HEAP_EXTENT,
	    HEAP_EXTENT_FREE);
	uint64_t unreadable = layout->unreadable;
	unsigned nfree = 0;

	for (unsigned i = 0; i < (g->nregions + 63) / 64; i++) {
		uint64_t word = layout_number(layout, at + 8 * i, 8);
		unsigned bits = g->nregions - 64 * i;

		if (bits < 64 && word >> bits != 0)
			heap_finding(heap,
			    "slab %#" PRIx64 ": regions behind "
			    "its end are free",
			    run->start);
		nfree += (unsigned)__builtin_popcountll(word);
	}
	uint64_t said = layout_get(layout, run->record, HEAP_EXTENT,
	    HEAP_EXTENT_NFREE);

	if (said != nfree && layout->unreadable == unreadable && is_quiet(heap))
		heap_finding(heap,
		    "slab %#" PRIx64 ": %u regions are free, "
		    "but its record says %" PRIu64,
		    run->start, nfree, said);
}

static void
cached_check(struct heap *heap, const struct cached *cached)
{
	const struct owner *owner = &heap->owners[cached->owner];
	struct region region;

	if (cached->in_flight)
		return;
	if (!heap_find(heap, cached->address, &region))
		heap_finding(heap, "%#" PRIx64 ", held by %s, is in no object",
		    cached->address, owner_title(owner));
	else if (region.address != cached->address)
		heap_finding(heap,
		    "%#" PRIx64 ", held by %s, is not the start "
		    "of its object, which is at %#" PRIx64,
		    cached->address, owner_title(owner), region.address);
	else if (region.state == REGION_FREE)
		heap_finding(heap,
		    "%#" PRIx64 ", held by %s, is free in its "
		    "slab",
		    cached->address, owner_title(owner));
	else if (region.run->type == RUN_SLAB &&
	    cached->bin < heap->ngeometry &&
	    cached->bin != region.run->size_class)
		heap_finding(heap,
		    "%#" PRIx64 ", held by %s, is in the stack "
		    "of another size",
		    cached->address, owner_title(owner));
}

static void
compare(struct heap *heap, unsigned arena, const char *what, uint64_t found,
    uint64_t said)
{
	if (found != said)
		heap_finding(heap,
		    "arena %u: %s: %" PRIu64 " bytes are found, "
		    "but its record says %" PRIu64,
		    arena, what, found, said);
}

/* Compares what the page map leads to with what the arena counts. */
static void
arena_check(struct heap *heap, unsigned index, uint64_t arena)
{
	struct layout *layout = heap->layout;
	struct census census;
	uint64_t unreadable = layout->unreadable;

	census_take(&census, heap, index);
	const uint64_t *pages = census.pages;

	/*
	 * If pages are in transit or belong to another arena, sums can't be
	 * compared.
	 */
	if (pages[RUN_OTHER] == 0 && pages[RUN_BUSY] == 0 && is_quiet(heap) &&
	    layout->unreadable == unreadable &&
	    layout_has(layout, HEAP_ARENA, HEAP_ARENA_ACTIVE)) {
		compare(heap, index, "slabs and large objects",
		    pages[RUN_SLAB] + pages[RUN_LARGE],
		    layout_get(layout, arena, HEAP_ARENA, HEAP_ARENA_ACTIVE));
		compare(heap, index, "dirty pages", pages[RUN_DIRTY],
		    layout_get(layout, arena, HEAP_ARENA, HEAP_ARENA_DIRTY));
		compare(heap, index, "muzzy pages", pages[RUN_MUZZY],
		    layout_get(layout, arena, HEAP_ARENA, HEAP_ARENA_MUZZY));
		compare(heap, index, "retained address space",
		    pages[RUN_RETAINED],
		    layout_get(layout, arena, HEAP_ARENA, HEAP_ARENA_RETAINED));
	}
	census_free(&census);
}

void
command_check(struct session *session)
{
	struct heap *heap = session->heap;

	for (size_t i = 0; i < heap->nruns; i++) {
		if (heap->runs[i].type == RUN_SLAB)
			slab_check(heap, &heap->runs[i]);
	}
	for (size_t i = 0; i < heap->ncached; i++)
		cached_check(heap, &heap->cached[i]);
	for (unsigned i = 0; i < heap->narenas; i++) {
		uint64_t arena = heap_arena(heap, i);

		if (arena != 0)
			arena_check(heap, i, arena);
	}
	if (session->options.json) {
		json_array("findings");
		for (size_t i = 0; i < heap->nfindings; i++)
			json_text(NULL, heap->findings[i]);
		json_end();
		return;
	}
	uint64_t limit = session_limit(session, UINT64_MAX);

	for (size_t i = 0; i < heap->nfindings && i < limit; i++)
		printf("%s\n", heap->findings[i]);
	if (heap->wrong == 0)
		printf("nothing wrong: %zu extents, %zu cached objects\n",
		    heap->nruns, heap->ncached);
	else
		printf("%" PRIu64 " inconsistencies\n", heap->wrong);
}
