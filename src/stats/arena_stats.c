#include "stats/arena_stats.h"

#include <string.h>

#include "util/format.h"

static void
add_class(struct class_stats *sum, const struct class_stats *from)
{
	sum->allocated += from->allocated;
	sum->nmalloc += from->nmalloc;
	sum->ndalloc += from->ndalloc;
	sum->nrequests += from->nrequests;
	sum->nfills += from->nfills;
	sum->nflushes += from->nflushes;
}

static void
add_bins(struct arena_stats *sum, const struct arena_stats *from)
{
	for (unsigned i = 0; i < SMALL_CLASSES; i++) {
		struct bin_snapshot *to = &sum->bins[i];
		const struct bin_snapshot *bin = &from->bins[i];

		to->nmalloc += bin->nmalloc;
		to->ndalloc += bin->ndalloc;
		to->nrequests += bin->nrequests;
		to->nfills += bin->nfills;
		to->nflushes += bin->nflushes;
		to->nslabs += bin->nslabs;
		to->nreslabs += bin->nreslabs;
		to->curregs += bin->curregs;
		to->curslabs += bin->curslabs;
		to->nonfull_slabs += bin->nonfull_slabs;
		lock_stats_add(&to->mutex, &bin->mutex);
	}
}

static void
add_runs(struct arena_stats *sum, const struct arena_stats *from)
{
	for (unsigned i = 0; i < LARGE_CLASSES_MAX; i++) {
		sum->lextents[i].nmalloc += from->lextents[i].nmalloc;
		sum->lextents[i].ndalloc += from->lextents[i].ndalloc;
		sum->lextents[i].nrequests += from->lextents[i].nrequests;
		sum->lextents[i].curlextents += from->lextents[i].curlextents;
	}
	for (unsigned i = 0; i < PAGE_CLASSES; i++) {
		struct page_class_snapshot *to = &sum->extents[i];
		const struct page_class_snapshot *runs = &from->extents[i];

		to->ndirty += runs->ndirty;
		to->nmuzzy += runs->nmuzzy;
		to->nretained += runs->nretained;
		to->dirty_bytes += runs->dirty_bytes;
		to->muzzy_bytes += runs->muzzy_bytes;
		to->retained_bytes += runs->retained_bytes;
	}
}

void
arena_stats_add(struct arena_stats *sum, const struct arena_stats *from)
{
	sum->nthreads += from->nthreads;
	sum->pactive += from->pactive;
	sum->pdirty += from->pdirty;
	sum->pmuzzy += from->pmuzzy;
	sum->mapped += from->mapped;
	sum->retained += from->retained;
	sum->dirty_npurge += from->dirty_npurge;
	sum->dirty_nmadvise += from->dirty_nmadvise;
	sum->dirty_purged += from->dirty_purged;
	sum->muzzy_npurge += from->muzzy_npurge;
	sum->muzzy_nmadvise += from->muzzy_nmadvise;
	sum->muzzy_purged += from->muzzy_purged;
	sum->base += from->base;
	sum->internal += from->internal;
	sum->metadata_edata += from->metadata_edata;
	sum->metadata_rtree += from->metadata_rtree;
	sum->metadata_thp += from->metadata_thp;
	sum->tcache_bytes += from->tcache_bytes;
	sum->tcache_stashed_bytes += from->tcache_stashed_bytes;
	sum->resident += from->resident;
	sum->abandoned_vm += from->abandoned_vm;
	sum->extent_avail += from->extent_avail;
	add_class(&sum->small, &from->small);
	add_class(&sum->large, &from->large);
	huge_stats_add(&sum->hpa, &from->hpa);
	huge_cache_counts_add(&sum->hpa_sec, &from->hpa_sec);
	for (unsigned i = 0; i < ARENA_MUTEXES; i++)
		lock_stats_add(&sum->mutexes[i], &from->mutexes[i]);
	add_bins(sum, from);
	add_runs(sum, from);
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
