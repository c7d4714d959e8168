#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "heap.h"
#include "target.h"
#include "tool.h"

#define CHUNK      2048u /* units that are read at once */
#define GUARDS_MAX 65536

struct walk {
	struct heap *heap;
	struct layout *layout;
	uint64_t unit;    /* bytes */
	uint64_t units;   /* in a leaf */
	uint64_t *leaves; /* those seen */
	size_t nleaves;
	/* Addresses below are known; those below `inside` are in a RUN_OTHER */
	uint64_t known, inside;
};

struct heap_entry
heap_pagemap(struct heap *heap, uint64_t address)
{
	struct layout *layout = heap->layout;
	const uint64_t *c = layout->constants;
	const struct layout_root *root = &layout->roots[HEAP_ROOT_PAGEMAP];
	uint64_t slot = address >> c[HEAP_CONST_PAGEMAP_LG_LEAF];
	uint64_t unit = (address >> c[HEAP_CONST_LG_UNIT]) &
	    (c[HEAP_CONST_PAGEMAP_LEAF_LEN] - 1);

	if (slot >= root->count)
		return (struct heap_entry){ 0 };
	uint64_t distance = layout_number(layout,
	    root->address + slot * root->stride, layout->pointer_size);

	if (distance == 0)
		return (struct heap_entry){ 0 };
	uint64_t leaf = layout->roots[HEAP_ROOT_PAGEMAP_ZERO].address +
	    distance;

	if (layout->pointer_size == 4)
		leaf = (uint32_t)leaf;
	return (struct heap_entry){
		.kind = layout_get(layout,
		    leaf +
			unit * layout->fields[HEAP_LEAF][HEAP_LEAF_KIND].width,
		    HEAP_LEAF, HEAP_LEAF_KIND),
		.extent = layout_get(layout,
		    leaf +
			unit *
			    layout->fields[HEAP_LEAF][HEAP_LEAF_EXTENT].width,
		    HEAP_LEAF, HEAP_LEAF_EXTENT),
	};
}

static void
run_add(struct heap *heap, const struct run *run)
{
	heap->runs = array_room(heap->runs, heap->nruns, sizeof(*run));
	heap->runs[heap->nruns++] = *run;
}

static uint64_t
member(struct walk *walk, const struct run *run, unsigned field)
{
	return layout_get(walk->layout, run->record, HEAP_EXTENT, field);
}

static bool
slab_fits(struct walk *walk, struct run *run)
{
	struct heap *heap = walk->heap;
	uint64_t class = member(walk, run, HEAP_EXTENT_SIZE_CLASS);

	if (class >= heap->ngeometry || class > UINT8_MAX ||
	    heap->geometry[class].nregions == 0 ||
	    heap->geometry[class].slab_size != run->size) {
		heap_finding(heap,
		    "the slab at %#" PRIx64 " has the wrong "
		    "size or class",
		    run->start);
		return false;
	}
	run->size_class = (uint8_t) class;
	run->type = RUN_SLAB;
	return true;
}

/*
 * Decides whether an active extent that is no slab has an object that counts.
 */
static void
large_judge(struct walk *walk, struct run *run)
{
	uint64_t object = member(walk, run, HEAP_EXTENT_OBJECT);
	uint64_t usable = member(walk, run, HEAP_EXTENT_USABLE);

	run->type = RUN_OTHER;
	if (usable == 0 || object < run->start ||
	    !range_inside(object - run->start, usable, run->size))
		return;
	struct heap_entry entry = heap_pagemap(walk->heap, object);

	/* An object in the quarantine no longer has a kind. */
	if (heap_cached(walk->heap, object) == NULL &&
	    (entry.kind == walk->layout->constants[HEAP_CONST_KIND_NONE] ||
		entry.extent != run->record))
		return;
	run->kind = (uint16_t)entry.kind;
	run->type = RUN_LARGE;
}

static bool
run_judge(struct walk *walk, struct run *run)
{
	const uint64_t *c = walk->layout->constants;
	uint64_t state = member(walk, run, HEAP_EXTENT_STATE);

	run->arena = (uint32_t)member(walk, run, HEAP_EXTENT_ARENA);
	if (state == c[HEAP_CONST_EXTENT_ACTIVE]) {
		if (member(walk, run, HEAP_EXTENT_IS_SLAB))
			return run->kind == c[HEAP_CONST_KIND_NONE] ||
			    slab_fits(walk, run);
		large_judge(walk, run);
		return true;
	}
	if (state == c[HEAP_CONST_EXTENT_DIRTY])
		run->type = RUN_DIRTY;
	else if (state == c[HEAP_CONST_EXTENT_MUZZY])
		run->type = RUN_MUZZY;
	else if (state == c[HEAP_CONST_EXTENT_RETAINED])
		run->type = RUN_RETAINED;
	else if (state == c[HEAP_CONST_EXTENT_BUSY])
		run->type = RUN_BUSY;
	else
		return false;
	return true;
}

