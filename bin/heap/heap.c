#include "heap.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "target.h"
#include "tool.h"

#define FINDINGS_KEPT 1000
#define LOCKS_MAX     4096
#define ARENAS_MAX    65536

void
heap_finding(struct heap *heap, const char *format, ...)
{
	va_list arguments;
	char *text;

	heap->wrong++;
	if (heap->nfindings == FINDINGS_KEPT)
		return;
	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		fail("out of memory");
	va_end(arguments);
	heap->findings = array_room(heap->findings, heap->nfindings,
	    sizeof(text));
	heap->findings[heap->nfindings++] = text;
}

static void
classes_read(struct heap *heap)
{
	struct layout *layout = heap->layout;
	const struct layout_root *root = &layout->roots[HEAP_ROOT_SIZE_CLASSES];

	heap->ngeometry = root->count;
	heap->geometry = memory(root->count, sizeof(struct geometry));
	for (size_t i = 0; i < root->count; i++) {
		struct geometry *g = &heap->geometry[i];
		uint64_t at = root->address + i * root->stride;

		g->region_size = layout_get(layout, at, HEAP_GEOMETRY,
		    HEAP_GEOMETRY_REGION_SIZE);
		g->slab_size = layout_get(layout, at, HEAP_GEOMETRY,
		    HEAP_GEOMETRY_SLAB_SIZE);
		g->nregions = (unsigned)layout_get(layout, at, HEAP_GEOMETRY,
		    HEAP_GEOMETRY_NREGIONS);
		if (g->region_size == 0 || g->nregions > 1u << 20 ||
		    g->slab_size > (uint64_t)1 << 40 ||
		    g->nregions > g->slab_size / g->region_size) {
			heap_finding(heap,
			    "class %zu: its geometry is "
			    "impossible",
			    i);
			*g = (struct geometry){ 0 };
		}
	}
	root = &layout->roots[HEAP_ROOT_CLASS_SIZES];
	heap->sizes = memory(root->count, sizeof(uint64_t));
	for (size_t i = 0; i < root->count; i++) {
		uint64_t size = layout_number(layout,
		    root->address + i * root->stride, 8);

		/*
		 * Sizes that do not ascend are left out. They only select
		 * classes.
		 */
		if (size != 0 &&
		    (heap->nsizes == 0 || size > heap->sizes[heap->nsizes - 1]))
			heap->sizes[heap->nsizes++] = size;
	}
}

static bool
lock_look(struct heap *heap, uint64_t lock)
{
	struct layout *layout = heap->layout;
	bool held = lock != 0 &&
	    layout_has(layout, HEAP_LOCK, HEAP_LOCK_WORD) &&
	    layout_get(layout, lock, HEAP_LOCK, HEAP_LOCK_WORD) !=
		layout->constants[HEAP_CONST_LOCK_FREE];

	heap->locks_held += held;
	return held;
}

bool
heap_is_locked(const struct heap *heap, const struct run *run)
{
	size_t class = run->type == RUN_SLAB ? run->size_class
					     : heap->ngeometry;

	return heap->locks_held > 0 && run->arena < heap->narenas &&
	    class <= heap->ngeometry &&
	    heap->bin_locked[run->arena * (heap->ngeometry + 1) + class];
}

static void
arena_locks_look(struct heap *heap, unsigned index, uint64_t arena)
{
	bool *locked = heap->bin_locked + index * (heap->ngeometry + 1);
	struct layout *layout = heap->layout;
	uint64_t bins = layout_place(layout, arena, HEAP_ARENA,
	    HEAP_ARENA_BINS);

	lock_look(heap,
	    layout_place(layout, arena, HEAP_ARENA, HEAP_ARENA_PAGES_LOCK));
	locked[heap->ngeometry] = lock_look(heap,
	    layout_place(layout, arena, HEAP_ARENA, HEAP_ARENA_LARGE_LOCK));
	for (size_t i = 0; bins != 0 && i < heap->ngeometry; i++)
		locked[i] = lock_look(heap,
		    layout_place(layout,
			bins + i * layout->constants[HEAP_CONST_BIN_SIZE],
			HEAP_BIN, HEAP_BIN_LOCK));
}

uint64_t
heap_arena(struct heap *heap, unsigned index)
{
	struct layout *layout = heap->layout;
	uint64_t slots = layout_place(layout,
	    layout->roots[HEAP_ROOT_ARENAS].address, HEAP_ARENAS,
	    HEAP_ARENAS_SLOT);

	if (slots == 0 || index >= heap->narenas)
		return 0;
	uint64_t arena = layout_pointer(layout,
	    slots + (uint64_t)index * layout->pointer_size);

	if (arena == 0 ||
	    (target_mapping(heap->target, arena) != NULL &&
		layout_get(layout, arena, HEAP_ARENA, HEAP_ARENA_INDEX) ==
		    index))
		return arena;
	return 0;
}

