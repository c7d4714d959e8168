#include "prof/prof_table.h"

#include <assert.h>
#include <string.h>

#include "extent/metadata.h"
#include "os/lock.h"
#include "os/pages.h"
#include "os/system.h"
#include "unwind/backtrace.h"
#include "util/bits.h"
#include "util/heap_part.h"
#include "util/list.h"

#define BUCKETS      16384
#define LIFETIME_MAX ((uint64_t)INT64_MAX)

struct prof_thread {
	struct list link; /* in ascending order of `number` */
	uint64_t number;
	unsigned npairs;
	bool gone;
	char name[PROF_NAME_SIZE];
};

struct prof_stack {
	struct prof_stack *next; /* in its bucket */
	uint64_t hash;
	struct list pairs; /* by number of the thread */
	unsigned depth;
	void *pcs[];
};

struct prof_pair {
	struct list link;
	struct prof_stack *stack; /* NULL: forgotten by a reset */
	struct prof_thread *thread;
	uint64_t nsamples; /* live ones, also of before a reset */
	struct prof_counts live;
	struct prof_counts ever;
	uint64_t lifetime; /* see struct prof_item */
};

static struct {
	struct lock lock;
	struct list threads;
	uint64_t next_number;
	bool accumulates;
	size_t nitems; /* threads, stacks and pairs */
	size_t npcs;   /* in all stacks */
} table;

static SPARSE struct prof_stack *buckets[BUCKETS]; /* table.lock, too */

static const struct heap_field heap_fields[] = {
	HEAP_ROW(PAIR, STACK, struct prof_pair, stack),
	HEAP_ROW(STACK, DEPTH, struct prof_stack, depth),
	HEAP_ROW_ARRAY(STACK, PCS, struct prof_stack, pcs),
};

/* Samples lead here, so there is no root. */
const struct heap_part prof_table_heap_part = {
	.nfields = ARRAY_LEN(heap_fields),
	.fields = heap_fields,
};

AT_START void
prof_table_init(void)
{
	lock_init_zeroed(&table.lock, LOCK_PROF_TABLE);
	list_init(&table.threads);
}

AT_START struct lock *
prof_table_lock(void)
{
	return &table.lock;
}

/* --- records -------------------------------------------------------------- */

static size_t
stack_size(unsigned depth)
{
	return sizeof(struct prof_stack) + depth * sizeof(void *);
}

static struct prof_stack **
find_stack_locked(void *const *pcs, unsigned depth, uint64_t hash)
{
	struct prof_stack **place = &buckets[hash % BUCKETS];

	LOCK_ASSERT_HELD(&table.lock);
	for (; *place != NULL; place = &(*place)->next)
		if ((*place)->hash == hash && (*place)->depth == depth &&
		    (depth == 0 ||
			memcmp((*place)->pcs, pcs, depth * sizeof(void *)) ==
			    0))
			break;
	return place;
}

static struct prof_pair *
pair_of(struct list *link)
{
	return container_of(link, struct prof_pair, link);
}

/* The thread's pair, or the place before which it would be inserted. */
static struct list *
find_pair_locked(struct prof_stack *stack, const struct prof_thread *thread)
{
	struct list *link = stack->pairs.next;

	LOCK_ASSERT_HELD(&table.lock);
	while (link != &stack->pairs &&
	    pair_of(link)->thread->number < thread->number)
		link = link->next;
	return link;
}

void
prof_counts_add(struct prof_counts *to, const struct prof_counts *counts)
{
	to->objects += counts->objects;
	to->bytes += counts->bytes;
	to->weight_objects += counts->weight_objects;
	to->weight_bytes += counts->weight_bytes;
}

static void
counts_subtract(struct prof_counts *from, const struct prof_counts *counts)
{
	from->objects -= counts->objects;
	from->bytes -= counts->bytes;
	from->weight_objects -= counts->weight_objects;
	from->weight_bytes -= counts->weight_bytes;
}

/* --- threads -------------------------------------------------------------- */

struct prof_thread *
prof_table_enter(void)
{
	struct prof_thread *thread = metadata_take_piece(sizeof(*thread));

	if (thread == NULL)
		return NULL;
	memset(thread, 0, sizeof(*thread));
	lock_acquire(&table.lock);
	thread->number = table.next_number++;
	list_push_back(&table.threads, &thread->link);
	table.nitems++;
	lock_release(&table.lock);
	return thread;
}

/* Removes a thread that has ended and has no pairs. True: it is removed. */
static bool
thread_ends_locked(struct prof_thread *thread)
{
	LOCK_ASSERT_HELD(&table.lock);
	if (!thread->gone || thread->npairs != 0)
		return false;
	list_remove(&thread->link);
	table.nitems--;
	return true;
}

