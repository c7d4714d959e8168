#include "ctl/ctl_arena.h"

#include <errno.h>
#include <string.h>

#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/thread.h"
#include "conf/options.h"
#include "conf/value.h"
#include "extent/extent_hooks.h"
#include "extent/pagemap.h"
#include "os/clock.h"
#include "os/system.h"
#include "pages/ageing.h"
#include "stats/report_sections.h"
#include "stats/snapshot.h"
#include "upkeep/background.h"

/* --- which arena ------------------------------------------------------ */

bool
ctl_arena_means_all(size_t index)
{
	return index == CTL_ARENAS_ALL || index == arena_table_count();
}

const char *
ctl_arena_enter(const char *place, size_t index)
{
	return index <= arena_table_count() || index == CTL_ARENAS_ALL ||
		index == CTL_ARENAS_DESTROYED
	    ? place
	    : NULL;
}

static inline size_t
index_of(const struct ctl_call *call)
{
	return call->mib[1];
}

/* The arena that the path names, or NULL. It stays until let_go(). */
static struct arena *
hold(const struct ctl_call *call)
{
	size_t index = index_of(call);

	return index < arena_table_count() ? arena_table_hold((unsigned)index)
					   : NULL;
}

/* Ends hold(). `arena` may be NULL: then there was no such arena. */
static int
let_go(struct arena *arena)
{
	if (arena == NULL)
		return EFAULT;
	arena_table_let_go(arena);
	return 0;
}

/* Is the caller inside a function of the program that we have called? */
static bool
is_inside(void)
{
	return thread_self == &thread_away;
}

/* Does the snapshot have this arena, or the sum of those destroyed? */
static bool
is_known(size_t index)
{
	struct stats_snapshot *snapshot = snapshot_get();
	bool known = index == CTL_ARENAS_DESTROYED
	    ? snapshot->any_destroyed
	    : snapshot_arena(snapshot, (unsigned)index) != NULL;

	snapshot_release(snapshot);
	return known;
}

int
ctl_arena_initialized(const struct ctl_call *call, union ctl_value *value)
{
	size_t index = index_of(call);

	value->truth = ctl_arena_means_all(index) || is_known(index);
	return 0;
}

/* --- actions ---------------------------------------------------------- */

static void
decay_now(struct arena *arena, void *unused)
{
	(void)unused;
	ageing_tick(&arena->pages, clock_coarse_ns());
}

static void
purge_now(struct arena *arena, void *unused)
{
	(void)unused;
	ageing_purge(&arena->pages);
}

/* Does a step for one arena or for all. A missing arena is no error. */
static int
for_arenas(const struct ctl_call *call, arena_visit *step)
{
	size_t index = index_of(call);

	if (index == CTL_ARENAS_DESTROYED)
		return EFAULT;
	if (ctl_arena_means_all(index))
		arena_table_each(step, NULL);
	else
		arena_table_visit((unsigned)index, step, NULL);
	return 0;
}

int
ctl_arena_decay(const struct ctl_call *call)
{
	return for_arenas(call, decay_now);
}

int
ctl_arena_purge(const struct ctl_call *call)
{
	if (!ctl_arena_means_all(index_of(call)))
		return for_arenas(call, purge_now);
	arena_table_purge();
	return 0;
}

static void
reset_now(struct arena *arena, void *done)
{
	*(bool *)done = arena->manual;
	if (!arena->manual)
		return;
	arena_reset(arena);
	arena_tick(arena, clock_coarse_ns());
}

int
ctl_arena_reset(const struct ctl_call *call)
{
	size_t index = index_of(call);
	bool done = false;

	if (index < arena_table_count())
		arena_table_visit((unsigned)index, reset_now, &done);
	return done ? 0 : EFAULT;
}

