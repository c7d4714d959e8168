#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "census.h"
#include "json.h"
#include "session.h"
#include "symbols.h"
#include "target.h"
#include "tool.h"

#define FRAMES_MAX 256
#define PARTS_MAX  65536

/* ---- the sample of the heap profile that an object may have ---- */

static uint64_t
sample_in_chain(struct layout *layout, uint64_t sample, uint64_t address)
{
	struct chain chain = { 0 };

	for (; sample != 0 && chain_step(&chain, sample);
	     sample =
		 layout_get(layout, sample, HEAP_SAMPLE, HEAP_SAMPLE_NEXT)) {
		if (layout_get(layout, sample, HEAP_SAMPLE,
			HEAP_SAMPLE_OBJECT) == address)
			return sample;
	}
	return 0;
}

/* Looks in all chains, because the hash function is not known. */
static uint64_t
sample_of_small(struct heap *heap, uint64_t address)
{
	struct layout *layout = heap->layout;
	const struct layout_root *root = &layout->roots[HEAP_ROOT_SAMPLES];

	for (uint64_t i = 0; i < root->count && i < PARTS_MAX; i++) {
		uint64_t part = root->address + i * root->stride;
		uint64_t buckets = layout_get(layout, part, HEAP_SAMPLE_PART,
		    HEAP_SAMPLE_PART_BUCKET);
		uint64_t lg = layout_get(layout, part, HEAP_SAMPLE_PART,
		    HEAP_SAMPLE_PART_LG);
		const struct mapping *mapping = target_mapping(heap->target,
		    buckets);

		for (uint64_t b = 0;
		     mapping != NULL && lg < 40 && b < (uint64_t)1 << lg; b++) {
			uint64_t at = buckets + b * layout->pointer_size;
			uint64_t sample = at >= mapping->end
			    ? 0
			    : sample_in_chain(layout,
				  layout_pointer(layout, at), address);

			if (sample != 0)
				return sample;
			if (at >= mapping->end)
				break;
		}
	}
	return 0;
}

static uint64_t
sample_of(struct heap *heap, const struct region *region)
{
	struct layout *layout = heap->layout;

	if (region->run->type == RUN_LARGE)
		return layout_get(layout, region->run->record, HEAP_EXTENT,
		    HEAP_EXTENT_SAMPLE);
	if (region->run->type == RUN_GUARD)
		return layout_get(layout, region->run->record, HEAP_GUARD_SLOT,
		    HEAP_GUARD_SLOT_SAMPLE);
	if (region->run->kind != layout->constants[HEAP_CONST_KIND_SAMPLE])
		return 0;
	return sample_of_small(heap, region->address);
}

static void
frame_print(const struct session *session, uint64_t pc)
{
	struct symbol symbol = { 0 };
	bool found = symbol_find(&session->modules, pc - 1, &symbol);

	/* A call may be the last instruction of its function. */
	symbol.offset++;
	const char *title = found ? symbol_title(&symbol) : "?";

	if (session->options.json) {
		json_object(NULL);
		json_address("pc", pc);
		json_text("name", title);
		json_end();
	} else {
		printf("    %#" PRIx64 " %s\n", pc, title);
	}
}

static void
sample_print(const struct session *session, uint64_t sample)
{
	struct layout *layout = session->heap->layout;
	uint64_t pair = layout_get(layout, sample, HEAP_SAMPLE,
	    HEAP_SAMPLE_PAIR);
	uint64_t stack = pair == 0
	    ? 0
	    : layout_get(layout, pair, HEAP_PAIR, HEAP_PAIR_STACK);
	uint64_t depth = stack == 0
	    ? 0
	    : layout_get(layout, stack, HEAP_STACK, HEAP_STACK_DEPTH);
	uint64_t pcs = layout_place(layout, stack, HEAP_STACK, HEAP_STACK_PCS);
	uint64_t requested = layout_get(layout, sample, HEAP_SAMPLE,
	    HEAP_SAMPLE_REQUESTED);

	if (session->options.json) {
		json_number("requested", requested);
		json_array("stack");
	} else {
		printf("  %" PRIu64 " bytes were requested by\n", requested);
	}
	for (uint64_t i = 0; i < depth && i < FRAMES_MAX; i++)
		frame_print(session,
		    layout_pointer(layout, pcs + i * layout->pointer_size));
	if (session->options.json)
		json_end();
}

