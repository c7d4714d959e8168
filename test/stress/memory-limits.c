/*
 * memory-limits: the allocator's own limits, set by option or while it runs.
 *
 * Provokes: eight threads that fill memory up to the hard limit, free and fill
 * again, and one thread after them; a soft limit that is crossed by garbage, by
 * live objects, again and again, with a listener that allocates and frees;
 * limits set below what there is; fork; limits as options.
 * Must hold: never more than the hard limit; beyond it NULL and ENOMEM; what is
 * freed is usable at once, for any size; garbage goes before anybody is told;
 * one call for each time that the soft limit is crossed.
 */
#include "blocks.h"

#define X "experimental.x.limit."

static mallctl_function *ctl;

static size_t
get(const char *name)
{
	size_t value = 0, size = sizeof(value);

	if (ctl(name, &value, &size, NULL, 0) != 0)
		stress_fail("%s can't be read", name);
	return value;
}

static void
set(const char *name, size_t value)
{
	if (ctl(name, NULL, NULL, &value, sizeof(value)) != 0)
		stress_fail("%s can't be set", name);
}

/* Blocks of up to `largest` bytes until memory ends or `most` bytes. */
static struct block *
fill(size_t smallest, size_t largest, size_t most, size_t *total)
{
	struct prng prng = { smallest ^ largest };
	struct block *list = NULL;

	for (*total = 0; *total < most;) {
		size_t size = smallest +
		    prng_below(&prng, largest - smallest + 1);

		if (!blocks_add(&list, size, size))
			break;
		CHECK(errno == 0);
		*total += size;
	}
	return list;
}

/* ---- hard ---- */

static _Atomic size_t hard;
static unsigned rounds = 3;

/* Of all threads: what they have now, and the most that it was. */
static _Atomic size_t held, most_held;

/* As fill, up to the hard limit; what it takes is counted. */
static struct block *
fill_and_count(size_t size, size_t *total)
{
	struct prng prng = { size };
	struct block *list = NULL;

	for (*total = 0;;) {
		size_t this = size / 2 + prng_below(&prng, size / 2 + 1);
		size_t now, most = most_held;

		if (!blocks_add(&list, this, this))
			return list;
		CHECK(errno == 0);
		*total += this;
		now = atomic_fetch_add(&held, this) + this;
		while (now > most &&
		    !atomic_compare_exchange_weak(&most_held, &most, now))
			;
	}
}

static void *
fill_and_empty(void *argument)
{
	static const size_t size[] = { 100, 3000, 40 * KIB, MIB, 5 * MIB };
	unsigned me = (unsigned)(uintptr_t)argument;

	for (unsigned i = 0; i < rounds; i++) {
		size_t this = size[(me + i) % 5], total;
		struct block *list = fill_and_count(this, &total);

		CHECK(get(X "in_memory") <= hard);
		held -= total;
		blocks_free(list);
	}
	return NULL;
}

static void
threads_share_the_hard_limit(void *argument)
{
	size_t total;

	(void)argument;
	hard = get(X "in_memory") + 128 * MIB;
	set(X "hard", hard);
	CHECK(get(X "hard") == hard);
	threads_run(8, fill_and_empty);
	/*
	 * Memory was not simply refused: when the first request was, what all
	 * had, and at most one block of each that was not counted yet, came
	 * near the limit. How much each got later depends on who runs when.
	 */
	if (most_held < 64 * MIB)
		stress_fail("%zu KiB at most", most_held / KIB);
	/* What the threads have left behind is in nobody's way. */
	blocks_free(fill(MIB / 2, MIB, 2 * hard, &total));
	if (total < 128 * MIB * 7 / 10)
		stress_fail("%zu KiB after the threads", total / KIB);
	set(X "hard", 0);
	blocks_free(fill(MIB, MIB, 256 * MIB, &total));
	CHECK(total == 256 * MIB);
}

static void
what_is_freed_is_usable_at_once(void *argument)
{
	static const size_t size[] = { 64, 5000, 20 * KIB, 300 * KIB, 3 * MIB };
	size_t total;

	(void)argument;
	hard = get(X "in_memory") + 32 * MIB;
	set(X "hard", hard);
	for (unsigned i = 0; i < 25; i++) {
		blocks_free(fill(size[i / 5], size[i / 5], 2 * hard, &total));
		blocks_free(fill(size[i % 5], size[i % 5], 2 * hard, &total));
		if (total < 32 * MIB * 7 / 10)
			stress_fail("%zu KiB of blocks of %zu after blocks "
				    "of %zu",
			    total / KIB, size[i % 5], size[i / 5]);
	}
}

