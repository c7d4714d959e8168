#include "cache/exchange.h"

#include <stdatomic.h>

#include "arena/arena.h"
#include "arena/arena_table.h"
#include "conf/safety.h"
#include "extent/pagemap.h"

/* The most objects given at once: the stack has room for a fault of each. */
#define BATCH_MAX 64

/* The end of a message: the mistake was made earlier, or just now. */
static const char from_cache[] = ", found when its cache was flushed";
static const char from_program[] = "";

static void
report_faults(const struct bin_fault *faults, unsigned count, size_t size,
    const char *origin)
{
	for (unsigned i = 0; i < count; i++) {
		if (faults[i].double_free)
			safety_report("double-free", faults[i].object,
			    "size class %zu%s", size, origin);
		else
			safety_report("invalid-free", faults[i].object,
			    "not the start of an object, size class %zu%s",
			    size, origin);
	}
}

/*
 * The objects may come from several slabs, shards and arenas. Each round gives
 * those that belong to the bin of the first one; bin_give() moves the others to
 * the front of the batch.
 */
static void
give_small(unsigned size_class, void **objects, unsigned count,
    const char *origin)
{
	struct bin_fault faults[BATCH_MAX];
	struct bin_batch batch = {
		.objects = objects,
		.count = count,
		.faults = faults,
		.cache = origin == from_cache,
	};

	while (batch.count > 0) {
		struct extent *slab = bin_slab_around(objects[0], size_class);
		struct arena *arena;

		/* Its slab is gone, so somebody freed this object before. */
		if (unlikely(slab == NULL)) {
			faults[0] = (struct bin_fault){ objects[0], true };
			report_faults(faults, 1, small_class_size(size_class),
			    origin);
			objects[0] = objects[--batch.count];
			continue;
		}
		arena = arena_table_owner(extent_arena(slab));
		bin_give(arena_bin(arena, size_class, slab->shard),
		    &arena->pages, size_class, &batch);
		if (unlikely(batch.nfaults != 0))
			report_faults(faults, batch.nfaults,
			    small_class_size(size_class), origin);
	}
}

static void
give_large(void *object, const char *origin)
{
	struct extent *e = large_find(object);
	struct arena *arena;

	if (unlikely(e == NULL)) {
		/* No object starts here. Is the address inside a live one? */
		e = pagemap_find(object);
		safety_report(e != NULL && !e->is_slab &&
			    extent_state(e) == EXTENT_ACTIVE
			? "invalid-free"
			: "double-free",
		    object, "large object%s", origin);
		return;
	}
	arena = arena_table_owner(extent_arena(e));
	large_give(&arena->large, &arena->pages, e);
}

void
exchange_give(unsigned bin, void **objects, unsigned count)
{
	if (bin >= SMALL_CLASSES) {
		for (unsigned i = 0; i < count; i++)
			give_large(objects[i], from_cache);
		return;
	}
	while (count > 0) {
		unsigned n = count < BATCH_MAX ? count : BATCH_MAX;

		give_small(bin, objects, n, from_cache);
		objects += n;
		count -= n;
	}
}

static ALWAYS_INLINE unsigned
take(struct arena *arena, unsigned shard, unsigned bin,
    const struct bin_batch *batch)
{
	struct extent *e;

	if (bin < SMALL_CLASSES)
		return bin_take(arena_bin(arena, bin,
				    shard % arena_nshards(bin)),
		    &arena->pages, bin, batch);
	e = large_take(&arena->large, &arena->pages,
	    &(struct large_request){ .usable = cache_bin_usable(bin),
		.align = 1,
		.cached = true,
		.fill = true });
	if (e == NULL)
		return 0;
	batch->objects[0] = e->object;
	return 1;
}

unsigned
exchange_take(struct arena *arena, unsigned shard, unsigned bin, void **objects,
    unsigned count)
{
	return take(arena, shard, bin,
	    &(struct bin_batch){
		.objects = objects, .count = count, .cache = true });
}

static void
count_requests(struct arena *arena, unsigned bin, unsigned count)
{
	if (BUILD_STATS)
		atomic_fetch_add_explicit(&arena->requests[bin], count,
		    memory_order_relaxed);
}

unsigned
exchange_take_many(struct arena *arena, unsigned shard, unsigned bin,
    void **objects, unsigned count)
{
	unsigned got = take(arena, shard, bin,
	    &(struct bin_batch){ .objects = objects, .count = count });

	count_requests(arena, bin, got);
	return got;
}

void *
exchange_take_one(struct arena *arena, unsigned bin)
{
	void *object;

	return exchange_take_many(arena, 0, bin, &object, 1) == 1 ? object
								  : NULL;
}

void *
exchange_take_sample(struct arena *arena, unsigned size_class)
{
	void *object;

	if (!arena_need_samples(arena) ||
	    bin_take(arena_bin(arena, size_class, arena_nshards(size_class)),
		&arena->pages, size_class,
		&(struct bin_batch){ .objects = &object, .count = 1 }) != 1)
		return NULL;
	count_requests(arena, size_class, 1);
	return object;
}

void
exchange_give_one(unsigned bin, void *object)
{
	if (bin >= SMALL_CLASSES)
		give_large(object, from_program);
	else
		give_small(bin, &object, 1, from_program);
}
