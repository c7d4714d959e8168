#include "pages/guards.h"

#include <stdatomic.h>
#include <string.h>

#include "conf/options.h"
#include "extent/limit.h"
#include "extent/pagemap.h"
#include "os/pages.h"
#include "os/system.h"
#include "pages/borrow.h"
#include "util/wait.h"

/* Each guard is a mapping, and the kernel limits their number. */
#define GUARDS_MAX 12000
/* This many bytes are kept, and in addition a part of the active bytes. */
#define KEPT_LEAST ((size_t)4 << 20)
#define KEPT_PART  8
/* Steps in a decay time. An extent is kept for one to two steps. */
#define STEPS 4
/* At most this many extents of the right size are tried. */
#define LOOKS 4

static _Atomic uint64_t missing;
static _Atomic unsigned nguarded;

uint64_t
guards_missing(void)
{
	return atomic_load_explicit(&missing, memory_order_relaxed);
}

AT_START void
guards_init(struct guards *guards, uint64_t now_ns)
{
	*guards = (struct guards){ .step_ns = now_ns };
	list_init(&guards->age);
}

/* --- the guards of an extent ---------------------------------------------- */

bool
guards_may_protect(const struct page_source *source, const struct extent *e)
{
	return page_source_is_plain(source) && e->pageslab == NULL;
}

/*
 * Counts one more guarded extent. False: there are already as many as allowed.
 */
static bool
count_one(void)
{
	if (atomic_fetch_add_explicit(&nguarded, 1, memory_order_relaxed) <
	    GUARDS_MAX)
		return true;
	atomic_fetch_sub_explicit(&nguarded, 1, memory_order_relaxed);
	return false;
}

void
guards_set(struct page_source *source, struct extent *e)
{
	size_t page = system_info.page_size;
	bool counted = false;

	e->guarded = e->sealed = false;
	if (guards_may_protect(source, e)) {
		counted = count_one();
		/* Perhaps kept extents have all the guards. */
		if (unlikely(!counted) && READ_RELAXED(source->guards.size)) {
			guards_release(source, 0, false);
			counted = count_one();
		}
		e->guarded = counted &&
		    pages_forbid(extent_end(e) - page, page) &&
		    (e->object == e->addr || pages_forbid(e->addr, page));
		if (likely(e->guarded))
			return;
	}
	/*
	 * The kernel may have done a part of it. If it does not let us undo
	 * that, the extent counts as guarded, so that it is opened later.
	 */
	if (counted && pages_allow(e->addr, e->size))
		atomic_fetch_sub_explicit(&nguarded, 1, memory_order_relaxed);
	else
		e->guarded = counted;
	atomic_fetch_add_explicit(&missing, 1, memory_order_relaxed);
}

static size_t
object_pages(const struct extent *e)
{
	return round_up(e->usable, system_info.page_size);
}

/* The guard behind the object. */
static char *
guard_behind(const struct extent *e)
{
	return e->object + object_pages(e);
}

bool
guards_move(struct extent *e)
{
	size_t page = system_info.page_size;
	char *last = extent_end(e) - page;

	if (!e->guarded || guard_behind(e) == last)
		return true;
	if (!pages_allow(guard_behind(e), page))
		return false;
	if (!pages_forbid(last, page))
		atomic_fetch_add_explicit(&missing, 1, memory_order_relaxed);
	return true;
}

/*
 * Is the object so long that the kernel had better clear it? Writing would
 * bring all of it into memory, also what the program never touched.
 */
static bool
is_long(const struct extent *e)
{
	return object_pages(e) >= opt.calloc_madvise_threshold;
}

bool
guards_seal(struct extent *e)
{
	bool shut = pages_forbid(e->object, object_pages(e)), purged;

	/* If not, a part of it may be shut; see guards_set(). */
	e->sealed = shut || !pages_allow(e->object, object_pages(e));
	/* Nobody sees its contents again. If they stay, lift() clears them. */
	purged = e->sealed && is_long(e) &&
	    pages_purge_forced(e->object, object_pages(e));
	e->zeroed = shut && purged;
	return e->sealed;
}

