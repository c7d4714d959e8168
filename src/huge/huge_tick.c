#include "huge/huge_tick.h"

#include <assert.h>

#include "huge/huge_pages.h"
#include "os/pages.h"
#include "os/system.h"
#include "util/bits.h"
#include "util/wait.h"

/* This many runs are purged between two acquisitions of the lock. */
#define PURGE_BATCH 32

static struct pageslab_wait *
of_wait(struct list *node)
{
	return container_of(node, struct pageslab_wait, node);
}

/*
 * Pageslabs that began to wait after the last tick get this tick as the start
 * of their wait, so that taking and giving runs need not read the clock.
 */
static void
stamp_locked(struct list *list, uint64_t now_ns)
{
	struct list *node = list->prev;

	for (; node != list && of_wait(node)->since_ns == 0; node = node->prev)
		of_wait(node)->since_ns = now_ns != 0 ? now_ns : 1;
}

/* If the clock went back, the wait is over: the difference wraps around. */
static bool
has_waited(const struct pageslab_wait *wait, uint64_t delay_ns, uint64_t now_ns)
{
	return wait->since_ns != 0 && now_ns - wait->since_ns >= delay_ns;
}

/* --- making huge ---------------------------------------------------------- */

static void
hugify_locked(struct huge_shard *shard, struct pageslab *slab)
{
	bool done;

	huge_slab_set_busy_locked(shard, slab, true);
	lock_release(&shard->lock);
	done = huge_slab_advise(shard, slab, HUGE_ADVICE_WANT);
	/* A kernel that ignores the advice may still collapse the pages. */
	if (shard->config.sync)
		done = pages_collapse(slab->addr, shard->config.huge_page);
	lock_acquire(&shard->lock);
	shard->stats.nhugifies += done;
	shard->stats.nhugify_failures += !done;
	huge_slab_leave_locked(shard, slab);
	slab->busy = false;
	slab->huge = done;
	huge_slab_enter_locked(shard, slab);
}

/*
 * A pageslab that can't be made huge waits again, at the end of the list. So
 * this loop ends even if the kernel always refuses.
 */
static void
hugify_due_locked(struct huge_shard *shard, uint64_t now_ns)
{
	uint64_t delay_ns = shard->config.hugify_delay_ns;

	while (!list_empty(&shard->hugify)) {
		struct pageslab *slab = container_of(shard->hugify.next,
		    struct pageslab, hugify.node);

		if (!has_waited(&slab->hugify, delay_ns, now_ns))
			return;
		hugify_locked(shard, slab);
	}
}

/* --- purging -------------------------------------------------------------- */

static void
break_up_locked(struct huge_shard *shard, struct pageslab *slab)
{
	lock_release(&shard->lock);
	/*
	 * If the kernel refuses the advice, it may make the page huge again
	 * later. The purge is still useful, so go on.
	 */
	huge_slab_advise(shard, slab, HUGE_ADVICE_REFUSE);
	lock_acquire(&shard->lock);
	shard->stats.ndehugifies++;
	huge_slab_leave_locked(shard, slab);
	pageslab_break(slab);
	huge_slab_enter_locked(shard, slab);
}

/*
 * Purges up to PURGE_BATCH dirty runs, from page *from on; false: there are no
 * more.
 */
static bool
purge_batch_locked(struct huge_shard *shard, struct pageslab *slab,
    unsigned *from)
{
	size_t page = system_info.page_size;
	struct pageslab_run runs[PURGE_BATCH];
	unsigned count = 0;

	while (count < PURGE_BATCH &&
	    pageslab_next_dirty(slab, *from, &runs[count])) {
		*from = runs[count].at + runs[count].count;
		count++;
	}
	lock_release(&shard->lock);
	for (unsigned i = 0; i < count; i++)
		if (!pages_purge_forced(slab->addr + runs[i].at * page,
			runs[i].count * page))
			runs[i].count = 0;
	lock_acquire(&shard->lock);
	huge_slab_leave_locked(shard, slab);
	for (unsigned i = 0; i < count; i++) {
		if (runs[i].count == 0)
			continue;
		pageslab_clean(slab, runs[i]);
		ADD_RELAXED(shard->purged_bytes, runs[i].count * page);
	}
	huge_slab_enter_locked(shard, slab);
	return count == PURGE_BATCH;
}

/*
 * Nobody takes a run of a busy pageslab. So pages that are free now stay free
 * while the lock is released for the system calls.
 */
static void
purge_locked(struct huge_shard *shard, struct pageslab *slab)
{
	unsigned from = 0;

	huge_slab_set_busy_locked(shard, slab, true);
	if (slab->huge && slab->nactive != 0)
		break_up_locked(shard, slab);
	while (purge_batch_locked(shard, slab, &from))
		;
	shard->stats.npurges++;
	huge_slab_set_busy_locked(shard, slab, false);
	if (slab->nactive == 0)
		huge_slab_retire_locked(shard, slab);
}

