#include "stats/figures.h"

#include <string.h>

#include "prof/prof_stats.h"
#include "stats/snapshot.h"

#define PLACE(type, field)	.offset = offsetof(struct type, field)

const struct figure figures_lock[] = {
	{ "num_ops", "n_lock_ops", FIGURE_UINT64, .rate = true,
	  .counter = true, PLACE(lock_stats, num_ops) },
	{ "num_wait", "n_waiting", FIGURE_UINT64, .rate = true,
	  .counter = true, PLACE(lock_stats, num_wait) },
	{ "num_spin_acq", "n_spin_acq", FIGURE_UINT64, .rate = true,
	  .counter = true, PLACE(lock_stats, num_spin_acq) },
	{ "num_owner_switch", "n_owner_switch", FIGURE_UINT64, .rate = true,
	  .counter = true, PLACE(lock_stats, num_owner_switch) },
	{ "total_wait_time", "total_wait_ns", FIGURE_UINT64, .rate = true,
	  .counter = true, PLACE(lock_stats, total_wait_ns) },
	{ "max_wait_time", "max_wait_ns", FIGURE_UINT64,
	  PLACE(lock_stats, max_wait_ns) },
	{ "max_num_thds", "max_n_thds", FIGURE_UNSIGNED,
	  PLACE(lock_stats, max_waiters) },
	{ .type = FIGURE_END },
};

const struct figure figures_class[] = {
	{ "allocated", NULL, FIGURE_SIZE, .bytes = true,
	  PLACE(class_stats, allocated) },
	{ "nmalloc", NULL, FIGURE_UINT64, .rate = true, .counter = true,
	  PLACE(class_stats, nmalloc) },
	{ "ndalloc", NULL, FIGURE_UINT64, .rate = true, .counter = true,
	  PLACE(class_stats, ndalloc) },
	{ "nrequests", NULL, FIGURE_UINT64, .rate = true, .counter = true,
	  PLACE(class_stats, nrequests) },
	{ "nfills", "nfill", FIGURE_UINT64, .rate = true, .counter = true,
	  PLACE(class_stats, nfills) },
	{ "nflushes", "nflush", FIGURE_UINT64, .rate = true, .counter = true,
	  PLACE(class_stats, nflushes) },
	{ .type = FIGURE_END },
};

const struct figure figures_bin[] = {
	{ "nmalloc", NULL, FIGURE_UINT64, .rate = true, .counter = true,
	  PLACE(bin_snapshot, nmalloc) },
	{ "ndalloc", NULL, FIGURE_UINT64, .rate = true, .counter = true,
	  PLACE(bin_snapshot, ndalloc) },
	{ "curregs", NULL, FIGURE_SIZE, PLACE(bin_snapshot, curregs) },
	{ "nrequests", NULL, FIGURE_UINT64, .rate = true, .counter = true,
	  PLACE(bin_snapshot, nrequests) },
	{ .type = FIGURE_END },
};

const struct figure figures_bin_slabs[] = {
	{ "nfills", NULL, FIGURE_UINT64, .rate = true, .counter = true,
	  PLACE(bin_snapshot, nfills) },
	{ "nflushes", NULL, FIGURE_UINT64, .rate = true, .counter = true,
	  PLACE(bin_snapshot, nflushes) },
	{ "nreslabs", NULL, FIGURE_UINT64, .rate = true, .counter = true,
	  PLACE(bin_snapshot, nreslabs) },
	{ "curslabs", NULL, FIGURE_SIZE, PLACE(bin_snapshot, curslabs) },
	{ "nonfull_slabs", NULL, FIGURE_SIZE,
	  PLACE(bin_snapshot, nonfull_slabs) },
	{ .type = FIGURE_END },
};

const struct figure figures_samples[] = {
	{ "prof_live_requested", "live_requested", FIGURE_UINT64, .bytes = true,
	  PLACE(prof_class_stats, live.requested) },
	{ "prof_live_count", "live_count", FIGURE_UINT64,
	  PLACE(prof_class_stats, live.count) },
	{ "prof_accum_requested", "accum_requested", FIGURE_UINT64,
	  .bytes = true, .counter = true,
	  PLACE(prof_class_stats, ever.requested) },
	{ "prof_accum_count", "accum_count", FIGURE_UINT64, .counter = true,
	  PLACE(prof_class_stats, ever.count) },
	{ .type = FIGURE_END },
};

