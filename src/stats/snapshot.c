#include "stats/snapshot.h"

#include <string.h>

#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/tcache_table.h"
#include "cache/tcache_counts.h"
#include "cache/thread.h"
#include "conf/options.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "extent/pagemap.h"
#include "guard/guard_pool.h"
#include "os/clock.h"
#include "os/system.h"
#include "pages/pools.h"
#include "upkeep/background.h"

static struct {
	struct lock lock;
	_Atomic(struct stats_snapshot *) current; /* NULL: none yet */
	struct stats_snapshot *spare;
	_Atomic uint64_t refreshes; /* after the first snapshot */
	bool any_destroyed;
	struct arena_stats destroyed;
} state SPARSE;

/* Used if there is no memory for the first snapshot. It has no arenas. */
static SPARSE struct stats_snapshot none;

AT_START void
snapshot_init(void)
{
	lock_init_zeroed(&state.lock, LOCK_STATS);
}

struct lock *
snapshot_lock(void)
{
	return &state.lock;
}

uint64_t
snapshot_epoch(void)
{
	return 1 + atomic_load_explicit(&state.refreshes, memory_order_relaxed);
}

size_t
snapshot_page_class_size(unsigned index)
{
	return index < 3 ? (index + 1) * UNIT
			 : size_class_size(SMALL_CLASSES + index - 3);
}

unsigned
snapshot_page_class_of(size_t size)
{
	if (size < LARGE_MIN)
		return (unsigned)(size / UNIT) - 1;
	return 3 + size_class_floor(size) - SMALL_CLASSES;
}

/* --- reading one arena --------------------------------------------------- */

static const char *
dss_word(enum dss dss)
{
	return options_find("dss", 3)->words[dss];
}

static void
read_shard(struct bin *bin, struct bin_snapshot *to)
{
	struct bin_snapshot shard = { .nrequests = 0 };

	lock_acquire(&bin->lock);
	shard.stats = bin->stats;
	shard.mutex = bin->lock.stats;
	lock_release(&bin->lock);
	bin_snapshot_add(to, &shard);
}

static void
read_bin(struct arena *arena, unsigned i, struct arena_stats *stats)
{
	struct bin_snapshot *to = &stats->bins[i];

	for (unsigned shard = 0; shard < arena_nbins(arena, i); shard++)
		read_shard(arena_bin(arena, i, shard), to);
	to->curregs = (size_t)(to->stats.nmalloc - to->stats.ndalloc);
	to->nrequests = atomic_load_explicit(&arena->requests[i],
	    memory_order_relaxed);
	stats->small.allocated += to->curregs * small_class_size(i);
	stats->small.nmalloc += to->stats.nmalloc;
	stats->small.ndalloc += to->stats.ndalloc;
	stats->small.nrequests += to->nrequests;
	stats->small.nfills += to->stats.nfills;
	stats->small.nflushes += to->stats.nflushes;
}

/*
 * Large objects are taken and given one at a time, so each one is a fill or a
 * flush. An object that went to a cache is no request yet. So requests are the
 * objects that no cache asked for, plus those that caches handed out.
 */
static void
read_large(struct arena *arena, struct arena_stats *stats)
{
	struct large *large = &arena->large;

	lock_acquire(&large->lock);
	stats->large.allocated = large->allocated;
	for (unsigned i = 0; i < LARGE_CLASSES_MAX; i++) {
		const struct large_class_stats *from = &large->classes[i];
		struct lextent_snapshot *to = &stats->lextents[i];

		to->nmalloc = from->nmalloc;
		to->ndalloc = from->ndalloc;
		to->nrequests = from->nmalloc - from->nfills;
	}
	stats->mutexes[ARENA_MUTEX_LARGE] = large->lock.stats;
	lock_release(&large->lock);
	for (unsigned i = SMALL_CLASSES; i < CACHE_BINS; i++)
		stats->lextents[large_class_of(cache_bin_usable(i))]
		    .nrequests += atomic_load_explicit(&arena->requests[i],
		    memory_order_relaxed);
	for (unsigned i = 0; i < LARGE_CLASSES_MAX; i++) {
		struct lextent_snapshot *to = &stats->lextents[i];

		to->curlextents = (size_t)(to->nmalloc - to->ndalloc);
		stats->large.nmalloc += to->nmalloc;
		stats->large.ndalloc += to->ndalloc;
		stats->large.nrequests += to->nrequests;
	}
	stats->large.nfills = stats->large.nmalloc;
	stats->large.nflushes = stats->large.ndalloc;
}