/* Garbage that gives way to others keeps its addresses: they cost nothing. */
static void
the_address_space_is_kept(void *argument)
{
	static void *(*take)(size_t, int);
	unsigned arena;
	size_t size = sizeof(arena), total;
	uint64_t epoch = 1;

	(void)argument;
	CHECK(ctl("arenas.create", &arena, &size, NULL, 0) == 0);
	CHECK(symbol_find("mallocx", &take));
	set(X "hard", get(X "in_memory") + 64 * MIB);
	blocks_free(fill(MIB, MIB, 60 * MIB, &total));
	for (unsigned i = 0; i < 4; i++)
		needed(take(8 * MIB, (int)(arena + 1) << 20 | 1 << 8));
	CHECK(ctl("epoch", NULL, NULL, &epoch, sizeof(epoch)) == 0);
	if (get("stats.retained") < 50 * MIB)
		stress_fail("only %zu KiB", get("stats.retained") / KIB);
}

/*
 * One that frees something when there is no more, and goes on: its heap has as
 * many mappings as before.
 */
static void
life_at_the_limit(void *argument)
{
	enum { SLOTS = 4096 };
	static char *slot[SLOTS];
	struct prng prng = { 3 };
	unsigned nrefused = 0;
	size_t before;

	(void)argument;
	set(X "hard", get(X "in_memory") + 64 * MIB);
	before = memory_nmaps();
	for (unsigned i = 0; i < 40000; i++) {
		size_t size = 4000 + prng_below(&prng, 60000);
		size_t at = prng_below(&prng, SLOTS);

		free(slot[at]);
		slot[at] = malloc(size);
		if (slot[at] != NULL) {
			memset(slot[at], 1, size);
			continue;
		}
		nrefused++;
		for (unsigned k = 0; k < 3; k++) {
			at = prng_below(&prng, SLOTS);
			free(slot[at]);
			slot[at] = NULL;
		}
	}
	CHECK(nrefused > 1000);
	if (memory_nmaps() > before + 40)
		stress_fail("%zu mappings became %zu", before, memory_nmaps());
}

static void
a_limit_below_what_there_is(void *argument)
{
	struct block *list;
	char *p = needed(malloc(100 * KIB)), *q;
	size_t total;

	(void)argument;
	bytes_fill(p, 100 * KIB, 1);
	list = fill(MIB, MIB, 64 * MIB, &total);
	set(X "hard", 1);
	errno = 0;
	q = hidden(realloc(p, 64 * MIB));
	CHECK(q == NULL && errno == ENOMEM);
	errno = 0;
	CHECK(hidden(calloc(64, MIB)) == NULL && errno == ENOMEM);
	CHECK(hidden(aligned_alloc(4 * MIB, 64 * MIB)) == NULL);
	bytes_verify(p, 100 * KIB, 1);
	free(p);
	blocks_free(list);
	set(X "hard", get(X "in_memory") + 8 * MIB);
	free(needed(malloc(4 * MIB)));
}

static void
a_child_has_the_same_limits(void *argument)
{
	struct block *list;
	size_t total;

	(void)argument;
	hard = get(X "in_memory") + 32 * MIB;
	set(X "hard", hard);
	list = fill(MIB, MIB, 2 * hard, &total);
	CHECK(total >= 28 * MIB && total <= 32 * MIB);
	blocks_free(list);
}

static void
inherit(void *argument)
{
	set(X "hard", get(X "in_memory") + 32 * MIB);
	child_must_pass("in a child", a_child_has_the_same_limits, argument,
	    20);
}

/* ---- soft ---- */

static struct {
	unsigned calls;
	size_t in_memory, soft;
	void *kept;
	size_t raise;
} told;

static void
listen(size_t in_memory, size_t soft, void *context)
{
	CHECK(context == &told);
	told.calls++;
	told.in_memory = in_memory;
	told.soft = soft;
	/* As programs do: build a message, give caches back. */
	free(needed(malloc(3 * MIB)));
	free(told.kept);
	told.kept = NULL;
	if (told.raise != 0)
		set(X "soft", soft + told.raise);
}

static void
set_listener(void *function)
{
	void *listener[2] = { function, &told };

	CHECK(ctl(X "callback", NULL, NULL, listener, sizeof(listener)) == 0);
	CHECK(ctl(X "callback", NULL, NULL, listener, 8) == EINVAL);
	CHECK(ctl(X "callback", listener, &(size_t){ 8 }, NULL, 0) == EPERM);
}