int
ctl_arena_destroy(const struct ctl_call *call)
{
	size_t index = index_of(call);
	struct arena *arena = index < arena_table_count()
	    ? arena_table_begin_destroy((unsigned)index, !is_inside())
	    : NULL;

	if (arena == NULL)
		return EFAULT;
	/* The arena is emptied first, because its last figures are kept. */
	arena_reset(arena);
	if (!snapshot_retire(arena)) {
		arena_table_keep(arena);
		return EFAULT;
	}
	arena_table_end_destroy(arena);
	return 0;
}

/* --- settings --------------------------------------------------------- */

static const char *const *
dss_words(void)
{
	return options_find("dss", 3)->words;
}

int
ctl_arena_dss(const struct ctl_call *call, union ctl_value *value)
{
	struct arena *arena;

	if (ctl_arena_means_all(index_of(call))) {
		value->text = dss_words()[atomic_load_explicit(
		    &arena_defaults.dss, memory_order_relaxed)];
		return 0;
	}
	arena = hold(call);
	if (arena != NULL)
		value->text = dss_words()[atomic_load_explicit(
		    &arena->pages.dss, memory_order_relaxed)];
	return let_go(arena);
}

int
ctl_arena_set_dss(const struct ctl_call *call, const union ctl_value *value)
{
	struct arena *arena;
	unsigned dss;

	if (value->text == NULL ||
	    !value_word(value->text, strlen(value->text), dss_words(), &dss))
		return EINVAL;
	if (ctl_arena_means_all(index_of(call))) {
		atomic_store_explicit(&arena_defaults.dss, (int)dss,
		    memory_order_relaxed);
		return 0;
	}
	arena = hold(call);
	if (arena != NULL)
		atomic_store_explicit(&arena->pages.dss, (int)dss,
		    memory_order_relaxed);
	return let_go(arena);
}

int
ctl_arena_oversize(const struct ctl_call *call, union ctl_value *value)
{
	struct arena *arena = hold(call);

	if (arena != NULL)
		value->size = READ_RELAXED(arena->oversize_threshold);
	return let_go(arena);
}

int
ctl_arena_set_oversize(const struct ctl_call *call,
    const union ctl_value *value)
{
	struct arena *arena = hold(call);

	if (arena != NULL)
		SET_RELAXED(arena->oversize_threshold, value->size);
	return let_go(arena);
}

int
ctl_arena_decay_ms(const struct ctl_call *call, union ctl_value *value)
{
	struct arena *arena = hold(call);

	if (arena == NULL)
		return EFAULT;
	lock_acquire(&arena->pages.decay_lock);
	value->ssize = arena->pages.decay[ctl_which(call)].time_ms;
	lock_release(&arena->pages.decay_lock);
	return let_go(arena);
}

static bool
is_decay_time(int64_t time_ms)
{
	return time_ms >= -1 && time_ms <= DECAY_MS_MAX;
}

struct decay_time {
	unsigned which;
	ssize_t time_ms;
};

static void
set_decay(struct arena *arena, void *context)
{
	const struct decay_time *decay = context;

	ageing_set_decay(&arena->pages, decay->which, decay->time_ms,
	    clock_coarse_ns());
}

int
ctl_arena_set_decay_ms(const struct ctl_call *call,
    const union ctl_value *value)
{
	struct decay_time decay = { ctl_which(call), value->ssize };
	size_t index = index_of(call);

	return is_decay_time(decay.time_ms) && index < arena_table_count() &&
		arena_table_visit((unsigned)index, set_decay, &decay)
	    ? 0
	    : EFAULT;
}

/* An automatic arena that no thread has used yet has the default hooks. */
int
ctl_arena_hooks(const struct ctl_call *call, union ctl_value *value)
{
	size_t index = index_of(call);
	struct arena *arena = hold(call);

	if (arena == NULL) {
		value->pointer = &extent_hooks_default;
		return index < arena_table_count() &&
			arena_table_is_ours((unsigned)index)
		    ? 0
		    : EFAULT;
	}
	value->pointer = atomic_load_explicit(&arena->pages.hooks,
	    memory_order_acquire);
	return let_go(arena);
}

