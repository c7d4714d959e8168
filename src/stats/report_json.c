#include "stats/report_json.h"

#include "arena/arena.h"
#include "conf/options.h"
#include "os/system.h"
#include "prof/prof_stats.h"
#include "stats/events.h"
#include "stats/figures.h"
#include "stats/report_sections.h"
#include "stats/snapshot.h"
#include "util/build.h"

static void
put_figures(struct emitter *e, const struct figure *figures, const void *object)
{
	for (; figures->type != FIGURE_END; figures++) {
		uint64_t value = figure_get(figures, object);

		if (figures->type == FIGURE_SSIZE)
			emitter_signed(e, figures->name, (int64_t)value);
		else
			emitter_unsigned(e, figures->name, value);
	}
}

static void
put_object(struct emitter *e, const char *name, const struct figure *figures,
    const void *object)
{
	emitter_object(e, name);
	put_figures(e, figures, object);
	emitter_object_end(e);
}

static void
put_mutexes(struct emitter *e, const char *const *names,
    const struct lock_stats *stats, unsigned count)
{
	emitter_object(e, "mutexes");
	for (unsigned i = 0; i < count; i++)
		put_object(e, names[i], figures_lock, &stats[i]);
	emitter_object_end(e);
}

/* --- general part --------------------------------------------------------- */

static void
put_config(struct emitter *e)
{
	emitter_object(e, "config");
	for (unsigned i = 0; report_switches[i].name != NULL; i++) {
		emitter_bool(e, report_switches[i].name,
		    report_switches[i].value);
		if (i == 3)
			emitter_string(e, "malloc_conf", BUILD_MALLOC_CONF);
	}
	emitter_object_end(e);
}

static void
put_option(struct emitter *e, const struct option_row *row)
{
	struct report_value value;

	report_option_value(row, &value);
	switch (value.type) {
	case VALUE_BOOL:
		emitter_bool(e, row->name, value.number != 0);
		break;
	case VALUE_UNSIGNED:
		emitter_unsigned(e, row->name, value.number);
		break;
	case VALUE_SIGNED:
		emitter_signed(e, row->name, (int64_t)value.number);
		break;
	case VALUE_TEXT:
		emitter_string(e, row->name, value.text);
		break;
	}
}

static void
put_options(struct emitter *e)
{
	struct report_source sources[REPORT_SOURCES];
	const struct option_row *row;

	emitter_object(e, "opt");
	report_sources(sources);
	for (unsigned i = 0; i < REPORT_SOURCES; i++)
		if (sources[i].always || sources[i].text[0] != '\0')
			emitter_string(e, sources[i].name, sources[i].text);
	for (unsigned i = 0; (row = report_option(i)) != NULL; i++)
		put_option(e, row);
	emitter_object_end(e);
}

static void
put_prof(struct emitter *e)
{
	struct report_prof state = report_prof();

	emitter_object(e, "prof");
	emitter_bool(e, "thread_active_init", state.thread_active_init);
	emitter_bool(e, "active", state.active);
	emitter_bool(e, "gdump", state.gdump);
	emitter_unsigned(e, "interval", state.interval);
	emitter_unsigned(e, "lg_sample", state.lg_sample);
	emitter_object_end(e);
}

static void
put_classes(struct emitter *e, const struct report_geometry *geometry)
{
	emitter_array(e, "bin");
	for (unsigned i = 0; i < geometry->nbins; i++) {
		const struct slab_geometry *slab = &size_class_tables.slab[i];

		emitter_object(e, NULL);
		emitter_unsigned(e, "size", slab->region_size);
		emitter_unsigned(e, "nregs", slab->nregions);
		emitter_unsigned(e, "slab_size", slab->slab_size);
		emitter_unsigned(e, "nshards", arena_nshards(i));
		emitter_object_end(e);
	}
	emitter_array_end(e);
	emitter_unsigned(e, "nlextents", geometry->nlextents);
	emitter_array(e, "lextent");
	for (unsigned i = 0; i < geometry->nlextents; i++) {
		emitter_object(e, NULL);
		emitter_unsigned(e, "size",
		    size_class_size(geometry->nbins + i));
		emitter_object_end(e);
	}
	emitter_array_end(e);
}

static void
put_geometry(struct emitter *e)
{
	struct report_geometry geometry = report_geometry();

	emitter_object(e, "arenas");
	emitter_unsigned(e, "narenas", geometry.narenas);
	emitter_signed(e, "dirty_decay_ms", geometry.dirty_decay_ms);
	emitter_signed(e, "muzzy_decay_ms", geometry.muzzy_decay_ms);
	emitter_unsigned(e, "quantum", geometry.quantum);
	emitter_unsigned(e, "page", geometry.page);
	emitter_unsigned(e, "hugepage", geometry.hugepage);
	emitter_unsigned(e, "tcache_max", geometry.tcache_max);
	emitter_unsigned(e, "nbins", geometry.nbins);
	emitter_unsigned(e, "nhbins", geometry.nhbins);
	put_classes(e, &geometry);
	emitter_object_end(e);
}

static void
put_general(struct emitter *e)
{
	emitter_string(e, "version", BUILD_VERSION);
	put_config(e);
	emitter_object(e, "system");
	emitter_string(e, "thp_mode", system_thp_text());
	emitter_object_end(e);
	put_options(e);
	if (BUILD_PROF)
		put_prof(e);
	put_geometry(e);
}

/* --- totals --------------------------------------------------------------- */