static void
read_pool(struct page_source *pages, enum extent_state pool_state,
    struct arena_stats *stats)
{
	const struct extent_pool *pool = pools_of(pages, pool_state);
	unsigned state_index = pool_state - EXTENT_DIRTY;

	for (unsigned i = 0; i < POOL_BUCKETS; i++) {
		struct page_class_snapshot *to;

		if (pool->bucket_count[i] == 0)
			continue;
		to = &stats->extents[snapshot_page_class_of(
		    extent_pool_bucket_min(i))];
		to->count[state_index] += pool->bucket_count[i];
		to->bytes[state_index] += pool->bucket_size[i];
	}
}

/* Freed objects that keep their guards are dirty pages, too. */
static void
read_kept(struct page_source *pages, struct arena_stats *stats)
{
	const struct list *kept = &pages->guards.age;

	for (const struct list *at = kept->next; at != kept; at = at->next) {
		const struct extent *e = container_of(at, struct extent, age);
		struct page_class_snapshot *to =
		    &stats->extents[snapshot_page_class_of(e->size)];

		to->count[0]++;
		to->bytes[0] += e->size;
	}
}

/* The contract has four locks for what this one lock protects. */
static void
read_page_lock(struct page_source *pages, struct arena_stats *stats)
{
	stats->mutexes[ARENA_MUTEX_EXTENT_AVAIL] = pages->lock.stats;
	stats->mutexes[ARENA_MUTEX_EXTENTS_DIRTY] = pages->lock.stats;
	stats->mutexes[ARENA_MUTEX_EXTENTS_MUZZY] = pages->lock.stats;
	stats->mutexes[ARENA_MUTEX_EXTENTS_RETAINED] = pages->lock.stats;
}

/*
 * The contract has two locks, for the pageslabs and for their growth. Here one
 * lock protects both.
 */
static void
read_huge(struct huge_cache *huge, struct arena_stats *stats)
{
	huge_pages_stats(&huge->shard, &stats->hpa);
	stats->hpa_sec = huge_cache_counts(huge);
	locks_read_one(&huge->shard.lock,
	    &stats->mutexes[ARENA_MUTEX_HPA_SHARD]);
	stats->mutexes[ARENA_MUTEX_HPA_SHARD_GROW] =
	    stats->mutexes[ARENA_MUTEX_HPA_SHARD];
	stats->extent_avail = stats->hpa.nspare;
	for (unsigned i = 0; i < huge->config.nparts; i++) {
		struct lock_stats part;

		locks_read_one(&huge->parts[i].lock, &part);
		lock_stats_add(&stats->mutexes[ARENA_MUTEX_HPA_SEC], &part);
	}
}

/* Bytes in memory that are free, in pageslabs and in the cache before them. */
static size_t
huge_dirty(const struct arena_stats *stats)
{
	return stats->hpa.ndirty * system_info.page_size + stats->hpa_sec.bytes;
}

/*
 * The two figures are read one after the other. Other threads may change them
 * in between, so the difference could be negative.
 */
static size_t
less(size_t a, size_t b)
{
	return a > b ? a - b : 0;
}

/*
 * The least bytes of pages that the objects need that were counted. Bins and
 * large objects are read before the pages are. If a thread frees objects and
 * their pages in between, the page source no longer has them; but nobody is to
 * see more bytes in objects than in the pages that hold them.
 */
static size_t
pages_of_objects(const struct arena_stats *stats)
{
	size_t sum = stats->large.allocated;

	for (unsigned i = 0; i < SMALL_CLASSES; i++)
		sum += max_size(stats->bins[i].curregs * small_class_size(i),
		    stats->bins[i].stats.curslabs *
			size_class_tables.slab[i].slab_size);
	return round_up(sum, system_info.page_size);
}

