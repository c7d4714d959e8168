#include "stats/report_text.h"

#include <string.h>

#include "arena/arena.h"
#include "conf/options.h"
#include "os/system.h"
#include "prof/prof_stats.h"
#include "stats/events.h"
#include "stats/figures.h"
#include "stats/report_sections.h"
#include "stats/snapshot.h"
#include "util/build.h"
#include "util/format.h"

#define COLUMNS_MAX 32
#define WIDTH       12
#define WIDTH_RATE  10
#define NS_PER_S    UINT64_C(1000000000)

/* --- tables --------------------------------------------------------------- */

struct column {
	const char *title;
	const char *text; /* shown instead of the value, or NULL */
	uint64_t value;
	bool rate;
};

struct row {
	unsigned count;
	struct column column[COLUMNS_MAX];
	char util[8]; /* the text of a column, if it has util */
};

static void
add(struct row *row, const char *title, uint64_t value, bool rate)
{
	row->column[row->count++] = (struct column){ title, NULL, value, rate };
}

static void
add_text(struct row *row, const char *title, const char *text)
{
	row->column[row->count++] = (struct column){ title, text, 0, false };
}

static void
add_figure(struct row *row, const struct figure *figure, const void *object)
{
	add(row, figure->title != NULL ? figure->title : figure->name,
	    figure_get(figure, object), figure->rate);
}

static void
add_figures(struct row *row, const struct figure *figures, const void *object)
{
	for (; figures->type != FIGURE_END; figures++)
		add_figure(row, figures, object);
}

static uint64_t
per_second(uint64_t value, uint64_t uptime_ns)
{
	return uptime_ns < NS_PER_S ? value : value / (uptime_ns / NS_PER_S);
}

static void
put_titles(struct emitter *e, unsigned label_width, const char *label,
    const struct row *row)
{
	emitter_print(e, "%-*s", (int)label_width, label);
	for (unsigned i = 0; i < row->count; i++) {
		emitter_cell_text(e, WIDTH, row->column[i].title);
		if (row->column[i].rate)
			emitter_cell_text(e, WIDTH_RATE, "(#/sec)");
	}
	emitter_row_end(e);
}

static void
put_row(struct emitter *e, unsigned label_width, const char *label,
    const struct row *row, uint64_t uptime)
{
	emitter_print(e, "%-*s", (int)label_width, label);
	for (unsigned i = 0; i < row->count; i++) {
		const struct column *column = &row->column[i];

		if (column->text != NULL)
			emitter_cell_text(e, WIDTH, column->text);
		else
			emitter_cell(e, WIDTH, column->value);
		if (column->rate)
			emitter_cell(e, WIDTH_RATE,
			    per_second(column->value, uptime));
	}
	emitter_row_end(e);
}

/* --- general part --------------------------------------------------------- */

/* A text of the program. It may be long, so it is put without a template. */
static void
put_quoted(struct emitter *e, const char *name, const char *text)
{
	emitter_print(e, "%s: \"", name);
	emitter_text(e, text);
	emitter_text(e, "\"");
}

static void
put_config(struct emitter *e)
{
	emitter_text(e, "Build-time option settings\n");
	for (unsigned i = 0; report_switches[i].name != NULL; i++) {
		emitter_print(e, "  config.%s: %s\n", report_switches[i].name,
		    report_switches[i].value ? "true" : "false");
		if (i == 3)
			emitter_print(e, "  config.malloc_conf: \"%s\"\n",
			    BUILD_MALLOC_CONF);
	}
	emitter_print(e, "System configuration\n  thp_mode: \"%s\"\n",
	    system_thp_text());
}

static void
put_value(struct emitter *e, const char *name, const struct report_value *value)
{
	if (value->type == VALUE_TEXT)
		put_quoted(e, name, value->text);
	else if (value->type == VALUE_BOOL)
		emitter_print(e, "%s: %s", name,
		    value->number != 0 ? "true" : "false");
	else if (value->type == VALUE_SIGNED)
		emitter_print(e, "%s: %jd", name, (intmax_t)value->number);
	else
		emitter_print(e, "%s: %ju", name, (uintmax_t)value->number);
}

