/*
 * figure_rows: all figures of the statistics. Each is one row of one list.
 *
 * Owns:       the lists. The tables of the reports (figures.c), the sums over
 *             arenas (arena_stats.c) and the mallctls (ctl/ctl_tree.c) are made
 *             from them, so that a new figure is one row here and one field in
 *             its struct.
 * Invariants: a list has the order of the contract's JSON.
 * Locking:    none.
 *
 * A list takes the name of a macro, which it calls for each row:
 *
 *	FIGURE(record, field, name, title, type, sum, traits...)
 *
 *	record, field   where the value is
 *	name            its name in JSON and mallctl
 *	title           of its column in text; NULL: the same as the name
 *	type            as in FIGURE_<type> and CTL_<type>
 *	sum             how the values of arenas are summed: ADD, MAX or NONE
 *	traits          other fields of struct figure that are set. A figure
 *			of the OpenMetrics report needs `help`.
 */
#ifndef STATS_FIGURE_ROWS_H
#define STATS_FIGURE_ROWS_H

#define COUNTER .counter = true
/* A counter that the text report shows with its rate per second. */
#define RATE  .counter = true, .rate = true
#define BYTES .bytes = true
#define GAUGE .counter = false

/* Figures of each lock. */
#define FIGURES_LOCK(FIGURE) \
	FIGURE(lock_stats, num_ops, "num_ops", "n_lock_ops", UINT64, ADD, \
	    RATE, .help = "Times that the lock was taken.") \
	FIGURE(lock_stats, num_wait, "num_wait", "n_waiting", UINT64, ADD, \
	    RATE, .help = "Times that a thread had to sleep for the lock.") \
	FIGURE(lock_stats, num_spin_acq, "num_spin_acq", "n_spin_acq", UINT64, \
	    ADD, RATE, \
	    .help = "Times that spinning was enough to get the lock.") \
	FIGURE(lock_stats, num_owner_switch, "num_owner_switch", \
	    "n_owner_switch", UINT64, ADD, RATE, \
	    .help = "Times that another thread than before took it.") \
	FIGURE(lock_stats, total_wait_ns, "total_wait_time", "total_wait_ns", \
	    UINT64, ADD, RATE, \
	    .help = "Time that threads have slept for the lock.") \
	FIGURE(lock_stats, max_wait_ns, "max_wait_time", "max_wait_ns", \
	    UINT64, MAX, GAUGE, \
	    .help = "The longest time that a thread slept for the lock.") \
	FIGURE(lock_stats, max_waiters, "max_num_thds", "max_n_thds", UINT32, \
	    MAX, GAUGE, \
	    .help = "The most threads that slept for the lock at once.")

/* Figures of all small, or of all large, objects of an arena. */
#define FIGURES_CLASS(FIGURE) \
	FIGURE(class_stats, allocated, "allocated", NULL, SIZE, ADD, BYTES, \
	    .help = "Bytes in objects, including those in thread caches.") \
	FIGURE(class_stats, nmalloc, "nmalloc", NULL, UINT64, ADD, RATE, \
	    .help = "Objects that have left the arena, for a cache or the " \
		    "program.") \
	FIGURE(class_stats, ndalloc, "ndalloc", NULL, UINT64, ADD, RATE, \
	    .help = "Objects that have come back to the arena.") \
	FIGURE(class_stats, nrequests, "nrequests", NULL, UINT64, ADD, RATE, \
	    .help = "Objects that the program has asked for.") \
	FIGURE(class_stats, nfills, "nfills", "nfill", UINT64, ADD, RATE, \
	    .help = "Times that a thread cache has fetched objects.") \
	FIGURE(class_stats, nflushes, "nflushes", "nflush", UINT64, ADD, RATE, \
	    .help = "Times that a thread cache has given objects back.")

/*
 * Figures of one size class of small objects. There are two lists, because JSON
 * has the figures of the heap profile in between.
 */
