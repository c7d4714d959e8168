#include "cache/tcache_look.h"

#include <stdatomic.h>

#include "cache/tcache.h"
#include "cache/tcache_counts.h"

bool
tcache_contains(const struct tcache *tcache, unsigned i, const void *object)
{
	const struct cache_bin_cold *cold = &tcache->cold[i];
	uint32_t vacated = atomic_load_explicit(&cold->vacated,
	    memory_order_relaxed);

	for (uint32_t n = tcache_count(tcache, i); n > 0; n--)
		if (*(cold->bottom - vacated - n) == object)
			return true;
	return false;
}

/* A stack gets other memory only in a slow path, which changes `entries`. */
static bool
is_undisturbed(const struct tcache *tcache, uint32_t entries)
{
	atomic_thread_fence(memory_order_acquire);
	return entries % 2 == 0 &&
	    atomic_load_explicit(&tcache->guard.entries,
		memory_order_relaxed) == entries;
}

ROUGHLY uint32_t
tcache_copy(const struct tcache *tcache, unsigned i, bool at_rest, void **to,
    size_t most)
{
	const struct cache_bin_cold *cold = &tcache->cold[i];
	uint32_t entries = atomic_load_explicit(&tcache->guard.entries,
	    memory_order_acquire);
	void *const *bottom = READ_RELAXED(cold->bottom), *const * top;
	uint32_t n = tcache_count(tcache, i);

	if (n == 0 || n > most || bottom == NULL ||
	    (!at_rest && !is_undisturbed(tcache, entries)))
		return 0;
	/* trim.c may have taken the objects at the bottom. */
	top = bottom - n -
	    atomic_load_explicit(&cold->vacated, memory_order_relaxed);
	/*
	 * The owner may push and pop meanwhile. Each pointer was in the stack
	 * at some moment.
	 */
	for (uint32_t k = 0; k < n; k++)
		to[k] = READ_RELAXED(top[k]);
	return at_rest || is_undisturbed(tcache, entries) ? n : 0;
}