static void
put_options(struct emitter *e)
{
	struct report_source sources[REPORT_SOURCES];
	const struct option_row *row;
	char name[80];

	emitter_text(e, "Run-time option settings\n");
	report_sources(sources);
	for (unsigned i = 0; i < REPORT_SOURCES; i++) {
		if (!sources[i].always && sources[i].text[0] == '\0')
			continue;
		format_text(name, sizeof(name), "  opt.%s", sources[i].name);
		put_quoted(e, name, sources[i].text);
		emitter_text(e, "\n");
	}
	for (unsigned i = 0; (row = report_option(i)) != NULL; i++) {
		struct report_value value;
		const char *ctl;

		report_option_value(row, &value);
		format_text(name, sizeof(name), "  opt.%s", row->name);
		put_value(e, name, &value);
		/*
		 * The setting may have changed, so its present value is shown,
		 * too.
		 */
		ctl = report_option_current(row, &value);
		if (ctl != NULL) {
			emitter_text(e, " (");
			put_value(e, ctl, &value);
			emitter_text(e, ")");
		}
		emitter_text(e, "\n");
	}
}

static void
put_geometry(struct emitter *e)
{
	struct report_geometry geometry = report_geometry();

	emitter_print(e,
	    "Arenas: %u\nQuantum size: %zu\nPage size: %zu\n"
	    "Hugepage size: %zu\nMaximum thread-cached size class: %zu\n"
	    "Number of bin size classes: %u\n"
	    "Number of thread-cache bin size classes: %u\n"
	    "Number of large size classes: %u\n",
	    geometry.narenas, geometry.quantum, geometry.page,
	    geometry.hugepage, geometry.tcache_max, geometry.nbins,
	    geometry.nhbins, geometry.nlextents);
}

static void
put_prof(struct emitter *e)
{
	struct report_prof state = report_prof();

	emitter_print(e,
	    "Profiling settings\n"
	    "  prof.thread_active_init: %s\n  prof.active: %s\n"
	    "  prof.gdump: %s\n  prof.interval: %ju\n  prof.lg_sample: %zu\n",
	    state.thread_active_init ? "true" : "false",
	    state.active ? "true" : "false", state.gdump ? "true" : "false",
	    (uintmax_t)state.interval, state.lg_sample);
}

static void
put_general(struct emitter *e)
{
	put_config(e);
	put_options(e);
	if (BUILD_PROF)
		put_prof(e);
	put_geometry(e);
}

/* --- totals --------------------------------------------------------------- */

static void
put_mutexes(struct emitter *e, const char *const *names,
    const struct lock_stats *stats, unsigned count, uint64_t uptime)
{
	for (unsigned i = 0; i < count; i++) {
		struct row row = { .count = 0 };

		add_figures(&row, figures_lock, &stats[i]);
		if (i == 0)
			put_titles(e, 20, "mutexes:", &row);
		put_row(e, 20, names[i], &row, uptime);
	}
}

/* Only this library has these: parts whose sum is the kernel's figure. */
static void
put_account(struct report *report)
{
	struct emitter *e = &report->emitter;

	emitter_text(e, "Memory of the process:");
	for (unsigned i = 0; i < ACCOUNT_PARTS; i++)
		emitter_print(e, "%s %s %jd", i == 0 ? "" : " +",
		    account_names[i], (intmax_t)report->account.part[i]);
	emitter_print(e, " - untouched %jd = %jd\n",
	    (intmax_t)report->account.untouched,
	    (intmax_t)report->account.process);
}

static void
put_own(struct report *report)
{
	struct report_own own[REPORT_OWN];

	report_own(own);
	emitter_print(&report->emitter, "Release: %s\n", BUILD_RELEASE);
	for (unsigned i = 0; i < REPORT_OWN; i++)
		emitter_print(&report->emitter, "x.%s: %ju\n", own[i].name,
		    (uintmax_t)own[i].value);
	if (BUILD_STATS)
		put_account(report);
}

