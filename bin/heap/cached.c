#include <inttypes.h>
#include <stdlib.h>

#include "bytes.h"
#include "heap.h"
#include "modules.h"
#include "target.h"
#include "tool.h"

/* No stack or batch has more slots than this. */
#define SLOTS_MAX 65536

/* The bin of objects of several sizes. */
#define NO_BIN UINT16_MAX

static void
object_add(struct heap *heap, const struct cached *cached)
{
	if (cached->address == 0)
		return;
	heap->cached = array_room(heap->cached, heap->ncached, sizeof(*cached));
	heap->cached[heap->ncached++] = *cached;
}

/* Takes `count` pointers from an array in the target. */
static void
objects_add(struct heap *heap, uint64_t array, uint64_t count,
    struct cached cached)
{
	cached.top = !cached.in_flight && cached.bin != NO_BIN;
	for (uint64_t i = 0; i < count; i++, cached.top = false) {
		cached.address = layout_pointer(heap->layout,
		    array + i * heap->layout->pointer_size);
		object_add(heap, &cached);
	}
}

static uint32_t
owner_add(struct heap *heap, const struct owner *owner)
{
	heap->owners = array_room(heap->owners, heap->nowners, sizeof(*owner));
	heap->owners[heap->nowners++] = *owner;
	return (uint32_t)heap->nowners - 1;
}

static void
stash_add(struct heap *heap, const struct stash *stash)
{
	heap->stashes = array_room(heap->stashes, heap->nstashes,
	    sizeof(*stash));
	heap->stashes[heap->nstashes++] = *stash;
}

static uint64_t
bin_object_size(struct heap *heap, uint64_t bin, unsigned index)
{
	if (index < heap->ngeometry)
		return heap->geometry[index].region_size;
	return layout_get(heap->layout, bin, HEAP_CACHE_BIN,
	    HEAP_CACHE_BIN_USABLE);
}

static void
stack_read(struct heap *heap, uint32_t owner, uint64_t bin, uint64_t cold,
    unsigned index)
{
	struct layout *layout = heap->layout;
	unsigned width = layout->pointer_size;
	uint64_t bottom = layout_get(layout, cold, HEAP_CACHE_BIN_COLD,
	    HEAP_CACHE_BIN_COLD_BOTTOM);

	if (bottom == 0)
		return;
	uint64_t head = layout_get(layout, bin, HEAP_CACHE_BIN,
	    HEAP_CACHE_BIN_HEAD);
	uint64_t capacity = layout_get(layout, cold, HEAP_CACHE_BIN_COLD,
	    HEAP_CACHE_BIN_COLD_CAPACITY);
	uint64_t vacated = layout_get(layout, cold, HEAP_CACHE_BIN_COLD,
	    HEAP_CACHE_BIN_COLD_VACATED);

	if (head == 0)
		head = layout_get(layout, cold, HEAP_CACHE_BIN_COLD,
		    HEAP_CACHE_BIN_COLD_HIDDEN_HEAD);
	if (capacity > SLOTS_MAX || head > bottom ||
	    (bottom - head) / width > capacity || (bottom - head) % width) {
		heap_finding(heap,
		    "the stack of bin %u in the cache at %#" PRIx64
		    " is impossible",
		    index, heap->owners[owner].address);
		return;
	}
	uint64_t count = (bottom - head) / width;

	count -= vacated < count ? vacated : count;
	objects_add(heap, head, count,
	    (struct cached){ .owner = owner, .bin = (uint16_t)index });
	stash_add(heap,
	    &(struct stash){
		.owner = owner,
		.bin = (uint16_t)index,
		.count = (uint32_t)count,
		.limit = (uint32_t)layout_get(layout, cold, HEAP_CACHE_BIN_COLD,
		    HEAP_CACHE_BIN_COLD_LIMIT),
		.size = bin_object_size(heap, bin, index),
	    });
}

/*
 * A chain of batches. In the first one, only the objects from `released` on
 * count.
 */
