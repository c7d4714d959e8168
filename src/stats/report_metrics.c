#include "stats/report_metrics.h"

#include <string.h>

#include "conf/options.h"
#include "prof/prof.h"
#include "prof/prof_stats.h"
#include "stats/events.h"
#include "stats/figures.h"
#include "stats/report_sections.h"
#include "stats/snapshot.h"
#include "util/build.h"
#include "util/format.h"

#define NAME_MAX_BYTES 64
#define NS_PER_S       UINT64_C(1000000000)

struct label {
	const char *name;
	const char *value;
};

struct family {
	char name[NAME_MAX_BYTES];
	bool counter;
	enum { UNIT_AS_IS, UNIT_NS, UNIT_MS } unit; /* shown as seconds */
};

/* The unit that a name ends in; NULL: it counts something. */
static const char *
unit_of(const char *name)
{
	static const char *const units[] = { "bytes", "seconds" };
	const char *last = strrchr(name, '_');

	for (unsigned i = 0; last != NULL && i < ARRAY_LEN(units); i++)
		if (strcmp(last + 1, units[i]) == 0)
			return units[i];
	return NULL;
}

static void
begin_family(struct emitter *e, const struct family *family, const char *help)
{
	const char *unit = unit_of(family->name);

	emitter_print(e, "# HELP %s %s\n# TYPE %s %s\n", family->name, help,
	    family->name, family->counter ? "counter" : "gauge");
	if (unit != NULL)
		emitter_print(e, "# UNIT %s %s\n", family->name, unit);
}

static void
put_label(struct emitter *e, const struct label *label, bool first)
{
	emitter_text(e, first ? "{" : ",");
	emitter_text(e, label->name);
	emitter_text(e, "=\"");
	for (const char *c = label->value; *c != '\0'; c++) {
		if (*c == '"' || *c == '\\')
			emitter_text(e, "\\");
		if (*c == '\n')
			emitter_text(e, "\\n");
		else
			emitter_put(e, c, 1);
	}
	emitter_text(e, "\"");
}

/* The last of `labels` has the name NULL. */
static void
put_sample(struct emitter *e, const struct family *family,
    const struct label *labels, int64_t value)
{
	emitter_text(e, family->name);
	if (family->counter)
		emitter_text(e, "_total");
	for (unsigned i = 0; labels[i].name != NULL; i++)
		put_label(e, &labels[i], i == 0);
	if (labels[0].name != NULL)
		emitter_text(e, "}");
	if (family->unit == UNIT_NS)
		emitter_print(e, " %ju.%09ju\n",
		    (uintmax_t)((uint64_t)value / NS_PER_S),
		    (uintmax_t)((uint64_t)value % NS_PER_S));
	else if (family->unit == UNIT_MS && value >= 0)
		emitter_print(e, " %jd.%03jd\n", (intmax_t)value / 1000,
		    (intmax_t)value % 1000);
	else if (family->counter)
		emitter_print(e, " %ju\n", (uintmax_t)value);
	else
		emitter_print(e, " %jd\n", (intmax_t)value);
}

static const struct label no_labels[] = { { NULL, NULL } };

/* A family of one sample without labels. */
static void
put_single(struct emitter *e, const char *name, bool counter, const char *help,
    uint64_t value)
{
	struct family family = { .counter = counter };

	format_text(family.name, sizeof(family.name), "jemalloc_%s", name);
	begin_family(e, &family, help);
	put_sample(e, &family, no_labels, (int64_t)value);
}

/* --- the process ---------------------------------------------------------- */

static void
put_build(struct emitter *e)
{
	struct family family = { .name = "jemalloc_build_info" };
	const struct label labels[] = {
		{ "version", BUILD_VERSION },
		{ "release", BUILD_RELEASE },
		{ NULL, NULL },
	};

	begin_family(e, &family, "The version of the library; the value is 1.");
	put_sample(e, &family, labels, 1);
}