static void
a_crossing_is_told_once(void *argument)
{
	struct block *list[4];
	size_t total;

	(void)argument;
	set_listener((void *)(uintptr_t)listen);
	set(X "soft", get(X "in_memory") + 32 * MIB);
	list[0] = fill(100, 100, 16 * MIB, &total);
	CHECK(told.calls == 0);
	list[1] = fill(MIB, MIB, 32 * MIB, &total);
	CHECK(total == 32 * MIB); /* it refuses nothing */
	CHECK(told.calls == 1 && told.in_memory > told.soft);
	CHECK(told.soft == get(X "soft"));
	list[2] = fill(MIB, MIB, 32 * MIB, &total);
	CHECK(told.calls == 1);
	blocks_free(list[1]);
	blocks_free(list[2]);
	CHECK(ctl("arena.4096.purge", NULL, NULL, NULL, 0) == 0);
	CHECK(get(X "in_memory") < get(X "soft"));
	list[3] = fill(100, 5000, 48 * MIB, &total);
	CHECK(told.calls == 2);
	told.kept = needed(malloc(60 * MIB));
	CHECK(told.calls == 2);
	free(told.kept);
	told.kept = NULL;
	blocks_free(list[0]);
	blocks_free(list[3]);
	set_listener(NULL);
	list[0] = fill(MIB, MIB, 128 * MIB, &total);
	CHECK(told.calls == 2);
	blocks_free(list[0]);
}

/* Without purging the heap would hold 64 MiB of pages that nobody uses. */
static void
garbage_goes_before_anybody_is_told(void *argument)
{
	size_t soft = get(X "in_memory") + 64 * MIB, total;

	(void)argument;
	set_listener((void *)(uintptr_t)listen);
	set(X "soft", soft);
	for (size_t size = 32 * KIB; size <= 16 * MIB; size *= 2) {
		struct block *keep = fill(100, 100, 100 * KIB, &total);

		blocks_free(fill(size, size, 40 * MIB, &total));
		blocks_free(keep);
	}
	CHECK(told.calls == 0);
	if (get(X "in_memory") > soft)
		stress_fail("%zu KiB over the limit",
		    (get(X "in_memory") - soft) / KIB);
}

static void
a_limit_that_is_lowered_tells(void *argument)
{
	size_t total;
	struct block *list = fill(MIB, MIB, 16 * MIB, &total);

	(void)argument;
	set_listener((void *)(uintptr_t)listen);
	set(X "soft", MIB);
	free(needed(malloc(MIB)));
	CHECK(told.calls == 1);
	told.raise = 16 * MIB;
	set(X "soft", MIB);
	free(needed(malloc(MIB)));
	free(needed(malloc(MIB)));
	CHECK(told.calls > 1 && told.calls <= 4);
	CHECK(get(X "soft") == MIB + (told.calls - 1) * told.raise);
	set(X "soft", 0);
	told.calls = 0;
	free(needed(malloc(64 * MIB)));
	CHECK(told.calls == 0);
	blocks_free(list);
}

/* ---- options ---- */

static void
see_options(void)
{
	size_t total;
	struct block *list;

	CHECK(get("opt.limit_hard") == 64 * MIB);
	CHECK(get(X "hard") == 64 * MIB && get(X "soft") == 32 * MIB);
	list = fill(MIB, MIB, 128 * MIB, &total);
	if (total < 55 * MIB || total > 64 * MIB)
		stress_fail("%zu KiB with the option", total / KIB);
	blocks_free(list);
	_exit(0);
}

static void
start_with_options(void *argument)
{
	char **argv = argument;

	setenv("SEE_OPTIONS", "1", 1);
	stress_conf("limit_hard:67108864,limit_soft:33554432");
	execv("/proc/self/exe", argv);
	stress_fail("can't start again");
}

int
main(int argc, char **argv)
{
	rounds *= stress_start(argc, argv, 120);
	if (!symbol_find("mallctl", &ctl))
		stress_skip_other("mallctl");
	if (getenv("SEE_OPTIONS") != NULL)
		see_options();
	child_must_pass("hard, threads", threads_share_the_hard_limit, NULL,
	    100 * rounds);
	child_must_pass("hard, reuse", what_is_freed_is_usable_at_once, NULL,
	    100);
	child_must_pass("hard, addresses", the_address_space_is_kept, NULL, 30);
	child_must_pass("hard, life", life_at_the_limit, NULL, 30);
	child_must_pass("hard, below", a_limit_below_what_there_is, NULL, 30);
	child_must_pass("hard, fork", inherit, NULL, 30);
	child_must_pass("soft, once", a_crossing_is_told_once, NULL, 30);
	child_must_pass("soft, purge", garbage_goes_before_anybody_is_told,
	    NULL, 30);
	child_must_pass("soft, lowered", a_limit_that_is_lowered_tells, NULL,
	    30);
	child_must_pass("options", start_with_options, argv, 30);
	return 0;
}
