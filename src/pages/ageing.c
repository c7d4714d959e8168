#include "pages/ageing.h"

#include <limits.h>

#include "extent/limit.h"
#include "extent/pagemap.h"
#include "huge/huge_cache.h"
#include "os/clock.h"
#include "os/dss.h"
#include "os/message.h"
#include "os/pages.h"
#include "os/system.h"
#include "pages/guards.h"
#include "pages/hooked.h"
#include "pages/mapped.h"
#include "util/bits.h"
#include "util/wait.h"

/* This many extents leave the pool under one acquisition of the lock. */
#define PURGE_BATCH 32
#define ALL         UINT_MAX /* pieces: the caller has time */
/* Pieces of ageing_keep(): each is an eighth to a quarter of the most. */
#define KEEP_PIECES 8
/* Ageing looks at a source no more often than this. */
#define TICK_NS UINT64_C(10000000)
/*
 * Bins keep an empty slab that they don't need for one or two of these times,
 * or of this part of the decay time.
 */
#define SHED_NS   UINT64_C(100000000)
#define SHED_PART 4
/*
 * After the kernel has refused a whole batch, only calls that ask for a purge
 * try again within this time.
 */
#define REFUSED_NS UINT64_C(1000000000)

/*
 * Cuts `e`, which has just left its pool, so that at most `most` bytes are left
 * of it: its end, from a multiple of `most` on. So the pieces of a huge page
 * are purged one after the other.
 */
static struct extent *
cut_locked(struct page_source *source, struct extent *e,
    enum extent_state state, size_t most)
{
	char *from = (char *)round_down((uintptr_t)extent_end(e) - 1, most);
	struct extent *piece = pools_split_locked(source, e,
	    (size_t)(from - e->addr));

	pools_enter_locked(source, e, state);
	extent_pool_make_oldest(pools_of(source, state), e);
	return piece;
}

/*
 * Takes the oldest extents out of a pool, until `keep` bytes stay or `most`
 * bytes are taken. `most` is a power of two, or SIZE_MAX.
 */
static struct extent *
take_oldest(struct page_source *source, enum extent_state state, size_t keep,
    size_t most)
{
	struct extent_pool *pool = pools_of(source, state);
	struct extent *chain = NULL;
	size_t taken = 0;
	/* Whole extents can go without spare records, if memory is short. */
	bool cuts = most != SIZE_MAX && pools_lock_with_spares(source);

	if (!cuts)
		lock_acquire(&source->lock);
	/* Only hooks could say whether an extent of theirs may be cut. */
	cuts &= page_source_is_plain(source);
	for (unsigned i = 0; i < PURGE_BATCH && pool->size > keep; i++) {
		struct extent *e = extent_pool_oldest(pool);

		if (i != 0 && e->size > most - taken)
			break;
		pools_remove_locked(source, e);
		if (cuts && e->size > most)
			e = cut_locked(source, e, state, most);
		taken += e->size;
		e->next = chain;
		chain = e;
	}
	lock_release(&source->lock);
	return chain;
}

/* Gives address space back to the kernel; false: the source keeps it. */
static bool
unmap(struct page_source *source, struct extent *e)
{
	bool gone;

	if (dss_contains(e->addr))
		return false;
	if (!mapped_leave(source, e))
		return false;
	gone = pages_unmap(e->addr, e->size);
	mapped_stay(source, e, gone);
	return gone;
}

/*
 * For kernels that refuse madvise: unmaps the pages, and maps the same
 * addresses again unless another thread got them meanwhile. If new pages would
 * be locked, and so in memory at once, the addresses go back to the kernel.
 * Returns `from` if the pages could not be unmapped.
 */
static enum extent_state
replace(struct page_source *source, struct extent *e, enum extent_state from)
{
	enum extent_state to = EXTENT_BUSY;

	if (dss_contains(e->addr) || !mapped_leave(source, e))
		return from;
	if (!pages_unmap(e->addr, e->size)) {
		mapped_stay(source, e, false);
		return from;
	}
	if (!pages_come_locked() && pages_map_at(e->addr, e->size)) {
		if (likely(!pages_are_locked(e->addr)))
			to = EXTENT_RETAINED;
		else if (!pages_unmap(e->addr, e->size))
			to = from;
	}
	mapped_stay(source, e, to == EXTENT_BUSY);
	e->zeroed = true;
	return to;
}

/*
 * Purges one extent and returns its new state: EXTENT_BUSY if it is not mapped
 * any more, `from` if the kernel has refused everything.
 */
