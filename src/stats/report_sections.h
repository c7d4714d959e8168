/*
 * report_sections: what a report shows, and what its three forms have in common.
 *
 * Owns:       nothing.
 * Invariants: the letters of an option string may come in any order and twice;
 *             unknown ones count for nothing.
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
	bool general;		/* build, options, geometry */
	bool merged;
	bool destroyed;
	bool arenas;		/* one block for each */
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

/* Is the block of all arenas in sum to be printed, that of destroyed ones? */
bool report_shows_merged(const struct report *report);
bool report_shows_destroyed(const struct report *report);

/* Switches and settings of the build, as config.<name>. */
struct report_switch {
	const char *name;
	bool value;
};

extern const struct report_switch report_switches[];	/* name NULL: end */

/*
 * Options in the order of the contract, then those it does not know; NULL at
 * the end. Those that have no mallctl are left out.
 */
const struct option_row *report_option(unsigned i);

/* A value of an option, of any type. */
enum report_value_type { VALUE_BOOL, VALUE_UNSIGNED, VALUE_SIGNED, VALUE_TEXT };

struct report_value {
	enum report_value_type type;
	uint64_t number;	/* signed: two's complement */
	const char *text;
	char buffer[32];	/* what text points to, perhaps */
};

void report_option_value(const struct option_row *row,
    struct report_value *value);

/*
 * For an option that only says how something began: the mallctl that says how
 * it is now, and its value; NULL for all others.
 */
const char *report_option_ctl(const struct option_row *row);
void report_option_current(const struct option_row *row,
    struct report_value *value);

/* The sources of options that a report shows, by name; NULL at the end. */
struct report_source {
	const char *name;
	const char *text;	/* "" if it is not there */
	bool always;		/* shown even then */
};

#define REPORT_SOURCES 4
void report_sources(struct report_source sources[REPORT_SOURCES]);

/* Geometry of the heap, as arenas.<name>. */
struct report_geometry {
	unsigned narenas;
	ssize_t dirty_decay_ms;	/* of arenas that are made from now on */
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

/* The library's own facts, beside the contract's. */
struct report_own {
	const char *name;
	const char *metric;	/* its name in OpenMetrics */
	const char *meaning;
	bool counter;		/* or a gauge */
	uint64_t value;
};

/*
 * Mistakes of the program, memory of other allocators; what memory there is
 * to have.
 */
#define REPORT_OWN 8
void report_own(struct report_own own[REPORT_OWN]);

/* The state of the heap profile, as prof.<name>. */
struct report_prof {
	bool thread_active_init;
	bool active;
	bool gdump;
	uint64_t interval;
	size_t lg_sample;
};

struct report_prof report_prof(void);

/* Is there more to show of classes, in the block of all arenas? */
bool report_shows_samples(const struct report *report,
    const struct arena_stats *stats);

/* Where a report goes that nobody wants to have. */
void report_write_message(void *opaque, const char *text);

#endif
