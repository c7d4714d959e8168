#include "huge/huge_pages.h"

#include <assert.h>
#include <string.h>

#include "extent/extent.h"
#include "extent/metadata.h"
#include "os/pages.h"
#include "os/system.h"
#include "util/bits.h"

void
huge_pages_init(struct huge_shard *shard, const struct huge_config *config)
{
	memset(shard, 0, sizeof(*shard));
	lock_init(&shard->lock, LOCK_HUGE);
	shard->config = *config;
	shard->npages = (unsigned)(config->huge_page / system_info.page_size);
	list_init(&shard->all);
	list_init(&shard->hugify);
	list_init(&shard->purge);
}

/* The class of a run of `size` bytes. */
static unsigned
run_class(size_t size)
{
	unsigned class = size < LARGE_MIN
	    ? (unsigned)(size / UNIT) - 1
	    : 3 + size_class_floor(size) - SMALL_CLASSES;

	return class < HUGE_RUN_CLASSES ? class : HUGE_RUN_CLASSES - 1;
}

static unsigned
pages_of(size_t size)
{
	return (unsigned)(size / system_info.page_size);
}

static struct pageslab_run
run_of(const struct pageslab *slab, const struct extent *e)
{
	return (struct pageslab_run){ pages_of((size_t)(e->addr - slab->addr)),
		pages_of(e->size) };
}

/* --- the place of a pageslab --------------------------------------------- */

static struct pageslab *
of_place(const struct tree_node *node)
{
	return container_of(node, struct pageslab, place);
}

static struct pageslab *
of_order(const struct tree_node *node)
{
	return container_of(node, struct pageslab, order);
}

/* The densest first, so that sparse ones become empty and can be given back. */
static bool
place_before(const struct tree_node *a, const struct tree_node *b)
{
	const struct pageslab *s = of_place(a), *t = of_place(b);

	if (s->nactive != t->nactive)
		return s->nactive > t->nactive;
	return (uintptr_t)s->addr < (uintptr_t)t->addr;
}

/*
 * Empty pageslabs are purged first, because they can be given back as a whole.
 * Huge ones come last, because a huge page that is broken up is lost.
 */
static unsigned
purge_rank(const struct pageslab *slab)
{
	return slab->nactive == 0 ? 0 : slab->huge ? 2 : 1;
}

static bool
order_before(const struct tree_node *a, const struct tree_node *b)
{
	const struct pageslab *s = of_order(a), *t = of_order(b);
	unsigned s_dirty, t_dirty;

	if (purge_rank(s) != purge_rank(t))
		return purge_rank(s) < purge_rank(t);
	s_dirty = pageslab_ndirty(s);
	t_dirty = pageslab_ndirty(t);
	if (s_dirty != t_dirty)
		return s_dirty > t_dirty;
	return (uintptr_t)s->addr < (uintptr_t)t->addr;
}

static unsigned
class_of(const struct pageslab *slab)
{
	return run_class(slab->longest * system_info.page_size);
}

static struct huge_group *
group_of(struct huge_shard *shard, const struct pageslab *slab)
{
	if (slab->nactive == 0)
		return &shard->stats.empty;
	if (slab->longest == 0)
		return &shard->stats.full;
	return &shard->stats.nonfull[class_of(slab)];
}

/* `sign`: 1 adds the pageslab, -1 takes it out. */
static void
group_add(struct huge_group *group, const struct pageslab *slab, int sign)
{
	size_t factor = (size_t)sign;

	group->npageslabs[slab->huge] += factor;
	ADD_RELAXED(group->nactive[slab->huge], factor * slab->nactive);
	ADD_RELAXED(group->ndirty[slab->huge], factor * pageslab_ndirty(slab));
	if (!slab->huge)
		group->nretained += factor * (slab->npages - slab->ntouched);
}

bool
huge_slab_is_dense(const struct huge_shard *shard, const struct pageslab *slab)
{
	return slab->nactive * system_info.page_size >= shard->config.dense;
}

static bool
is_worth_hugifying(const struct huge_shard *shard, const struct pageslab *slab)
{
	return shard->config.style != HUGIFY_NONE && !slab->huge &&
	    !slab->busy && huge_slab_is_dense(shard, slab);
}

static bool
is_worth_purging(const struct huge_shard *shard, const struct pageslab *slab)
{
	size_t dirty = pageslab_ndirty(slab) * system_info.page_size;

	if (!shard->config.purge || slab->busy || dirty == 0)
		return false;
	if (slab->nactive == 0)
		return true;
	return dirty >= shard->config.purge_min &&
	    !(slab->huge && huge_slab_is_dense(shard, slab));
}

