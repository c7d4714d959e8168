/*
 * controls: arenas and caches that come and go, and what names them.
 */
#include "controls.h"

/* ---- which arenas there are ---- */

static _Atomic unsigned known[ACTORS_MAX]; /* index + 1, or 0 */
/* Those that a thread was bound to; who destroys the last is told EFAULT. */
static _Atomic unsigned left[512];

static void
leave_for_later(unsigned index)
{
	for (unsigned i = 0; i < 512; i++) {
		unsigned none = 0;

		if (atomic_compare_exchange_strong(&left[i], &none, index + 1))
			return;
	}
	stress_fail("arenas can't be destroyed any more");
}

static int
destroy(unsigned index, const int *allowed)
{
	char name[64];

	return control_void(arena_name(name, index, "destroy"), allowed);
}

static void
destroy_left(const int *allowed)
{
	for (unsigned i = 0; i < 512; i++) {
		unsigned index = atomic_exchange(&left[i], 0);

		if (index != 0 && destroy(index - 1, allowed) != 0)
			leave_for_later(index - 1);
	}
}

void
arenas_end(void)
{
	destroy_left(NO_ERROR);
}

unsigned
arena_any(struct prng *prng)
{
	unsigned index = atomic_load(&known[prng_below(prng, 4)]);

	return index != 0 ? index - 1 : (unsigned)prng_below(prng, 2);
}

/* ---- an arena's life ---- */

static unsigned
create(void *hooks)
{
	unsigned index;
	size_t size = sizeof(index);

	control_do("arenas.create", &index, &size,
	    hooks != NULL ? &hooks : NULL, hooks != NULL ? sizeof(hooks) : 0,
	    NO_ERROR);
	return index;
}

static void
fill_arena(struct actor *actor, unsigned index, struct block **block)
{
	for (unsigned i = 0; i < OWN_MAX; i++) {
		size_t size = block_size(&actor->prng,
		    i % 8 == 0 ? 256 * KIB : 8 * KIB);

		block[i] = block_fill(lib.mallocx(size,
					  ARENA(index) | NO_CACHE),
		    size, i);
	}
}

static void
empty_arena(struct block **block, unsigned step)
{
	for (unsigned i = 0; i < OWN_MAX; i += step) {
		if (block[i] == NULL)
			continue;
		block_verify(block[i]);
		lib.dallocx(block[i], NO_CACHE);
		block[i] = NULL;
	}
}

/* Some objects are left to the arena. If it stays, they do. */
static void
destroy_used(struct actor *actor, unsigned index)
{
	struct block *block[OWN_MAX];

	fill_arena(actor, index, block);
	if (prng_below(&actor->prng, 2) == 0)
		empty_arena(block, 2);
	if (destroy(index, ERRORS(EFAULT)) == 0)
		return;
	empty_arena(block, 1);
	leave_for_later(index);
}

static void
arena_destroy(struct actor *actor)
{
	unsigned index = create(NULL);

	atomic_store(&known[actor->index % 4], index + 1);
	if (prng_below(&actor->prng, 8) == 0)
		destroy_used(actor, index);
	else if (destroy(index, ERRORS(EFAULT)) != 0)
		leave_for_later(index);
	if (actor->nsteps % 64 == 0)
		destroy_left(ERRORS(EFAULT));
}

static void
arena_destroy_end(struct actor *actor)
{
	atomic_store(&known[actor->index % 4], 0);
}

static void
own_begin(struct actor *actor)
{
	actor->arena = create(NULL);
}

static void
own_end(struct actor *actor)
{
	if (destroy(actor->arena, ERRORS(EFAULT)) != 0)
		leave_for_later(actor->arena);
}

static void
arena_reset(struct actor *actor)
{
	struct block *block[OWN_MAX];
	char name[64];

	fill_arena(actor, actor->arena, block);
	empty_arena(block, 3);
	control_void(arena_name(name, actor->arena, "reset"), NO_ERROR);
}

static void
arena_create_ext(struct actor *actor)
{
	struct {
		void *hooks;
		bool metadata;
	} config = { NULL, false };
	unsigned index;
	size_t size = sizeof(index);

	for (unsigned i = 0; i < 2; i++) {
		config.metadata = i == 1;
		control_do("experimental.arenas_create_ext", &index, &size,
		    &config, sizeof(config), NO_ERROR);
		destroy_used(actor, index);
	}
}

/* ---- those of others, by name ---- */