static void
batches_read(struct heap *heap, uint32_t owner, uint64_t batch, bool single)
{
	struct layout *layout = heap->layout;
	struct chain chain = { 0 };
	uint64_t total = 0;

	for (; batch != 0; batch = single
		 ? 0
		 : layout_get(layout, batch, HEAP_BATCH, HEAP_BATCH_NEXT)) {
		uint64_t count = layout_get(layout, batch, HEAP_BATCH,
		    HEAP_BATCH_COUNT);
		uint64_t from = layout_get(layout, batch, HEAP_BATCH,
		    HEAP_BATCH_RELEASED);

		if (!chain_step(&chain, batch) || count > SLOTS_MAX ||
		    from > count) {
			heap_finding(heap,
			    "the batch of freed objects at %#" PRIx64
			    " is impossible",
			    batch);
			break;
		}
		objects_add(heap,
		    layout_place(layout, batch, HEAP_BATCH,
			HEAP_BATCH_OBJECTS) +
			from * layout->pointer_size,
		    count - from,
		    (struct cached){ .owner = owner, .bin = NO_BIN });
		total += count - from;
	}
	if (total > 0)
		stash_add(heap,
		    &(struct stash){ .owner = owner,
			.bin = NO_BIN,
			.count = total > UINT32_MAX ? UINT32_MAX
						    : (uint32_t)total });
}

static void
flight_read(struct heap *heap, uint32_t owner, uint64_t flight)
{
	struct layout *layout = heap->layout;
	const uint64_t *constants = layout->constants;

	if (flight == 0)
		return;
	uint64_t direction = layout_get(layout, flight, HEAP_FLIGHT,
	    HEAP_FLIGHT_DIRECTION);
	if (direction == constants[HEAP_CONST_FLIGHT_NONE])
		return;
	uint64_t count = layout_get(layout, flight, HEAP_FLIGHT,
	    HEAP_FLIGHT_COUNT);

	if (count > SLOTS_MAX) {
		heap_finding(heap,
		    "the record of objects in flight at %#" PRIx64
		    " is impossible",
		    flight);
		return;
	}
	heap->uncertain += count;
	/* The other arrays may have old pointers, to live objects. */
	if (direction != constants[HEAP_CONST_FLIGHT_FLUSH] &&
	    direction != constants[HEAP_CONST_FLIGHT_MOVE])
		return;
	objects_add(heap,
	    layout_get(layout, flight, HEAP_FLIGHT, HEAP_FLIGHT_OBJECTS), count,
	    (struct cached){ .owner = owner,
		.bin = (uint16_t)layout_get(layout, flight, HEAP_FLIGHT,
		    HEAP_FLIGHT_BIN),
		.in_flight = true });
}

static void
cache_read(struct heap *heap, const struct owner *as)
{
	struct layout *layout = heap->layout;
	const uint64_t *c = layout->constants;
	uint32_t owner = owner_add(heap, as);
	uint64_t bins = layout_place(layout, as->address, HEAP_TCACHE,
	    HEAP_TCACHE_BINS);
	uint64_t cold = layout_place(layout, as->address, HEAP_TCACHE,
	    HEAP_TCACHE_COLD);

	for (unsigned i = 0; i < c[HEAP_CONST_CACHE_BINS]; i++)
		stack_read(heap, owner,
		    bins + (i + 1) * c[HEAP_CONST_CACHE_BIN_SIZE],
		    cold + i * c[HEAP_CONST_CACHE_BIN_COLD_SIZE], i);
	batches_read(heap, owner,
	    layout_get(layout, as->address, HEAP_TCACHE, HEAP_TCACHE_BATCH),
	    true);
	batches_read(heap, owner,
	    layout_get(layout, as->address, HEAP_TCACHE, HEAP_TCACHE_RELEASING),
	    false);
	flight_read(heap, owner,
	    layout_place(layout, as->address, HEAP_TCACHE, HEAP_TCACHE_FLIGHT));
	if (as->kind == OWNER_THREAD &&
	    layout_get(layout, as->address, HEAP_TCACHE, HEAP_TCACHE_ENTRIES) %
		    2 !=
		0)
		heap->slow_paths++;
}

/* The kernel's id of the thread whose thread pointer this is. */
static void
owner_identify(const struct heap *heap, struct owner *owner, uint64_t pointer)
{
	const struct target *target = heap->target;

	for (size_t i = 0; pointer != 0 && i < target->nthreads; i++) {
		if (target->threads[i].pointer != pointer)
			continue;
		owner->tid = target->threads[i].tid;
		owner->name = target->threads[i].name;
	}
}

static void
ring_read(struct heap *heap, enum owner_kind kind, uint64_t head)
{
	struct layout *layout = heap->layout;
	uint64_t distance = layout_place(layout, 0, HEAP_THREAD,
	    HEAP_THREAD_RING);
	struct chain chain = { 0 };

	if (head == 0)
		return;
	for (uint64_t at = layout_get(layout, head, HEAP_LIST, HEAP_LIST_NEXT);
	     at != head && at != 0;
	     at = layout_get(layout, at, HEAP_LIST, HEAP_LIST_NEXT)) {
		struct owner owner = { .kind = kind };

		if (!chain_step(&chain, at) ||
		    target_mapping(heap->target, at) == NULL) {
			heap_finding(heap,
			    "the list of threads is broken at "
			    "%#" PRIx64,
			    at);
			return;
		}
		owner.address = layout_place(layout, at - distance, HEAP_THREAD,
		    HEAP_THREAD_TCACHE);
		if (kind == OWNER_THREAD)
			owner_identify(heap, &owner,
			    layout_get(layout, at - distance, HEAP_THREAD,
				HEAP_THREAD_POINTER));
		cache_read(heap, &owner);
	}
}