static void
ripen_locked(struct huge_shard *shard, uint64_t now_ns)
{
	uint64_t delay_ns = shard->config.purge_delay_ns;

	while (delay_ns != 0 && !list_empty(&shard->purge)) {
		struct pageslab *slab = container_of(shard->purge.next,
		    struct pageslab, purge.node);

		if (!has_waited(&slab->purge, delay_ns, now_ns))
			return;
		list_remove(&slab->purge.node);
		huge_slab_leave_locked(shard, slab);
		slab->purge.ripe = true;
		huge_slab_enter_locked(shard, slab);
	}
}

/*
 * Purges the first pageslab in the order. False: the kernel took nothing, so
 * another try would be useless.
 */
static bool
purge_first_locked(struct huge_shard *shard)
{
	uint64_t before = shard->purged_bytes;

	if (shard->to_purge == NULL)
		return false;
	purge_locked(shard,
	    container_of(tree_first(shard->to_purge), struct pageslab, order));
	return shard->purged_bytes != before;
}

static void
purge_due_locked(struct huge_shard *shard, uint64_t now_ns)
{
	const struct huge_group *all = &shard->stats.all;
	size_t left = all->npageslabs[0] + all->npageslabs[1];

	if ((shard->purged &&
		now_ns - shard->last_purge_ns <
		    shard->config.purge_interval_ns) ||
	    shard->to_purge == NULL || huge_pages_too_dirty(shard) == 0)
		return;
	shard->purged = true;
	shard->last_purge_ns = now_ns;
	shard->stats.npurge_passes++;
	if (shard->config.max_purges >= 0)
		left = min_size(left, (size_t)shard->config.max_purges);
	/*
	 * `left` bounds the loop: other threads may make pages dirty as fast
	 * as this one purges them.
	 */
	while (left != 0 && huge_pages_too_dirty(shard) != 0 &&
	    purge_first_locked(shard))
		left--;
}

void
huge_tick_run(struct huge_shard *shard, uint64_t now_ns)
{
	lock_acquire(&shard->lock);
	if (!shard->ticking) {
		shard->ticking = true;
		stamp_locked(&shard->hugify, now_ns);
		stamp_locked(&shard->purge, now_ns);
		hugify_due_locked(shard, now_ns);
		ripen_locked(shard, now_ns);
		purge_due_locked(shard, now_ns);
		shard->ticking = false;
	}
	lock_release(&shard->lock);
}

/*
 * The rest of the longest wait. If that has no start time yet, a tick is needed
 * at once, because only a tick sets it.
 */
static uint64_t
rest_of_first(struct list *list, uint64_t delay_ns, uint64_t now_ns)
{
	uint64_t since_ns;

	if (list_empty(list))
		return UINT64_MAX;
	since_ns = of_wait(list->next)->since_ns;
	return since_ns == 0 ? 0 : wait_rest(since_ns, delay_ns, now_ns);
}

uint64_t
huge_tick_wait(struct huge_shard *shard, uint64_t now_ns)
{
	const struct huge_config *config = &shard->config;
	uint64_t wait_ns, purge_ns;

	lock_acquire(&shard->lock);
	wait_ns = rest_of_first(&shard->hugify, config->hugify_delay_ns,
	    now_ns);
	if (huge_pages_too_dirty(shard) == 0)
		purge_ns = UINT64_MAX;
	else if (shard->to_purge == NULL)
		purge_ns = rest_of_first(&shard->purge, config->purge_delay_ns,
		    now_ns);
	else
		purge_ns = !shard->purged
		    ? 0
		    : wait_rest(shard->last_purge_ns, config->purge_interval_ns,
			  now_ns);
	lock_release(&shard->lock);
	return wait_min(wait_ns, purge_ns);
}

/* Can pages be purged here without breaking up a dense huge page? */
static bool
can_be_purged(const struct huge_shard *shard, const struct pageslab *slab)
{
	if (slab->busy)
		return false;
	return slab->nactive == 0 ||
	    (pageslab_ndirty(slab) != 0 &&
		!(slab->huge && huge_slab_is_dense(shard, slab)));
}

void
huge_tick_purge(struct huge_shard *shard)
{
	size_t left;

	lock_acquire(&shard->lock);
	left = shard->stats.all.npageslabs[0] + shard->stats.all.npageslabs[1];
	for (; left != 0 && !list_empty(&shard->all); left--) {
		struct pageslab *slab = container_of(shard->all.next,
		    struct pageslab, all);

		/*
		 * Purging releases the lock, and the list may change then. So
		 * don't keep a position in it: move each pageslab to the end,
		 * and always look at the first.
		 */
		list_remove(&slab->all);
		list_push_back(&shard->all, &slab->all);
		if (can_be_purged(shard, slab))
			purge_locked(shard, slab);
	}
	lock_release(&shard->lock);
}