/* Begins to wait, at the end of the list, or stops waiting. */
static void
wait_set(struct list *list, struct pageslab_wait *wait, bool wanted)
{
	if (wanted == wait->wanted)
		return;
	wait->wanted = wanted;
	wait->ripe = false;
	wait->since_ns = 0;
	if (wanted)
		list_push_back(list, &wait->node);
	else
		list_remove(&wait->node);
}

void
huge_slab_leave_locked(struct huge_shard *shard, struct pageslab *slab)
{
	LOCK_ASSERT_HELD(&shard->lock);
	group_add(group_of(shard, slab), slab, -1);
	group_add(&shard->stats.all, slab, -1);
	if (slab->placed) {
		unsigned class = class_of(slab);

		tree_remove(&shard->place[class], &slab->place, place_before);
		if (shard->place[class] == NULL)
			shard->nonempty &= ~((uint64_t)1 << class);
		slab->placed = false;
	}
	if (slab->ordered)
		tree_remove(&shard->to_purge, &slab->order, order_before);
	slab->ordered = false;
}

void
huge_slab_enter_locked(struct huge_shard *shard, struct pageslab *slab)
{
	bool purge = is_worth_purging(shard, slab);

	LOCK_ASSERT_HELD(&shard->lock);
	group_add(group_of(shard, slab), slab, 1);
	group_add(&shard->stats.all, slab, 1);
	slab->placed = slab->longest != 0 && !slab->busy;
	if (slab->placed) {
		unsigned class = class_of(slab);

		tree_insert(&shard->place[class], &slab->place, place_before);
		shard->nonempty |= (uint64_t)1 << class;
	}
	wait_set(&shard->purge, &slab->purge, purge);
	slab->ordered = purge &&
	    (slab->purge.ripe || shard->config.purge_delay_ns == 0);
	if (slab->ordered)
		tree_insert(&shard->to_purge, &slab->order, order_before);
	wait_set(&shard->hugify, &slab->hugify,
	    is_worth_hugifying(shard, slab));
}

void
huge_slab_set_busy_locked(struct huge_shard *shard, struct pageslab *slab,
    bool busy)
{
	huge_slab_leave_locked(shard, slab);
	slab->busy = busy;
	huge_slab_enter_locked(shard, slab);
}

/* --- pageslabs come and go ----------------------------------------------- */

bool
huge_slab_advise(struct huge_shard *shard, struct pageslab *slab,
    enum huge_advice advice)
{
	size_t size = shard->config.huge_page;
	bool done;

	/* If the kernel does it by itself, no system call is needed. */
	if (advice == HUGE_ADVICE_WANT && shard->config.always &&
	    slab->advice == HUGE_ADVICE_NONE && !shard->config.ask_always)
		return true;
	done = advice == HUGE_ADVICE_WANT ? pages_want_huge(slab->addr, size)
					  : pages_refuse_huge(slab->addr, size);
	if (done)
		slab->advice = advice;
	return done;
}

static void
start_huge(struct huge_shard *shard, struct pageslab *slab)
{
	bool eager = shard->config.style == HUGIFY_EAGER;
	bool done = eager && huge_slab_advise(shard, slab, HUGE_ADVICE_WANT);
	bool small;

	lock_acquire(&shard->lock);
	small = shard->stats.all.npageslabs[0] +
		shard->stats.all.npageslabs[1] <
	    shard->config.small_at_first;
	lock_release(&shard->lock);
	small = small && huge_slab_advise(shard, slab, HUGE_ADVICE_REFUSE);
	/* Pages that have memory already are not made huge by advice. */
	slab->huge = slab->ntouched == 0 && !small &&
	    (done || shard->config.born_huge);
	lock_acquire(&shard->lock);
	shard->stats.nhugifies += done;
	shard->stats.nhugify_failures += eager && !done;
	lock_release(&shard->lock);
}