#define FIGURES_BIN(FIGURE) \
	FIGURE(bin_snapshot, stats.nmalloc, "nmalloc", NULL, UINT64, ADD, \
	    RATE, \
	    .help = "Objects that have left the arena, for a cache or the " \
		    "program.") \
	FIGURE(bin_snapshot, stats.ndalloc, "ndalloc", NULL, UINT64, ADD, \
	    RATE, .help = "Objects that have come back to the arena.") \
	FIGURE(bin_snapshot, curregs, "curregs", NULL, SIZE, ADD, GAUGE, \
	    .help = "Objects in use, including those in thread caches.") \
	FIGURE(bin_snapshot, nrequests, "nrequests", NULL, UINT64, ADD, RATE, \
	    .help = "Objects that the program has asked for.")
#define FIGURES_BIN_SLABS(FIGURE) \
	FIGURE(bin_snapshot, stats.nfills, "nfills", NULL, UINT64, ADD, RATE, \
	    .help = "Times that a thread cache has fetched objects.") \
	FIGURE(bin_snapshot, stats.nflushes, "nflushes", NULL, UINT64, ADD, \
	    RATE, .help = "Times that a thread cache has given objects back.") \
	FIGURE(bin_snapshot, stats.nreslabs, "nreslabs", NULL, UINT64, ADD, \
	    RATE, \
	    .help = "Times that another slab became the one to take from.") \
	FIGURE(bin_snapshot, stats.curslabs, "curslabs", NULL, SIZE, ADD, \
	    GAUGE, .help = "Slabs.") \
	FIGURE(bin_snapshot, stats.nonfull, "nonfull_slabs", NULL, SIZE, ADD, \
	    GAUGE, .help = "Slabs that have room and wait for their turn.")
/* These are shown by mallctl only. */
#define FIGURES_BIN_CTL(FIGURE) \
	FIGURE(bin_snapshot, stats.nslabs, "nslabs", NULL, UINT64, ADD, COUNTER)

/* Figures of one size class of large objects. */
#define FIGURES_LEXTENT(FIGURE) \
	FIGURE(lextent_snapshot, curlextents, "curlextents", NULL, SIZE, ADD, \
	    GAUGE, \
	    .help = "Objects in use, including those in thread caches.")
/* These are shown by mallctl only. */
#define FIGURES_LEXTENT_CTL(FIGURE) \
	FIGURE(lextent_snapshot, nmalloc, "nmalloc", NULL, UINT64, ADD, \
	    COUNTER) \
	FIGURE(lextent_snapshot, ndalloc, "ndalloc", NULL, UINT64, ADD, \
	    COUNTER) \
	FIGURE(lextent_snapshot, nrequests, "nrequests", NULL, UINT64, ADD, \
	    COUNTER)

/* Figures of the free runs of pages of one class. */
#define FIGURES_EXTENTS(FIGURE) \
	FIGURE(page_class_snapshot, count[0], "ndirty", NULL, SIZE, ADD, \
	    GAUGE, .help = "Free runs of dirty pages.") \
	FIGURE(page_class_snapshot, count[1], "nmuzzy", NULL, SIZE, ADD, \
	    GAUGE, .help = "Free runs of muzzy pages.") \
	FIGURE(page_class_snapshot, count[2], "nretained", NULL, SIZE, ADD, \
	    GAUGE, .help = "Free runs of address space without memory.") \
	FIGURE(page_class_snapshot, bytes[0], "dirty_bytes", "dirty", SIZE, \
	    ADD, GAUGE, .help = "Bytes in free runs of dirty pages.") \
	FIGURE(page_class_snapshot, bytes[1], "muzzy_bytes", "muzzy", SIZE, \
	    ADD, GAUGE, .help = "Bytes in free runs of muzzy pages.") \
	FIGURE(page_class_snapshot, bytes[2], "retained_bytes", "retained", \
	    SIZE, ADD, GAUGE, \
	    .help = "Bytes in free runs of address space without memory.")

/* Figures of an arena that a build without statistics has, too. */
#define FIGURES_PAGES(FIGURE) \
	FIGURE(arena_stats, dirty_decay_ms, "dirty_decay_ms", NULL, SSIZE, \
	    NONE, GAUGE, \
	    .help = "Time that free dirty pages stay; -1: for ever.") \
	FIGURE(arena_stats, muzzy_decay_ms, "muzzy_decay_ms", NULL, SSIZE, \
	    NONE, GAUGE, \
	    .help = "Time that free muzzy pages stay; -1: for ever.") \
	FIGURE(arena_stats, pactive, "pactive", NULL, SIZE, ADD, GAUGE, \
	    .help = "Pages that hold objects.") \
	FIGURE(arena_stats, pdirty, "pdirty", NULL, SIZE, ADD, GAUGE, \
	    .help = "Free pages that are in memory.") \
	FIGURE(arena_stats, pmuzzy, "pmuzzy", NULL, SIZE, ADD, GAUGE, \
	    .help = "Free pages that the kernel may take.")