static void
locks_look(struct heap *heap)
{
	struct layout *layout = heap->layout;
	const struct layout_root *root = &layout->roots[HEAP_ROOT_LOCKS];

	heap->bin_locked = memory(heap->narenas * (heap->ngeometry + 1) + 1,
	    sizeof(bool));
	for (uint64_t i = 0; i < root->count && i < LOCKS_MAX; i++)
		lock_look(heap,
		    layout_number(layout, root->address + i * root->stride, 8));
	for (unsigned i = 0; i < heap->narenas; i++) {
		uint64_t arena = heap_arena(heap, i);

		if (arena != 0)
			arena_locks_look(heap, i, arena);
	}
}

struct heap *
heap_open(struct target *target, struct layout *layout)
{
	struct heap *heap = memory(1, sizeof(*heap));

	heap->target = target;
	heap->layout = layout;
	heap->narenas = (unsigned)layout_get(layout,
	    layout->roots[HEAP_ROOT_ARENAS].address, HEAP_ARENAS,
	    HEAP_ARENAS_COUNT);
	if (heap->narenas > ARENAS_MAX) {
		heap_finding(heap, "%u arenas are too many", heap->narenas);
		heap->narenas = ARENAS_MAX;
	}
	classes_read(heap);
	locks_look(heap);
	heap_read_cached(heap);
	heap_read_runs(heap);
	return heap;
}

/* ---- looking at one address ---- */

const struct run *
heap_run(const struct heap *heap, uint64_t address)
{
	size_t at = rows_upto(heap->runs, heap->nruns, sizeof(struct run),
	    address);

	if (at == 0 ||
	    address - heap->runs[at - 1].start >= heap->runs[at - 1].size)
		return NULL;
	return &heap->runs[at - 1];
}

const struct cached *
heap_cached(const struct heap *heap, uint64_t address)
{
	size_t at = rows_upto(heap->cached, heap->ncached,
	    sizeof(struct cached), address);

	if (at == 0 || heap->cached[at - 1].address != address)
		return NULL;
	return &heap->cached[at - 1];
}

/* ---- regions of a run ---- */

#define WORDS_MAX ((1u << 20) / 64)

/* The bitmap of a slab and its ledger. */
struct slab {
	const struct geometry *geometry;
	uint64_t free[WORDS_MAX];
	uint16_t ledger[1u << 20];
	bool has_ledger;
};

static void
slab_read(struct heap *heap, const struct run *run, struct slab *slab)
{
	struct layout *layout = heap->layout;
	unsigned char bytes[8];
	uint64_t at = layout_place(layout, run->record, HEAP_EXTENT,
	    HEAP_EXTENT_FREE);

	slab->geometry = &heap->geometry[run->size_class];
	unsigned words = (slab->geometry->nregions + 63) / 64;

	layout_read(layout, at, slab->free, words * 8);
	for (unsigned i = 0; i < words; i++) {
		memcpy(bytes, &slab->free[i], 8);
		slab->free[i] = bytes_number(bytes, 8, layout->big_endian);
	}
	slab->has_ledger = false;
	if (run->kind != layout->constants[HEAP_CONST_KIND_CHECKED])
		return;
	uint64_t ledger = layout_get(layout, run->record, HEAP_EXTENT,
	    HEAP_EXTENT_LEDGER);

	if (ledger == 0)
		return;
	layout_read(layout,
	    layout_place(layout, ledger, HEAP_LEDGER, HEAP_LEDGER_ENTRY),
	    slab->ledger, slab->geometry->nregions * 2);
	slab->has_ledger = true;
}

static enum region_state
slab_state(struct heap *heap, const struct slab *slab, unsigned index)
{
	const uint64_t *c = heap->layout->constants;

	if (slab->free[index / 64] >> index % 64 & 1)
		return REGION_FREE;
	if (!slab->has_ledger)
		return REGION_LIVE;
	uint64_t entry = bytes_number(&slab->ledger[index], 2,
	    heap->layout->big_endian);

	if (entry == c[HEAP_CONST_LEDGER_BUSY])
		heap->uncertain++;
	return entry == c[HEAP_CONST_LEDGER_NEW] ||
		entry == c[HEAP_CONST_LEDGER_FREED] ||
		entry == c[HEAP_CONST_LEDGER_BUSY]
	    ? REGION_CACHED
	    : REGION_LIVE;
}

/* The one object of a large run or of a guard; false: there is none. */
static bool
single_region(struct heap *heap, const struct run *run, struct region *region)
{
	struct layout *layout = heap->layout;
	bool guard = run->type == RUN_GUARD;

	if (run->type != RUN_LARGE && !guard)
		return false;
	if (guard &&
	    layout_get(layout, run->record, HEAP_GUARD_SLOT,
		HEAP_GUARD_SLOT_STATE) !=
		layout->constants[HEAP_CONST_GUARD_LIVE])
		return false;
	unsigned structure = guard ? HEAP_GUARD_SLOT : HEAP_EXTENT;

	*region = (struct region){
		.address = layout_get(layout, run->record, structure,
		    guard ? (unsigned)HEAP_GUARD_SLOT_OBJECT
			  : HEAP_EXTENT_OBJECT),
		.size = layout_get(layout, run->record, structure,
		    guard ? (unsigned)HEAP_GUARD_SLOT_USABLE
			  : HEAP_EXTENT_USABLE),
		.state = REGION_LIVE,
		.run = run,
	};
	region->readable = region->size;
	if (guard) {
		uint64_t end = layout_get(layout, run->record, HEAP_GUARD_SLOT,
				   HEAP_GUARD_SLOT_WINDOW) +
		    layout_get(layout, run->record, HEAP_GUARD_SLOT,
			HEAP_GUARD_SLOT_WINDOW_SIZE);

		/* Its class may be larger than the place before the guard. */
		if (end - region->address < region->size)
			region->readable = end - region->address;
	}
	return region->size != 0 && region->address - run->start < run->size;
}

