#include "ctl/ctl_experimental.h"

#include <errno.h>
#include <string.h>

#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/quarantine.h"
#include "cache/stride.h"
#include "cache/tcache.h"
#include "cache/thread.h"
#include "cache/thread_event.h"
#include "extent/limit.h"
#include "guard/guard.h"
#include "extent/pagemap.h"
#include "heap/walk.h"
#include "os/cgroup.h"
#include "os/message.h"
#include "unwind/backtrace.h"
#include "util/size_class.h"

static size_t
allocate_nothing(size_t size, int flags, void **objects, size_t count)
{
	(void)size;
	(void)flags;
	(void)objects;
	(void)count;
	return 0;
}

size_t (*ctl_allocate)(size_t size, int flags, void **objects,
    size_t count) = allocate_nothing;

/* --- hooks ------------------------------------------------------------ */

int
ctl_hooks_none(const struct ctl_call *call)
{
	(void)call;
	return ENOENT;
}

int
ctl_hooks_thread_event(const struct ctl_call *call)
{
	struct thread_event event;

	static_assert(BUILD_ADDRESS_BITS != 64 ||
		sizeof(event) == 3 * sizeof(uint64_t),
	    "as the contract says");
	if (!ctl_input(call->arguments, &event, sizeof(event)) ||
	    !thread_event_add(&event))
		return EINVAL;
	/* Countdowns of one interval at most: no cost before. */
	stride_bound(thread_is_own(thread_self) ? &thread_self->tcache : NULL,
	    event.interval);
	return 0;
}

int
ctl_hooks_safety(const struct ctl_call *call, const union ctl_value *value)
{
	message_abort_hook *hook;

	(void)call;
	static_assert(sizeof(hook) == sizeof(value->pointer),
	    "an object pointer holds a function's address");
	memcpy(&hook, &value->pointer, sizeof(hook));
	message_set_abort_hook(hook);
	return 0;
}

/* --- guarded objects ---------------------------------------------------- */

int
ctl_guard_sample(const struct ctl_call *call, union ctl_value *value)
{
	(void)call;
	value->number = guard_every();
	return 0;
}

int
ctl_guard_set_sample(const struct ctl_call *call, const union ctl_value *value)
{
	(void)call;
	/* Reports have stacks. */
	if (value->number != 0)
		backtrace_prepare();
	return guard_set(value->number) ? 0 : EAGAIN;
}

/* --- limits -------------------------------------------------------------- */

int
ctl_limit_set_soft(const struct ctl_call *call, const union ctl_value *value)
{
	(void)call;
	limit_set_soft(value->size);
	/*
	 * The callback may set a limit. It must not be called inside of itself
	 * then, so a later allocation reacts.
	 */
	if (thread_self != &thread_away && limit_was_crossed()) {
		arena_table_purge();
		limit_tell();
	}
	return 0;
}

int
ctl_limit_set_hard(const struct ctl_call *call, const union ctl_value *value)
{
	struct tcache *tcache = &thread_self->tcache;

	(void)call;
	limit_set_hard(value->size);
	if (!limit_is_exceeded())
		return 0;
	if (thread_is_own(thread_self)) {
		quarantine_flush(tcache);
		tcache_flush(tcache);
	}
	arena_table_purge();
	return 0;
}

int
ctl_limit_set_callback(const struct ctl_call *call)
{
	struct {
		limit_callback *callback;
		void *context;
	} listener;

	if (!ctl_input(call->arguments, &listener, sizeof(listener)))
		return EINVAL;
	limit_set_callback(listener.callback, listener.context);
	return 0;
}

int
ctl_cgroup(const struct ctl_call *call, union ctl_value *value)
{
	struct cgroup_memory memory = cgroup_memory();

	return ctl_read_field(call, &memory, value);
}

/* --- utilization ------------------------------------------------------ */

struct utilization {
	void *slabcur;    /* the slab that its bin hands out from */
	size_t nfree;     /* regions free in the object's slab */
	size_t nregs;     /* regions in it */
	size_t size;      /* bytes of it */
	size_t bin_nfree; /* the same for all slabs of the bin */
	size_t bin_nregs;
};

