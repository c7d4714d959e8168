#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "census.h"
#include "json.h"
#include "session.h"
#include "target.h"

#define NAME_SIZE 64

struct arena_facts {
	unsigned index;
	uint64_t threads;
	bool manual, hooked;
	char name[NAME_SIZE];
	struct census census;
};

static void
facts_read(struct session *session, struct arena_facts *facts, uint64_t arena)
{
	struct layout *layout = session->heap->layout;
	uint64_t size = layout->constants[HEAP_CONST_ARENA_NAME_SIZE];
	uint64_t name = layout_place(layout, arena, HEAP_ARENA,
	    HEAP_ARENA_NAME);

	facts->threads = layout_get(layout, arena, HEAP_ARENA,
	    HEAP_ARENA_NTHREADS);
	facts->manual = layout_get(layout, arena, HEAP_ARENA,
			    HEAP_ARENA_MANUAL) != 0;
	facts->hooked = layout_get(layout, arena, HEAP_ARENA,
			    HEAP_ARENA_HOOKED) != 0;
	facts->name[0] = '\0';
	if (name != 0 && size > 0)
		target_text(session->target, name, facts->name,
		    size < NAME_SIZE ? size : NAME_SIZE);
	census_take(&facts->census, session->heap, facts->index);
}

static void
extents_json(const char *key, const struct census *census, unsigned type)
{
	json_object(key);
	json_number("extents", census->nruns[type]);
	json_number("bytes", census->pages[type]);
	json_end();
}

static void
facts_json(const struct arena_facts *facts)
{
	const struct census *census = &facts->census;

	json_object(NULL);
	json_number("index", facts->index);
	json_text("name", facts->name);
	json_number("threads", facts->threads);
	json_bool("manual", facts->manual);
	json_bool("hooked", facts->hooked);
	json_number("allocs", census->count[REGION_LIVE]);
	json_number("in_use", census->bytes[REGION_LIVE]);
	json_number("cached", census->bytes[REGION_CACHED]);
	json_number("free_in_slabs", census->bytes[REGION_FREE]);
	json_number("free_in_huge_pages", census->packed);
	extents_json("slabs", census, RUN_SLAB);
	extents_json("large", census, RUN_LARGE);
	extents_json("dirty", census, RUN_DIRTY);
	extents_json("muzzy", census, RUN_MUZZY);
	extents_json("retained", census, RUN_RETAINED);
	json_end();
}

static void
extents_line(const char *title, const struct census *census, unsigned type)
{
	if (census->nruns[type] > 0)
		printf("  %-24s%8" PRIu64 " extents %14" PRIu64 " bytes\n",
		    title, census->nruns[type], census->pages[type]);
}

static void
facts_print(const struct arena_facts *facts)
{
	const struct census *census = &facts->census;

	printf("arena %u%s%s%s: %" PRIu64 " threads%s%s, %" PRIu64
	       " allocs, %" PRIu64 " bytes in use\n",
	    facts->index, facts->name[0] == '\0' ? "" : " (", facts->name,
	    facts->name[0] == '\0' ? "" : ")", facts->threads,
	    facts->manual ? ", made by the program" : "",
	    facts->hooked ? ", with hooks" : "", census->count[REGION_LIVE],
	    census->bytes[REGION_LIVE]);
	for (unsigned type = 0; type < RUN_TYPES; type++)
		extents_line(run_type_name(type), census, type);
	if (census->packed > 0)
		printf("  %-24s%16s %14" PRIu64 " bytes\n",
		    "free in huge pages", "", census->packed);
	printf("  in slabs: %" PRIu64 " bytes cached, %" PRIu64 " bytes free\n",
	    census->bytes[REGION_CACHED], census->bytes[REGION_FREE]);
}

void
command_arenas(struct session *session)
{
	if (session->options.json)
		json_array("arenas");
	for (unsigned i = 0; i < session->heap->narenas; i++) {
		uint64_t arena = heap_arena(session->heap, i);
		struct arena_facts facts = { .index = i };

		if (arena == 0 || !session_wants_arena(session, i))
			continue;
		facts_read(session, &facts, arena);
		if (session->options.json)
			facts_json(&facts);
		else
			facts_print(&facts);
		census_free(&facts.census);
	}
	if (session->options.json)
		json_end();
}