static enum extent_state
purge_extent(struct page_source *source, bool plain, struct extent *e,
    enum extent_state from)
{
	bool lazy = from == EXTENT_DIRTY && pools_stay_ns(source, 1) != 0;

	if (unlikely(!plain))
		return hooked_purge(source, e, from, lazy);
	if (lazy && pages_purge_lazy(e->addr, e->size)) {
		e->zeroed = false;
		return EXTENT_MUZZY;
	}
	if (!source->retain && unmap(source, e))
		return EXTENT_BUSY;
	if (pages_purge_forced(e->addr, e->size)) {
		e->zeroed = true;
		return EXTENT_RETAINED;
	}
	return source->retain ? replace(source, e, from) : from;
}

/*
 * Purges extents from the pool of `from`; returns the bytes that were not
 * refused.
 */
static size_t
purge_chain(struct page_source *source, struct extent *chain,
    enum extent_state from)
{
	struct page_counters *aged = &source->aged[from - EXTENT_DIRTY];
	bool plain = page_source_is_plain(source);
	struct extent *next;
	size_t gone = 0;

	for (; chain != NULL; chain = next) {
		size_t size = chain->size;
		enum extent_state to = purge_extent(source, plain, chain, from);
		size_t went = to != from ? size : 0;

		next = chain->next;
		if (went != 0 && to != EXTENT_MUZZY)
			limit_give(size);
		lock_acquire(&source->lock);
		aged->nmadvise++;
		aged->purged += went;
		if (to == EXTENT_BUSY)
			pools_gone_locked(source, chain);
		else if (to == EXTENT_RETAINED && likely(plain))
			pools_retain_locked(source, chain);
		else if (likely(plain))
			pools_insert_locked(source, chain, to);
		lock_release(&source->lock);
		if (to != EXTENT_BUSY && unlikely(!plain))
			hooked_insert(source, chain, to);
		gone += went;
	}
	return gone;
}

static void
say_refused(void)
{
	static _Atomic bool said;

	if (!atomic_exchange_explicit(&said, true, memory_order_relaxed))
		message("can't give unused memory back: the kernel refuses "
			"madvise and munmap");
}

static bool
is_paused(struct page_source *source, uint64_t now_ns)
{
	uint64_t until_ns = atomic_load_explicit(&source->refused_until_ns,
	    memory_order_relaxed);

	/*
	 * No pause is longer than REFUSED_NS. If this one seems longer, it is
	 * over (the difference wraps around), or the clock went back.
	 */
	return unlikely(until_ns != 0) && until_ns - now_ns <= REFUSED_NS;
}

static void
set_pause(struct page_source *source, uint64_t until_ns)
{
	atomic_store_explicit(&source->refused_until_ns, until_ns,
	    memory_order_relaxed);
}

struct purge {
	size_t keep;     /* bytes that stay */
	size_t piece;    /* most bytes of a step, a power of two, or SIZE_MAX */
	unsigned pieces; /* most steps, or ALL */
	bool asked;      /* by the program */
};

static const struct purge everything = { 0, SIZE_MAX, ALL, true };

/*
 * Purges the oldest extents until `keep` bytes stay. Refused extents go back to
 * the pool as the newest ones, so without a limit the loop would try them for
 * ever. After the first refusal it therefore tries only as many bytes as are in
 * the pool then, so each extent about once. If nobody has `asked` for the
 * purge, it already stops when the kernel has refused a whole batch.
 */
static size_t
purge_down_to(struct page_source *source, enum extent_state from,
    const struct purge *purge)
{
	struct extent *chain;
	size_t left = SIZE_MAX, gone = 0, sum = 0;

	for (unsigned i = 0; i < purge->pieces; i++) {
		size_t tried = 0;

		chain = take_oldest(source, from, purge->keep, purge->piece);
		if (chain == NULL)
			break;

		for (struct extent *e = chain; e != NULL; e = e->next)
			tried += e->size;
		gone = purge_chain(source, chain, from);
		sum += gone;
		if (likely(gone == tried && left == SIZE_MAX))
			continue;
		if (left == SIZE_MAX)
			left = READ_RELAXED(pools_of(source, from)->size);
		if (gone == 0) {
			if (page_source_is_plain(source))
				say_refused();
			set_pause(source, clock_now_ns() + REFUSED_NS);
		}
		if (left <= tried || (gone == 0 && !purge->asked))
			break;
		left -= tried;
	}
	/* If the pool was empty, the kernel was not asked. */
	if (left == SIZE_MAX && gone != 0 && ageing_is_refused(source))
		set_pause(source, 0);
	lock_acquire(&source->lock);
	source->aged[from - EXTENT_DIRTY].npurge++;
	lock_release(&source->lock);
	spare_records_shed(&source->spares, &source->lock);
	return sum;
}