static void
put_totals(struct report *report)
{
	struct emitter *e = &report->emitter;
	const struct stats_totals *totals = &report->snapshot->totals;
	const struct arena_stats *merged = &report->snapshot->merged;

	emitter_print(e,
	    "Allocated: %zu, active: %zu, metadata: %zu "
	    "(n_thp %zu, edata %zu, rtree %zu), resident: %zu, mapped: %zu, "
	    "retained: %zu\n",
	    totals->allocated, totals->active, totals->metadata,
	    merged->metadata_thp, merged->metadata_edata,
	    merged->metadata_rtree, merged->resident, merged->mapped,
	    merged->retained);
	emitter_print(e, "Count of realloc(non-null-ptr, 0) calls: %zu\n",
	    event_read(&stats_events.zero_reallocs));
	emitter_print(e,
	    "Background threads: %zu, num_runs: %ju, "
	    "run_interval: %ju ns\n",
	    totals->background_num_threads,
	    (uintmax_t)totals->background_num_runs,
	    (uintmax_t)totals->background_run_interval);
	if (report->show.mutexes)
		put_mutexes(e, global_mutex_names, totals->mutexes,
		    GLOBAL_MUTEXES, merged->uptime);
}

/* --- one arena ------------------------------------------------------------ */

static void
put_decay_row(struct emitter *e, const char *label, int64_t time_ms,
    const uint64_t figures[4])
{
	static const char *const titles[] = { "npages", "sweeps", "madvises",
		"purged" };
	struct row row = { .count = 0 };
	char time[24];

	if (time_ms < 0)
		format_text(time, sizeof(time), "N/A");
	else
		format_text(time, sizeof(time), "%jd", (intmax_t)time_ms);
	add_text(&row, "time", time);
	for (unsigned i = 0; i < ARRAY_LEN(titles); i++)
		add(&row, titles[i], figures[i], false);
	if (strcmp(label, "   dirty:") == 0)
		put_titles(e, 9, "decaying:", &row);
	put_row(e, 9, label, &row, 0);
}

static void
put_decay(struct emitter *e, const struct arena_stats *stats)
{
	put_decay_row(e, "   dirty:", stats->dirty_decay_ms,
	    (uint64_t[]){ stats->pdirty, stats->dirty_npurge,
		stats->dirty_nmadvise, stats->dirty_purged });
	put_decay_row(e, "   muzzy:", stats->muzzy_decay_ms,
	    (uint64_t[]){ stats->pmuzzy, stats->muzzy_npurge,
		stats->muzzy_nmadvise, stats->muzzy_purged });
}

static void
put_objects(struct emitter *e, const struct arena_stats *stats)
{
	struct class_stats total = stats->small;
	struct row small = { .count = 0 }, large = small, sum = small;

	class_stats_add(&total, &stats->large);
	add_figures(&small, figures_class, &stats->small);
	add_figures(&large, figures_class, &stats->large);
	add_figures(&sum, figures_class, &total);
	put_titles(e, 9, "", &sum);
	put_row(e, 9, "small:", &small, stats->uptime);
	put_row(e, 9, "large:", &large, stats->uptime);
	put_row(e, 9, "total:", &sum, stats->uptime);
}

static void
put_memory(struct emitter *e, const struct arena_stats *stats)
{
	emitter_print(e, "active: %24ju\n",
	    (uintmax_t)(stats->pactive * system_info.page_size));
	for (const struct figure *f = figures_memory; f->type != FIGURE_END;
	     f++)
		emitter_print(e, "%s: %*ju\n", f->name,
		    (int)(30 - strlen(f->name)),
		    (uintmax_t)figure_get(f, stats));
}

/* The share of the regions that is in use, with three decimals. */
static const char *
utilization(const struct bin_snapshot *bin, size_t nregions, char text[8])
{
	size_t all = bin->stats.curslabs * nregions;

	if (bin->curregs > all)
		return "race";
	if (all == 0 || bin->curregs == all)
		return "1";
	format_text(text, 8, "0.%03zu", bin->curregs * 1000 / all);
	return text;
}

static bool
has_samples(const struct report *report, const struct arena_stats *stats,
    unsigned size_class)
{
	return report_shows_samples(report, stats) &&
	    prof_stats_read(size_class).ever.count != 0;
}

/* Does nothing if the block shows no samples. */
static void
add_samples(struct row *row, const struct report *report,
    const struct arena_stats *stats, unsigned size_class)
{
	struct prof_class_stats samples;

	if (!report_shows_samples(report, stats))
		return;
	samples = prof_stats_read(size_class);
	add_figures(row, figures_samples, &samples);
}

