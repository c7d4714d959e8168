#include "ctl/ctl_thread.h"

#include <errno.h>
#include <string.h>

#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/tcache.h"
#include "cache/tcache_guard.h"
#include "cache/tcache_table.h"
#include "cache/thread.h"
#include "conf/options.h"
#include "conf/value.h"
#include "os/system.h"
#include "pages/ageing.h"
#include "util/size_class.h"

/*
 * A longer text for ncached_max is refused: it probably lacks its final zero.
 */
#define NCACHED_TEXT_MAX 1000

static inline struct thread *
own_thread(void)
{
	return thread_is_own(thread_self) ? thread_self : NULL;
}

/* --- arena ------------------------------------------------------------ */

int
ctl_thread_arena(const struct ctl_call *call, union ctl_value *value)
{
	struct thread *thread = own_thread();

	(void)call;
	if (thread == NULL)
		return EAGAIN;
	value->number = thread->tcache.arena->index;
	return 0;
}

static void
purge_if_left(struct arena *arena, void *unused)
{
	(void)unused;
	if (READ_RELAXED(arena->nthreads) == 0)
		ageing_purge(&arena->pages);
}

int
ctl_thread_set_arena(const struct ctl_call *call, const union ctl_value *value)
{
	struct thread *thread = own_thread();
	unsigned old;

	(void)call;
	if (thread == NULL)
		return EAGAIN;
	if (value->number >= arena_table_count())
		return EFAULT;
	old = thread->tcache.arena->index;
	if (value->number == old)
		return 0;
	/* With one arena for each CPU, the CPU decides which one is used. */
	if (arena_table_per_cpu() != 0 &&
	    value->number < arena_table_automatic())
		return EPERM;
	if (!thread_set_arena(thread, value->number))
		return value->number < arena_table_automatic() ? EAGAIN
							       : EFAULT;
	/* If no thread uses the old arena, no thread ages its free pages. */
	arena_table_visit(old, purge_if_left, NULL);
	return 0;
}

/* --- counters --------------------------------------------------------- */

int
ctl_thread_counter(const struct ctl_call *call, union ctl_value *value)
{
	struct thread *thread = own_thread();
	uint64_t counters[2];

	if (thread == NULL)
		return EAGAIN;
	thread_counters(thread, &counters[0], &counters[1]);
	value->u64 = counters[ctl_which(call)];
	return 0;
}

/* The counter that lies at this offset in the thread's record. */
int
ctl_thread_counter_place(const struct ctl_call *call, union ctl_value *value)
{
	struct thread *thread = own_thread();

	if (thread == NULL || !thread_go_live(thread))
		return EAGAIN;
	value->pointer = (char *)thread + ctl_which(call);
	return 0;
}

/* Before the first reset the peak counts from the thread's start. */
int
ctl_thread_peak(const struct ctl_call *call, union ctl_value *value)
{
	struct thread *thread = own_thread();

	(void)call;
	if (thread == NULL)
		return EAGAIN;
	thread_peak_begin(thread);
	thread_peak_update(thread);
	value->u64 = thread->peak;
	return 0;
}

int
ctl_thread_peak_reset(const struct ctl_call *call)
{
	struct thread *thread = own_thread();

	(void)call;
	if (thread == NULL)
		return EAGAIN;
	thread_peak_reset(thread);
	return 0;
}

/* --- the thread's cache ----------------------------------------------- */

int
ctl_thread_cached(const struct ctl_call *call, union ctl_value *value)
{
	struct thread *thread = own_thread();

	(void)call;
	value->truth = thread != NULL && thread->tcache.enabled;
	return 0;
}

int
ctl_thread_set_cached(const struct ctl_call *call, const union ctl_value *value)
{
	struct thread *thread = own_thread();

	(void)call;
	if (thread == NULL || tcache_is_busy(&thread->tcache))
		return EAGAIN;
	if (value->truth != thread->tcache.enabled)
		tcache_configure(&thread->tcache, value->truth,
		    thread->tcache.max_size);
	return 0;
}

int
ctl_thread_cache_max(const struct ctl_call *call, union ctl_value *value)
{
	struct thread *thread = own_thread();

	(void)call;
	if (thread == NULL)
		return EAGAIN;
	value->size = thread->tcache.max_size;
	return 0;
}

/*
 * The same as tcache_configure(), but bins that still cache keep their bounds.
 */
static void
configure_max(struct tcache *tcache, size_t max_size)
{
	unsigned bounds[CACHE_BINS_MAX];

	for (unsigned i = 0; i < CACHE_BINS; i++)
		bounds[i] = tcache_bin_max(tcache, i);
	tcache_configure(tcache, tcache->enabled, max_size);
	for (unsigned i = 0; i < CACHE_BINS; i++)
		if (bounds[i] != 0 && cache_bin_usable(i) <= max_size &&
		    tcache_bin_max(tcache, i) != bounds[i])
			tcache_bin_set_max(tcache, i, bounds[i]);
}