/* The first entry at or behind an address. */
static size_t
cached_from(const struct heap *heap, uint64_t address)
{
	if (address == 0)
		return 0;
	return rows_upto(heap->cached, heap->ncached, sizeof(struct cached),
	    address - 1);
}

static bool
slab_each(struct heap *heap, const struct run *run, struct slab *slab,
    heap_visit *visit, void *context)
{
	size_t cached = cached_from(heap, run->start);
	struct region region = { .address = run->start, .run = run };

	slab_read(heap, run, slab);
	region.size = region.readable = slab->geometry->region_size;
	for (; region.index < slab->geometry->nregions; region.index++) {
		region.state = slab_state(heap, slab, region.index);
		while (cached < heap->ncached &&
		    heap->cached[cached].address < region.address)
			cached++;
		if (cached < heap->ncached && region.state == REGION_LIVE &&
		    heap->cached[cached].address == region.address)
			region.state = REGION_CACHED;
		if (!visit(context, &region))
			return false;
		region.address += region.size;
	}
	return true;
}

void
heap_each(struct heap *heap, int64_t arena, heap_visit *visit, void *context)
{
	struct slab *slab = memory(1, sizeof(*slab));
	uint64_t uncertain = heap->uncertain;
	struct region region;

	for (size_t i = 0; i < heap->nruns; i++) {
		const struct run *run = &heap->runs[i];

		if (arena >= 0 && arena != run->arena)
			continue;
		if (run->type == RUN_SLAB) {
			if (!slab_each(heap, run, slab, visit, context))
				break;
		} else if (single_region(heap, run, &region)) {
			if (heap_cached(heap, region.address) != NULL)
				region.state = REGION_CACHED;
			if (!visit(context, &region))
				break;
		}
	}
	/* Busy entries of ledgers are counted only by the first call. */
	if (heap->counted_busy)
		heap->uncertain = uncertain;
	heap->counted_busy = true;
	free(slab);
}

static bool
slab_find(struct heap *heap, const struct run *run, uint64_t address,
    struct region *region)
{
	const struct geometry *g = &heap->geometry[run->size_class];
	uint64_t index = (address - run->start) / g->region_size;
	uint64_t uncertain = heap->uncertain;

	if (index >= g->nregions)
		return false;
	*region = (struct region){
		.address = run->start + index * g->region_size,
		.size = g->region_size,
		.readable = g->region_size,
		.run = run,
		.index = (unsigned)index,
	};
	struct slab *slab = heap->slab;

	if (slab == NULL)
		slab = heap->slab = memory(1, sizeof(*slab));
	/* Most calls ask about the same slab as the last one. */
	if (heap->slab_of != run)
		slab_read(heap, run, slab);
	heap->slab_of = run;
	region->state = slab_state(heap, slab, region->index);
	heap->uncertain = uncertain;
	return true;
}

bool
heap_find(struct heap *heap, uint64_t address, struct region *region)
{
	const struct run *run = heap_run(heap, address);

	if (run == NULL)
		return false;
	if (run->type == RUN_SLAB) {
		if (!slab_find(heap, run, address, region))
			return false;
	} else if (!single_region(heap, run, region) ||
	    address - region->address >= region->size) {
		return false;
	}
	if (region->state == REGION_LIVE &&
	    heap_cached(heap, region->address) != NULL)
		region->state = REGION_CACHED;
	return true;
}

bool
heap_metadata(struct heap *heap,
    bool (*visit)(void *context, uint64_t start, uint64_t size), void *context)
{
	struct layout *layout = heap->layout;
	uint64_t at = layout->roots[HEAP_ROOT_METADATA].address;
	struct chain chain = { 0 };

	if (at == 0)
		return false;
	for (uint64_t block =
		 layout_get(layout, at, HEAP_METADATA, HEAP_METADATA_BLOCKS);
	     block != 0 && chain_step(&chain, block);
	     block = layout_get(layout, block, HEAP_BLOCK, HEAP_BLOCK_NEXT)) {
		if (!visit(context, block,
			layout_get(layout, block, HEAP_BLOCK,
			    HEAP_BLOCK_BYTES)))
			return true;
	}
	return false;
}

static bool
is_elsewhere(void *context, uint64_t start, uint64_t size)
{
	const uint64_t *address = context;

	return *address - start >= size;
}

bool
heap_is_metadata(struct heap *heap, uint64_t address)
{
	return heap_metadata(heap, is_elsewhere, &address);
}
