#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "census.h"
#include "session.h"
#include "tool.h"

#define COLUMNS    128u
#define CELLS_MAX  (COLUMNS * 96u)
#define CELL_LEAST 4096u
#define SIDE       8u /* of a cell in the picture */

enum use {
	USE_LIVE,
	USE_CACHED,
	USE_FREE,
	USE_DIRTY,
	USE_MUZZY,
	USE_OTHER,
	USES
};

static const struct {
	const char *name;
	unsigned red, green, blue;
} uses[USES] = {
	[USE_LIVE] = { "live", 0x1b, 0x7f, 0x3b },
	[USE_CACHED] = { "cached", 0xe9, 0xc4, 0x6a },
	[USE_FREE] = { "free in slabs", 0xd6, 0x4a, 0x3a },
	[USE_DIRTY] = { "dirty", 0x5c, 0x7c, 0xa8 },
	[USE_MUZZY] = { "muzzy", 0xa9, 0xc1, 0xdd },
	[USE_OTHER] = { "rounding", 0x99, 0x99, 0x99 },
};

struct cell {
	uint64_t address;
	uint64_t bytes[USES];
};

/* Pages in memory are shown one after another, without the gaps. */
struct map {
	struct session *session;
	uint64_t cell_size;
	struct cell *cells;
	size_t ncells;
	const struct run *run;
	uint64_t before;      /* bytes of all runs before this one */
	uint64_t total[USES]; /* rounding: the rest of runs */
	uint64_t shown;       /* bytes of the current run in cells */
	int64_t guarded; /* rounding of objects with a guard; may be negative */
};

static bool
run_is_shown(const struct session *session, const struct run *run)
{
	return run->type != RUN_RETAINED && run->type != RUN_GUARD &&
	    session_wants_arena(session, run->arena);
}

/* Adds a piece of the current run to its cells. */
static void
map_add(struct map *map, uint64_t address, uint64_t size, enum use use)
{
	uint64_t at = map->before + (address - map->run->start);

	map->total[use] += size;
	while (size > 0 && at / map->cell_size < map->ncells) {
		struct cell *cell = &map->cells[at / map->cell_size];
		uint64_t part = map->cell_size - at % map->cell_size;

		if (part > size)
			part = size;
		if (cell->address == 0)
			cell->address = address;
		cell->bytes[use] += part;
		at += part;
		address += part;
		size -= part;
	}
}

/* Continues with this run. The runs in between have no regions. */
static void
map_reach(struct map *map, const struct run *run)
{
	static const enum use of_run[RUN_TYPES] = {
		[RUN_SLAB] = USE_OTHER,
		[RUN_LARGE] = USE_OTHER,
		[RUN_GUARD] = USE_OTHER,
		[RUN_DIRTY] = USE_DIRTY,
		[RUN_MUZZY] = USE_MUZZY,
		[RUN_BUSY] = USE_DIRTY,
		[RUN_OTHER] = USE_OTHER,
	};

	for (; map->run < run; map->run++) {
		if (!run_is_shown(map->session, map->run))
			continue;
		/* The rest of a run, behind its last region. */
		if (map->shown < map->run->size)
			map_add(map, map->run->start + map->shown,
			    map->run->size - map->shown,
			    of_run[map->run->type]);
		map->before += map->run->size;
		map->shown = 0;
	}
}

/* An object with a guard counts, but has no square: it is alone. */
static void
guard_count(struct map *map, const struct region *region)
{
	map->total[USE_LIVE] += region->size;
	map->guarded += (int64_t)census_pages(map->session->heap, region->run);
	map->guarded -= (int64_t)region->size;
}