int
ctl_arena_set_hooks(const struct ctl_call *call, const union ctl_value *value)
{
	struct extent_hooks *hooks = value->pointer;
	struct arena *arena;

	if (arena_table_need((unsigned)index_of(call)) == NULL)
		return EFAULT;
	if (hooks == NULL || hooks->alloc == NULL)
		return EINVAL;
	arena = hold(call);
	if (arena != NULL)
		page_source_set_hooks(&arena->pages, hooks);
	return let_go(arena);
}

int
ctl_arena_grow_limit(const struct ctl_call *call, union ctl_value *value)
{
	struct arena *arena = hold(call);

	if (arena == NULL)
		return EFAULT;
	lock_acquire(&arena->pages.lock);
	value->size = arena->pages.grow_limit;
	lock_release(&arena->pages.lock);
	return let_go(arena);
}

/* The largest class of runs of pages that is not above `size`. */
static size_t
page_class_floor(size_t size)
{
	if (size < LARGE_MIN)
		return round_down(size, UNIT);
	return size_class_size(size_class_floor(size));
}

int
ctl_arena_set_grow_limit(const struct ctl_call *call,
    const union ctl_value *value)
{
	size_t limit = page_class_floor(value->size);
	struct arena *arena;

	if (limit < system_info.page_size)
		return EFAULT;
	arena = hold(call);
	if (arena == NULL)
		return EFAULT;
	lock_acquire(&arena->pages.lock);
	arena->pages.grow_limit = limit;
	lock_release(&arena->pages.lock);
	return let_go(arena);
}

/* Reads and sets the name of an arena that is held. */
static int
exchange_name(struct arena *arena, const struct ctl_arguments *arguments)
{
	char own[ARENA_NAME_SIZE] = { 0 };
	const char *name;
	char *to;

	if (ctl_wants_output(arguments)) {
		if (*arguments->oldlenp != sizeof(to))
			return EINVAL;
		memcpy(&to, arguments->oldp, sizeof(to));
		if (to == NULL)
			return EINVAL;
		arena_table_name(arena, to);
	}
	if (arguments->newp == NULL)
		return 0;
	if (!ctl_input(arguments, &name, sizeof(name)) || name == NULL)
		return EINVAL;
	memcpy(own, name, strnlen(name, ARENA_NAME_SIZE - 1));
	arena_table_set_name(arena, own);
	return 0;
}

int
ctl_arena_name(const struct ctl_call *call)
{
	struct arena *arena = hold(call);
	int error;

	if (arena == NULL)
		return index_of(call) >= arena_table_count() ? EINVAL : EFAULT;
	error = exchange_name(arena, call->arguments);
	arena_table_let_go(arena);
	return error;
}

/* --- background threads ----------------------------------------------- */

int
ctl_background(const struct ctl_call *call, union ctl_value *value)
{
	(void)call;
	value->truth = background_is_on();
	return 0;
}

int
ctl_background_set(const struct ctl_call *call, const union ctl_value *value)
{
	(void)call;
	return background_set(value->truth) == 0 ? 0 : EFAULT;
}

int
ctl_background_max(const struct ctl_call *call, union ctl_value *value)
{
	(void)call;
	value->size = background_max();
	return 0;
}

int
ctl_background_set_max(const struct ctl_call *call,
    const union ctl_value *value)
{
	(void)call;
	if (value->size == 0 || value->size > opt.max_background_threads)
		return EINVAL;
	return background_set_max(value->size) == 0 ? 0 : EFAULT;
}

/* --- all arenas ------------------------------------------------------- */

int
ctl_arenas_geometry(const struct ctl_call *call, union ctl_value *value)
{
	struct report_geometry geometry = report_geometry();

	return ctl_read_field(call, &geometry, value);
}

static int
set_default_decay(_Atomic ssize_t *place, ssize_t time_ms)
{
	if (!is_decay_time(time_ms))
		return EFAULT;
	atomic_store_explicit(place, time_ms, memory_order_relaxed);
	return 0;
}

int
ctl_arenas_set_dirty_decay(const struct ctl_call *call,
    const union ctl_value *value)
{
	(void)call;
	return set_default_decay(&arena_defaults.dirty_decay_ms, value->ssize);
}

