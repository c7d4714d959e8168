#include "huge/huge_cache.h"

#include <assert.h>
#include <string.h>

#include "extent/extent.h"
#include "huge/huge_tick.h"
#include "os/system.h"
#include "util/bits.h"
#include "util/wait.h"

size_t
huge_cache_size(unsigned nparts)
{
	return sizeof(struct huge_cache) +
	    nparts * sizeof(struct huge_cache_part);
}

void
huge_cache_init(struct huge_cache *cache,
    const struct huge_cache_config *config, const struct huge_config *shard)
{
	memset(cache, 0, huge_cache_size(config->nparts));
	huge_pages_init(&cache->shard, shard);
	cache->config = *config;
	for (unsigned i = 0; i < config->nparts; i++)
		lock_init(&cache->parts[i].lock, LOCK_HUGE_CACHE);
}

/*
 * The calling thread's part. The low bits of thread_number() are the same for
 * most threads, so multiply to get bits that differ.
 */
static struct huge_cache_part *
part_of_thread(struct huge_cache *cache)
{
	uint64_t hash = (thread_number() >> 6) * UINT64_C(0x9e3779b97f4a7c15);

	return &cache->parts[(hash >> 32) * cache->config.nparts >> 32];
}

static unsigned
list_of(size_t size)
{
	return (unsigned)(size / system_info.page_size) - 1;
}

static bool
is_kept(const struct huge_cache *cache, size_t size)
{
	return cache->config.nparts != 0 && size <= cache->config.max_size;
}

static struct extent *
pop_locked(struct huge_cache_part *part, unsigned list)
{
	struct extent *e = part->list[list];

	LOCK_ASSERT_HELD(&part->lock);
	if (e != NULL) {
		part->list[list] = e->next;
		ADD_RELAXED(part->counts.bytes, -e->size);
	}
	return e;
}

static void
push_locked(struct huge_cache_part *part, struct extent *e)
{
	unsigned list = list_of(e->size);

	LOCK_ASSERT_HELD(&part->lock);
	e->next = part->list[list];
	part->list[list] = e;
	ADD_RELAXED(part->counts.bytes, e->size);
}

/* Takes extents out, the longest first, until `keep` bytes stay. */
static struct extent *
shrink_locked(struct huge_cache_part *part, size_t keep)
{
	struct extent *chain = NULL, *e;

	for (unsigned list = HUGE_CACHE_LISTS; list-- > 0;)
		while (part->counts.bytes > keep &&
		    (e = pop_locked(part, list)) != NULL) {
			e->next = chain;
			chain = e;
		}
	return chain;
}

/* Keeps the extra extents that were fetched, as far as there is room. */
static void
keep_extra(struct huge_cache *cache, struct huge_cache_part *part,
    struct extent *chain)
{
	struct extent *next, *over = NULL;

	lock_acquire(&part->lock);
	for (; chain != NULL; chain = next) {
		next = chain->next;
		if (part->counts.bytes + chain->size <=
		    cache->config.max_bytes) {
			push_locked(part, chain);
			continue;
		}
		chain->next = over;
		over = chain;
	}
	part->counts.overfills += over != NULL;
	lock_release(&part->lock);
	if (over != NULL)
		huge_pages_give(&cache->shard, over);
}

struct extent *
huge_cache_take(struct huge_cache *cache, size_t size)
{
	struct huge_cache_part *part;
	struct extent *e, *more;

	if (size > cache->shard.config.max_size)
		return NULL;
	if (!is_kept(cache, size)) {
		huge_pages_take(&cache->shard, size, 1, &e);
		return e;
	}
	part = part_of_thread(cache);
	lock_acquire(&part->lock);
	part->used = true;
	e = pop_locked(part, list_of(size));
	part->counts.hits += e != NULL;
	part->counts.misses += e == NULL;
	lock_release(&part->lock);
	if (e != NULL)
		return e;
	huge_pages_take(&cache->shard, size, 1 + cache->config.extra, &e);
	more = e != NULL ? e->next : NULL;
	if (more != NULL)
		keep_extra(cache, part, more);
	return e;
}