/*
 * Purges when nobody has asked for it. This runs inside a call of the program,
 * such as free(). Refusals must not make each of these calls slow.
 */
static size_t
purge_by_itself(struct page_source *source, enum extent_state from, size_t keep,
    unsigned pieces, uint64_t now_ns)
{
	if (is_paused(source, now_ns))
		return 0;
	return purge_down_to(source, from,
	    &(struct purge){ .keep = keep,
		.piece = pieces == ALL ? SIZE_MAX : AGEING_PIECE,
		.pieces = pieces });
}

/*
 * Remembers how many bytes were free at this tick, even if the tick does
 * nothing more. At the next tick they count as free since now: see age().
 */
static void
see(struct page_source *source)
{
	for (unsigned i = 0; i < ARRAY_LEN(source->seen); i++) {
		size_t size = READ_RELAXED(source->pool[i].size);

		if (size !=
		    atomic_load_explicit(&source->seen[i],
			memory_order_relaxed))
			atomic_store_explicit(&source->seen[i], size,
			    memory_order_relaxed);
	}
}

/* What ageing may do now. */
struct tick {
	uint64_t last_ns; /* at or after the tick before */
	uint64_t now_ns;
	unsigned pieces; /* to purge at most, or ALL */
};

/*
 * Purges what may no longer stay by the curve; returns how many bytes. Bytes
 * that were free at the last tick, and still are, age from that time on; the
 * others age from now on.
 */
static size_t
age(struct page_source *source, unsigned which, const struct tick *tick)
{
	struct decay *decay = &source->decay[which];
	enum extent_state state = EXTENT_DIRTY + which;
	bool due = decay_is_due(decay, tick->now_ns);
	size_t size, owed, gone;

	if (!due && decay->owed == 0)
		return 0;
	size = READ_RELAXED(source->pool[which].size);
	if (due && tick->last_ns > decay->step_start_ns &&
	    tick->last_ns < tick->now_ns)
		decay_advance(decay, tick->last_ns,
		    min_size(size,
			atomic_load_explicit(&source->seen[which],
			    memory_order_relaxed)));
	if (due)
		decay_advance(decay, tick->now_ns, size);
	owed = decay_owed(decay, size);
	if (owed == 0)
		return 0;
	lock_release(&source->decay_lock);
	gone = purge_by_itself(source, state, size - owed, tick->pieces,
	    tick->now_ns);
	lock_acquire(&source->decay_lock);
	decay_purged(decay, gone);
	return gone;
}

/* Nanoseconds until bins are to give empty slabs back; UINT64_MAX: never. */
static uint64_t
shed_wait_locked(const struct page_source *source, uint64_t now_ns)
{
	uint64_t step_ns = pools_stay_ns(source, 0) / SHED_PART;

	LOCK_ASSERT_HELD(&source->decay_lock);
	if (atomic_load_explicit(&source->kept, memory_order_relaxed) == 0)
		return UINT64_MAX;
	if (step_ns > SHED_NS)
		step_ns = SHED_NS;
	return wait_rest(source->shed_ns, step_ns, now_ns);
}

static bool
is_shed_due_locked(struct page_source *source, uint64_t now_ns)
{
	if (shed_wait_locked(source, now_ns) != 0)
		return false;
	source->shed_ns = now_ns;
	return true;
}

static bool
tick_run(struct page_source *source, const struct tick *tick)
{
	uint64_t now_ns = tick->now_ns;
	size_t gone;
	bool sheds;

	if (!lock_try(&source->decay_lock)) {
		see(source);
		return false;
	}
	/* Threads that tick while this one purges see that nothing is due. */
	atomic_store_explicit(&source->due_ns, now_ns + TICK_NS,
	    memory_order_relaxed);
	gone = age(source, 0, tick);
	if (gone == 0 || tick->pieces == ALL)
		gone += age(source, 1, tick);
	/* There is more, so the next tick need not wait. */
	if (gone != 0 && tick->pieces != ALL)
		atomic_store_explicit(&source->due_ns, now_ns,
		    memory_order_relaxed);
	sheds = is_shed_due_locked(source, now_ns);
	lock_release(&source->decay_lock);
	if (sheds)
		pools_shed(source, false);
	guards_age(source, now_ns);
	see(source);
	if (unlikely(source->huge != NULL))
		huge_cache_tick(source->huge, now_ns);
	return gone != 0;
}

/*
 * No wait is longer than TICK_NS. If this one seems longer, it is over (the
 * difference wraps around), or the clock went back.
 */