static void
read_pages(struct page_source *pages, struct arena_stats *stats)
{
	size_t page = system_info.page_size, dirty, muzzy, active, given;

	if (pages->huge != NULL)
		read_huge(pages->huge, stats);
	lock_acquire(&pages->lock);
	active = max_size(pages->active, pages_of_objects(stats));
	dirty = pools_of(pages, EXTENT_DIRTY)->size + pages->guards.size +
	    huge_dirty(stats);
	muzzy = pools_of(pages, EXTENT_MUZZY)->size;
	stats->retained = pools_of(pages, EXTENT_RETAINED)->size +
	    less(pages->packed, huge_dirty(stats));
	stats->dirty_npurge = pages->aged[0].npurge;
	stats->dirty_nmadvise = pages->aged[0].nmadvise;
	stats->dirty_purged = pages->aged[0].purged / page;
	stats->muzzy_npurge = pages->aged[1].npurge;
	stats->muzzy_nmadvise = pages->aged[1].nmadvise;
	stats->muzzy_purged = pages->aged[1].purged / page;
	stats->extent_avail += pages->spares.count;
	/* Records of ours in memory from the program's hooks. */
	stats->base = round_up(pages->regions.used, page);
	given = pages->regions.given;
	for (unsigned i = EXTENT_DIRTY; i <= EXTENT_RETAINED; i++)
		read_pool(pages, (enum extent_state)i, stats);
	read_kept(pages, stats);
	read_page_lock(pages, stats);
	lock_release(&pages->lock);
	stats->pactive = active / page;
	stats->pdirty = dirty / page;
	stats->pmuzzy = muzzy / page;
	stats->mapped = active + dirty + muzzy + given;
	stats->resident = active + dirty + stats->base;

	lock_acquire(&pages->decay_lock);
	stats->dirty_decay_ms = (ssize_t)pages->decay[0].time_ms;
	stats->muzzy_decay_ms = (ssize_t)pages->decay[1].time_ms;
	stats->mutexes[ARENA_MUTEX_DECAY_DIRTY] = pages->decay_lock.stats;
	stats->mutexes[ARENA_MUTEX_DECAY_MUZZY] = pages->decay_lock.stats;
	lock_release(&pages->decay_lock);
}

static void
read_arena(struct arena *arena, void *context)
{
	struct arena_stats *stats = context;

	memset(stats, 0, sizeof(*stats));
	stats->initialized = true;
	arena_table_name(arena, stats->name);
	stats->nthreads = READ_RELAXED(arena->nthreads);
	stats->uptime = clock_coarse_ns() - arena->created_ns;
	stats->dss = dss_word((enum dss)atomic_load_explicit(&arena->pages.dss,
	    memory_order_relaxed));
	for (unsigned i = 0; i < SMALL_CLASSES; i++)
		read_bin(arena, i, stats);
	read_large(arena, stats);
	read_pages(&arena->pages, stats);
}

/* --- figures of the whole process ----------------------------------------- */

/*
 * An estimate of the bytes of the page map that are in memory. A leaf is mapped
 * as a whole, but only those entries are touched that stand for address space
 * in use. A leaf has two arrays, and each may begin and end inside a page.
 */
static size_t
pagemap_touched(size_t space)
{
	size_t leaves = pagemap_leaves();
	const struct pagemap_leaf *leaf = NULL;
	size_t entry = sizeof(leaf->kind[0]) + sizeof(leaf->extent[0]);

	return min_size(space / UNIT * entry +
		leaves * 2 * system_info.page_size,
	    leaves * PAGEMAP_LEAF_LEN * entry);
}

/*
 * Figures of the whole process are reported for arena 0, so sums have them.
 * `space` is what all arenas have mapped, in bytes.
 */
static void
read_common(struct arena_stats *stats, size_t space)
{
	struct metadata_stats metadata = metadata_stats();
	struct extent_records_stats records = extent_records_stats();
	struct guard_pool_stats guarded = guard_pool_stats();
	size_t rtree = pagemap_touched(space);
	size_t used = metadata.used + rtree - records.purged;

	stats->base += used;
	stats->metadata_edata = records.made * records.size - records.purged;
	stats->metadata_rtree = rtree;
	stats->metadata_thp = metadata.huge;
	stats->mapped += metadata.mapped + rtree + guarded.in_memory;
	stats->resident += used + guarded.in_memory;
	stats->pactive += guarded.in_use / system_info.page_size;
	stats->extent_avail += records.spare;
	locks_read_one(metadata_lock(), &stats->mutexes[ARENA_MUTEX_BASE]);
	locks_read_one(thread_lock(), &stats->mutexes[ARENA_MUTEX_TCACHE_LIST]);
}

static void
add_cache(struct tcache *tcache, void *context)
{
	struct stats_snapshot *snapshot = context;
	struct arena *arena = READ_RELAXED(tcache->arena);
	struct arena_stats *stats = arena == NULL
	    ? NULL
	    : snapshot_arena(snapshot, READ_RELAXED(arena->index));

	if (stats == NULL)
		return;
	for (unsigned i = 0; i < CACHE_BINS; i++) {
		uint64_t requests = tcache_requests(tcache, i);
		size_t usable = cache_bin_usable(i);

		stats->tcache_bytes += tcache_count(tcache, i) * usable;
		if (i < SMALL_CLASSES) {
			stats->bins[i].nrequests += requests;
			stats->small.nrequests += requests;
		} else {
			stats->lextents[large_class_of(usable)].nrequests +=
			    requests;
			stats->large.nrequests += requests;
		}
	}
}