int
ctl_thread_set_cache_max(const struct ctl_call *call,
    const union ctl_value *value)
{
	struct thread *thread = own_thread();
	size_t max_size = min_size(value->size, TCACHE_MAX_LIMIT);

	(void)call;
	if (thread == NULL || tcache_is_busy(&thread->tcache))
		return EAGAIN;
	max_size = size_class_size(size_class_of(max_size));
	if (max_size != thread->tcache.max_size)
		configure_max(&thread->tcache, max_size);
	return 0;
}

int
ctl_thread_flush(const struct ctl_call *call)
{
	const struct ctl_arguments *a = call->arguments;
	struct thread *thread = own_thread();

	if (thread == NULL || !thread->tcache.enabled)
		return EFAULT;
	if (a->oldp != NULL || a->oldlenp != NULL || a->newp != NULL ||
	    a->newlen != 0)
		return EPERM;
	tcache_flush(&thread->tcache);
	return 0;
}

int
ctl_thread_idle(const struct ctl_call *call)
{
	struct thread *thread = own_thread();

	(void)call;
	if (thread == NULL)
		return 0;
	tcache_flush(&thread->tcache);
	/* With this many arenas, probably no other thread uses this one. */
	if (opt.narenas > 2 * system_info.ncpus)
		ageing_purge(&thread->tcache.arena->pages);
	return 0;
}

/* --- depths of bins --------------------------------------------------- */

/* The bin that caches objects of `size` bytes; false: none does. */
static bool
bin_of_size(size_t size, unsigned *bin)
{
	if (size <= SMALL_MAX)
		*bin = small_class_of(size);
	else if (size <= CACHED_MAX)
		*bin = cache_bin_of_large(max_size(round_up(size, UNIT),
		    LARGE_MIN));
	else
		return false;
	return true;
}

/* In: a size. Out: how many objects of that size the cache may hold. */
int
ctl_thread_ncached(const struct ctl_call *call)
{
	struct thread *thread = own_thread();
	size_t size, depth = 0;
	unsigned bin;

	if (!ctl_input(call->arguments, &size, sizeof(size)) ||
	    size > TCACHE_MAX_LIMIT)
		return EINVAL;
	if (thread != NULL && thread->tcache.enabled && bin_of_size(size, &bin))
		depth = tcache_bin_max(&thread->tcache, bin);
	return ctl_output(call->arguments, &depth, sizeof(depth));
}

static void
range_apply(struct tcache *tcache, const struct value_range *range)
{
	unsigned low, high, depth;

	if (range->low > range->high || range->high > TCACHE_MAX_LIMIT)
		return;
	low = size_class_of((size_t)range->low);
	high = size_class_of((size_t)range->high);
	depth = range->value < TCACHE_NCACHED_LIMIT ? (unsigned)range->value
						    : TCACHE_NCACHED_LIMIT;
	for (unsigned i = 0; i < CACHE_BINS; i++) {
		size_t usable = cache_bin_usable(i);
		unsigned size_class = size_class_of(usable);

		if (size_class >= low && size_class <= high &&
		    usable <= tcache->max_size)
			tcache_bin_set_max(tcache, i, depth);
	}
}

/* lo-hi:depth|lo-hi:depth..., as the option tcache_ncached_max. */
int
ctl_thread_set_ncached(const struct ctl_call *call,
    const union ctl_value *value)
{
	struct thread *thread = own_thread();
	struct value_range range;
	const char *text;
	size_t length, rest;

	(void)call;
	if (thread == NULL || !thread->tcache.enabled)
		return ENOENT;
	if (tcache_is_busy(&thread->tcache))
		return EAGAIN;
	if (value->text == NULL)
		return EINVAL;
	length = strnlen(value->text, NCACHED_TEXT_MAX);
	if (length == NCACHED_TEXT_MAX)
		return EINVAL;
	/* The whole text is checked first, so a wrong text changes nothing. */
	for (text = value->text, rest = length; rest > 0;)
		if (!value_range_next(&text, &rest, &range))
			return EINVAL;
	for (text = value->text, rest = length; rest > 0;) {
		value_range_next(&text, &rest, &range);
		range_apply(&thread->tcache, &range);
	}
	return 0;
}

/* --- explicit caches -------------------------------------------------- */

int
ctl_tcache_create(const struct ctl_call *call, union ctl_value *value)
{
	struct thread *thread = own_thread();

	(void)call;
	if (thread == NULL)
		return EFAULT;
	return tcache_table_create(thread->tcache.arena, &value->number)
	    ? 0
	    : EFAULT;
}

int
ctl_tcache_flush(const struct ctl_call *call, const union ctl_value *value)
{
	(void)call;
	return tcache_table_flush(value->number) ? 0 : EFAULT;
}

int
ctl_tcache_destroy(const struct ctl_call *call, const union ctl_value *value)
{
	(void)call;
	return tcache_table_destroy(value->number) ? 0 : EFAULT;
}