bool
guards_unseal(struct extent *e)
{
	if (!pages_allow(e->object, object_pages(e)))
		return false;
	e->sealed = false;
	return true;
}

/* Makes all pages usable again. False: the kernel refuses. */
static bool
lift(struct extent *e, bool drop)
{
	bool clear = e->sealed && !e->zeroed &&
	    !((drop || is_long(e)) &&
		pages_purge_forced(e->object, object_pages(e)));

	if ((e->guarded || e->sealed) && !pages_allow(e->addr, e->size))
		return false;
	if (clear)
		memset(e->object, 0, e->usable);
	if (e->guarded)
		atomic_fetch_sub_explicit(&nguarded, 1, memory_order_relaxed);
	e->guarded = e->sealed = false;
	return true;
}

/* --- kept extents --------------------------------------------------------- */

/* While an extent is kept, `freed_at` is its serial number. */
static bool
kept_before(const struct tree_node *a, const struct tree_node *b)
{
	const struct extent *x = container_of(a, struct extent, node);
	const struct extent *y = container_of(b, struct extent, node);

	if (x->size != y->size)
		return x->size < y->size;
	return (int32_t)(x->freed_at - y->freed_at) < 0;
}

static void
insert_locked(struct page_source *source, struct extent *e)
{
	struct guards *guards = &source->guards;

	LOCK_ASSERT_HELD(&source->lock);
	extent_set_place(e, EXTENT_BUSY, source->arena_index);
	e->freed_at = guards->serial++;
	tree_insert(&guards->tree, &e->node, kept_before);
	list_push_back(&guards->age, &e->age);
	ADD_RELAXED(guards->size, e->size);
	ADD_RELAXED(guards->count, 1);
}

static void
remove_locked(struct page_source *source, struct extent *e)
{
	struct guards *guards = &source->guards;

	LOCK_ASSERT_HELD(&source->lock);
	tree_remove(&guards->tree, &e->node, kept_before);
	list_remove(&e->age);
	ADD_RELAXED(guards->size, -e->size);
	ADD_RELAXED(guards->count, -1);
}

/* May a new object that fills the extent lie between its guards? */
static bool
fits(const struct extent *e, size_t before, size_t align)
{
	return e->guarded && e->object == e->addr + before &&
	    ((uintptr_t)e->object & (align - 1)) == 0 &&
	    /* Else the guard would be in the object; see guards_move(). */
	    guard_behind(e) == extent_end(e) - system_info.page_size;
}

static struct extent *
find_locked(const struct guards *guards, size_t size, size_t before,
    size_t align)
{
	const struct list *oldest = guards->age.next;
	struct extent key = { .size = size };
	struct tree_node *node;

	if (oldest == &guards->age)
		return NULL;
	key.freed_at = container_of(oldest, struct extent, age)->freed_at;
	for (unsigned i = 0; i < LOOKS; i++) {
		struct extent *e;

		node = tree_find_from(guards->tree, &key.node, kept_before);
		if (node == NULL)
			return NULL;
		e = container_of(node, struct extent, node);
		if (e->size != size)
			return NULL;
		if (fits(e, before, align))
			return e;
		key.freed_at = e->freed_at + 1;
	}
	return NULL;
}

struct extent *
guards_take(struct page_source *source, size_t size, size_t before,
    size_t align)
{
	struct extent *e;

	if (READ_RELAXED(source->guards.size) < size || limit_is_exceeded())
		return NULL;
	lock_acquire(&source->lock);
	e = find_locked(&source->guards, size, before, align);
	if (e != NULL) {
		remove_locked(source, e);
		pools_count_active_locked(source, size);
		extent_set_place(e, EXTENT_ACTIVE, source->arena_index);
	}
	lock_release(&source->lock);
	return e;
}

static void
forget_object(const struct extent *e)
{
	if (e->object != e->addr)
		pagemap_set_unit(e->object, NULL, KIND_NONE);
}