static bool
region_add(void *context, const struct region *region)
{
	static const enum use of_state[] = {
		[REGION_LIVE] = USE_LIVE,
		[REGION_CACHED] = USE_CACHED,
		[REGION_FREE] = USE_FREE,
	};
	struct map *map = context;

	if (region->run->type == RUN_GUARD &&
	    session_wants_arena(map->session, region->run->arena))
		guard_count(map, region);
	map_reach(map, region->run);
	if (!run_is_shown(map->session, region->run))
		return true;
	uint64_t lead = region->address - region->run->start - map->shown;

	/* A guard may lie before a large object. */
	if (lead > 0)
		map_add(map, region->address - lead, lead, USE_OTHER);
	map_add(map, region->address, region->size, of_state[region->state]);
	map->shown = region->address + region->size - region->run->start;
	return true;
}

static void
cell_print(const struct map *map, size_t index)
{
	const struct cell *cell = &map->cells[index];
	uint64_t all = 0, red = 0, green = 0, blue = 0;

	for (unsigned use = 0; use < USES; use++) {
		all += cell->bytes[use];
		red += cell->bytes[use] * uses[use].red;
		green += cell->bytes[use] * uses[use].green;
		blue += cell->bytes[use] * uses[use].blue;
	}
	if (all == 0)
		return;
	printf("<rect x=\"%zu\" y=\"%zu\" width=\"%u\" height=\"%u\" "
	       "fill=\"#%02x%02x%02x\"><title>%#" PRIx64,
	    index % COLUMNS * SIDE, index / COLUMNS * SIDE + 40, SIDE, SIDE,
	    (unsigned)(red / all), (unsigned)(green / all),
	    (unsigned)(blue / all), cell->address);
	for (unsigned use = 0; use < USES; use++) {
		if (cell->bytes[use] > 0)
			printf(", %s %" PRIu64 "%%", uses[use].name,
			    cell->bytes[use] * 100 / all);
	}
	puts("</title></rect>");
}

static void
map_print(const struct map *map)
{
	size_t rows = (map->ncells + COLUMNS - 1) / COLUMNS;

	printf("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" "
	       "height=\"%zu\" font-family=\"sans-serif\" font-size=\"11\">\n"
	       "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
	       "<text x=\"4\" y=\"14\">Heap by address, %" PRIu64 " bytes a "
	       "square; gaps are left out</text>\n",
	    COLUMNS * SIDE, rows * SIDE + 48, map->cell_size);
	for (unsigned use = 0; use < USES; use++)
		printf("<rect x=\"%u\" y=\"22\" width=\"10\" height=\"10\" "
		       "fill=\"#%02x%02x%02x\"/><text x=\"%u\" y=\"31\">%s: "
		       "%" PRIu64 "</text>\n",
		    4 + use * 168, uses[use].red, uses[use].green,
		    uses[use].blue, 18 + use * 168, uses[use].name,
		    map->total[use]);
	for (size_t i = 0; i < map->ncells; i++)
		cell_print(map, i);
	puts("</svg>");
}

void
command_fragmentation(struct session *session)
{
	const struct heap *heap = session->heap;
	struct map map = { .session = session, .run = heap->runs };
	uint64_t all = 0;

	if (session->options.json)
		fail("fragmentation is a picture (SVG), --json is not for it");
	for (size_t i = 0; i < heap->nruns; i++) {
		if (run_is_shown(session, &heap->runs[i]))
			all += heap->runs[i].size;
	}
	map.cell_size = all / CELLS_MAX / CELL_LEAST * CELL_LEAST + CELL_LEAST;
	map.ncells = (size_t)((all + map.cell_size - 1) / map.cell_size);
	map.cells = memory(map.ncells, sizeof(struct cell));
	heap_each(session->heap, session->options.arena, region_add, &map);
	if (heap->nruns > 0)
		map_reach(&map, heap->runs + heap->nruns);
	/* The class of an object may be larger than its room before a guard. */
	if (map.guarded > -(int64_t)map.total[USE_OTHER])
		map.total[USE_OTHER] += (uint64_t)map.guarded;
	else
		map.total[USE_OTHER] = 0;
	map_print(&map);
	free(map.cells);
}