int
ctl_arenas_set_muzzy_decay(const struct ctl_call *call,
    const union ctl_value *value)
{
	(void)call;
	return set_default_decay(&arena_defaults.muzzy_decay_ms, value->ssize);
}

const char *
ctl_bin_enter(const char *place, size_t index)
{
	(void)place;
	return index < SMALL_CLASSES
	    ? (const char *)&size_class_tables.slab[index]
	    : NULL;
}

int
ctl_bin_size(const struct ctl_call *call, union ctl_value *value)
{
	const struct slab_geometry *geometry = (const void *)call->place;

	value->size = geometry->region_size;
	return 0;
}

int
ctl_bin_slab_size(const struct ctl_call *call, union ctl_value *value)
{
	const struct slab_geometry *geometry = (const void *)call->place;

	value->size = geometry->slab_size;
	return 0;
}

int
ctl_bin_nshards(const struct ctl_call *call, union ctl_value *value)
{
	value->u32 = arena_nshards((unsigned)call->mib[2]);
	return 0;
}

int
ctl_lextent_size(const struct ctl_call *call, union ctl_value *value)
{
	value->size = size_class_size(SMALL_CLASSES + (unsigned)call->mib[2]);
	return 0;
}

static int
create(const struct ctl_call *call, struct extent_hooks *hooks, bool records)
{
	struct arena *arena;

	if (hooks != NULL && hooks->alloc == NULL)
		return EAGAIN;
	arena = arena_table_create(hooks, records);
	if (arena == NULL)
		return EAGAIN;
	return ctl_output(call->arguments, &arena->index, sizeof(arena->index));
}

int
ctl_arenas_create(const struct ctl_call *call)
{
	struct extent_hooks *hooks = NULL;

	if (!ctl_input_if_any(call->arguments, &hooks, sizeof(hooks)))
		return EINVAL;
	return create(call, hooks, true);
}

int
ctl_arenas_create_ext(const struct ctl_call *call)
{
	struct {
		struct extent_hooks *hooks;
		unsigned char metadata_use_hooks; /* a bool, if right */
	} config = { .hooks = NULL, .metadata_use_hooks = true };

	if (!ctl_input_if_any(call->arguments, &config, sizeof(config)))
		return EINVAL;
	return create(call, config.hooks, config.metadata_use_hooks != 0);
}

int
ctl_arenas_lookup(const struct ctl_call *call)
{
	const struct extent *e;
	const void *object;
	unsigned index;

	if (!ctl_input(call->arguments, &object, sizeof(object)))
		return EINVAL;
	e = pagemap_find_around(object);
	if (e == NULL || extent_state(e) != EXTENT_ACTIVE)
		return EINVAL;
	index = extent_arena(e);
	return ctl_output(call->arguments, &index, sizeof(index));
}

/* --- experimental ----------------------------------------------------- */

const char *
ctl_experimental_arena_enter(const char *place, size_t index)
{
	return index < arena_table_count() && is_known(index) ? place : NULL;
}

int
ctl_arena_pactivep(const struct ctl_call *call)
{
	const struct ctl_arguments *arguments = call->arguments;
	struct arena *arena;
	size_t *place;

	if (!ctl_wants_output(arguments))
		return EINVAL;
	/* This place stays readable when the arena is destroyed. */
	arena = arena_table_hold((unsigned)call->mib[2]);
	if (arena == NULL)
		return EFAULT;
	place = &arena->pages.active_npages;
	arena_table_let_go(arena);
	return ctl_output(arguments, &place, sizeof(place));
}

int
ctl_arena_node(const struct ctl_call *call, union ctl_value *value)
{
	struct arena *arena = arena_table_hold((unsigned)call->mib[3]);

	if (arena == NULL)
		return ENOENT;
	value->ssize = (ssize_t)READ_RELAXED(arena->pages.node) - 1;
	arena_table_let_go(arena);
	return 0;
}