static void
add_thread(struct thread *thread, void *context)
{
	add_cache(&thread->tcache, context);
}

static void
add_caches(struct stats_snapshot *snapshot)
{
	thread_each(add_thread, snapshot);
	tcache_table_each(add_cache, snapshot);
}

/* --- taking a snapshot ---------------------------------------------------- */

/* Makes the array long enough for `count` arenas. False: no memory. */
static bool
reserve(struct stats_snapshot *snapshot, unsigned count)
{
	size_t capacity = (size_t)1 << lg_ceil(max_size(count, 8));
	struct arena_stats **arenas;

	if (snapshot->capacity >= count)
		return true;
	arenas = metadata_take_piece(capacity * sizeof(*arenas));
	if (arenas == NULL)
		return false;
	memset(arenas, 0, capacity * sizeof(*arenas));
	if (snapshot->arenas != NULL) {
		memcpy(arenas, snapshot->arenas,
		    snapshot->capacity * sizeof(*arenas));
		metadata_give_piece(snapshot->arenas,
		    snapshot->capacity * sizeof(*arenas));
	}
	snapshot->arenas = arenas;
	snapshot->capacity = capacity;
	return true;
}

/* Gets memory for the figures of one arena. False: there is none. */
static bool
need_place(struct arena_stats **place)
{
	if (*place == NULL)
		*place = metadata_take(sizeof(**place), CACHELINE);
	return *place != NULL;
}

static bool
read_arenas(struct stats_snapshot *snapshot)
{
	unsigned count = arena_table_count();

	if (!reserve(snapshot, count))
		return false;
	snapshot->narenas = count;
	snapshot->ninitialized = 0;
	for (unsigned i = 0; i < count; i++) {
		struct arena_stats **place = &snapshot->arenas[i];

		if (arena_table_has(i) && !need_place(place))
			return false;
		if (*place == NULL)
			continue;
		if (arena_table_visit(i, read_arena, *place))
			snapshot->ninitialized++;
		else
			(*place)->initialized = false;
	}
	return true;
}

/* Sums up what was read. */
static void
merge(struct stats_snapshot *snapshot)
{
	struct arena_stats *merged = &snapshot->merged;
	struct stats_totals *totals = &snapshot->totals;
	size_t space = 0;

	for (unsigned i = 0; i < snapshot->narenas; i++) {
		const struct arena_stats *stats = snapshot_arena(snapshot, i);

		if (stats != NULL)
			space += (stats->pactive + stats->pdirty +
				     stats->pmuzzy) *
				system_info.page_size +
			    stats->retained;
	}
	if (snapshot_arena(snapshot, 0) != NULL)
		read_common(snapshot_arena(snapshot, 0), space);
	arena_stats_init_sum(merged, "merged");
	for (unsigned i = 0; i < snapshot->narenas; i++)
		if (snapshot_arena(snapshot, i) != NULL)
			arena_stats_add(merged, snapshot_arena(snapshot, i));
	if (snapshot_arena(snapshot, 0) != NULL)
		merged->uptime = snapshot_arena(snapshot, 0)->uptime;
	*totals = (struct stats_totals){
		.allocated = merged->small.allocated + merged->large.allocated,
		.active = merged->pactive * system_info.page_size,
		.metadata = merged->base + merged->internal,
	};
}

/*
 * A snapshot is in one of three states, which change under the lock only:
 *
 *	spare       in the list, or being filled by one thread; not `published`
 *	current     `published`, found through state.current
 *	outdated    `published`, but not current; some thread holds it
 *
 * Memory of snapshots is used again and never unmapped. So a thread may always
 * read and change `holders`, even if the snapshot has become spare meanwhile.
 */
static struct stats_snapshot *
take_spare(void)
{
	struct stats_snapshot *snapshot;

	lock_acquire(&state.lock);
	snapshot = state.spare;
	if (snapshot != NULL)
		state.spare = snapshot->next;
	lock_release(&state.lock);
	if (snapshot == NULL)
		snapshot = metadata_take(sizeof(*snapshot), CACHELINE);
	return snapshot;
}

static void
give_spare_locked(struct stats_snapshot *snapshot)
{
	LOCK_ASSERT_HELD(&state.lock);
	snapshot->published = false;
	snapshot->next = state.spare;
	state.spare = snapshot;
}