static void
query_slab(const struct extent *slab, struct utilization *found)
{
	struct arena *arena = arena_table_owner(extent_arena(slab));
	unsigned size_class = slab->size_class;
	struct bin *bin;

	if (arena == NULL)
		return;
	bin = arena_bin(arena, size_class, slab->shard);
	lock_acquire(&bin->lock);
	if (bin->current != NULL)
		found->slabcur = bin->current->addr;
	found->nfree = slab->nfree;
	found->nregs = size_class_tables.slab[size_class].nregions;
	found->size = slab->size;
	found->bin_nregs = bin->stats.curslabs * found->nregs;
	found->bin_nfree = found->bin_nregs -
	    (size_t)(bin->stats.nmalloc - bin->stats.ndalloc);
	lock_release(&bin->lock);
}

static struct utilization
query(const void *object)
{
	struct utilization found = { .slabcur = NULL };
	const struct extent *e = pagemap_find_around(object);

	if (e == NULL || extent_state(e) != EXTENT_ACTIVE)
		return found;
	if (e->is_slab) {
		query_slab(e, &found);
	} else {
		found.nregs = 1;
		found.size = e->size;
	}
	return found;
}

int
ctl_utilization_query(const struct ctl_call *call)
{
	const struct ctl_arguments *arguments = call->arguments;
	struct utilization found;
	const void *object;

	if (!ctl_wants_output(arguments) ||
	    *arguments->oldlenp != sizeof(found) ||
	    !ctl_input(arguments, &object, sizeof(object)))
		return EINVAL;
	found = query(object);
	return ctl_output(arguments, &found, sizeof(found));
}

int
ctl_utilization_batch(const struct ctl_call *call)
{
	const struct ctl_arguments *arguments = call->arguments;
	size_t count = arguments->newlen / sizeof(void *);
	struct utilization found;
	const void *object;
	char *to = arguments->oldp;
	const char *from = arguments->newp;

	if (!ctl_wants_output(arguments) || from == NULL || count == 0 ||
	    arguments->newlen % sizeof(object) != 0 ||
	    *arguments->oldlenp / (3 * sizeof(size_t)) != count ||
	    *arguments->oldlenp % (3 * sizeof(size_t)) != 0)
		return EINVAL;
	for (size_t i = 0; i < count; i++, to += 3 * sizeof(size_t)) {
		memcpy(&object, from + i * sizeof(object), sizeof(object));
		found = query(object);
		memcpy(to, (size_t[]){ found.nfree, found.nregs, found.size },
		    3 * sizeof(size_t));
	}
	return 0;
}

/* --- the heap ---------------------------------------------------------- */

static int
error_of(enum walk_result result)
{
	switch (result) {
	case WALK_DONE:
		return 0;
	case WALK_NO_MEMORY:
		return ENOMEM;
	case WALK_INSIDE:
		return EAGAIN;
	default:
		return EINVAL;
	}
}

int
ctl_heap_walk(const struct ctl_call *call)
{
	const struct ctl_arguments *arguments = call->arguments;
	struct walk walk;
	uint64_t visited;
	int error;

	/* The output with the number is optional. */
	if (!ctl_input(arguments, &walk, sizeof(walk)) ||
	    (ctl_wants_output(arguments) &&
		!ctl_output_fits(arguments, sizeof(visited))))
		return EINVAL;
	error = error_of(walk_run(&walk, &visited));
	return error != 0 || !ctl_wants_output(arguments)
	    ? error
	    : ctl_output(arguments, &visited, sizeof(visited));
}

int
ctl_heap_lookup(const struct ctl_call *call)
{
	const struct ctl_arguments *arguments = call->arguments;
	struct walk_region region;
	uintptr_t addr;
	int error;

	if (!ctl_output_fits(arguments, sizeof(region)) ||
	    !ctl_input(arguments, &addr, sizeof(addr)))
		return EINVAL;
	error = error_of(walk_look(addr, &region));
	return error != 0 ? error
			  : ctl_output(arguments, &region, sizeof(region));
}

/* --- many objects at once --------------------------------------------- */

int
ctl_batch_alloc(const struct ctl_call *call)
{
	const struct ctl_arguments *arguments = call->arguments;
	struct {
		void **objects;
		size_t count;
		size_t size;
		int flags;
	} batch;
	size_t filled;

	if (!ctl_output_fits(arguments, sizeof(filled)) ||
	    !ctl_input(arguments, &batch, sizeof(batch)))
		return EINVAL;
	filled = ctl_allocate(batch.size, batch.flags, batch.objects,
	    batch.count);
	return ctl_output(arguments, &filled, sizeof(filled));
}