static inline bool
is_waiting(uint64_t due_ns, uint64_t now_ns)
{
	return due_ns != now_ns && due_ns - now_ns <= TICK_NS;
}

void
ageing_tick(struct page_source *source, uint64_t now_ns)
{
	uint64_t due_ns = atomic_load_explicit(&source->due_ns,
	    memory_order_relaxed);

	if (is_waiting(due_ns, now_ns))
		see(source);
	else
		tick_run(source, &(struct tick){ due_ns, now_ns, ALL });
}

bool
ageing_tick_short(struct page_source *source, uint64_t now_ns)
{
	uint64_t due_ns = atomic_load_explicit(&source->due_ns,
	    memory_order_relaxed);

	if (likely(is_waiting(due_ns, now_ns))) {
		see(source);
		return false;
	}
	return tick_run(source,
	    &(struct tick){ due_ns, now_ns,
		now_ns - due_ns >= TICK_NS ? AGEING_PIECES : 1 });
}

uint64_t
ageing_wait(struct page_source *source, uint64_t now_ns)
{
	uint64_t wait_ns = guards_wait(source, now_ns);
	uint64_t due_ns = atomic_load_explicit(&source->due_ns,
	    memory_order_relaxed);
	uint64_t next_ns = is_waiting(due_ns, now_ns) ? due_ns - now_ns : 0;

	if (!lock_try(&source->decay_lock))
		return TICK_NS;
	for (unsigned i = 0; i < ARRAY_LEN(source->decay); i++) {
		struct decay *decay = &source->decay[i];
		uint64_t step_ns;

		if (decay->time_ms <= 0 ||
		    READ_RELAXED(source->pool[i].size) == 0)
			continue;
		step_ns = wait_rest(decay->step_start_ns, decay->step_ns,
		    now_ns);
		/* The next tick goes on with what the last one has left. */
		if (decay->owed != 0)
			step_ns = wait_min(step_ns, next_ns);
		wait_ns = wait_min(wait_ns, step_ns);
	}
	if (ageing_kept(source) != 0) {
		uint64_t shed_ns = shed_wait_locked(source, now_ns);

		/* That takes a tick. */
		if (shed_ns < next_ns)
			shed_ns = next_ns;
		wait_ns = wait_min(wait_ns, shed_ns);
	}
	lock_release(&source->decay_lock);
	if (wait_ns < REFUSED_NS && is_paused(source, now_ns))
		wait_ns = atomic_load_explicit(&source->refused_until_ns,
			      memory_order_relaxed) -
		    now_ns;
	if (unlikely(source->huge != NULL))
		wait_ns = wait_min(wait_ns,
		    huge_cache_wait(source->huge, now_ns));
	return wait_ns;
}

bool
ageing_tick_silent(struct page_source *source, uint64_t now_ns)
{
	uint64_t due_ns = atomic_load_explicit(&source->due_ns,
	    memory_order_relaxed);
	size_t gone = 0;

	/*
	 * A thread that frees pages also ticks, and a tick moves due_ns. So
	 * what is unused now has been unused since due_ns or for longer.
	 */
	if (now_ns < due_ns || now_ns - due_ns < ageing_period(source) ||
	    ageing_unused(source) == 0)
		return false;
	if (unlikely(source->huge != NULL))
		huge_cache_tick(source->huge, now_ns);
	if (pools_age(source, 0)) {
		pools_shed(source, true);
		guards_release(source, 0, true);
	}
	for (unsigned i = 0; i < ARRAY_LEN(source->stay_ns) && gone == 0; i++)
		if (pools_age(source, i))
			gone = purge_by_itself(source, EXTENT_DIRTY + i, 0,
			    AGEING_PIECES, now_ns);
	/* As long as there is more, it counts as silent, and this goes on. */
	if (gone == 0 || ageing_unused(source) == 0)
		atomic_store_explicit(&source->due_ns, now_ns + TICK_NS,
		    memory_order_relaxed);
	return gone != 0;
}

void
ageing_keep(struct page_source *source, size_t keep, size_t most)
{
	struct purge purge = { .keep = keep,
		.piece = (size_t)1 << lg_floor(most) >> 2,
		.pieces = KEEP_PIECES };

	if (pools_age(source, 0) && READ_RELAXED(source->pool[0].size) > keep &&
	    !is_paused(source, clock_now_ns()))
		purge_down_to(source, EXTENT_DIRTY, &purge);
}

/* The time, if the kernel has refused pages: only then it matters. */
static uint64_t
now_if_refused(const struct page_source *source)
{
	return unlikely(ageing_is_refused(source)) ? clock_now_ns() : 0;
}