static void
threads_read(struct heap *heap)
{
	struct layout *layout = heap->layout;
	uint64_t at = layout->roots[HEAP_ROOT_THREADS].address;

	if (at == 0)
		return;
	ring_read(heap, OWNER_THREAD,
	    layout_place(layout, at, HEAP_THREADS, HEAP_THREADS_LIVING));
	ring_read(heap, OWNER_LOST,
	    layout_place(layout, at, HEAP_THREADS, HEAP_THREADS_LOST));
	ring_read(heap, OWNER_SPARE,
	    layout_place(layout, at, HEAP_THREADS, HEAP_THREADS_SPARE));
}

static void
explicit_read(struct heap *heap)
{
	struct layout *layout = heap->layout;
	uint64_t at = layout->roots[HEAP_ROOT_TCACHES].address;
	uint64_t count = at == 0
	    ? 0
	    : layout_get(layout, at, HEAP_TCACHES, HEAP_TCACHES_COUNT);
	uint64_t slots = layout_place(layout, at, HEAP_TCACHES,
	    HEAP_TCACHES_SLOT);

	if (count > SLOTS_MAX) {
		heap_finding(heap, "%" PRIu64 " explicit caches are too many",
		    count);
		return;
	}
	for (unsigned i = 0; i < count; i++) {
		uint64_t cache = layout_pointer(layout,
		    slots + (uint64_t)i * layout->pointer_size);

		if (cache != 0)
			cache_read(heap,
			    &(struct owner){ .number = i,
				.kind = OWNER_EXPLICIT,
				.address = cache });
	}
}

static int
cached_compare(const void *a, const void *b)
{
	const struct cached *first = a, *second = b;

	if (first->address != second->address)
		return first->address < second->address ? -1 : 1;
	/* Objects in flight may also be in their old or new place. */
	return second->in_flight - first->in_flight;
}

/*
 * A thread that was stopped while it put an object on its stack has an old
 * pointer there. Then it was in the code of the allocator, which may be
 * anywhere in a static program.
 */
static bool
is_old(const struct heap *heap, const struct cached *cached)
{
	const struct target *target = heap->target;
	const struct module *module = heap->layout->module;
	uint32_t tid = heap->owners[cached->owner].tid;

	if (!cached->top)
		return false;
	for (size_t i = 0; i < target->nthreads; i++) {
		const struct target_thread *thread = &target->threads[i];

		if (tid != 0 && thread->tid == tid)
			return thread->pc == 0 || module == NULL ||
			    module_is_code(module, thread->pc);
	}
	return true;
}

/* Keeps each object only once. */
static void
cached_order(struct heap *heap)
{
	size_t kept = 0;

	sort(heap->cached, heap->ncached, sizeof(struct cached),
	    cached_compare);
	for (size_t i = 0; i < heap->ncached; i++) {
		const struct cached *cached = &heap->cached[i];

		if (kept > 0 &&
		    heap->cached[kept - 1].address == cached->address) {
			const struct cached *other = &heap->cached[kept - 1];

			if (is_old(heap, cached) || is_old(heap, other))
				heap->uncertain++;
			else if (!other->in_flight)
				heap_finding(heap,
				    "the object at %#" PRIx64
				    " is cached twice",
				    cached->address);
			continue;
		}
		heap->cached[kept++] = *cached;
	}
	heap->ncached = kept;
}

void
heap_read_cached(struct heap *heap)
{
	struct layout *layout = heap->layout;
	uint64_t at = layout->roots[HEAP_ROOT_QUARANTINE].address;

	threads_read(heap);
	explicit_read(heap);
	if (at != 0)
		batches_read(heap,
		    owner_add(heap,
			&(struct owner){ .kind = OWNER_QUARANTINE }),
		    layout_get(layout, at, HEAP_QUARANTINE,
			HEAP_QUARANTINE_OLDEST),
		    false);
	at = layout->roots[HEAP_ROOT_TRIM_FLIGHT].address;
	if (at != 0)
		flight_read(heap,
		    owner_add(heap, &(struct owner){ .kind = OWNER_TRIM }), at);
	cached_order(heap);
}