static bool
grow(struct huge_shard *shard)
{
	const struct huge_backing *backing = &shard->config.backing;
	struct pageslab *slab =
	    metadata_take_piece(pageslab_size(shard->npages));
	struct extent *range;

	if (slab == NULL)
		return false;
	range = backing->take(backing->context, shard->config.huge_page);
	if (range == NULL) {
		metadata_give_piece(slab, pageslab_size(shard->npages));
		return false;
	}
	pageslab_init(slab, shard->npages, !range->zeroed);
	slab->range = range;
	slab->addr = range->addr;
	start_huge(shard, slab);
	lock_acquire(&shard->lock);
	list_push_back(&shard->all, &slab->all);
	huge_slab_enter_locked(shard, slab);
	lock_release(&shard->lock);
	return true;
}

/*
 * Undoes the advice, because the range may get another use: the kernel then
 * treats it as if there had been no advice.
 */
static void
take_advice_back(struct huge_shard *shard, struct pageslab *slab)
{
	if (shard->config.always && slab->advice == HUGE_ADVICE_REFUSE)
		huge_slab_advise(shard, slab, HUGE_ADVICE_WANT);
	else if (!shard->config.always && slab->advice == HUGE_ADVICE_WANT)
		huge_slab_advise(shard, slab, HUGE_ADVICE_REFUSE);
}

void
huge_slab_retire_locked(struct huge_shard *shard, struct pageslab *slab)
{
	const struct huge_backing *backing = &shard->config.backing;

	assert(slab->nactive == 0 && !slab->busy);
	huge_slab_leave_locked(shard, slab);
	wait_set(&shard->purge, &slab->purge, false);
	wait_set(&shard->hugify, &slab->hugify, false);
	list_remove(&slab->all);
	lock_release(&shard->lock);
	take_advice_back(shard, slab);
	slab->range->zeroed = slab->ntouched == 0;
	backing->give(backing->context, slab->range);
	metadata_give_piece(slab, pageslab_size(shard->npages));
	lock_acquire(&shard->lock);
}

/* --- runs ----------------------------------------------------------------- */

/* The densest pageslab with a run of `size` bytes, or NULL. */
static struct pageslab *
find_slab_locked(struct huge_shard *shard, size_t size)
{
	unsigned class = run_class(size), count = pages_of(size);
	struct pageslab *best = NULL;

	LOCK_ASSERT_HELD(&shard->lock);
	for (uint64_t left = shard->nonempty >> class << class; left != 0;
	     left &= left - 1) {
		struct pageslab *slab =
		    of_place(tree_first(shard->place[lowest_bit(left)]));

		/*
		 * Runs of one class differ in length, so in the lowest class
		 * the longest run may still be too short.
		 */
		if (slab->longest >= count &&
		    (best == NULL || slab->nactive > best->nactive))
			best = slab;
	}
	return best;
}

static struct extent *
cut_locked(struct huge_shard *shard, struct pageslab *slab, size_t size)
{
	struct pageslab_run run = { 0, pages_of(size) };
	struct extent *e = spare_records_take(&shard->spares);

	run.at = pageslab_find(slab, run.count);
	assert(run.at != PAGESLAB_NONE);
	SET_RELAXED(e->addr, slab->addr + run.at * system_info.page_size);
	e->size = size;
	e->is_slab = false;
	e->decommitted = false;
	e->pageslab = slab;
	huge_slab_leave_locked(shard, slab);
	e->zeroed = pageslab_use(slab, run);
	huge_slab_enter_locked(shard, slab);
	extent_set_place(e, EXTENT_ACTIVE, shard->config.arena_index);
	return e;
}

unsigned
huge_pages_take(struct huge_shard *shard, size_t size, unsigned count,
    struct extent **chain)
{
	unsigned got = 0;

	assert(size != 0 && size <= shard->config.huge_page);
	*chain = NULL;
	for (;;) {
		if (!spare_records_lock(&shard->spares, &shard->lock, 1, count))
			return 0;
		while (got < count && shard->spares.count != 0) {
			struct pageslab *slab = find_slab_locked(shard, size);
			struct extent *e;

			if (slab == NULL)
				break;
			e = cut_locked(shard, slab, size);
			e->next = *chain;
			*chain = e;
			got++;
		}
		lock_release(&shard->lock);
		if (got != 0 || !grow(shard))
			return got;
	}
}

void
huge_pages_give(struct huge_shard *shard, struct extent *chain)
{
	struct extent *next;

	lock_acquire(&shard->lock);
	for (; chain != NULL; chain = next) {
		struct pageslab *slab = chain->pageslab;

		next = chain->next;
		huge_slab_leave_locked(shard, slab);
		pageslab_free(slab, run_of(slab, chain));
		huge_slab_enter_locked(shard, slab);
		chain->pageslab = NULL;
		spare_records_give(&shard->spares, chain);
	}
	lock_release(&shard->lock);
}

