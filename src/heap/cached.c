#include "heap/cached.h"

#include "cache/quarantine.h"
#include "cache/tcache_look.h"
#include "cache/tcache_table.h"
#include "cache/tcache_counts.h"
#include "cache/thread.h"
#include "os/pages.h"
#include "os/system.h"
#include "util/bits.h"

/* Other threads go on while we count, so some more room is needed. */
#define MORE_ROOM 4096

/* --- counting ------------------------------------------------------------- */

static void
count_tcache(const struct tcache *tcache, size_t *sum)
{
	for (unsigned i = 0; i < CACHE_BINS; i++)
		*sum += tcache_count(tcache, i);
	/* The batch that it fills, and one that it releases. */
	*sum += (size_t)2 * QUARANTINE_BATCH_OBJECTS;
}

static void
count_thread(struct thread *thread, void *sum)
{
	count_tcache(&thread->tcache, sum);
}

static void
count_explicit(struct tcache *tcache, void *sum)
{
	count_tcache(tcache, sum);
}

static bool
make_room(struct cached *cached)
{
	struct held_objects held = { .nsmall = 0 };
	size_t sum = MORE_ROOM;

	thread_each(count_thread, &sum);
	thread_each_lost(count_thread, &sum);
	tcache_table_each(count_explicit, &sum);
	quarantine_add_held(NULL, &held);
	sum += held.nsmall + held.nlarge;
	sum += sum / 4;
	*cached = (struct cached){ .room = round_up(sum *
					   sizeof(cached->addrs[0]),
				       system_info.page_size) };
	cached->addrs = pages_map(cached->room, system_info.page_size);
	return cached->addrs != NULL;
}

/* --- copying -------------------------------------------------------------- */

static void **
end_of(const struct cached *cached)
{
	return (void **)cached->addrs + cached->count;
}

static size_t
rest_of(const struct cached *cached)
{
	return cached->room / sizeof(cached->addrs[0]) - cached->count;
}

static void
add_tcache(struct cached *cached, const struct tcache *tcache, bool at_rest)
{
	for (unsigned i = 0; i < CACHE_BINS; i++)
		cached->count += tcache_copy(tcache, i, at_rest, end_of(cached),
		    rest_of(cached));
	cached->count += quarantine_copy(tcache, end_of(cached),
	    rest_of(cached));
}

static void
add_thread(struct thread *thread, void *cached)
{
	if (thread != thread_self)
		add_tcache(cached, &thread->tcache, false);
}

static void
add_lost(struct thread *thread, void *cached)
{
	add_tcache(cached, &thread->tcache, true);
}

static void
add_explicit(struct tcache *tcache, void *cached)
{
	add_tcache(cached, tcache, false);
}

/* --- sorting -------------------------------------------------------------- */

/* Moves addrs[i] down below larger ones, in a heap of `n`. */
static void
sink(uintptr_t *addrs, size_t i, size_t n)
{
	uintptr_t addr = addrs[i];

	for (size_t child; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n && addrs[child + 1] > addrs[child])
			child++;
		if (addrs[child] <= addr)
			break;
		addrs[i] = addrs[child];
	}
	addrs[i] = addr;
}

/* Heapsort, because the C library's qsort() may allocate. */
static void
sort(uintptr_t *addrs, size_t n)
{
	for (size_t i = n / 2; i-- > 0;)
		sink(addrs, i, n);
	while (n > 1) {
		uintptr_t largest = addrs[0];

		addrs[0] = addrs[--n];
		sink(addrs, 0, n);
		addrs[n] = largest;
	}
}

bool
cached_take(struct cached *cached)
{
	if (!make_room(cached))
		return false;
	/* The caller's own cache comes first: there is surely room for it. */
	if (thread_is_own(thread_self))
		add_tcache(cached, &thread_self->tcache, true);
	thread_each(add_thread, cached);
	thread_each_lost(add_lost, cached);
	tcache_table_each(add_explicit, cached);
	/* The queue comes last, see quarantine_copy(). */
	cached->count += quarantine_copy(NULL, end_of(cached), rest_of(cached));
	sort(cached->addrs, cached->count);
	return true;
}

void
cached_end(struct cached *cached)
{
	pages_unmap(cached->addrs, cached->room);
}

bool
cached_has(struct cached *cached, uintptr_t addr)
{
	while (cached->at > 0 && cached->addrs[cached->at - 1] >= addr)
		cached->at--;
	while (cached->at < cached->count && cached->addrs[cached->at] < addr)
		cached->at++;
	return cached->at < cached->count && cached->addrs[cached->at] == addr;
}
