#include "stats/arena_stats.h"

#include <string.h>

#include "stats/figure_rows.h"
#include "util/format.h"

#define NAME(number, name) name,
const char *const arena_mutex_names[ARENA_MUTEXES] = { ARENA_MUTEX_ROWS(NAME) };

/* Adds a field of `from` to that of `sum` in the way that its row gives. */
#define SUM_ADD(field) sum->field += from->field;
#define SUM_MAX(field) \
	if (from->field > sum->field) \
		sum->field = from->field;
#define SUM_NONE(field)
#define SUM(record, field, name, title, type, how, ...) SUM_##how(field)

void
lock_stats_add(struct lock_stats *sum, const struct lock_stats *from)
{
	FIGURES_LOCK(SUM)
}

void
class_stats_add(struct class_stats *sum, const struct class_stats *from)
{
	FIGURES_CLASS(SUM)
}

void
bin_snapshot_add(struct bin_snapshot *sum, const struct bin_snapshot *from)
{
	FIGURES_BIN(SUM)
	FIGURES_BIN_SLABS(SUM)
	FIGURES_BIN_CTL(SUM)
	lock_stats_add(&sum->mutex, &from->mutex);
}

static void
add_lextent(struct lextent_snapshot *sum, const struct lextent_snapshot *from)
{
	FIGURES_LEXTENT(SUM)
	FIGURES_LEXTENT_CTL(SUM)
}

static void
add_extents(struct page_class_snapshot *sum,
    const struct page_class_snapshot *from)
{
	FIGURES_EXTENTS(SUM)
}

static void
add_group(struct huge_group *sum, const struct huge_group *from)
{
	FIGURES_HPA_NONHUGE(SUM)
	FIGURES_HPA_RETAINED(SUM)
	FIGURES_HPA_HUGE(SUM)
}

static void
add_huge(struct huge_stats *sum, const struct huge_stats *from)
{
	FIGURES_HPA(SUM)
	add_group(&sum->full, &from->full);
	add_group(&sum->empty, &from->empty);
	add_group(&sum->all, &from->all);
	for (unsigned i = 0; i < HUGE_RUN_CLASSES; i++)
		add_group(&sum->nonfull[i], &from->nonfull[i]);
}

void
arena_stats_add(struct arena_stats *sum, const struct arena_stats *from)
{
	sum->nthreads += from->nthreads;
	FIGURES_PAGES(SUM)
	FIGURES_PURGES(SUM)
	FIGURES_MEMORY(SUM)
	class_stats_add(&sum->small, &from->small);
	class_stats_add(&sum->large, &from->large);
	add_huge(&sum->hpa, &from->hpa);
	huge_cache_counts_add(&sum->hpa_sec, &from->hpa_sec);
	for (unsigned i = 0; i < ARENA_MUTEXES; i++)
		lock_stats_add(&sum->mutexes[i], &from->mutexes[i]);
	for (unsigned i = 0; i < SMALL_CLASSES; i++)
		bin_snapshot_add(&sum->bins[i], &from->bins[i]);
	for (unsigned i = 0; i < LARGE_CLASSES_MAX; i++)
		add_lextent(&sum->lextents[i], &from->lextents[i]);
	for (unsigned i = 0; i < PAGE_CLASSES; i++)
		add_extents(&sum->extents[i], &from->extents[i]);
}

void
arena_stats_init_sum(struct arena_stats *sum, const char *name)
{
	memset(sum, 0, sizeof(*sum));
	format_text(sum->name, sizeof(sum->name), "%s", name);
	sum->dss = "N/A";
	sum->dirty_decay_ms = sum->muzzy_decay_ms = -1;
}

static void
retire_huge(struct huge_stats *stats)
{
	*stats = (struct huge_stats){
		.npurge_passes = stats->npurge_passes,
		.npurges = stats->npurges,
		.nhugifies = stats->nhugifies,
		.nhugify_failures = stats->nhugify_failures,
		.ndehugifies = stats->ndehugifies,
	};
}

void
arena_stats_retire(struct arena_stats *stats)
{
	stats->nthreads = 0;
	stats->pactive = stats->pdirty = stats->pmuzzy = 0;
	stats->mapped = stats->retained = stats->resident = stats->base = 0;
	stats->extent_avail = 0;
	stats->hpa_sec.bytes = 0;
	memset(stats->extents, 0, sizeof(stats->extents));
	retire_huge(&stats->hpa);
}