static void
make_bin_row(struct row *row, const struct report *report,
    const struct arena_stats *stats, unsigned i)
{
	const struct slab_geometry *slab = &size_class_tables.slab[i];
	const struct bin_snapshot *bin = &stats->bins[i];

	add(row, "size", slab->region_size, false);
	add(row, "ind", i, false);
	add(row, "allocated", bin->curregs * slab->region_size, false);
	add(row, "nmalloc", bin->stats.nmalloc, true);
	add(row, "ndalloc", bin->stats.ndalloc, true);
	add(row, "nrequests", bin->nrequests, true);
	add_samples(row, report, stats, i);
	add(row, "nshards", arena_nshards(i), false);
	add(row, "curregs", bin->curregs, false);
	add(row, "curslabs", bin->stats.curslabs, false);
	add(row, "nonfull_slabs", bin->stats.nonfull, false);
	add(row, "regs", slab->nregions, false);
	add(row, "pgs", slab->slab_size / system_info.page_size, false);
	add_text(row, "util", utilization(bin, slab->nregions, row->util));
	add(row, "nfills", bin->stats.nfills, true);
	add(row, "nflushes", bin->stats.nflushes, true);
	add(row, "nslabs", bin->stats.nslabs, false);
	add(row, "nreslabs", bin->stats.nreslabs, true);
	if (report->show.mutexes)
		add_figures(row, figures_lock, &bin->mutex);
}

/* A table that leaves out rows: the text that comes before the next row. */
struct table {
	const char *heading;
	bool titled;
	bool skipped;
};

static void
put_table_row(struct emitter *e, struct table *table, const struct row *row,
    uint64_t uptime)
{
	if (!table->titled)
		put_titles(e, 9, table->heading, row);
	table->titled = true;
	if (table->skipped)
		emitter_text(e, "                     ---\n");
	table->skipped = false;
	put_row(e, 9, "", row, uptime);
}

static void
end_table(struct emitter *e, const struct table *table)
{
	if (!table->titled)
		emitter_print(e, "%s\n", table->heading);
	if (table->skipped)
		emitter_text(e, "                     ---\n");
}

static void
put_bins(struct report *report, const struct arena_stats *stats)
{
	struct table table = { .heading = "bins:" };

	for (unsigned i = 0; i < SMALL_CLASSES; i++) {
		struct row row = { .count = 0 };

		if (stats->bins[i].stats.nmalloc == 0 &&
		    stats->bins[i].stats.nslabs == 0 &&
		    !has_samples(report, stats, i)) {
			table.skipped = true;
			continue;
		}
		make_bin_row(&row, report, stats, i);
		put_table_row(&report->emitter, &table, &row, stats->uptime);
	}
	end_table(&report->emitter, &table);
}

static void
put_large(struct report *report, const struct arena_stats *stats)
{
	struct table table = { .heading = "large:" };

	for (unsigned i = 0; i < SIZE_CLASSES - SMALL_CLASSES; i++) {
		const struct lextent_snapshot *from = &stats->lextents[i];
		size_t size = size_class_size(SMALL_CLASSES + i);
		struct row row = { .count = 0 };

		if (from->nmalloc == 0 &&
		    !has_samples(report, stats, SMALL_CLASSES + i)) {
			table.skipped = true;
			continue;
		}
		add(&row, "size", size, false);
		add(&row, "ind", SMALL_CLASSES + i, false);
		add(&row, "allocated", from->curlextents * size, false);
		add(&row, "nmalloc", from->nmalloc, true);
		add(&row, "ndalloc", from->ndalloc, true);
		add(&row, "nrequests", from->nrequests, true);
		add_samples(&row, report, stats, SMALL_CLASSES + i);
		add(&row, "curlextents", from->curlextents, false);
		put_table_row(&report->emitter, &table, &row, stats->uptime);
	}
	end_table(&report->emitter, &table);
}

