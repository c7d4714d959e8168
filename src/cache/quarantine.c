#include "cache/quarantine.h"

#include <stdatomic.h>

#include "arena/arena_table.h"
#include "arena/wipe.h"
#include "cache/exchange.h"
#include "cache/stride.h"
#include "cache/tcache.h"
#include "extent/limit.h"
#include "extent/metadata.h"
#include "extent/pagemap.h"
#include "os/clock.h"
#include "os/lock.h"
#include "util/heap_part.h"

/* A thread hands on its batch when the batch has this many bytes or is full. */
#define BATCH_BYTES ((size_t)16 << 10)
/* How many objects ahead of the release the memory is prefetched. */
#define AHEAD 6
/* With opt.quarantine_by_heap, the limit is this and a part of the heap. */
#define LEAST_BYTES ((size_t)1 << 20)
#define HEAP_PART   64
/*
 * A sealed object is large. Only this part of its bytes counts, so that it also
 * stays for a while.
 */
#define SEALED_PART 8

static_assert(sizeof(struct quarantine_batch) <= 512, "a piece of metadata");

static struct {
	struct lock lock;
	struct quarantine_batch *oldest;
	struct quarantine_batch *newest;
	size_t bytes;
	struct held_objects held;
} queue;

#define BATCH_ROW(field, member) \
	HEAP_ROW(BATCH, field, struct quarantine_batch, member)

static const struct heap_field heap_fields[] = {
	HEAP_ROW(QUARANTINE, OLDEST, __typeof__(queue), oldest),
	HEAP_ROW(QUARANTINE, BYTES, __typeof__(queue), bytes),
	BATCH_ROW(NEXT, next),
	BATCH_ROW(COUNT, n),
	BATCH_ROW(RELEASED, released),
	HEAP_ROW_ARRAY(BATCH, OBJECTS, struct quarantine_batch, objects),
};

const struct heap_part quarantine_heap_part =
    HEAP_VARIABLE(HEAP_ROOT_QUARANTINE, queue, heap_fields);

AT_START void
quarantine_init(void)
{
	lock_init_zeroed(&queue.lock, LOCK_QUARANTINE);
}

AT_START struct lock *
quarantine_lock(void)
{
	return &queue.lock;
}

static size_t
limit_now(void)
{
	size_t heap;

	if (!opt.quarantine_by_heap)
		return opt.quarantine;
	heap = atomic_load_explicit(&limit.in_memory, memory_order_relaxed);
	return min_size(LEAST_BYTES + heap / HEAP_PART, opt.quarantine);
}

/* --- releasing ----------------------------------------------------------- */

/* Is the object as we wiped it? If not, it is never used again. */
static ALWAYS_INLINE bool
is_unused(const char *object, size_t size)
{
	if (!opt.uaf_check || likely(wipe_is_whole(object, size)))
		return true;
	wipe_report(object, wipe_damage(object, size), size);
	return false;
}

static COLD void
release_large(struct tcache *tcache, struct extent *e, void *object)
{
	struct arena *arena = arena_table_owner(extent_arena(e));
	uint64_t now_ns = clock_coarse_ns();

	/* Very large objects were not wiped. */
	if (!e->sealed && e->usable < LARGE_SEALED_MIN &&
	    !is_unused(object, large_wiped(e)))
		return;
	large_give(&arena->large, &arena->pages, e);
	stride_passed(tcache, arena, now_ns);
	arena_tick_and_sweep(arena, now_ns);
}

static ALWAYS_INLINE void
release(struct tcache *tcache, struct extent *e, void *object)
{
	size_t size;

	if (unlikely(!e->is_slab)) {
		release_large(tcache, e, object);
		return;
	}
	size = small_class_size(e->size_class);
	if (!is_unused(object, size))
		return;
	/* It was counted when the program freed it, not now. */
	tcache->uncached_given -= size;
	tcache_give(tcache, e->size_class, object);
}

/* The object was last used long ago, so its memory is prefetched. */
static inline void
expect(const struct quarantine_batch *batch, size_t i)
{
	if (i < batch->n) {
		__builtin_prefetch(batch->objects[i]);
		__builtin_prefetch((char *)batch->objects[i] + CACHELINE);
	}
}

/*
 * Releases the objects of tcache->releasing up to the batch `end`. The list has
 * what is not released yet, so tools find it there.
 */
static void
release_chain(struct tcache *tcache, struct quarantine_batch *end)
{
	struct quarantine_batch *batch;

	while ((batch = tcache->releasing) != end) {
		while (batch->released < batch->n) {
			void *object = batch->objects[batch->released++];

			expect(batch, batch->released + AHEAD);
			release(tcache, pagemap_find(object), object);
		}
		tcache->releasing = batch->next;
		metadata_give_piece(batch, sizeof(*batch));
	}
}

/* `sign`: 1 adds, -1 subtracts. Other threads may read both meanwhile. */
static ROUGHLY void
held_add(struct held_objects *sum, const struct held_objects *held, size_t sign)
{
	ADD_RELAXED(sum->nsmall, sign * READ_RELAXED(held->nsmall));
	ADD_RELAXED(sum->small_size, sign * READ_RELAXED(held->small_size));
	ADD_RELAXED(sum->nlarge, sign * READ_RELAXED(held->nlarge));
	ADD_RELAXED(sum->large_size, sign * READ_RELAXED(held->large_size));
}

/*
 * Takes the oldest batches, so that no more than `most` bytes stay, and puts
 * them in front of `chain`.
 */