void
prof_table_leave(struct prof_thread *thread)
{
	bool ends;

	lock_acquire(&table.lock);
	thread->gone = true;
	ends = thread_ends_locked(thread);
	lock_release(&table.lock);
	if (ends)
		metadata_give_piece(thread, sizeof(*thread));
}

void
prof_table_set_name(struct prof_thread *thread, const char *name)
{
	size_t i;

	lock_acquire(&table.lock);
	/* The kernel takes any name, and a dump has one line for it. */
	for (i = 0; i < PROF_NAME_SIZE - 1 && name[i] != '\0'; i++)
		thread->name[i] = name[i] == '\n' ? '?' : name[i];
	thread->name[i] = '\0';
	lock_release(&table.lock);
}

const char *
prof_table_name(const struct prof_thread *thread)
{
	return thread->name;
}

uint64_t
prof_table_number(const struct prof_thread *thread)
{
	return thread->number;
}

/* --- samples -------------------------------------------------------------- */

/*
 * New records for a sample, which are made without the lock. fresh_end() frees
 * those that were not needed.
 */
struct fresh {
	struct prof_stack *stack;
	struct prof_pair *pair;
};

static bool
fresh_make(struct fresh *fresh, unsigned depth)
{
	if (fresh->pair == NULL)
		fresh->pair = metadata_take_piece(sizeof(*fresh->pair));
	if (fresh->stack == NULL)
		fresh->stack = metadata_take_piece(stack_size(depth));
	return fresh->pair != NULL && fresh->stack != NULL;
}

static void
fresh_end(struct fresh *fresh, unsigned depth)
{
	if (fresh->pair != NULL)
		metadata_give_piece(fresh->pair, sizeof(*fresh->pair));
	if (fresh->stack != NULL)
		metadata_give_piece(fresh->stack, stack_size(depth));
}

static void
stack_enter_locked(struct prof_stack **place, struct prof_stack *stack,
    void *const *pcs, unsigned depth, uint64_t hash)
{
	LOCK_ASSERT_HELD(&table.lock);
	stack->next = NULL;
	stack->hash = hash;
	stack->depth = depth;
	list_init(&stack->pairs);
	if (depth != 0)
		memcpy(stack->pcs, pcs, depth * sizeof(void *));
	*place = stack;
	table.nitems++;
	table.npcs += depth;
}

static void
pair_enter_locked(struct prof_stack *stack, struct prof_thread *thread,
    struct list *before, struct prof_pair *pair)
{
	LOCK_ASSERT_HELD(&table.lock);
	memset(pair, 0, sizeof(*pair));
	pair->stack = stack;
	pair->thread = thread;
	list_push_back(before, &pair->link);
	thread->npairs++;
	table.nitems++;
}

/*
 * The pair of this stack and thread. If there is none, it is made of the
 * records in `fresh`, which are taken out of it. NULL: `fresh` lacks a record.
 */
static struct prof_pair *
need_pair_locked(struct prof_thread *thread, void *const *pcs, unsigned depth,
    uint64_t hash, struct fresh *fresh)
{
	struct prof_stack **place = find_stack_locked(pcs, depth, hash);
	struct list *link;

	LOCK_ASSERT_HELD(&table.lock);
	if (*place == NULL && (fresh->stack == NULL || fresh->pair == NULL))
		return NULL;
	if (*place == NULL) {
		stack_enter_locked(place, fresh->stack, pcs, depth, hash);
		fresh->stack = NULL;
	}
	link = find_pair_locked(*place, thread);
	if (link != &(*place)->pairs && pair_of(link)->thread == thread)
		return pair_of(link);
	if (fresh->pair == NULL)
		return NULL;
	pair_enter_locked(*place, thread, link, fresh->pair);
	fresh->pair = NULL;
	return pair_of(link->prev);
}

struct prof_pair *
prof_table_add(struct prof_thread *thread, void *const *pcs, unsigned depth,
    const struct prof_counts *sample)
{
	uint64_t hash = backtrace_hash(pcs, depth);
	struct fresh fresh = { NULL, NULL };
	struct prof_pair *pair;

	assert(depth <= PROF_DEPTH_MAX);
	lock_acquire(&table.lock);
	pair = need_pair_locked(thread, pcs, depth, hash, &fresh);
	while (pair == NULL) {
		lock_release(&table.lock);
		if (!fresh_make(&fresh, depth)) {
			fresh_end(&fresh, depth);
			return NULL;
		}
		lock_acquire(&table.lock);
		pair = need_pair_locked(thread, pcs, depth, hash, &fresh);
	}
	pair->nsamples++;
	prof_counts_add(&pair->live, sample);
	if (table.accumulates)
		prof_counts_add(&pair->ever, sample);
	lock_release(&table.lock);
	fresh_end(&fresh, depth);
	return pair;
}

/* Records that were removed from the table, to be freed without the lock. */
struct unused {
	struct prof_pair *pair;
	struct prof_stack *stack;
	struct prof_thread *thread;
};

