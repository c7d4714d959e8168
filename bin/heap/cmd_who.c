#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "bytes.h"
#include "json.h"
#include "session.h"
#include "symbols.h"
#include "target.h"
#include "tool.h"

#define PIECE        ((size_t)65536)
#define LINES_PRESET 40
#define LONGEST      ((uint64_t)4 << 30) /* damage may make it longer */

struct who {
	struct session *session;
	uint64_t low, high; /* pointers into this range are searched */
	uint64_t found, limit;
	unsigned char *piece;
	const struct region *in; /* the object that is searched, */
	uint32_t tid;            /* or the stack, */
	bool other;              /* or what others_search() finds; else data */
	uint64_t unread;         /* bytes that others_search() could not read */
};

/* What has been searched, or must not be: the allocator's own. */
struct ranges {
	struct range {
		uint64_t start, end;
	} * list;
	size_t count;
};

static void
reference_json(uint64_t at, uint64_t value, const char *place)
{
	json_object(NULL);
	json_address("at", at);
	json_address("value", value);
	json_text("in", place);
	json_end();
}

static void
reference_show(struct who *who, uint64_t at, uint64_t value)
{
	struct symbol symbol;
	const char *place = "data";
	char text[96];

	if (who->found++ >= who->limit)
		return;
	if (who->in != NULL) {
		snprintf(text, sizeof(text),
		    "live %" PRIu64 " at %#" PRIx64 " +%" PRIu64, who->in->size,
		    who->in->address, at - who->in->address);
		place = text;
	} else if (who->tid != 0) {
		snprintf(text, sizeof(text), "stack %" PRIu32, who->tid);
		place = text;
	} else if (who->other) {
		place = "other memory";
	} else if (symbol_find(&who->session->modules, at, &symbol)) {
		place = symbol_title(&symbol);
	}
	if (who->session->options.json)
		reference_json(at, value, place);
	else
		printf("  %#" PRIx64 " -> +%" PRIu64 "  [%s]\n", at,
		    value - who->low, place);
}

/* Looks at each aligned word of a range. */
static void
range_search(struct who *who, uint64_t start, uint64_t end)
{
	const struct layout *layout = who->session->heap->layout;
	unsigned width = layout->pointer_size;

	start = (start + width - 1) / width * width;
	while (start < end) {
		size_t size = end - start < PIECE ? (size_t)(end - start)
						  : PIECE;

		*(who->other ? &who->unread
			     : &who->session->heap->unreadable_data) +=
		    target_read_some(who->session->target, start, who->piece,
			size);
		for (size_t i = 0; i + width <= size; i += width) {
			uint64_t value = bytes_number(who->piece + i, width,
			    layout->big_endian);

			if (value - who->low < who->high - who->low)
				reference_show(who, start + i, value);
		}
		start += size;
	}
}

static bool
region_search(void *context, const struct region *region)
{
	struct who *who = context;

	if (region->state != REGION_LIVE || region->address == who->low)
		return true;
	who->in = region;
	range_search(who, region->address, region->address + region->readable);
	who->in = NULL;
	return true;
}

/* Searches the data of programs and libraries, but not the allocator's own. */
static void
data_search(struct who *who)
{
	const struct modules *modules = &who->session->modules;

	for (size_t i = 0; i < modules->count; i++) {
		const struct module *module = &modules->list[i];

		if (module == who->session->heap->layout->module &&
		    !module->is_program)
			continue;
		for (unsigned j = 0; j < module->nsegments; j++) {
			const struct module_segment *s = &module->segments[j];
			const struct mapping *mapping =
			    target_mapping(who->session->target, s->start);

			/* Damaged headers may give a very long segment. */
			if (s->writable && mapping != NULL &&
			    s->end - s->start < LONGEST)
				range_search(who, s->start, s->end);
		}
	}
}

static void
range_add(struct ranges *ranges, uint64_t start, uint64_t end)
{
	ranges->list = array_room(ranges->list, ranges->count,
	    sizeof(*ranges->list));
	ranges->list[ranges->count++] = (struct range){ start, end };
}

static bool
metadata_add(void *context, uint64_t start, uint64_t size)
{
	range_add(context, start, start + size);
	return true;
}