/* ---- what is at an address ---- */

static void
region_text(const struct session *session, uint64_t address,
    const struct region *region, const struct cached *cached)
{
	printf("%#" PRIx64 ": %s object of %" PRIu64 " bytes at %#" PRIx64
	       ", offset %" PRIu64 "\n",
	    address, region_state_name(region->state), region->size,
	    region->address, address - region->address);
	printf("  arena %" PRIu32 ", %s at %#" PRIx64 " of %" PRIu64 " bytes",
	    region->run->arena, run_type_name(region->run->type),
	    region->run->start, region->run->size);
	if (region->run->type == RUN_SLAB)
		printf(", region %u", region->index);
	putchar('\n');
	if (cached != NULL)
		printf("  held by: %s\n",
		    owner_title(&session->heap->owners[cached->owner]));
}

static void
region_json(const struct session *session, const struct region *region,
    uint64_t address, const struct cached *cached)
{
	json_address("object", region->address);
	json_number("offset", address - region->address);
	json_number("size", region->size);
	json_text("state", region_state_name(region->state));
	json_number("arena", region->run->arena);
	json_text("in", run_type_name(region->run->type));
	json_address("extent", region->run->start);
	json_number("extent_size", region->run->size);
	if (region->run->type == RUN_SLAB)
		json_number("index", region->index);
	if (cached != NULL)
		json_text("held_by",
		    owner_title(&session->heap->owners[cached->owner]));
}

/* What is there, if it is no object. */
static const char *
other_title(const struct session *session, uint64_t address)
{
	const struct run *run = heap_run(session->heap, address);
	const struct target *target = session->target;
	const struct mapping *mapping = target_mapping(target, address);
	struct symbol symbol;

	if (run != NULL && run->type == RUN_GUARD &&
	    census_pages(session->heap, run) == 0)
		return print("a guarded object that was freed: "
			     "%#" PRIx64 " to %#" PRIx64 ", arena %" PRIu32,
		    run->start, run->start + run->size, run->arena);
	if (run != NULL)
		return print("%s: %#" PRIx64 " to %#" PRIx64 ", arena %" PRIu32,
		    run_type_name(run->type), run->start,
		    run->start + run->size, run->arena);
	if (heap_is_metadata(session->heap, address))
		return "metadata of the allocator";
	if (symbol_find(&session->modules, address, &symbol))
		return print("not heap: %s", symbol_title(&symbol));
	for (size_t i = 0; mapping != NULL && i < target->nthreads; i++) {
		if (target->threads[i].stack >= mapping->start &&
		    target->threads[i].stack < mapping->end)
			return print("not heap: the stack of thread %" PRIu32,
			    target->threads[i].tid);
	}
	if (mapping != NULL)
		return print("not heap: mapped, %#" PRIx64 " to %#" PRIx64,
		    mapping->start, mapping->end);
	return "not heap: nothing is mapped there";
}

void
command_find(struct session *session)
{
	struct heap *heap = session->heap;
	struct region region;
	uint64_t address, sample;
	const char *end;

	if (!size_parse(session->options.operand, &end, &address) ||
	    *end != '\0')
		fail("%s: is no address", session->options.operand);
	if (session->options.json)
		json_address("address", address);
	if (!heap_find(heap, address, &region)) {
		const char *title = other_title(session, address);

		if (session->options.json)
			json_text("is", title);
		else
			printf("%#" PRIx64 ": %s\n", address, title);
		return;
	}
	const struct cached *cached = heap_cached(heap, region.address);

	if (session->options.json)
		region_json(session, &region, address, cached);
	else
		region_text(session, address, &region, cached);
	sample = sample_of(heap, &region);
	if (sample != 0 && region.state == REGION_LIVE)
		sample_print(session, sample);
}