void
huge_cache_give(struct huge_cache *cache, struct extent *e)
{
	size_t max_bytes = cache->config.max_bytes;
	struct huge_cache_part *part;
	struct extent *leave = NULL;

	e->next = NULL;
	if (!is_kept(cache, e->size)) {
		huge_pages_give(&cache->shard, e);
		return;
	}
	e->zeroed = false;
	part = part_of_thread(cache);
	lock_acquire(&part->lock);
	part->used = true;
	push_locked(part, e);
	/*
	 * Empties half of the part at once, so that the next extents find room.
	 */
	if (part->counts.bytes > max_bytes) {
		leave = shrink_locked(part, max_bytes / 2);
		part->counts.flushed++;
	} else {
		part->counts.kept++;
	}
	lock_release(&part->lock);
	if (leave != NULL)
		huge_pages_give(&cache->shard, leave);
}

/* Empties the parts; if `idle`, only those not used since the last call. */
static void
empty_parts(struct huge_cache *cache, bool idle)
{
	for (unsigned i = 0; i < cache->config.nparts; i++) {
		struct huge_cache_part *part = &cache->parts[i];
		struct extent *chain = NULL;

		lock_acquire(&part->lock);
		if (!idle || !part->used)
			chain = shrink_locked(part, 0);
		part->used = false;
		lock_release(&part->lock);
		if (chain != NULL)
			huge_pages_give(&cache->shard, chain);
	}
}

void
huge_cache_tick(struct huge_cache *cache, uint64_t now_ns)
{
	uint64_t looked_ns = atomic_load_explicit(&cache->looked_ns,
	    memory_order_relaxed);

	/* If several threads come at the same time, only one does it. */
	if (now_ns - looked_ns >= cache->config.idle_ns &&
	    atomic_compare_exchange_strong_explicit(&cache->looked_ns,
		&looked_ns, now_ns, memory_order_relaxed, memory_order_relaxed))
		empty_parts(cache, true);
	huge_tick_run(&cache->shard, now_ns);
}

uint64_t
huge_cache_wait(struct huge_cache *cache, uint64_t now_ns)
{
	uint64_t wait_ns = huge_tick_wait(&cache->shard, now_ns);
	uint64_t look_ns = wait_rest(atomic_load_explicit(&cache->looked_ns,
					 memory_order_relaxed),
	    cache->config.idle_ns, now_ns);

	return huge_cache_bytes(cache) == 0 ? wait_ns
					    : wait_min(wait_ns, look_ns);
}

void
huge_cache_purge(struct huge_cache *cache)
{
	empty_parts(cache, false);
	huge_tick_purge(&cache->shard);
}

void
huge_cache_fini(struct huge_cache *cache)
{
	huge_cache_purge(cache);
	spare_records_fini(&cache->shard.spares);
}

void
huge_cache_fork(struct huge_cache *cache, void (*step)(struct lock *))
{
	for (unsigned i = 0; i < cache->config.nparts; i++)
		step(&cache->parts[i].lock);
	step(&cache->shard.lock);
}

size_t
huge_cache_bytes(const struct huge_cache *cache)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < cache->config.nparts; i++)
		bytes += READ_RELAXED(cache->parts[i].counts.bytes);
	return bytes;
}

void
huge_cache_counts_add(struct huge_cache_counts *sum,
    const struct huge_cache_counts *from)
{
	sum->bytes += from->bytes;
	sum->hits += from->hits;
	sum->misses += from->misses;
	sum->kept += from->kept;
	sum->flushed += from->flushed;
	sum->overfills += from->overfills;
}

struct huge_cache_counts
huge_cache_counts(struct huge_cache *cache)
{
	struct huge_cache_counts sum = { .bytes = 0 };

	for (unsigned i = 0; i < cache->config.nparts; i++) {
		struct huge_cache_part *part = &cache->parts[i];

		lock_acquire(&part->lock);
		huge_cache_counts_add(&sum, &part->counts);
		lock_release(&part->lock);
	}
	return sum;
}

void
huge_cache_check(struct huge_cache *cache)
{
	for (unsigned i = 0; i < cache->config.nparts; i++) {
		struct huge_cache_part *part = &cache->parts[i];
		size_t bytes = 0;

		lock_acquire(&part->lock);
		for (unsigned k = 0; k < HUGE_CACHE_LISTS; k++)
			for (struct extent *e = part->list[k]; e != NULL;
			     e = e->next) {
				assert(list_of(e->size) == k);
				bytes += e->size;
			}
		assert(bytes == part->counts.bytes);
		lock_release(&part->lock);
		(void)bytes;
	}
	huge_pages_check(&cache->shard);
}