static void
stack_ends_locked(struct prof_stack *stack)
{
	struct prof_stack **place = &buckets[stack->hash % BUCKETS];

	LOCK_ASSERT_HELD(&table.lock);
	while (*place != stack)
		place = &(*place)->next;
	*place = stack->next;
	table.nitems--;
	table.npcs -= stack->depth;
}

/* Takes a pair out of its stack, which is returned if it was the last one. */
static struct prof_stack *
leave_stack_locked(struct prof_pair *pair)
{
	struct prof_stack *stack = pair->stack;

	LOCK_ASSERT_HELD(&table.lock);
	list_remove(&pair->link);
	table.nitems--;
	if (!list_empty(&stack->pairs))
		return NULL;
	stack_ends_locked(stack);
	return stack;
}

/*
 * Removes a pair that has no samples, and its stack and thread if it was the
 * last pair of these.
 */
static struct unused
pair_ends_locked(struct prof_pair *pair)
{
	struct unused unused = { NULL, NULL, NULL };

	LOCK_ASSERT_HELD(&table.lock);
	if (pair->nsamples != 0 || pair->ever.objects != 0)
		return unused;
	unused.pair = pair;
	if (pair->stack != NULL)
		unused.stack = leave_stack_locked(pair);
	pair->thread->npairs--;
	if (thread_ends_locked(pair->thread))
		unused.thread = pair->thread;
	return unused;
}

static void
unused_end(const struct unused *unused)
{
	if (unused->pair != NULL)
		metadata_give_piece(unused->pair, sizeof(*unused->pair));
	if (unused->stack != NULL)
		metadata_give_piece(unused->stack,
		    stack_size(unused->stack->depth));
	if (unused->thread != NULL)
		metadata_give_piece(unused->thread, sizeof(*unused->thread));
}

/*
 * Adds the ages of the objects that a sample stands for. The unit is
 * microseconds: in nanoseconds the sum would be too large for readers after
 * some hours of a busy program. Readers have signed numbers, so it does not
 * grow beyond INT64_MAX.
 */
static uint64_t
lifetime_add(uint64_t sum, const struct prof_counts *sample, uint64_t age_us)
{
	double more = (double)sample->weight_objects / PROF_WEIGHT_ONE *
		(double)age_us +
	    0.5;

	return more < (double)(LIFETIME_MAX - sum) ? sum + (uint64_t)more
						   : LIFETIME_MAX;
}

void
prof_table_remove(struct prof_pair *pair, const struct prof_counts *sample,
    uint64_t age_us)
{
	struct unused unused;

	lock_acquire(&table.lock);
	pair->nsamples--;
	if (pair->stack != NULL)
		counts_subtract(&pair->live, sample);
	if (pair->ever.objects != 0)
		pair->lifetime = lifetime_add(pair->lifetime, sample, age_us);
	unused = pair_ends_locked(pair);
	lock_release(&table.lock);
	unused_end(&unused);
}

AT_START void
prof_table_accumulate(bool on)
{
	lock_acquire(&table.lock);
	table.accumulates = on;
	lock_release(&table.lock);
}

/*
 * Forgets one pair of a bucket, and its stack if it was the last pair. The lock
 * is released after each pair, so that others need not wait long. False: the
 * bucket is empty.
 */
static bool
forget_one(unsigned bucket)
{
	struct prof_stack *stack;
	struct prof_pair *pair;
	struct unused unused;

	lock_acquire(&table.lock);
	stack = buckets[bucket];
	if (stack == NULL) {
		lock_release(&table.lock);
		return false;
	}
	/* A stack always has a pair: it is removed with its last one. */
	pair = pair_of(stack->pairs.next);
	stack = leave_stack_locked(pair);
	memset(&pair->live, 0, sizeof(pair->live));
	memset(&pair->ever, 0, sizeof(pair->ever));
	pair->lifetime = 0;
	pair->stack = NULL;
	unused = pair_ends_locked(pair);
	unused.stack = stack;
	lock_release(&table.lock);
	unused_end(&unused);
	return true;
}

void
prof_table_reset(void)
{
	for (unsigned i = 0; i < BUCKETS; i++)
		while (forget_one(i))
			;
}

uint64_t
prof_table_stack_hash(const struct prof_pair *pair)
{
	uint64_t hash;

	lock_acquire(&table.lock);
	hash = pair->stack == NULL ? 0 : pair->stack->hash;
	lock_release(&table.lock);
	return hash;
}

/* --- reading -------------------------------------------------------------- */

char *
prof_item_append(char *at, const struct prof_item *item)
{
	memcpy(at, item, sizeof(*item));
	return at + item->length;
}