static void
arena_read(struct actor *actor)
{
	static const char *const sizes[] = { "dirty_decay_ms", "muzzy_decay_ms",
		"oversize_threshold", "extent_hooks", "dss",
		"retain_grow_limit" };
	unsigned index = arena_any(&actor->prng);
	char path[64], text[64] = "", *to = text;
	size_t value, size = sizeof(value);
	bool truth;

	control_do(arena_name(path, index, sizes[prng_below(&actor->prng, 6)]),
	    &value, &size, NULL, 0, ERRORS(EFAULT, ENOENT));
	size = sizeof(to);
	control_do(arena_name(path, index, "name"), &to, &size, NULL, 0,
	    ERRORS(EFAULT, EINVAL));
	size = sizeof(truth);
	control_do(arena_name(path, index, "initialized"), &truth, &size, NULL,
	    0, ERRORS(ENOENT));
	snprintf(path, sizeof(path), "experimental.arenas.%u.pactivep", index);
	size = sizeof(value);
	control_do(path, &value, &size, NULL, 0, ERRORS(EFAULT, ENOENT));
	snprintf(path, sizeof(path), "stats.arenas.%u.pactive", index);
	control_do(path, &value, &size, NULL, 0, ERRORS(ENOENT));
}

static void
arena_write(struct actor *actor)
{
	struct prng *prng = &actor->prng;
	unsigned index = arena_any(prng);
	char path[64];

	switch (prng_below(prng, 6)) {
	case 0:
		control_set_size(arena_name(path, index, "dirty_decay_ms"),
		    prng_below(prng, 200) - 1, ERRORS(EFAULT));
		break;
	case 1:
		control_set_size(arena_name(path, index, "muzzy_decay_ms"),
		    prng_below(prng, 200) - 1, ERRORS(EFAULT));
		break;
	case 2:
		control_set_size(arena_name(path, index, "oversize_threshold"),
		    8 * MIB, ERRORS(EFAULT));
		break;
	case 3:
		control_set_size(arena_name(path, index, "retain_grow_limit"),
		    MIB << prng_below(prng, 8), ERRORS(EFAULT, ENOENT));
		break;
	case 4:
		control_set_text(arena_name(path, index, "dss"),
		    prng_below(prng, 2) ? "disabled" : "secondary",
		    ERRORS(EFAULT));
		break;
	default:
		control_set_text(arena_name(path, index, "name"),
		    prng_below(prng, 2) ? "one" : "another",
		    ERRORS(EFAULT, EINVAL));
	}
}

static void
arena_purge(struct actor *actor)
{
	char path[64];

	control_void(arena_name(path, arena_any(&actor->prng),
			 prng_below(&actor->prng, 2) ? "purge" : "decay"),
	    ERRORS(EFAULT));
}

static void
purge_all(struct actor *actor)
{
	(void)actor;
	control_void("arena.4096.purge", NO_ERROR);
}

static void
decay_all(struct actor *actor)
{
	(void)actor;
	control_void("arena.4096.decay", NO_ERROR);
}

static void
decay_times(struct actor *actor)
{
	size_t time_ms = prng_below(&actor->prng, 100) - 1;

	control_set_size("arenas.dirty_decay_ms", time_ms, NO_ERROR);
	control_set_size("arenas.muzzy_decay_ms", time_ms, NO_ERROR);
	control_set_size("arena.0.dirty_decay_ms", time_ms, NO_ERROR);
	control_set_size("arena.0.muzzy_decay_ms", time_ms, NO_ERROR);
}

/* Hooks that do what the default ones do. */
static void *own_hooks[9];

static void
hooks_begin(struct actor *actor)
{
	void *table;
	size_t size = sizeof(table);

	(void)actor;
	control_do("arena.0.extent_hooks", &table, &size, NULL, 0, NO_ERROR);
	memcpy(own_hooks, table, sizeof(own_hooks));
}

static void
hooks(struct actor *actor)
{
	void *mine = own_hooks;
	char path[64];

	destroy_used(actor, create(mine));
	control_do(arena_name(path, (unsigned)prng_below(&actor->prng, 2),
		       "extent_hooks"),
	    NULL, NULL, &mine, sizeof(mine), NO_ERROR);
}

/* ---- threads and arenas ---- */

static int
bind(unsigned index)
{
	return control_do("thread.arena", NULL, NULL, &index, sizeof(index),
	    ERRORS(EFAULT, EPERM, EAGAIN));
}

static void
use_cache(struct actor *actor)
{
	struct block *block[OWN_MAX];

	for (unsigned i = 0; i < OWN_MAX; i++) {
		size_t size = block_size(&actor->prng, 4 * KIB);

		block[i] = block_fill(lib.malloc(size), size, i);
	}
	for (unsigned i = 0; i < OWN_MAX; i++)
		if (block[i] != NULL)
			block_free(block[i]);
}

static void
thread_arena(struct actor *actor)
{
	bind((unsigned)prng_below(&actor->prng, 2));
	use_cache(actor);
}

/* While this thread is bound, the arena stays. */
static void
thread_bound(struct actor *actor)
{
	unsigned index = atomic_load(&known[prng_below(&actor->prng, 4)]);

	if (index == 0 || bind(index - 1) != 0)
		return;
	use_cache(actor);
	control_void("thread.tcache.flush", ERRORS(EFAULT));
	bind(0);
}