const struct figure figures_lextent[] = {
	{ "curlextents", NULL, FIGURE_SIZE,
	  PLACE(lextent_snapshot, curlextents) },
	{ .type = FIGURE_END },
};

const struct figure figures_extents[] = {
	{ "ndirty", NULL, FIGURE_SIZE, PLACE(page_class_snapshot, ndirty) },
	{ "nmuzzy", NULL, FIGURE_SIZE, PLACE(page_class_snapshot, nmuzzy) },
	{ "nretained", NULL, FIGURE_SIZE,
	  PLACE(page_class_snapshot, nretained) },
	{ "dirty_bytes", "dirty", FIGURE_SIZE,
	  PLACE(page_class_snapshot, dirty_bytes) },
	{ "muzzy_bytes", "muzzy", FIGURE_SIZE,
	  PLACE(page_class_snapshot, muzzy_bytes) },
	{ "retained_bytes", "retained", FIGURE_SIZE,
	  PLACE(page_class_snapshot, retained_bytes) },
	{ .type = FIGURE_END },
};

const struct figure figures_pages[] = {
	{ "dirty_decay_ms", NULL, FIGURE_SSIZE,
	  PLACE(arena_stats, dirty_decay_ms) },
	{ "muzzy_decay_ms", NULL, FIGURE_SSIZE,
	  PLACE(arena_stats, muzzy_decay_ms) },
	{ "pactive", NULL, FIGURE_SIZE, PLACE(arena_stats, pactive) },
	{ "pdirty", NULL, FIGURE_SIZE, PLACE(arena_stats, pdirty) },
	{ "pmuzzy", NULL, FIGURE_SIZE, PLACE(arena_stats, pmuzzy) },
	{ "dirty_npurge", NULL, FIGURE_UINT64, .counter = true,
	  PLACE(arena_stats, dirty_npurge) },
	{ "dirty_nmadvise", NULL, FIGURE_UINT64, .counter = true,
	  PLACE(arena_stats, dirty_nmadvise) },
	{ "dirty_purged", NULL, FIGURE_UINT64, .counter = true,
	  PLACE(arena_stats, dirty_purged) },
	{ "muzzy_npurge", NULL, FIGURE_UINT64, .counter = true,
	  PLACE(arena_stats, muzzy_npurge) },
	{ "muzzy_nmadvise", NULL, FIGURE_UINT64, .counter = true,
	  PLACE(arena_stats, muzzy_nmadvise) },
	{ "muzzy_purged", NULL, FIGURE_UINT64, .counter = true,
	  PLACE(arena_stats, muzzy_purged) },
	{ .type = FIGURE_END },
};

const struct figure figures_memory[] = {
	{ "mapped", NULL, FIGURE_SIZE, .bytes = true,
	  PLACE(arena_stats, mapped) },
	{ "retained", NULL, FIGURE_SIZE, .bytes = true,
	  PLACE(arena_stats, retained) },
	{ "base", NULL, FIGURE_SIZE, .bytes = true,
	  PLACE(arena_stats, base) },
	{ "internal", NULL, FIGURE_SIZE, .bytes = true,
	  PLACE(arena_stats, internal) },
	{ "metadata_edata", NULL, FIGURE_SIZE, .bytes = true,
	  PLACE(arena_stats, metadata_edata) },
	{ "metadata_rtree", NULL, FIGURE_SIZE, .bytes = true,
	  PLACE(arena_stats, metadata_rtree) },
	{ "metadata_thp", NULL, FIGURE_SIZE, PLACE(arena_stats, metadata_thp) },
	{ "tcache_bytes", NULL, FIGURE_SIZE, PLACE(arena_stats, tcache_bytes) },
	{ "tcache_stashed_bytes", NULL, FIGURE_SIZE,
	  PLACE(arena_stats, tcache_stashed_bytes) },
	{ "resident", NULL, FIGURE_SIZE, .bytes = true,
	  PLACE(arena_stats, resident) },
	{ "abandoned_vm", NULL, FIGURE_SIZE, .bytes = true,
	  PLACE(arena_stats, abandoned_vm) },
	{ "extent_avail", NULL, FIGURE_SIZE, PLACE(arena_stats, extent_avail) },
	{ .type = FIGURE_END },
};