bool
huge_pages_extend(struct huge_shard *shard, struct extent *e, size_t size,
    bool *zeroed)
{
	struct pageslab *slab = e->pageslab;
	struct pageslab_run run = run_of(slab, e);
	bool fits;

	if (size > shard->config.max_size)
		return false;
	run.at += run.count;
	run.count = pages_of(size) - run.count;
	lock_acquire(&shard->lock);
	fits = !slab->busy && pageslab_is_free(slab, run);
	if (fits) {
		huge_slab_leave_locked(shard, slab);
		*zeroed = pageslab_use(slab, run);
		huge_slab_enter_locked(shard, slab);
		e->size = size;
	}
	lock_release(&shard->lock);
	return fits;
}

void
huge_pages_trim(struct huge_shard *shard, struct extent *e, size_t size)
{
	struct pageslab *slab = e->pageslab;
	struct pageslab_run run = run_of(slab, e);

	run.at += pages_of(size);
	run.count -= pages_of(size);
	lock_acquire(&shard->lock);
	huge_slab_leave_locked(shard, slab);
	pageslab_free(slab, run);
	huge_slab_enter_locked(shard, slab);
	e->size = size;
	lock_release(&shard->lock);
}

/* --- the whole shard ------------------------------------------------------ */

void
huge_pages_fork_child(struct huge_shard *shard)
{
	struct list *node;

	shard->ticking = false;
	for (node = shard->all.next; node != &shard->all; node = node->next) {
		struct pageslab *slab = container_of(node, struct pageslab,
		    all);

		if (!slab->busy)
			continue;
		lock_acquire(&shard->lock);
		huge_slab_set_busy_locked(shard, slab, false);
		lock_release(&shard->lock);
	}
}

void
huge_pages_stats(struct huge_shard *shard, struct huge_stats *stats)
{
	const struct huge_group *all = &stats->all;

	lock_acquire(&shard->lock);
	*stats = shard->stats;
	stats->nspare = shard->spares.count;
	lock_release(&shard->lock);
	stats->npageslabs = all->npageslabs[0] + all->npageslabs[1];
	stats->nactive = all->nactive[0] + all->nactive[1];
	stats->ndirty = all->ndirty[0] + all->ndirty[1];
}

size_t
huge_pages_dirty(const struct huge_shard *shard)
{
	return (READ_RELAXED(shard->stats.all.ndirty[0]) +
		   READ_RELAXED(shard->stats.all.ndirty[1])) *
	    system_info.page_size;
}

size_t
huge_pages_too_dirty(const struct huge_shard *shard)
{
	uint64_t active = READ_RELAXED(shard->stats.all.nactive[0]) +
	    READ_RELAXED(shard->stats.all.nactive[1]);
	size_t dirty = huge_pages_dirty(shard);
	size_t most = (size_t)(active * shard->config.dirty_ratio >> 16) *
	    system_info.page_size;

	return shard->config.purge && dirty > most ? dirty - most : 0;
}

static void
group_check(struct huge_group *sum, const struct huge_group *group)
{
	for (unsigned i = 0; i < 2; i++) {
		sum->npageslabs[i] -= group->npageslabs[i];
		sum->nactive[i] -= group->nactive[i];
		sum->ndirty[i] -= group->ndirty[i];
	}
	sum->nretained -= group->nretained;
}

void
huge_pages_check(struct huge_shard *shard)
{
	struct huge_group sum = { .npageslabs = { 0, 0 } };
	const struct huge_group none = { .npageslabs = { 0, 0 } };

	lock_acquire(&shard->lock);
	for (struct list *node = shard->all.next; node != &shard->all;
	     node = node->next) {
		struct pageslab *slab = container_of(node, struct pageslab,
		    all);

		pageslab_check(slab);
		group_add(&sum, slab, 1);
		assert(slab->busy || slab->placed == (slab->longest != 0));
	}
	assert(memcmp(&sum, &shard->stats.all, sizeof(sum)) == 0);
	group_check(&sum, &shard->stats.full);
	group_check(&sum, &shard->stats.empty);
	for (unsigned i = 0; i < HUGE_RUN_CLASSES; i++)
		group_check(&sum, &shard->stats.nonfull[i]);
	assert(memcmp(&sum, &none, sizeof(sum)) == 0);
	(void)none;
	lock_release(&shard->lock);
}