/*
 * All of an arena's life in one thread, by its cache: who flushes it and leaves
 * may destroy the arena, whoever ages caches at that moment.
 */
static void
arena_cached(struct actor *actor)
{
	unsigned index = create(NULL);

	if (bind(index) != 0)
		stress_fail("no thread can be bound to a new arena");
	use_cache(actor);
	/* For caches of threads that are silent to be found so. */
	if (prng_below(&actor->prng, 4) == 0)
		nanosleep(&(struct timespec){ .tv_nsec = (long)prng_below(
						  &actor->prng, 60000000) },
		    NULL);
	control_void("thread.tcache.flush", ERRORS(EFAULT));
	bind(0);
	/* By CPU, threads can't go back. */
	if (control_unsigned("thread.arena") == index)
		leave_for_later(index);
	else
		destroy(index, NO_ERROR);
	if (actor->nsteps % 64 == 0)
		destroy_left(ERRORS(EFAULT));
}

static void
back_to_first(struct actor *actor)
{
	(void)actor;
	bind(0);
}

static void
thread_idle(struct actor *actor)
{
	use_cache(actor);
	control_void("thread.idle", NO_ERROR);
}

static void
thread_cache(struct actor *actor)
{
	struct prng *prng = &actor->prng;

	use_cache(actor);
	switch (prng_below(prng, 4)) {
	case 0:
		control_set_bool("thread.tcache.enabled", prng_below(prng, 2),
		    NO_ERROR);
		break;
	case 1:
		control_set_size("thread.tcache.max", prng_below(prng, MIB),
		    NO_ERROR);
		break;
	case 2:
		control_set_text("thread.tcache.ncached_max.write",
		    "8-128:10|129-4096:50", ERRORS(ENOENT));
		break;
	default:
		control_void("thread.tcache.flush", ERRORS(EFAULT));
	}
}

/* ---- explicit caches ---- */

static void
fill_cache(struct actor *actor, unsigned id)
{
	struct block *block[OWN_MAX];

	for (unsigned i = 0; i < OWN_MAX; i++) {
		size_t size = block_size(&actor->prng, 16 * KIB);

		block[i] = block_fill(lib.mallocx(size, CACHE(id)), size, i);
	}
	for (unsigned i = 0; i < OWN_MAX; i++) {
		if (block[i] == NULL)
			continue;
		block_verify(block[i]);
		lib.dallocx(block[i], CACHE(id));
	}
}

static unsigned
cache_create(void)
{
	unsigned id;
	size_t size = sizeof(id);

	control_do("tcache.create", &id, &size, NULL, 0, NO_ERROR);
	return id;
}

static void
cache_drop(const char *name, unsigned id)
{
	control_do(name, NULL, NULL, &id, sizeof(id), NO_ERROR);
}

static void
tcache_destroy(struct actor *actor)
{
	unsigned id[4];

	for (unsigned i = 0; i < 4; i++)
		id[i] = cache_create();
	if (prng_below(&actor->prng, 4) == 0)
		fill_cache(actor, id[0]);
	for (unsigned i = 0; i < 4; i++)
		cache_drop("tcache.destroy", id[i]);
}

static void
tcache_begin(struct actor *actor)
{
	actor->cache = cache_create();
}

static void
tcache_flush(struct actor *actor)
{
	fill_cache(actor, actor->cache);
	cache_drop("tcache.flush", actor->cache);
}

static void
tcache_end(struct actor *actor)
{
	cache_drop("tcache.destroy", actor->cache);
}

const struct action arena_actions[] = {
	{ "arena-destroy", arena_destroy, NULL, arena_destroy_end, false },
	{ "arena-create-ext", arena_create_ext, NULL, NULL, false },
	{ "arena-reset", arena_reset, own_begin, own_end, false },
	{ "arena-read", arena_read, NULL, NULL, false },
	{ "arena-write", arena_write, NULL, NULL, false },
	{ "arena-purge", arena_purge, NULL, NULL, false },
	{ "purge-all", purge_all, NULL, NULL, false },
	{ "decay-all", decay_all, NULL, NULL, false },
	{ "decay-times", decay_times, NULL, NULL, false },
	{ "hooks", hooks, hooks_begin, NULL, false },
	{ "thread-arena", thread_arena, NULL, back_to_first, false },
	{ "thread-bound", thread_bound, NULL, NULL, false },
	{ "arena-cached", arena_cached, NULL, NULL, false },
	{ "thread-idle", thread_idle, NULL, NULL, false },
	{ "thread-cache", thread_cache, NULL, NULL, false },
	{ "tcache-destroy", tcache_destroy, NULL, NULL, false },
	{ "tcache-flush", tcache_flush, tcache_begin, tcache_end, false },
	{ NULL, NULL, NULL, NULL, false },
};
