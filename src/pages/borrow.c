#include "pages/borrow.h"

#include "util/compiler.h"
#include "pages/hooked.h"

#define LOOK 16 /* most sources that one call looks at */
/* A source with fewer dirty bytes is not asked: it may need them itself. */
#define LEND_LEAST ((size_t)64 << 10)
/*
 * A source that found nothing looks for as many bytes again after this many
 * takes.
 */
#define LOOK_PAUSE 4

static SPARSE _Atomic(struct page_source *) sharers[SHARERS_MAX];
static _Atomic unsigned nsharers; /* the highest index so far + 1 */

AT_START void
borrow_share(struct page_source *source)
{
	unsigned count = atomic_load_explicit(&nsharers, memory_order_relaxed);

	assert(source->arena_index < SHARERS_MAX);
	source->shares = true;
	atomic_store_explicit(&sharers[source->arena_index], source,
	    memory_order_release);
	while (count <= source->arena_index &&
	    !atomic_compare_exchange_weak_explicit(&nsharers, &count,
		source->arena_index + 1, memory_order_relaxed,
		memory_order_relaxed))
		;
}

static struct page_source *
sharer(unsigned index)
{
	return atomic_load_explicit(&sharers[index], memory_order_acquire);
}

/*
 * The source uses `size` bytes more, or less if the size is negated. Who counts
 * them no longer does that first, because only one lock is held at a time.
 */
static void
count_used_locked(struct page_source *source, size_t size)
{
	pools_count_active_locked(source, size);
	ADD_RELAXED(source->mapped, size);
}

static void
count_used(struct page_source *source, size_t size)
{
	lock_acquire(&source->lock);
	count_used_locked(source, size);
	lock_release(&source->lock);
}

static struct extent *
take_of(struct page_source *lender, size_t size, size_t align)
{
	struct extent *e = NULL;

	if (!pools_lock_with_spares(lender))
		return NULL;
	if (likely(page_source_is_plain(lender)))
		e = pools_take_locked(lender, EXTENT_DIRTY, size, align);
	if (e != NULL)
		count_used_locked(lender, -size);
	else
		/*
		 * Its extents may be too fresh to be cut. The clock must go
		 * on, or those of an idle lender would stay fresh for ever.
		 */
		lender->takes++;
	lock_release(&lender->lock);
	return e;
}

static void
borrowed(struct page_source *source, struct page_source *lender,
    struct extent *e)
{
	e->lender = (uint16_t)(lender->arena_index + 1);
	extent_set_place(e, EXTENT_ACTIVE, source->arena_index);
	count_used(source, e->size);
}

/* Pages of another node are slow for the threads of `source`. */
static bool
is_near(struct page_source *source, struct page_source *other)
{
	unsigned a = READ_RELAXED(source->node), b = READ_RELAXED(other->node);

	return a == b || a == 0 || b == 0;
}

struct extent *
borrow_take(struct page_source *source, size_t size, size_t align)
{
	unsigned count = atomic_load_explicit(&nsharers, memory_order_relaxed);
	unsigned index = atomic_load_explicit(&source->look_from,
	    memory_order_relaxed);
	size_t least = max_size(size, LEND_LEAST);
	struct page_source *other = NULL;
	struct extent *e = NULL;

	for (unsigned i = 0; i < LOOK && i < count; i++, index++) {
		index = index < count ? index : 0;
		other = sharer(index);
		/* Without the lock this is a hint; take_of() looks again. */
		if (other != NULL && other != source &&
		    READ_RELAXED(other->pool[0].size) >= least &&
		    is_near(source, other))
			e = take_of(other, size, align);
		if (e != NULL)
			break;
	}
	/* This lender may have more; if none had, others come next. */
	atomic_store_explicit(&source->look_from, index, memory_order_relaxed);
	if (e != NULL) {
		borrowed(source, other, e);
		return e;
	}
	/* The next look comes later. */
	lock_acquire(&source->lock);
	source->look_at = source->takes + LOOK_PAUSE;
	source->not_found = size;
	lock_release(&source->lock);
	return NULL;
}

struct page_source *
borrow_return(struct page_source *source, struct extent *e)
{
	struct page_source *lender;

	if (likely(e->lender == 0))
		return source;
	lender = sharer(e->lender - 1u);
	e->lender = 0;
	count_used(source, -e->size);
	count_used(lender, e->size);
	return lender;
}

void
borrow_lend(struct page_source *owner, struct page_source *source,
    struct extent *e)
{
	if (likely(owner == source))
		return;
	count_used(owner, -e->size);
	borrowed(source, owner, e);
}

struct page_source *
borrow_give_dirty(struct page_source *source, struct extent *e)
{
	struct page_source *owner = borrow_return(source, e);
	bool plain = page_source_is_plain(owner);

	if (unlikely(owner != source))
		atomic_store_explicit(&source->lender, owner,
		    memory_order_relaxed);
	e->zeroed = false;
	extent_set_place(e, EXTENT_BUSY, owner->arena_index);
	lock_acquire(&owner->lock);
	e->freed_at = owner->takes;
	pools_count_active_locked(owner, -e->size);
	if (likely(plain))
		pools_insert_locked(owner, e, EXTENT_DIRTY);
	lock_release(&owner->lock);
	if (unlikely(!plain))
		hooked_insert(owner, e, EXTENT_DIRTY);
	return owner;
}
