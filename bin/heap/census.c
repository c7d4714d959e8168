#include "census.h"

#include <stdlib.h>

#include "tool.h"

struct counting {
	struct census *census;
	const struct heap *heap;
	size_t *slots; /* row + 1, by a hash of the size */
	size_t mask;
	const struct run *run; /* of the last region, */
	size_t row;            /* and its row */
	bool locked;
};

static size_t
slot_of(const struct counting *counting, uint64_t size)
{
	const struct census *census = counting->census;
	size_t at = (size_t)(size * 0x9e3779b97f4a7c15u >> 32) & counting->mask;

	while (counting->slots[at] != 0 &&
	    census->rows[counting->slots[at] - 1].size != size)
		at = (at + 1) & counting->mask;
	return at;
}

static void
slots_grow(struct counting *counting)
{
	const struct census *census = counting->census;

	counting->mask = counting->mask == 0 ? 1023 : 2 * counting->mask + 1;
	free(counting->slots);
	counting->slots = memory(counting->mask + 1, sizeof(size_t));
	for (size_t i = 0; i < census->nrows; i++)
		counting->slots[slot_of(counting, census->rows[i].size)] = i +
		    1;
}

static size_t
row_of(struct counting *counting, uint64_t size)
{
	struct census *census = counting->census;

	if (2 * census->nrows >= counting->mask)
		slots_grow(counting);
	size_t at = slot_of(counting, size);

	if (counting->slots[at] == 0) {
		census->rows = array_room(census->rows, census->nrows,
		    sizeof(struct census_row));
		census->rows[census->nrows++] = (struct census_row){
			.size = size
		};
		counting->slots[at] = census->nrows;
	}
	return counting->slots[at] - 1;
}

static bool
region_count(void *context, const struct region *region)
{
	struct counting *counting = context;
	struct census *census = counting->census;

	if (counting->run != region->run) {
		counting->run = region->run;
		counting->locked = heap_is_locked(counting->heap, region->run);
		counting->row = row_of(counting, region->size);
		if (region->run->type == RUN_SLAB)
			census->rows[counting->row].slabs++;
	}
	census->rows[counting->row].count[region->state]++;
	census->rows[counting->row].inconsistent += counting->locked &&
	    region->state == REGION_LIVE;
	census->count[region->state]++;
	census->bytes[region->state] += region->size;
	return true;
}

static int
row_compare(const void *a, const void *b)
{
	const struct census_row *first = a, *second = b;

	if (first->size != second->size)
		return first->size < second->size ? -1 : 1;
	return 0;
}

uint64_t
census_pages(struct heap *heap, const struct run *run)
{
	if (run->type != RUN_GUARD)
		return run->size;
	if (layout_get(heap->layout, run->record, HEAP_GUARD_SLOT,
		HEAP_GUARD_SLOT_STATE) !=
	    heap->layout->constants[HEAP_CONST_GUARD_LIVE])
		return 0;
	return layout_get(heap->layout, run->record, HEAP_GUARD_SLOT,
	    HEAP_GUARD_SLOT_WINDOW_SIZE);
}

static void
pages_count(struct census *census, struct heap *heap, int64_t arena)
{
	for (size_t i = 0; i < heap->nruns; i++) {
		const struct run *run = &heap->runs[i];

		if (arena >= 0 && arena != run->arena)
			continue;
		census->pages[run->type] += census_pages(heap, run);
		census->nruns[run->type]++;
	}
}

static void
arenas_count(struct census *census, struct heap *heap, int64_t arena)
{
	for (unsigned i = 0; i < heap->narenas; i++) {
		uint64_t at = heap_arena(heap, i);

		if (at != 0 && (arena < 0 || arena == i))
			census->packed += layout_get(heap->layout, at,
			    HEAP_ARENA, HEAP_ARENA_PACKED);
	}
	uint64_t metadata = heap->layout->roots[HEAP_ROOT_METADATA].address;

	if (metadata != 0 && arena < 0)
		census->metadata = layout_get(heap->layout, metadata,
		    HEAP_METADATA, HEAP_METADATA_USED);
}

void
census_take(struct census *census, struct heap *heap, int64_t arena)
{
	struct counting counting = { .census = census, .heap = heap };
	const uint64_t *pages = census->pages;
	uint64_t objects = 0;

	*census = (struct census){ 0 };
	heap_each(heap, arena, region_count, &counting);
	free(counting.slots);
	sort(census->rows, census->nrows, sizeof(struct census_row),
	    row_compare);
	pages_count(census, heap, arena);
	arenas_count(census, heap, arena);
	for (unsigned i = 0; i <= REGION_FREE; i++)
		objects += census->bytes[i];
	uint64_t active = pages[RUN_SLAB] + pages[RUN_LARGE] +
	    pages[RUN_GUARD] + pages[RUN_OTHER];

	census->slack = active > objects ? active - objects : 0;
	census->allocated = objects + census->slack + pages[RUN_DIRTY] +
	    pages[RUN_MUZZY] + pages[RUN_BUSY] + census->packed +
	    census->metadata;
}

void
census_free(struct census *census)
{
	free(census->rows);
}