static void
put_account(struct report *report)
{
	struct emitter *e = &report->emitter;
	struct family family = { .name = "jemalloc_memory_bytes" };

	begin_family(e, &family,
	    "Anonymous memory of the process by its use; "
	    "rest does not belong to the allocator.");
	for (unsigned i = 0; i < ACCOUNT_PARTS; i++) {
		const struct label labels[] = {
			{ "part", account_names[i] },
			{ NULL, NULL },
		};

		put_sample(e, &family, labels, report->account.part[i]);
	}
	put_single(e, "memory_untouched_bytes", false,
	    "What the parts of "
	    "jemalloc_memory_bytes count and is not in memory, at the least.",
	    (uint64_t)report->account.untouched);
}

static void
put_own(struct report *report)
{
	struct report_own own[REPORT_OWN];
	struct emitter *e = &report->emitter;

	put_build(e);
	report_own(own);
	for (unsigned i = 0; i < REPORT_OWN; i++)
		put_single(e, own[i].metric, own[i].counter, own[i].meaning,
		    own[i].value);
	if (BUILD_STATS)
		put_account(report);
}

static void
put_totals(struct report *report)
{
	const struct stats_totals *totals = &report->snapshot->totals;
	const struct arena_stats *merged = &report->snapshot->merged;
	struct emitter *e = &report->emitter;

	put_single(e, "allocated_bytes", false,
	    "Bytes in objects, including those in thread caches.",
	    totals->allocated);
	put_single(e, "active_bytes", false,
	    "Bytes in pages that hold objects.", totals->active);
	put_single(e, "metadata_bytes", false,
	    "Bytes of the allocator's own records.", totals->metadata);
	put_single(e, "resident_bytes", false,
	    "Upper bound of the bytes in memory.", merged->resident);
	put_single(e, "mapped_bytes", false, "Bytes of address space in use.",
	    merged->mapped);
	put_single(e, "retained_bytes", false,
	    "Bytes of address space that is kept without memory.",
	    merged->retained);
	put_single(e, "zero_reallocs", true, "Calls of realloc with size 0.",
	    event_read(&stats_events.zero_reallocs));
}

/* --- blocks: arenas, or their sums ---------------------------------------- */

/* The i-th block to be shown, and its name. NULL: there are no more. */
static const struct arena_stats *
block(const struct report *report, unsigned i, char name[16])
{
	const struct stats_snapshot *snapshot = report->snapshot;

	if (report_shows_destroyed(report) && i-- == 0) {
		format_text(name, 16, "destroyed");
		return &snapshot->destroyed;
	}
	if (!report->show.arenas) {
		format_text(name, 16, "all");
		return report->show.merged && i == 0 ? &snapshot->merged : NULL;
	}
	for (unsigned k = 0; k < snapshot->narenas; k++) {
		if (snapshot_arena(snapshot, k) == NULL || i-- != 0)
			continue;
		format_text(name, 16, "%u", k);
		return snapshot_arena(snapshot, k);
	}
	return NULL;
}

/* Only decay times are signed; the names of their figures end in _ms. */
static struct family
arena_family(const struct figure *figure)
{
	struct family family = { .counter = figure->counter };
	bool decay = figure->type == FIGURE_SSIZE;

	family.unit = decay ? UNIT_MS : UNIT_AS_IS;
	format_text(family.name, sizeof(family.name), "jemalloc_arena_%.*s%s",
	    (int)(strlen(figure->name) - (decay ? 3 : 0)), figure->name,
	    decay               ? "_seconds"
		: figure->bytes ? "_bytes"
				: "");
	return family;
}

/* A family with one sample for each block. */
static void
put_arena_figure(struct report *report, const struct figure *figure)
{
	struct family family = arena_family(figure);
	const struct arena_stats *stats;
	char name[16];

	begin_family(&report->emitter, &family, figure->help);
	for (unsigned i = 0; (stats = block(report, i, name)) != NULL; i++) {
		const struct label labels[] = {
			{ "arena", name },
			{ "name", stats->name },
			{ NULL, NULL },
		};

		put_sample(&report->emitter, &family, labels,
		    (int64_t)figure_get(figure, stats));
	}
}