static int
range_order(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* What data_search() and heap_each() search, and metadata. */
static void
ranges_collect(struct ranges *ranges, const struct session *session)
{
	const struct modules *modules = &session->modules;
	struct heap *heap = session->heap;

	for (size_t i = 0; i < modules->count; i++)
		for (unsigned j = 0; j < modules->list[i].nsegments; j++)
			range_add(ranges, modules->list[i].segments[j].start,
			    modules->list[i].segments[j].end);
	for (size_t i = 0; i < heap->nruns; i++)
		range_add(ranges, heap->runs[i].start,
		    heap->runs[i].start + heap->runs[i].size);
	heap_metadata(heap, metadata_add, ranges);
	sort(ranges->list, ranges->count, sizeof(*ranges->list), range_order);
}

/* The index of the first range that begins behind an address. */
static size_t
ranges_behind(const struct ranges *ranges, uint64_t address)
{
	return rows_upto(ranges->list, ranges->count, sizeof(*ranges->list),
	    address);
}

/*
 * Searches the stacks, and adds them to the ranges. The kernel may have joined
 * the mapping of a stack with those around it, so a stack ends where the next
 * range begins. What is below the stack pointer is old.
 */
static void
stacks_search(struct who *who, struct ranges *ranges)
{
	const struct target *target = who->session->target;
	struct ranges stacks = { 0 };

	for (size_t i = 0; i < target->nthreads; i++) {
		const struct target_thread *thread = &target->threads[i];
		const struct mapping *mapping = target_mapping(target,
		    thread->stack);

		if (mapping == NULL)
			continue;
		size_t next = ranges_behind(ranges, thread->stack);
		uint64_t start = mapping->start, end = mapping->end;

		if (next > 0 && ranges->list[next - 1].end > thread->stack)
			continue; /* in an object, or in data: searched there */
		if (next > 0 && ranges->list[next - 1].end > start)
			start = ranges->list[next - 1].end;
		if (next < ranges->count && ranges->list[next].start < end)
			end = ranges->list[next].start;
		range_add(&stacks, start, end);
		if (end - thread->stack > LONGEST)
			continue;
		who->tid = thread->tid;
		range_search(who, thread->stack, end);
		who->tid = 0;
	}
	for (size_t i = 0; i < stacks.count; i++)
		range_add(ranges, stacks.list[i].start, stacks.list[i].end);
	free(stacks.list);
	sort(ranges->list, ranges->count, sizeof(*ranges->list), range_order);
}

/*
 * Searches all other memory that the program can write: thread-local variables
 * of the first thread, and what the program has mapped itself.
 */
static void
others_search(struct who *who, const struct ranges *ranges)
{
	const struct target *target = who->session->target;
	size_t next = 0;

	who->other = true;
	for (size_t i = 0; i < target->nmappings; i++) {
		const struct mapping *mapping = &target->mappings[i];
		uint64_t at = mapping->start;

		if (!mapping->readable || !mapping->writable ||
		    mapping->end - at > LONGEST)
			continue;
		while (next < ranges->count &&
		    ranges->list[next].start < mapping->end) {
			const struct range *range = &ranges->list[next];

			if (range->start > at) {
				range_search(who, at, range->start);
				at = range->start;
			}
			if (range->end > at)
				at = range->end;
			if (range->end > mapping->end)
				break;
			next++;
		}
		if (at < mapping->end)
			range_search(who, at, mapping->end);
	}
	who->other = false;
}

void
command_who(struct session *session)
{
	struct who who = { .session = session,
		.limit = session_limit(session, LINES_PRESET) };
	struct ranges ranges = { 0 };
	struct region region;
	uint64_t address = 0;
	const char *end;

	command_find(session);
	if (!size_parse(session->options.operand, &end, &address) ||
	    !heap_find(session->heap, address, &region)) {
		if (!session->options.json)
			puts("  not an object, so nothing is searched");
		return;
	}
	who.low = region.address;
	who.high = region.address + region.size;
	who.piece = memory(1, PIECE);
	if (session->options.json)
		json_array("references");
	data_search(&who);
	ranges_collect(&ranges, session);
	stacks_search(&who, &ranges);
	others_search(&who, &ranges);
	free(ranges.list);
	heap_each(session->heap, -1, region_search, &who);
	if (session->options.json) {
		json_end();
		json_number("found", who.found);
		json_number("unread", who.unread);
	} else if (who.found > who.limit) {
		printf("  %" PRIu64 " more (--limit)\n", who.found - who.limit);
	} else if (who.found == 0) {
		puts("  nothing points into it");
	}
	if (!session->options.json && who.unread > 0)
		printf("  %" PRIu64 " bytes of other memory can't be read\n",
		    who.unread);
	free(who.piece);
}