const struct figure figures_hpa[] = {
	{ "npageslabs", NULL, FIGURE_SIZE, PLACE(huge_stats, npageslabs) },
	{ "nactive", NULL, FIGURE_SIZE, PLACE(huge_stats, nactive) },
	{ "ndirty", NULL, FIGURE_SIZE, PLACE(huge_stats, ndirty) },
	{ "npurge_passes", NULL, FIGURE_UINT64, .counter = true,
	  PLACE(huge_stats, npurge_passes) },
	{ "npurges", NULL, FIGURE_UINT64, .counter = true,
	  PLACE(huge_stats, npurges) },
	{ "nhugifies", NULL, FIGURE_UINT64, .counter = true,
	  PLACE(huge_stats, nhugifies) },
	{ "nhugify_failures", NULL, FIGURE_UINT64, .counter = true,
	  PLACE(huge_stats, nhugify_failures) },
	{ "ndehugifies", NULL, FIGURE_UINT64, .counter = true,
	  PLACE(huge_stats, ndehugifies) },
	{ .type = FIGURE_END },
};

const struct figure figures_hpa_sec[] = {
	{ "sec_bytes", NULL, FIGURE_SIZE, PLACE(huge_cache_counts, bytes) },
	{ "sec_hits", NULL, FIGURE_SIZE, .counter = true,
	  PLACE(huge_cache_counts, hits) },
	{ "sec_misses", NULL, FIGURE_SIZE, .counter = true,
	  PLACE(huge_cache_counts, misses) },
	{ "sec_dalloc_noflush", NULL, FIGURE_SIZE, .counter = true,
	  PLACE(huge_cache_counts, kept) },
	{ "sec_dalloc_flush", NULL, FIGURE_SIZE, .counter = true,
	  PLACE(huge_cache_counts, flushed) },
	{ "sec_overfills", NULL, FIGURE_SIZE, .counter = true,
	  PLACE(huge_cache_counts, overfills) },
	{ .type = FIGURE_END },
};

const struct figure figures_hpa_slabs[] = {
	{ "npageslabs_nonhuge", NULL, FIGURE_SIZE,
	  PLACE(huge_group, npageslabs[0]) },
	{ "nactive_nonhuge", NULL, FIGURE_SIZE,
	  PLACE(huge_group, nactive[0]) },
	{ "ndirty_nonhuge", NULL, FIGURE_SIZE,
	  PLACE(huge_group, ndirty[0]) },
	{ "nretained_nonhuge", NULL, FIGURE_SIZE,
	  PLACE(huge_group, nretained) },
	{ "npageslabs_huge", NULL, FIGURE_SIZE,
	  PLACE(huge_group, npageslabs[1]) },
	{ "nactive_huge", NULL, FIGURE_SIZE, PLACE(huge_group, nactive[1]) },
	{ "ndirty_huge", NULL, FIGURE_SIZE, PLACE(huge_group, ndirty[1]) },
	{ .type = FIGURE_END },
};

const struct figure figures_totals[] = {
	{ "allocated", NULL, FIGURE_SIZE, PLACE(stats_totals, allocated) },
	{ "active", NULL, FIGURE_SIZE, PLACE(stats_totals, active) },
	{ "metadata", NULL, FIGURE_SIZE, PLACE(stats_totals, metadata) },
	{ "metadata_edata", NULL, FIGURE_SIZE,
	  PLACE(stats_totals, metadata_edata) },
	{ "metadata_rtree", NULL, FIGURE_SIZE,
	  PLACE(stats_totals, metadata_rtree) },
	{ "metadata_thp", NULL, FIGURE_SIZE,
	  PLACE(stats_totals, metadata_thp) },
	{ "resident", NULL, FIGURE_SIZE, PLACE(stats_totals, resident) },
	{ "mapped", NULL, FIGURE_SIZE, PLACE(stats_totals, mapped) },
	{ "retained", NULL, FIGURE_SIZE, PLACE(stats_totals, retained) },
	{ .type = FIGURE_END },
};

uint64_t
figure_get(const struct figure *figure, const void *object)
{
	const char *place = (const char *)object + figure->offset;
	unsigned narrow;
	uint64_t wide;
	size_t size;
	ssize_t difference;

	switch (figure->type) {
	case FIGURE_UNSIGNED:
		memcpy(&narrow, place, sizeof(narrow));
		return narrow;
	case FIGURE_UINT64:
		memcpy(&wide, place, sizeof(wide));
		return wide;
	case FIGURE_SIZE:
		memcpy(&size, place, sizeof(size));
		return size;
	case FIGURE_SSIZE:
		memcpy(&difference, place, sizeof(difference));
		return (uint64_t)(int64_t)difference;
	default:
		return 0;
	}
}
