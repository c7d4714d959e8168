#include "session.h"

#include <inttypes.h>
#include <stdio.h>

#include "tool.h"

const struct command commands[] = {
	{ "stats", command_stats, OPERAND_SIZE,
	    "live objects by size, and what the memory is used for", " sort ",
	    0 },
	{ "regions", command_regions, OPERAND_SIZE,
	    "one line for each live object", " free ", 0 },
	{ "caches", command_caches, OPERAND_SIZE,
	    "freed objects in thread caches and other caches", " thread ", 0 },
	{ "arenas", command_arenas, OPERAND_SIZE,
	    "the arenas, and their pages by state", "", 0 },
	{ "find", command_find, OPERAND_ADDRESS, "what is at this address", "",
	    0 },
	{ "who", command_who, OPERAND_ADDRESS,
	    "the same, and what points to it", "", 0 },
	{ "check", command_check, OPERAND_SIZE,
	    "inconsistencies: traces of damage", "", 0 },
	{ "dump", command_dump, OPERAND_SIZE,
	    "write the contents of live objects to files",
	    " dir max-bytes one-file force ", COMMAND_OF_ONE },
	{ "examine", command_examine, OPERAND_SIZE,
	    "the first words of live objects, and what they point to",
	    " words ", 0 },
	{ "analyze", command_analyze, OPERAND_SIZE,
	    "guess what live objects are, by their contents", " words samples ",
	    0 },
	{ "diff", command_diff, OPERAND_FILE,
	    "what has changed since this core file, by size", "", 0 },
	{ "fragmentation", command_fragmentation, OPERAND_SIZE,
	    "a map of the memory, as a picture (SVG)", "", COMMAND_OF_ONE },
	{ "top", command_top, OPERAND_SIZE,
	    "stats of a process every few seconds, the most bytes first",
	    " interval count ", COMMAND_REPEATS },
};

const unsigned ncommands = LENGTH(commands);

bool
session_wants_arena(const struct session *session, unsigned arena)
{
	return session->options.arena < 0 || session->options.arena == arena;
}

bool
session_wants(const struct session *session, const struct region *region)
{
	bool wanted = region->state == REGION_LIVE ||
	    session->options.include_free ||
	    (region->state == REGION_CACHED && session->options.include_cached);

	return wanted && session_wants_arena(session, region->run->arena) &&
	    selector_has(&session->selector, region->size);
}

uint64_t
session_limit(const struct session *session, uint64_t preset)
{
	if (session->options.limit < 0)
		return preset;
	return session->options.limit == 0 ? UINT64_MAX
					   : (uint64_t)session->options.limit;
}

struct filter {
	const struct session *session;
	heap_visit *visit;
	void *context;
	uint64_t left;
};

static bool
filter_visit(void *context, const struct region *region)
{
	struct filter *filter = context;

	if (!session_wants(filter->session, region))
		return true;
	if (filter->left == 0)
		return false;
	filter->left--;
	return filter->visit(filter->context, region);
}

void
session_each(struct session *session, heap_visit *visit, void *context)
{
	struct filter filter = { session, visit, context,
		session_limit(session, UINT64_MAX) };

	heap_each(session->heap, session->options.arena, filter_visit, &filter);
}

const char *
region_state_name(enum region_state state)
{
	static const char *const names[] = {
		[REGION_LIVE] = "live",
		[REGION_CACHED] = "cached",
		[REGION_FREE] = "free",
	};

	return names[state];
}

const char *
run_type_name(enum run_type type)
{
	static const char *const names[RUN_TYPES] = {
		[RUN_SLAB] = "slab",
		[RUN_LARGE] = "large object",
		[RUN_GUARD] = "guarded object",
		[RUN_DIRTY] = "dirty pages",
		[RUN_MUZZY] = "muzzy pages",
		[RUN_RETAINED] = "retained address space",
		[RUN_BUSY] = "free pages in transit",
		[RUN_OTHER] = "pages on their way",
	};

	return names[type];
}

const char *
owner_title(const struct owner *owner)
{
	char tid[16] = "?";

	if (owner->tid != 0)
		snprintf(tid, sizeof(tid), "%" PRIu32, owner->tid);
	switch (owner->kind) {
	case OWNER_THREAD:
		if (owner->name != NULL)
			return print("thread %s (%s)", tid, owner->name);
		return print("thread %s", tid);
	case OWNER_LOST:
		return "a thread of the parent";
	case OWNER_SPARE:
		return "no thread any more";
	case OWNER_EXPLICIT:
		return print("explicit cache %u", owner->number);
	case OWNER_QUARANTINE:
		return "quarantine";
	case OWNER_TRIM:
		return "being trimmed";
	}
	return "?";
}