static char *
copy_threads_locked(char *at)
{
	LOCK_ASSERT_HELD(&table.lock);
	for (struct list *link = table.threads.next; link != &table.threads;
	     link = link->next) {
		const struct prof_thread *thread = container_of(link,
		    struct prof_thread, link);
		struct prof_item item = { .kind = PROF_ITEM_THREAD,
			.length = sizeof(item),
			.thread = thread->number };

		memcpy(item.name, thread->name, sizeof(item.name));
		at = prof_item_append(at, &item);
	}
	return at;
}

static char *
copy_stack_locked(char *at, struct prof_stack *stack)
{
	struct prof_item item = { .kind = PROF_ITEM_STACK,
		.length = (uint32_t)(sizeof(item) +
		    stack->depth * sizeof(void *)),
		.depth = stack->depth };

	LOCK_ASSERT_HELD(&table.lock);
	memcpy(((struct prof_item *)(void *)at)->pcs, stack->pcs,
	    stack->depth * sizeof(void *));
	at = prof_item_append(at, &item);
	for (struct list *link = stack->pairs.next; link != &stack->pairs;
	     link = link->next) {
		const struct prof_pair *pair = pair_of(link);

		at = prof_item_append(at,
		    &(struct prof_item){ .kind = PROF_ITEM_PAIR,
			.length = sizeof(item),
			.thread = pair->thread->number,
			.live = pair->live,
			.ever = pair->ever,
			.lifetime = pair->lifetime });
	}
	return at;
}

static size_t
size_needed_locked(void)
{
	LOCK_ASSERT_HELD(&table.lock);
	return table.nitems * sizeof(struct prof_item) +
	    table.npcs * sizeof(void *);
}

/* False: there are more items now, so the memory is too small. */
static bool
fill_snapshot(struct prof_snapshot *snapshot)
{
	char *at = snapshot->memory;

	lock_acquire(&table.lock);
	if (size_needed_locked() > snapshot->size) {
		lock_release(&table.lock);
		return false;
	}
	at = copy_threads_locked(at);
	snapshot->nthreads = (size_t)(at - snapshot->memory) /
	    sizeof(struct prof_item);
	for (unsigned i = 0; i < BUCKETS; i++)
		for (struct prof_stack *stack = buckets[i]; stack != NULL;
		     stack = stack->next)
			at = copy_stack_locked(at, stack);
	lock_release(&table.lock);
	snapshot->used = (size_t)(at - snapshot->memory);
	return true;
}

static void
item_add(struct prof_item *to, const struct prof_item *item)
{
	prof_counts_add(&to->live, &item->live);
	prof_counts_add(&to->ever, &item->ever);
}

size_t
prof_snapshot_thread(const struct prof_snapshot *snapshot, uint64_t number)
{
	const struct prof_item *items = (void *)snapshot->memory;
	size_t low = 0, high = snapshot->nthreads;

	while (low + 1 < high) {
		size_t middle = low + (high - low) / 2;

		if (items[middle].thread <= number)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static void
sum_up(struct prof_snapshot *snapshot)
{
	const struct prof_item *item = NULL;
	struct prof_item *threads = (void *)snapshot->memory, *stack = NULL;

	snapshot->live = snapshot->ever = (struct prof_counts){ 0, 0, 0, 0 };
	while ((item = prof_snapshot_next(snapshot, item)) != NULL) {
		if (item->kind == PROF_ITEM_STACK)
			stack = (struct prof_item *)(uintptr_t)item;
		if (item->kind != PROF_ITEM_PAIR)
			continue;
		item_add(stack, item);
		item_add(&threads[prof_snapshot_thread(snapshot, item->thread)],
		    item);
		prof_counts_add(&snapshot->live, &item->live);
		prof_counts_add(&snapshot->ever, &item->ever);
	}
}

bool
prof_snapshot_take(struct prof_snapshot *snapshot)
{
	size_t need;

	for (;;) {
		lock_acquire(&table.lock);
		need = size_needed_locked();
		lock_release(&table.lock);
		/* Some more, because other threads take samples meanwhile. */
		snapshot->size = round_up(need + need / 8 + 1,
		    system_info.page_size);
		snapshot->memory = pages_map(snapshot->size,
		    system_info.page_size);
		if (snapshot->memory == NULL)
			return false;
		if (fill_snapshot(snapshot)) {
			sum_up(snapshot);
			return true;
		}
		prof_snapshot_end(snapshot);
	}
}

void
prof_snapshot_end(struct prof_snapshot *snapshot)
{
	pages_unmap(snapshot->memory, snapshot->size);
}

const struct prof_item *
prof_snapshot_next(const struct prof_snapshot *snapshot,
    const struct prof_item *item)
{
	const char *next = item == NULL ? snapshot->memory
					: (const char *)item + item->length;

	return next == snapshot->memory + snapshot->used
	    ? NULL
	    : (const struct prof_item *)(const void *)next;
}