static void
put_totals(struct report *report)
{
	struct emitter *e = &report->emitter;
	const struct stats_totals *totals = &report->snapshot->totals;

	emitter_object(e, "stats");
	put_figures(e, figures_totals, report->snapshot);
	emitter_unsigned(e, "zero_reallocs",
	    event_read(&stats_events.zero_reallocs));
	put_object(e, "background_thread", figures_background,
	    report->snapshot);
	if (report->show.mutexes)
		put_mutexes(e, global_mutex_names, totals->mutexes,
		    GLOBAL_MUTEXES);
	emitter_object_end(e);
}

/* --- arenas --------------------------------------------------------------- */

static void
put_samples(struct emitter *e, unsigned size_class)
{
	struct prof_class_stats samples = prof_stats_read(size_class);

	put_figures(e, figures_samples, &samples);
}

static void
put_bins(struct report *report, const struct arena_stats *stats)
{
	struct emitter *e = &report->emitter;

	emitter_array(e, "bins");
	for (unsigned i = 0; i < SMALL_CLASSES; i++) {
		emitter_object(e, NULL);
		put_figures(e, figures_bin, &stats->bins[i]);
		if (report_shows_samples(report, stats))
			put_samples(e, i);
		put_figures(e, figures_bin_slabs, &stats->bins[i]);
		if (report->show.mutexes)
			put_object(e, "mutex", figures_lock,
			    &stats->bins[i].mutex);
		emitter_object_end(e);
	}
	emitter_array_end(e);
}

static void
put_runs(struct report *report, const struct arena_stats *stats)
{
	struct emitter *e = &report->emitter;

	if (report->show.large) {
		emitter_array(e, "lextents");
		for (unsigned i = 0; i < SIZE_CLASSES - SMALL_CLASSES; i++) {
			emitter_object(e, NULL);
			if (report_shows_samples(report, stats))
				put_samples(e, SMALL_CLASSES + i);
			put_figures(e, figures_lextent, &stats->lextents[i]);
			emitter_object_end(e);
		}
		emitter_array_end(e);
	}
	if (report->show.extents) {
		emitter_array(e, "extents");
		for (unsigned i = 0; i < PAGE_CLASSES; i++)
			put_object(e, NULL, figures_extents,
			    &stats->extents[i]);
		emitter_array_end(e);
	}
}

static void
put_hpa(struct emitter *e, const struct arena_stats *stats)
{
	emitter_object(e, "hpa_shard");
	put_figures(e, figures_hpa_sec, &stats->hpa_sec);
	put_figures(e, figures_hpa, &stats->hpa);
	put_object(e, "slabs", figures_hpa_slabs, &stats->hpa.all);
	put_object(e, "full_slabs", figures_hpa_slabs, &stats->hpa.full);
	put_object(e, "empty_slabs", figures_hpa_slabs, &stats->hpa.empty);
	emitter_array(e, "nonfull_slabs");
	for (unsigned i = 0; i < HUGE_RUN_CLASSES; i++)
		put_object(e, NULL, figures_hpa_slabs, &stats->hpa.nonfull[i]);
	emitter_array_end(e);
	emitter_object_end(e);
}

static void
put_arena(struct report *report, const char *key,
    const struct arena_stats *stats)
{
	struct emitter *e = &report->emitter;

	emitter_object(e, key);
	if (report_is_arena(report, stats))
		emitter_string(e, "name", stats->name);
	emitter_unsigned(e, "nthreads", stats->nthreads);
	emitter_unsigned(e, "uptime_ns", stats->uptime);
	emitter_string(e, "dss", stats->dss);
	put_figures(e, figures_pages, stats);
	put_object(e, "small", figures_class, &stats->small);
	put_object(e, "large", figures_class, &stats->large);
	put_figures(e, figures_memory, stats);
	if (report->show.mutexes)
		put_mutexes(e, arena_mutex_names, stats->mutexes,
		    ARENA_MUTEXES);
	if (report->show.bins)
		put_bins(report, stats);
	put_runs(report, stats);
	if (report->show.hpa)
		put_hpa(e, stats);
	emitter_object_end(e);
}

/* --- ours ----------------------------------------------------------------- */

static void
put_own(struct report *report)
{
	struct emitter *e = &report->emitter;
	struct report_own own[REPORT_OWN];

	emitter_object(e, "x");
	emitter_string(e, "release", BUILD_RELEASE);
	report_own(own);
	for (unsigned i = 0; i < REPORT_OWN; i++)
		emitter_unsigned(e, own[i].name, own[i].value);
	if (BUILD_STATS) {
		emitter_unsigned(e, "epoch", report->snapshot->refreshes + 1);
		emitter_object(e, "memory");
		for (unsigned i = 0; i < ACCOUNT_PARTS; i++)
			emitter_signed(e, account_names[i],
			    report->account.part[i]);
		emitter_signed(e, "untouched", report->account.untouched);
		emitter_signed(e, "process", report->account.process);
		emitter_object_end(e);
	}
	emitter_object_end(e);
}

void
report_json(struct report *report)
{
	const struct report_sections *show = &report->show;
	struct emitter *e = &report->emitter;

	emitter_object(e, NULL);
	emitter_object(e, "jemalloc");
	if (show->general)
		put_general(e);
	if (BUILD_STATS) {
		put_totals(report);
		if (show->merged || show->destroyed || show->arenas) {
			emitter_object(e, "stats.arenas");
			report_each_block(report, put_arena);
			emitter_object_end(e);
		}
	}
	if (show->general)
		put_own(report);
	emitter_object_end(e);
	emitter_object_end(e);
}
