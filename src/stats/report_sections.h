/*
 * report_sections: what a report shows, and code that all its forms share.
 *
 * Owns:       nothing.
 * Invariants: the letters of an option string may come in any order, and more
 *             than once. Unknown letters are ignored.
 * Locking:    none.
 */
#ifndef STATS_REPORT_SECTIONS_H
#define STATS_REPORT_SECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "stats/account.h"
#include "stats/emitter.h"

struct arena_stats;
struct option_row;
struct stats_snapshot;

enum report_form { REPORT_TEXT, REPORT_JSON, REPORT_METRICS };

struct report_sections {
	enum report_form form;
	bool general; /* build, options, geometry */
	bool merged;
	bool destroyed;
	bool arenas; /* a block for each arena */
	bool bins;
	bool large;
	bool mutexes;
	bool extents;
	bool hpa;
};

struct report {
	struct emitter emitter;
	const struct stats_snapshot *snapshot;
	struct report_sections show;
	struct account account;
};

struct report_sections report_sections_parse(const char *letters);

/* Is there a block for the sum of all arenas? For destroyed arenas? */
bool report_shows_merged(const struct report *report);
bool report_shows_destroyed(const struct report *report);

/*
 * Calls a function for each block: the sum, the destroyed arenas, each arena.
 * The name is "merged", "destroyed", or the arena's index.
 */
typedef void report_block(struct report *report, const char *name,
    const struct arena_stats *stats);
void report_each_block(struct report *report, report_block *put);

/* Is it the block of one arena, and not of several? */
bool report_is_arena(const struct report *report,
    const struct arena_stats *stats);

/* Switches and settings of the build, as config.<name>. */
struct report_switch {
	const char *name;
	bool value;
};

extern const struct report_switch report_switches[]; /* name NULL: end */

/*
 * The i-th option of a report, or NULL after the last one. First come the
 * options of the contract, in its order, then our own. Options without a
 * mallctl are left out.
 */
const struct option_row *report_option(unsigned i);

/* A value of an option, of any type. */
enum report_value_type { VALUE_BOOL, VALUE_UNSIGNED, VALUE_SIGNED, VALUE_TEXT };

struct report_value {
	enum report_value_type type;
	uint64_t number; /* a negative one in two's complement */
	const char *text;
	char buffer[32]; /* text may point here */
};

void report_option_value(const struct option_row *row,
    struct report_value *value);

/*
 * Some options only give the initial value of a setting. Then this gets the
 * present value of the setting, and returns its mallctl; else NULL.
 */
const char *report_option_current(const struct option_row *row,
    struct report_value *value);

/* The sources of options that a report shows. */
struct report_source {
	const char *name;
	const char *text; /* "" if there is no such source */
	bool always;      /* the report shows it even then */
};

#define REPORT_SOURCES 4
void report_sources(struct report_source sources[REPORT_SOURCES]);

/* Geometry of the heap, as arenas.<name>. */
struct report_geometry {
	unsigned narenas;
	ssize_t dirty_decay_ms; /* of arenas that are made from now on */
	ssize_t muzzy_decay_ms;
	size_t quantum;
	size_t page;
	size_t hugepage;
	size_t tcache_max;
	unsigned nbins;
	unsigned nhbins;
	unsigned nlextents;
};

struct report_geometry report_geometry(void);

/* A figure that only this library has. */
struct report_own {
	const char *name;
	const char *metric; /* its name in OpenMetrics */
	const char *meaning;
	bool counter; /* false: a gauge */
	uint64_t value;
};

/*
 * Mistakes of the program, pointers of other allocators, and the limits of
 * memory.
 */
#define REPORT_OWN 10
void report_own(struct report_own own[REPORT_OWN]);

/* Guards of single objects and of opt.guard_large that could not be set. */
uint64_t report_unguarded(void);

/* The state of the heap profile, as prof.<name>. */
struct report_prof {
	bool thread_active_init;
	bool active;
	bool gdump;
	uint64_t interval;
	size_t lg_sample;
};

struct report_prof report_prof(void);

/* Does this block show the samples of the heap profile, too? */
bool report_shows_samples(const struct report *report,
    const struct arena_stats *stats);

#endif