static uint64_t
entry_kind(struct walk *walk, uint64_t leaf, uint64_t unit)
{
	return layout_get(walk->layout,
	    leaf + unit * walk->layout->fields[HEAP_LEAF][HEAP_LEAF_KIND].width,
	    HEAP_LEAF, HEAP_LEAF_KIND);
}

/* An entry of the page map for the unit at `address`. */
static void
entry_take(struct walk *walk, uint64_t address, uint64_t kind, uint64_t extent)
{
	const uint64_t *c = walk->layout->constants;
	struct run run = {
		.record = extent, .kind = (uint16_t)kind, .type = RUN_OTHER
	};
	bool none = kind == c[HEAP_CONST_KIND_NONE];

	if (kind == c[HEAP_CONST_KIND_GUARDED])
		return;
	if (target_mapping(walk->heap->target, extent) == NULL) {
		heap_finding(walk->heap,
		    "the page map leads from %#" PRIx64 " to %#" PRIx64
		    ", where nothing is",
		    address, extent);
		return;
	}
	run.start = member(walk, &run, HEAP_EXTENT_ADDR);
	run.size = member(walk, &run, HEAP_EXTENT_SIZE);
	/*
	 * An entry in the middle of an extent may be old, but not if it has a
	 * kind.
	 */
	if (none &&
	    (run.start != address ||
		(address < walk->inside &&
		    member(walk, &run, HEAP_EXTENT_PAGESLAB) == 0)))
		return;
	if (run.size == 0 || (run.start | run.size) % walk->unit != 0 ||
	    address - run.start >= run.size ||
	    run.size > (uint64_t)1 << c[HEAP_CONST_PAGEMAP_LG_SPACE]) {
		if (!none)
			heap_finding(walk->heap,
			    "the page map leads from %#" PRIx64
			    " to an extent of other pages",
			    address);
		return;
	}
	if (run.start < walk->known) {
		heap_finding(walk->heap,
		    "the extent at %#" PRIx64 " overlaps "
		    "that before it",
		    run.start);
		return;
	}
	if (!run_judge(walk, &run))
		return;
	run_add(walk->heap, &run);
	if (run.type == RUN_OTHER)
		walk->inside = run.start + run.size;
	else
		walk->known = run.start + run.size;
}

static void
leaf_walk(struct walk *walk, uint64_t slot, uint64_t leaf)
{
	const struct layout_field *f =
	    &walk->layout->fields[HEAP_LEAF][HEAP_LEAF_EXTENT];
	uint64_t start = slot
	    << walk->layout->constants[HEAP_CONST_PAGEMAP_LG_LEAF];
	unsigned char bytes[CHUNK * 8];
	uint64_t table = leaf + f->offset;

	for (uint64_t unit = 0; unit < walk->units; unit++) {
		uint64_t address = start + unit * walk->unit;

		if (address < walk->known && unit % CHUNK != 0) {
			/*
			 * Continues at the end of the known run, or of the
			 * chunk.
			 */
			uint64_t next = (walk->known - start) / walk->unit;
			uint64_t end = (unit / CHUNK + 1) * CHUNK;

			unit = (next < end ? next : end) - 1;
			continue;
		}
		if (unit % CHUNK == 0)
			layout_read(walk->layout, table + unit * f->width,
			    bytes,
			    (walk->units - unit < CHUNK ? walk->units - unit
							: CHUNK) *
				f->width);
		if (address < walk->known)
			continue;
		uint64_t extent = bytes_number(bytes + unit % CHUNK * f->width,
		    f->width, walk->layout->big_endian);

		if (extent != 0)
			entry_take(walk, address, entry_kind(walk, leaf, unit),
			    extent);
	}
}

/*
 * A leaf that is not mapped, or at the place of another one, is damage. So the
 * number of leaves is bounded by the memory of the target.
 */
static bool
leaf_fits(struct walk *walk, uint64_t leaf)
{
	uint64_t size = walk->units *
	    walk->layout->fields[HEAP_LEAF][HEAP_LEAF_EXTENT].width;

	if (target_mapping(walk->heap->target, leaf) == NULL ||
	    target_mapping(walk->heap->target, leaf + size - 1) == NULL)
		return false;
	for (size_t i = 0; i < walk->nleaves; i++) {
		if (leaf - walk->leaves[i] < size ||
		    walk->leaves[i] - leaf < size)
			return false;
	}
	walk->leaves = array_room(walk->leaves, walk->nleaves,
	    sizeof(uint64_t));
	walk->leaves[walk->nleaves++] = leaf;
	return true;
}