#define FIGURES_PURGES(FIGURE) \
	FIGURE(arena_stats, dirty_npurge, "dirty_npurge", NULL, UINT64, ADD, \
	    COUNTER, .help = "Times that some dirty pages were given up.") \
	FIGURE(arena_stats, dirty_nmadvise, "dirty_nmadvise", NULL, UINT64, \
	    ADD, COUNTER, .help = "System calls that gave up dirty pages.") \
	FIGURE(arena_stats, dirty_purged, "dirty_purged", NULL, UINT64, ADD, \
	    COUNTER, .help = "Dirty pages that were given up.") \
	FIGURE(arena_stats, muzzy_npurge, "muzzy_npurge", NULL, UINT64, ADD, \
	    COUNTER, .help = "Times that some muzzy pages were given up.") \
	FIGURE(arena_stats, muzzy_nmadvise, "muzzy_nmadvise", NULL, UINT64, \
	    ADD, COUNTER, .help = "System calls that gave up muzzy pages.") \
	FIGURE(arena_stats, muzzy_purged, "muzzy_purged", NULL, UINT64, ADD, \
	    COUNTER, .help = "Muzzy pages that were given up.")
#define FIGURES_MEMORY(FIGURE) \
	FIGURE(arena_stats, mapped, "mapped", NULL, SIZE, ADD, BYTES, \
	    .help = "Bytes in active, dirty and muzzy pages, and blocks of " \
		    "records.") \
	FIGURE(arena_stats, retained, "retained", NULL, SIZE, ADD, BYTES, \
	    .help = "Bytes of address space that is kept without memory.") \
	FIGURE(arena_stats, base, "base", NULL, SIZE, ADD, BYTES, \
	    .help = "Bytes of the allocator's own records.") \
	FIGURE(arena_stats, internal, "internal", NULL, SIZE, ADD, BYTES, \
	    .help = "Always 0.") \
	FIGURE(arena_stats, metadata_edata, "metadata_edata", NULL, SIZE, ADD, \
	    BYTES, .help = "Bytes of records that describe runs of pages.") \
	FIGURE(arena_stats, metadata_rtree, "metadata_rtree", NULL, SIZE, ADD, \
	    BYTES, .help = "Bytes of the page map.") \
	FIGURE(arena_stats, metadata_thp, "metadata_thp", NULL, SIZE, ADD, \
	    GAUGE, .help = "Huge pages of records.") \
	FIGURE(arena_stats, tcache_bytes, "tcache_bytes", NULL, SIZE, ADD, \
	    GAUGE, .help = "Bytes in free objects in thread caches.") \
	FIGURE(arena_stats, tcache_stashed_bytes, "tcache_stashed_bytes", \
	    NULL, SIZE, ADD, GAUGE, .help = "Always 0.") \
	FIGURE(arena_stats, resident, "resident", NULL, SIZE, ADD, BYTES, \
	    .help = "Upper bound of the bytes in memory.") \
	FIGURE(arena_stats, abandoned_vm, "abandoned_vm", NULL, SIZE, ADD, \
	    BYTES, .help = "Always 0.") \
	FIGURE(arena_stats, extent_avail, "extent_avail", NULL, SIZE, ADD, \
	    GAUGE, .help = "Spare records of runs of pages.")

/* Figures of an arena's huge pages. */
#define FIGURES_HPA(FIGURE) \
	FIGURE(huge_stats, npageslabs, "npageslabs", NULL, SIZE, ADD, GAUGE) \
	FIGURE(huge_stats, nactive, "nactive", NULL, SIZE, ADD, GAUGE) \
	FIGURE(huge_stats, ndirty, "ndirty", NULL, SIZE, ADD, GAUGE) \
	FIGURE(huge_stats, npurge_passes, "npurge_passes", NULL, UINT64, ADD, \
	    COUNTER) \
	FIGURE(huge_stats, npurges, "npurges", NULL, UINT64, ADD, COUNTER) \
	FIGURE(huge_stats, nhugifies, "nhugifies", NULL, UINT64, ADD, COUNTER) \
	FIGURE(huge_stats, nhugify_failures, "nhugify_failures", NULL, UINT64, \
	    ADD, COUNTER) \
	FIGURE(huge_stats, ndehugifies, "ndehugifies", NULL, UINT64, ADD, \
	    COUNTER)