static void
put_extents(struct emitter *e, const struct arena_stats *stats)
{
	struct table table = { .heading = "extents:" };

	for (unsigned i = 0; i < PAGE_CLASSES; i++) {
		const struct page_class_snapshot *from = &stats->extents[i];
		size_t count = from->count[0] + from->count[1] + from->count[2];
		struct row row = { .count = 0 };

		if (count == 0) {
			table.skipped = true;
			continue;
		}
		add(&row, "size", snapshot_page_class_size(i), false);
		add(&row, "ind", i, false);
		/* In the list of figures the bytes follow all counts. */
		for (unsigned k = 0; k < ARRAY_LEN(from->count); k++) {
			add_figure(&row, &figures_extents[k], from);
			add_figure(&row,
			    &figures_extents[k + ARRAY_LEN(from->count)], from);
		}
		add(&row, "ntotal", count, false);
		add(&row, "total",
		    from->bytes[0] + from->bytes[1] + from->bytes[2], false);
		put_table_row(e, &table, &row, 0);
	}
	end_table(e, &table);
}

static void
put_figures(struct emitter *e, const char *heading,
    const struct figure *figures, const void *from)
{
	emitter_print(e, "%s:\n", heading);
	for (; figures->type != FIGURE_END; figures++)
		emitter_print(e, "  %s: %ju\n", figures->name,
		    (uintmax_t)figure_get(figures, from));
}

/* Pageslabs with a free run have one row for each class of its length. */
static void
put_pageslabs(struct emitter *e, const struct huge_stats *stats)
{
	struct table table = { .heading = "Nonfull pageslabs:" };

	for (unsigned i = 0; i < HUGE_RUN_CLASSES; i++) {
		const struct huge_group *group = &stats->nonfull[i];
		struct row row = { .count = 0 };

		if (group->npageslabs[0] + group->npageslabs[1] == 0) {
			table.skipped = true;
			continue;
		}
		add(&row, "size", snapshot_page_class_size(i), false);
		add(&row, "ind", i, false);
		add_figures(&row, figures_hpa_slabs, group);
		put_table_row(e, &table, &row, 0);
	}
	end_table(e, &table);
}

static void
put_hpa(struct emitter *e, const struct arena_stats *stats)
{
	emitter_text(e, "HPA shard stats:\n");
	emitter_print(e, "  Pageslabs: %zu\n", stats->hpa.npageslabs);
	if (stats->hpa.npageslabs == 0 && stats->hpa.npurges == 0)
		return;
	put_figures(e, "Small extent cache", figures_hpa_sec, &stats->hpa_sec);
	put_figures(e, "Huge page allocator", figures_hpa, &stats->hpa);
	put_figures(e, "Full pageslabs", figures_hpa_slabs, &stats->hpa.full);
	put_figures(e, "Empty pageslabs", figures_hpa_slabs, &stats->hpa.empty);
	put_pageslabs(e, &stats->hpa);
}

static void
put_arena(struct report *report, const char *name,
    const struct arena_stats *stats)
{
	struct emitter *e = &report->emitter;

	if (report_is_arena(report, stats))
		emitter_print(e, "\narenas[%s]:\nName: %s\n", name,
		    stats->name);
	else
		emitter_print(e, "\n%s arenas stats:\n",
		    stats == &report->snapshot->merged ? "Merged"
						       : "Destroyed");
	emitter_print(e,
	    "assigned threads: %u\nuptime: %ju\n"
	    "dss allocation precedence: \"%s\"\n",
	    stats->nthreads, (uintmax_t)stats->uptime, stats->dss);
	put_decay(e, stats);
	put_objects(e, stats);
	put_memory(e, stats);
	if (report->show.mutexes)
		put_mutexes(e, arena_mutex_names, stats->mutexes, ARENA_MUTEXES,
		    stats->uptime);
	if (report->show.bins)
		put_bins(report, stats);
	if (report->show.large)
		put_large(report, stats);
	if (report->show.extents)
		put_extents(e, stats);
	if (report->show.hpa)
		put_hpa(e, stats);
}

void
report_text(struct report *report)
{
	struct emitter *e = &report->emitter;

	emitter_text(e, "___ Begin jemalloc statistics ___\n");
	if (report->show.general) {
		emitter_print(e, "Version: \"%s\"\n", BUILD_VERSION);
		put_general(e);
		put_own(report);
	}
	if (BUILD_STATS) {
		put_totals(report);
		report_each_block(report, put_arena);
	}
	emitter_text(e, "--- End jemalloc statistics ---\n");
}