/* Fills in what LOCK_STATS itself protects. */
static void
read_own_locked(struct stats_snapshot *snapshot)
{
	LOCK_ASSERT_HELD(&state.lock);
	snapshot->any_destroyed = state.any_destroyed;
	if (state.any_destroyed)
		snapshot->destroyed = state.destroyed;
	snapshot->totals.mutexes[GLOBAL_MUTEX_CTL] = state.lock.stats;
}

static void
read_process(struct stats_totals *totals)
{
	struct background_stats stats = background_stats();

	totals->background_num_threads = stats.nthreads;
	totals->background_num_runs = stats.nruns;
	totals->background_run_interval = stats.interval_ns;
	locks_read(totals->mutexes);
}

/* `first`: another thread may have taken the first one. Then that is enough. */
static bool
take_snapshot(bool first)
{
	struct stats_snapshot *snapshot = take_spare(), *old;
	bool read;

	if (snapshot == NULL)
		return false;
	read = read_arenas(snapshot);
	if (read) {
		add_caches(snapshot);
		merge(snapshot);
		read_process(&snapshot->totals);
	}
	lock_acquire(&state.lock);
	if (!read || (first && state.current != NULL)) {
		give_spare_locked(snapshot);
		lock_release(&state.lock);
		return read;
	}
	read_own_locked(snapshot);
	snapshot->refreshes = first ? state.refreshes : ++state.refreshes;
	snapshot->published = true;
	/*
	 * Hands over to readers, who take no lock. We replace the pointer, then
	 * read `holders`. snapshot_get() raises `holders`, then reads the
	 * pointer again. All four are sequentially consistent, so at least one
	 * side sees the other: the reader sees the new snapshot and tries
	 * again, or we see the reader and leave the old one to it.
	 */
	old = atomic_exchange(&state.current, snapshot);
	if (old != NULL && atomic_load(&old->holders) == 0)
		give_spare_locked(old);
	lock_release(&state.lock);
	return true;
}

bool
snapshot_refresh(void)
{
	return take_snapshot(false);
}

struct stats_snapshot *
snapshot_get(void)
{
	struct stats_snapshot *snapshot;

	for (;;) {
		snapshot = atomic_load(&state.current);
		if (unlikely(snapshot == NULL)) {
			if (!take_snapshot(true))
				return &none;
			continue;
		}
		/*
		 * Counts itself first, then looks again: see take_snapshot().
		 */
		atomic_fetch_add(&snapshot->holders, 1);
		if (likely(atomic_load(&state.current) == snapshot))
			return snapshot;
		snapshot_release(snapshot);
	}
}

/*
 * The last holder of an outdated snapshot makes it spare. Before this thread
 * gets the lock, another one may have done this or become a holder, or the
 * snapshot may be current again. So all of this is checked under the lock.
 */
static COLD void
release_last(struct stats_snapshot *snapshot)
{
	lock_acquire(&state.lock);
	if (snapshot->published && snapshot->holders == 0 &&
	    snapshot != state.current)
		give_spare_locked(snapshot);
	lock_release(&state.lock);
}

void
snapshot_release(struct stats_snapshot *snapshot)
{
	/* `none` also comes here. It is never published, so it stays. */
	if (atomic_fetch_sub(&snapshot->holders, 1) == 1 &&
	    unlikely(atomic_load(&state.current) != snapshot))
		release_last(snapshot);
}

/* --- figures without a snapshot ------------------------------------------- */

bool
snapshot_retire(struct arena *arena)
{
	struct arena_stats *stats = metadata_take_piece(sizeof(*stats));

	if (stats == NULL)
		return false;
	read_arena(arena, stats);
	arena_stats_retire(stats);
	lock_acquire(&state.lock);
	if (!state.any_destroyed)
		arena_stats_init_sum(&state.destroyed, "destroyed");
	state.any_destroyed = true;
	arena_stats_add(&state.destroyed, stats);
	lock_release(&state.lock);
	metadata_give_piece(stats, sizeof(*stats));
	return true;
}

void
snapshot_reset_mutexes(void)
{
	locks_reset_one(&state.lock);
	locks_reset();
}

static void
add_active(struct arena *arena, void *sum)
{
	*(size_t *)sum += READ_RELAXED(arena->pages.active);
}

size_t
snapshot_active_now(void)
{
	size_t sum = guard_pool_stats().in_use;

	arena_table_each(add_active, &sum);
	return sum;
}