static struct quarantine_batch *
pop_locked(size_t most, struct quarantine_batch *chain)
{
	struct quarantine_batch *rest = chain, **end = &chain;

	LOCK_ASSERT_HELD(&queue.lock);
	while (queue.bytes > most) {
		struct quarantine_batch *batch = queue.oldest;

		queue.oldest = batch->next;
		queue.bytes -= batch->bytes;
		held_add(&queue.held, &batch->held, (size_t)-1);
		*end = batch;
		end = &batch->next;
	}
	*end = rest;
	if (queue.oldest == NULL)
		queue.newest = NULL;
	return chain;
}

static void
push_locked(struct quarantine_batch *batch)
{
	LOCK_ASSERT_HELD(&queue.lock);
	batch->next = NULL;
	if (queue.newest != NULL)
		queue.newest->next = batch;
	else
		queue.oldest = batch;
	queue.newest = batch;
	queue.bytes += batch->bytes;
	held_add(&queue.held, &batch->held, 1);
}

/* Moves the thread's batch into the queue; at most `most` bytes stay there. */
static void
hand_on(struct tcache *tcache, size_t most)
{
	struct quarantine_batch *batch = tcache->quarantine;
	struct quarantine_batch *before = tcache->releasing;

	lock_acquire(&queue.lock);
	if (batch != NULL)
		push_locked(batch);
	SET_RELAXED(tcache->quarantine, NULL);
	tcache->releasing = pop_locked(most, before);
	lock_release(&queue.lock);
	/* A message may call this function again. The inner call ends first. */
	release_chain(tcache, before);
}

/* --- holding ------------------------------------------------------------- */

/* The bytes of an object that count for the limit. */
static size_t
weight_of(const struct extent *e)
{
	if (e->is_slab)
		return small_class_size(e->size_class);
	return e->sealed ? e->size / SEALED_PART : e->size;
}

static void
add_large(struct quarantine_batch *batch, const struct extent *e, void *object,
    size_t weight)
{
	batch->objects[batch->n++] = object;
	batch->bytes += weight;
	ADD_RELAXED(batch->held.nlarge, 1);
	ADD_RELAXED(batch->held.large_size, e->usable);
}

static struct quarantine_batch *
new_batch(struct tcache *tcache)
{
	struct quarantine_batch *batch = metadata_take_piece(sizeof(*batch));

	if (batch == NULL)
		return NULL;
	batch->next = NULL;
	batch->n = batch->released = 0;
	batch->bytes = sizeof(*batch);
	batch->most = min_size(BATCH_BYTES, limit_now() / 4);
	/*
	 * A thread that adds up figures may still read the previous batch here.
	 */
	SET_RELAXED(batch->held.nsmall, 0);
	SET_RELAXED(batch->held.small_size, 0);
	SET_RELAXED(batch->held.nlarge, 0);
	SET_RELAXED(batch->held.large_size, 0);
	__atomic_store_n(&tcache->quarantine, batch, __ATOMIC_RELEASE);
	return batch;
}

/* Is there no room for more? */
static inline bool
is_full(const struct quarantine_batch *batch)
{
	return batch->n == QUARANTINE_BATCH_OBJECTS ||
	    batch->bytes > batch->most;
}

void
quarantine_put(struct tcache *tcache, struct extent *e, void *object)
{
	struct quarantine_batch *batch = tcache->quarantine;
	size_t weight = weight_of(e);

	if (unlikely(batch == NULL))
		batch = new_batch(tcache);
	/* One object may take at most half of the limit. */
	if (unlikely(batch == NULL ||
		(weight > batch->most && weight > limit_now() / 2))) {
		release(tcache, e, object);
		return;
	}
	if (e->is_slab)
		quarantine_add_small(batch, object, weight);
	else
		add_large(batch, e, object, weight);
	if (unlikely(is_full(batch)))
		hand_on(tcache, limit_now());
}

void
quarantine_leave(struct tcache *tcache)
{
	if (tcache->quarantine != NULL)
		hand_on(tcache, limit_now());
}

void
quarantine_flush(struct tcache *tcache)
{
	if (opt.quarantine != 0)
		hand_on(tcache, 0);
}

static ROUGHLY size_t
copy_batch(const struct quarantine_batch *batch, void **to, size_t most)
{
	size_t n = 0,
	       end = min_size(READ_RELAXED(batch->n), QUARANTINE_BATCH_OBJECTS);

	for (size_t i = READ_RELAXED(batch->released); i < end && n < most; i++)
		to[n++] = batch->objects[i];
	return n;
}

static size_t
copy_chain(const struct quarantine_batch *batch, void **to, size_t most)
{
	size_t n = 0;

	for (; batch != NULL && n < most; batch = batch->next)
		n += copy_batch(batch, to + n, most - n);
	return n;
}

size_t
quarantine_copy(const struct tcache *tcache, void **to, size_t most)
{
	const struct quarantine_batch *batch;
	size_t n;

	if (tcache == NULL) {
		lock_acquire(&queue.lock);
		n = copy_chain(queue.oldest, to, most);
		lock_release(&queue.lock);
		return n;
	}
	batch = __atomic_load_n(&tcache->quarantine, __ATOMIC_ACQUIRE);
	n = batch == NULL ? 0 : copy_batch(batch, to, most);
	/* If it was handed on meanwhile, its memory may have a new use. */
	atomic_thread_fence(memory_order_acquire);
	return READ_RELAXED(tcache->quarantine) == batch ? n : 0;
}

/* The owner may hand on the batch meanwhile, but its memory stays readable. */
ROUGHLY void
quarantine_add_held(const struct tcache *tcache, struct held_objects *sum)
{
	const struct held_objects *held = &queue.held;

	if (tcache != NULL) {
		const struct quarantine_batch *batch =
		    __atomic_load_n(&tcache->quarantine, __ATOMIC_ACQUIRE);

		if (batch == NULL)
			return;
		held = &batch->held;
	}
	held_add(sum, held, 1);
}