static void
root_walk(struct walk *walk)
{
	struct layout *layout = walk->layout;
	const struct layout_root *root = &layout->roots[HEAP_ROOT_PAGEMAP];
	const struct layout_root *zero = &layout->roots[HEAP_ROOT_PAGEMAP_ZERO];

	for (uint64_t slot = 0; slot < root->count; slot++) {
		uint64_t distance = layout_pointer(layout,
		    root->address + slot * root->stride);
		uint64_t leaf = zero->address + distance;

		if (distance == 0)
			continue;
		if (layout->pointer_size == 4)
			leaf = (uint32_t)leaf;
		if (leaf_fits(walk, leaf))
			leaf_walk(walk, slot, leaf);
		else
			heap_finding(walk->heap,
			    "slot %" PRIu64 " of the page "
			    "map leads to no leaf",
			    slot);
	}
}

static void
guards_read(struct heap *heap)
{
	struct layout *layout = heap->layout;
	const uint64_t *c = layout->constants;
	uint64_t at = layout->roots[HEAP_ROOT_GUARDS].address;
	uint64_t slots = at == 0
	    ? 0
	    : layout_get(layout, at, HEAP_GUARDS, HEAP_GUARDS_SLOTS);
	uint64_t count = slots == 0
	    ? 0
	    : layout_get(layout, at, HEAP_GUARDS, HEAP_GUARDS_COUNT);

	if (count > GUARDS_MAX) {
		heap_finding(heap, "%" PRIu64 " guarded objects are too many",
		    count);
		return;
	}
	for (uint64_t i = 0; i < count; i++) {
		uint64_t slot = slots + i * c[HEAP_CONST_GUARD_SLOT_SIZE];
		uint64_t space = layout_place(layout, slot, HEAP_GUARD_SLOT,
		    HEAP_GUARD_SLOT_SPACE);
		struct run run = {
			.start = layout_get(layout, space, HEAP_EXTENT,
			    HEAP_EXTENT_ADDR),
			.size = layout_get(layout, space, HEAP_EXTENT,
			    HEAP_EXTENT_SIZE),
			.record = slot,
			.type = RUN_GUARD,
			.kind = (uint16_t)c[HEAP_CONST_KIND_GUARDED],
		};

		if (run.size != 0)
			run_add(heap, &run);
	}
}

static int
run_compare(const void *a, const void *b)
{
	const struct run *first = a, *second = b;

	if (first->start != second->start)
		return first->start < second->start ? -1 : 1;
	/* An extent comes before those inside it. */
	if (first->size != second->size)
		return first->size < second->size ? 1 : -1;
	return 0;
}

/*
 * An active extent may contain others: the runs of a pageslab. These stay. The
 * arena knows how much of the pageslab is free.
 */
static void
runs_order(struct heap *heap)
{
	size_t kept = 0;

	sort(heap->runs, heap->nruns, sizeof(struct run), run_compare);
	for (size_t i = 0; i < heap->nruns; i++) {
		const struct run *run = &heap->runs[i];

		while (kept > 0 &&
		    run->start - heap->runs[kept - 1].start <
			heap->runs[kept - 1].size) {
			if (heap->runs[kept - 1].type != RUN_OTHER)
				break;
			kept--;
		}
		if (kept > 0 &&
		    run->start - heap->runs[kept - 1].start <
			heap->runs[kept - 1].size) {
			heap_finding(heap,
			    "the extent at %#" PRIx64
			    " overlaps that before it",
			    run->start);
			continue;
		}
		heap->runs[kept++] = *run;
	}
	heap->nruns = kept;
}

void
heap_read_runs(struct heap *heap)
{
	const uint64_t *c = heap->layout->constants;
	struct walk walk = {
		.heap = heap,
		.layout = heap->layout,
		.unit = (uint64_t)1 << c[HEAP_CONST_LG_UNIT],
		.units = c[HEAP_CONST_PAGEMAP_LEAF_LEN],
	};
	const struct layout_field *f =
	    &heap->layout->fields[HEAP_LEAF][HEAP_LEAF_EXTENT];

	if (!f->exists || f->width == 0)
		heap_finding(heap, "the layout does not describe the page map");
	else
		root_walk(&walk);
	free(walk.leaves);
	guards_read(heap);
	runs_order(heap);
}