void
ageing_purge_dirty(struct page_source *source)
{
	purge_by_itself(source, EXTENT_DIRTY, 0, ALL, now_if_refused(source));
}

void
ageing_purge_pages(struct page_source *source)
{
	uint64_t now_ns = now_if_refused(source);

	if (source->huge != NULL)
		huge_cache_purge(source->huge);
	purge_by_itself(source, EXTENT_DIRTY, 0, ALL, now_ns);
	purge_by_itself(source, EXTENT_MUZZY, 0, ALL, now_ns);
}

void
ageing_shed(struct page_source *source)
{
	pools_shed(source, true);
}

void
ageing_purge(struct page_source *source)
{
	ageing_shed(source);
	if (source->huge != NULL)
		huge_cache_purge(source->huge);
	guards_release(source, 0, true);
	purge_down_to(source, EXTENT_DIRTY, &everything);
	purge_down_to(source, EXTENT_MUZZY, &everything);
}

/* The size of the next step to unmap `left` bytes; see take_oldest(). */
static size_t
release_step(size_t left)
{
	return left > SIZE_MAX / 2
	    ? SIZE_MAX
	    : (size_t)1 << lg_ceil(max_size(left, AGEING_PIECE));
}

size_t
ageing_unmap(struct page_source *source, enum extent_state state, size_t enough)
{
	struct extent *chain, *next, *kept = NULL;
	size_t gone = 0;

	/*
	 * Writable pages count towards the kernel's limit, so lifting guards
	 * needs room: that of the retained ones, which go first.
	 */
	if (state == EXTENT_MUZZY)
		guards_release(source, 0, true);
	while (gone < enough &&
	    (chain = take_oldest(source, state, 0,
		 release_step(enough - gone))) != NULL) {
		for (; chain != NULL; chain = next) {
			next = chain->next;
			if (unmap(source, chain)) {
				gone += chain->size;
				if (state != EXTENT_RETAINED)
					limit_give(chain->size);
				lock_acquire(&source->lock);
				pools_gone_locked(source, chain);
				lock_release(&source->lock);
			} else {
				chain->next = kept;
				kept = chain;
			}
		}
	}
	for (; kept != NULL; kept = next) {
		next = kept->next;
		lock_acquire(&source->lock);
		pools_insert_locked(source, kept, state);
		lock_release(&source->lock);
	}
	return gone;
}

size_t
ageing_spare(const struct page_source *source)
{
	size_t spare = READ_RELAXED(source->guards.size) +
	    atomic_load_explicit(&source->kept, memory_order_relaxed);

	for (unsigned i = 0; i < EXTENT_POOLS; i++)
		spare += READ_RELAXED(source->pool[i].size);
	if (source->huge != NULL)
		spare += packed_unused(source);
	return spare;
}

bool
ageing_loosen(struct page_source *source)
{
	pools_shed(source, true);
	if (source->huge != NULL)
		huge_cache_purge(source->huge);
	if (likely(page_source_is_plain(source)))
		return true;
	/*
	 * Purging already offers each extent to the program's hooks. They have
	 * refused the rest, so don't ask them again.
	 */
	ageing_purge(source);
	return false;
}

void
ageing_release(struct page_source *source)
{
	if (!ageing_loosen(source))
		return;
	ageing_unmap(source, EXTENT_RETAINED, SIZE_MAX);
	ageing_unmap(source, EXTENT_MUZZY, SIZE_MAX);
	ageing_unmap(source, EXTENT_DIRTY, SIZE_MAX);
}

AT_START void
ageing_init(struct page_source *source, unsigned which, int64_t time_ms,
    uint64_t now_ns)
{
	decay_init(&source->decay[which], time_ms, now_ns);
	atomic_store_explicit(&source->stay_ns[which],
	    time_ms < 0 ? UINT64_MAX
			: source->decay[which].step_ns * DECAY_STEPS,
	    memory_order_relaxed);
}

void
ageing_set_decay(struct page_source *source, unsigned which, int64_t time_ms,
    uint64_t now_ns)
{
	lock_acquire(&source->decay_lock);
	ageing_init(source, which, time_ms, now_ns);
	lock_release(&source->decay_lock);
	if (time_ms >= 0 && which == 0) {
		/*
		 * A bin looks at the time under its lock before it keeps a
		 * slab. So with a time of 0 it keeps none after this.
		 */
		pools_shed(source, true);
		guards_release(source, 0, true);
	}
	if (time_ms >= 0)
		purge_down_to(source, EXTENT_DIRTY + which, &everything);
}