/* The mallctls of these belong to the arena; their names begin with hpa_. */
#define FIGURES_HPA_SEC(FIGURE) \
	FIGURE(huge_cache_counts, bytes, "sec_bytes", NULL, SIZE, ADD, GAUGE) \
	FIGURE(huge_cache_counts, hits, "sec_hits", NULL, SIZE, ADD, COUNTER) \
	FIGURE(huge_cache_counts, misses, "sec_misses", NULL, SIZE, ADD, \
	    COUNTER) \
	FIGURE(huge_cache_counts, kept, "sec_dalloc_noflush", NULL, SIZE, ADD, \
	    COUNTER) \
	FIGURE(huge_cache_counts, flushed, "sec_dalloc_flush", NULL, SIZE, \
	    ADD, COUNTER) \
	FIGURE(huge_cache_counts, overfills, "sec_overfills", NULL, SIZE, ADD, \
	    COUNTER)
/* Figures of one group of pageslabs. */
#define FIGURES_HPA_NONHUGE(FIGURE) \
	FIGURE(huge_group, npageslabs[0], "npageslabs_nonhuge", NULL, SIZE, \
	    ADD, GAUGE) \
	FIGURE(huge_group, nactive[0], "nactive_nonhuge", NULL, SIZE, ADD, \
	    GAUGE) \
	FIGURE(huge_group, ndirty[0], "ndirty_nonhuge", NULL, SIZE, ADD, GAUGE)
/* There is no mallctl for these. */
#define FIGURES_HPA_RETAINED(FIGURE) \
	FIGURE(huge_group, nretained, "nretained_nonhuge", NULL, SIZE, ADD, \
	    GAUGE)
#define FIGURES_HPA_HUGE(FIGURE) \
	FIGURE(huge_group, npageslabs[1], "npageslabs_huge", NULL, SIZE, ADD, \
	    GAUGE) \
	FIGURE(huge_group, nactive[1], "nactive_huge", NULL, SIZE, ADD, GAUGE) \
	FIGURE(huge_group, ndirty[1], "ndirty_huge", NULL, SIZE, ADD, GAUGE)

/* Figures of the whole process. */
#define FIGURES_TOTALS(FIGURE) \
	FIGURE(stats_snapshot, totals.allocated, "allocated", NULL, SIZE, \
	    NONE, GAUGE) \
	FIGURE(stats_snapshot, totals.active, "active", NULL, SIZE, NONE, \
	    GAUGE) \
	FIGURE(stats_snapshot, totals.metadata, "metadata", NULL, SIZE, NONE, \
	    GAUGE) \
	FIGURE(stats_snapshot, merged.metadata_edata, "metadata_edata", NULL, \
	    SIZE, NONE, GAUGE) \
	FIGURE(stats_snapshot, merged.metadata_rtree, "metadata_rtree", NULL, \
	    SIZE, NONE, GAUGE) \
	FIGURE(stats_snapshot, merged.metadata_thp, "metadata_thp", NULL, \
	    SIZE, NONE, GAUGE) \
	FIGURE(stats_snapshot, merged.resident, "resident", NULL, SIZE, NONE, \
	    GAUGE) \
	FIGURE(stats_snapshot, merged.mapped, "mapped", NULL, SIZE, NONE, \
	    GAUGE) \
	FIGURE(stats_snapshot, merged.retained, "retained", NULL, SIZE, NONE, \
	    GAUGE)
#define FIGURES_BACKGROUND(FIGURE) \
	FIGURE(stats_snapshot, totals.background_num_threads, "num_threads", \
	    NULL, SIZE, NONE, GAUGE) \
	FIGURE(stats_snapshot, totals.background_num_runs, "num_runs", NULL, \
	    UINT64, NONE, COUNTER) \
	FIGURE(stats_snapshot, totals.background_run_interval, "run_interval", \
	    NULL, UINT64, NONE, GAUGE)

#endif