/* Takes the oldest kept extent, which is active again, or NULL. */
static struct extent *
take_oldest(struct page_source *source, size_t keep)
{
	struct guards *guards = &source->guards;
	struct extent *e = NULL;

	lock_acquire(&source->lock);
	if (guards->size > keep) {
		e = container_of(guards->age.next, struct extent, age);
		remove_locked(source, e);
		pools_count_active_locked(source, e->size);
	}
	lock_release(&source->lock);
	return e;
}

static void
put_back(struct page_source *source, struct extent *e)
{
	lock_acquire(&source->lock);
	pools_count_active_locked(source, -e->size);
	insert_locked(source, e);
	lock_release(&source->lock);
}

void
guards_release(struct page_source *source, size_t keep, bool drop)
{
	size_t most = READ_RELAXED(source->guards.count);
	struct extent *e;

	/*
	 * Tries each extent once: one that the kernel refuses comes back as the
	 * newest.
	 */
	while (most-- > 0 && (e = take_oldest(source, keep)) != NULL)
		if (likely(lift(e, drop))) {
			forget_object(e);
			borrow_give_dirty(source, e);
		} else {
			put_back(source, e);
		}
}

bool
guards_keep(struct page_source *source, struct extent *e)
{
	bool wanted = e->guarded && pools_stay_ns(source, 0) != 0 &&
	    !limit_is_exceeded();
	size_t keep;

	if (unlikely(!wanted) && lift(e, true)) {
		forget_object(e);
		return false;
	}
	/* A second free of the object finds that this memory is free. */
	pagemap_set_ends(e, KIND_NONE);
	pagemap_set_unit(e->object, e, KIND_NONE);
	e->zeroed &= e->sealed;
	put_back(source, e);
	keep = KEPT_LEAST + READ_RELAXED(source->active) / KEPT_PART;
	if (unlikely(READ_RELAXED(source->guards.size) > keep))
		guards_release(source, keep, false);
	return true;
}

/* --- ageing --------------------------------------------------------------- */

/* Nanoseconds until the next step; UINT64_MAX: there is none. */
static uint64_t
wait_locked(const struct page_source *source, uint64_t now_ns)
{
	uint64_t step_ns = pools_stay_ns(source, 0);

	LOCK_ASSERT_HELD(&source->lock);
	if (source->guards.count == 0 || step_ns == UINT64_MAX)
		return UINT64_MAX;
	return wait_rest(source->guards.step_ns, step_ns / STEPS, now_ns);
}

/* The bytes that were kept since the last step: they stay for one more. */
static size_t
size_from_old_locked(const struct guards *guards)
{
	size_t size = guards->size;

	for (const struct list *at = guards->age.next; at != &guards->age;
	     at = at->next) {
		const struct extent *e = container_of(at, struct extent, age);

		if ((int32_t)(e->freed_at - guards->old) >= 0)
			break;
		size -= e->size;
	}
	return size;
}

void
guards_age(struct page_source *source, uint64_t now_ns)
{
	struct guards *guards = &source->guards;
	size_t keep = SIZE_MAX;

	if (READ_RELAXED(guards->count) == 0)
		return;
	lock_acquire(&source->lock);
	if (wait_locked(source, now_ns) == 0) {
		keep = size_from_old_locked(guards);
		guards->old = guards->serial;
		guards->step_ns = now_ns;
	}
	lock_release(&source->lock);
	if (keep != SIZE_MAX)
		guards_release(source, keep, true);
}

uint64_t
guards_wait(struct page_source *source, uint64_t now_ns)
{
	uint64_t wait_ns;

	lock_acquire(&source->lock);
	wait_ns = wait_locked(source, now_ns);
	lock_release(&source->lock);
	return wait_ns;
}

void
guards_hand_over(struct page_source *source, struct page_source *heir)
{
	struct extent *e;

	while ((e = take_oldest(source, 0)) != NULL) {
		lock_acquire(&source->lock);
		pools_count_active_locked(source, -e->size);
		ADD_RELAXED(source->mapped, -e->size);
		lock_release(&source->lock);
		lock_acquire(&heir->lock);
		ADD_RELAXED(heir->mapped, e->size);
		insert_locked(heir, e);
		lock_release(&heir->lock);
	}
}