/* Rows of each block that have a label of their own. */
struct rows {
	const char *label;
	const char *const *names; /* the values of this label, or */
	size_t (*size)(unsigned index);
	const struct figure *used; /* rows where this is 0 are left out */
	size_t offset;             /* in struct arena_stats */
	size_t step;
	unsigned count;
};

/* A family with a sample for each row of each block. */
static void
put_rows(struct report *report, const struct family *family,
    const struct figure *figure, const struct rows *rows)
{
	const struct arena_stats *stats;
	char name[16], size[24];

	begin_family(&report->emitter, family, figure->help);
	for (unsigned i = 0; (stats = block(report, i, name)) != NULL; i++) {
		const char *row = (const char *)stats + rows->offset;

		for (unsigned k = 0; k < rows->count; k++, row += rows->step) {
			const struct label labels[] = {
				{ "arena", name },
				{ rows->label,
				    rows->names != NULL ? rows->names[k]
							: size },
				{ NULL, NULL },
			};

			if (rows->used != NULL &&
			    figure_get(rows->used, row) == 0)
				continue;
			if (rows->size != NULL)
				format_text(size, sizeof(size), "%zu",
				    rows->size(k));
			put_sample(&report->emitter, family, labels,
			    (int64_t)figure_get(figure, row));
		}
	}
}

static void
put_class_figure(struct report *report, const struct figure *figure)
{
	static const char *const names[] = { "small", "large" };
	struct family family = arena_family(figure);

	put_rows(report, &family, figure,
	    &(struct rows){ .label = "class",
		.names = names,
		.offset = offsetof(struct arena_stats, small),
		.step = offsetof(struct arena_stats, large) -
		    offsetof(struct arena_stats, small),
		.count = ARRAY_LEN(names) });
}

static size_t
large_size(unsigned index)
{
	return size_class_size(SMALL_CLASSES + index);
}

static void
put_table_figure(struct report *report, const char *prefix,
    const struct figure *figure, const struct rows *rows)
{
	struct family family = { .counter = figure->counter };

	format_text(family.name, sizeof(family.name), "jemalloc_%s_%s", prefix,
	    figure->name);
	put_rows(report, &family, figure, rows);
}

static void
put_table(struct report *report, const char *prefix,
    const struct figure *figures, const struct rows *rows)
{
	for (; figures->type != FIGURE_END; figures++)
		put_table_figure(report, prefix, figures, rows);
}

static void
put_tables(struct report *report)
{
	const struct rows bins = { "size", NULL, size_class_size,
		&figures_bin[0], offsetof(struct arena_stats, bins),
		sizeof(struct bin_snapshot), SMALL_CLASSES };
	const struct rows large = { "size", NULL, large_size,
		&figures_lextent[0], offsetof(struct arena_stats, lextents),
		sizeof(struct lextent_snapshot), SIZE_CLASSES - SMALL_CLASSES };
	struct rows extents = { "size", NULL, snapshot_page_class_size, NULL,
		offsetof(struct arena_stats, extents),
		sizeof(struct page_class_snapshot), PAGE_CLASSES };

	if (report->show.bins) {
		put_table(report, "bin", figures_bin, &bins);
		put_table(report, "bin", figures_bin_slabs, &bins);
	}
	if (report->show.large)
		put_table(report, "large", figures_lextent, &large);
	if (!report->show.extents)
		return;
	for (const struct figure *f = figures_extents; f->type != FIGURE_END;
	     f++) {
		extents.used = f;
		put_table_figure(report, "extents", f, &extents);
	}
}

/*
 * The samples of the heap profile by class; they are not scaled. A name with
 * `_count` would be that of a part of a histogram.
 */
static void
put_samples(struct report *report, const struct figure *figure)
{
	struct family family = { .counter = figure->counter };
	char size[24];

	format_text(family.name, sizeof(family.name), "jemalloc_%.*s%s",
	    (int)(strlen(figure->name) -
		(figure->bytes ? 0 : sizeof("count") - 1)),
	    figure->name, figure->bytes ? "_bytes" : "samples");
	begin_family(&report->emitter, &family, figure->help);
	for (unsigned i = 0; i < SIZE_CLASSES; i++) {
		struct prof_class_stats samples = prof_stats_read(i);
		const struct label labels[] = {
			{ "size", size },
			{ NULL, NULL },
		};

		if (samples.ever.count == 0 ||
		    !(i < SMALL_CLASSES ? report->show.bins
					: report->show.large))
			continue;
		format_text(size, sizeof(size), "%zu", size_class_size(i));
		put_sample(&report->emitter, &family, labels,
		    (int64_t)figure_get(figure, &samples));
	}
}

/* --- locks ---------------------------------------------------------------- */

/* The family of a lock's figure. Times are shown in seconds. */
static struct family
lock_family(const char *prefix, const struct figure *figure)
{
	struct family family = { .counter = figure->counter };
	const char *name = figure->name;

	if (strcmp(name, "total_wait_time") == 0)
		name = "wait_seconds";
	else if (strcmp(name, "max_wait_time") == 0)
		name = "max_wait_seconds";
	family.unit = name != figure->name ? UNIT_NS : UNIT_AS_IS;
	format_text(family.name, sizeof(family.name), "jemalloc_%s_%s", prefix,
	    name);
	return family;
}

static void
put_arena_locks(struct report *report, const struct figure *figure)
{
	struct family family = lock_family("arena_mutex", figure);

	put_rows(report, &family, figure,
	    &(struct rows){ .label = "mutex",
		.names = arena_mutex_names,
		.offset = offsetof(struct arena_stats, mutexes),
		.step = sizeof(struct lock_stats),
		.count = ARENA_MUTEXES });
}

static void
put_locks(struct report *report, const struct figure *figure)
{
	const struct stats_totals *totals = &report->snapshot->totals;
	struct family family = lock_family("mutex", figure);

	begin_family(&report->emitter, &family, figure->help);
	for (unsigned k = 0; k < GLOBAL_MUTEXES; k++) {
		const struct label labels[] = {
			{ "mutex", global_mutex_names[k] },
			{ NULL, NULL },
		};

		put_sample(&report->emitter, &family, labels,
		    (int64_t)figure_get(figure, &totals->mutexes[k]));
	}
}

static void
put_each(struct report *report, const struct figure *figures,
    void (*put_figure)(struct report *report, const struct figure *figure))
{
	for (; figures->type != FIGURE_END; figures++)
		put_figure(report, figures);
}

static void
put_blocks(struct report *report)
{
	const struct figure threads = { "threads", NULL, FIGURE_UINT32,
		.help = "Threads that get their objects from the arena.",
		.offset = offsetof(struct arena_stats, nthreads) };

	put_arena_figure(report, &threads);
	put_each(report, figures_pages, put_arena_figure);
	put_each(report, figures_memory, put_arena_figure);
	put_each(report, figures_class, put_class_figure);
	put_tables(report);
	if (prof_is_on() && opt.prof_stats)
		put_each(report, figures_samples, put_samples);
	if (report->show.mutexes)
		put_each(report, figures_lock, put_arena_locks);
}

void
report_metrics(struct report *report)
{
	struct emitter *e = &report->emitter;

	if (report->show.general)
		put_own(report);
	if (BUILD_STATS) {
		put_totals(report);
		if (report->show.mutexes)
			put_each(report, figures_lock, put_locks);
		if (report->show.arenas || report->show.merged)
			put_blocks(report);
	}
	emitter_text(e, "# EOF\n");
}
