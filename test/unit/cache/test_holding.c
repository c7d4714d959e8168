#include "cache/holding.h"

#include "../unit.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/tcache.h"
#include "cache/tcache_guard.h"
#include "cache/tcache_table.h"
#include "cache/thread.h"
#include "conf/conf.h"
#include "conf/options.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "os/system.h"

#define KEY     ((uintptr_t)UINT64_C(0x1234567887654321))
#define THREADS 5
#define OBJECTS 4000

static uint64_t now_ns;
static unsigned nwakes;

uint64_t __wrap_clock_coarse_ns(void);

uint64_t
__wrap_clock_coarse_ns(void)
{
	return now_ns;
}

static void
note_wake(void)
{
	nwakes++;
}

struct user {
	struct thread *thread;
	struct tcache *tcache; /* of the thread, or an explicit one */
	unsigned n;
	struct {
		void *object;
		unsigned bin;
	} has[OBJECTS];
};

static struct user user[THREADS + 1];
static struct user *const explicit_cache = &user[THREADS];
static unsigned explicit_id;

static void
give_last(struct user *u)
{
	u->n--;
	tcache_give_slow(u->tcache, u->has[u->n].bin, u->has[u->n].object);
}

static void
take(struct user *u, unsigned bin)
{
	u->has[u->n].bin = bin;
	u->has[u->n].object = tcache_take_slow(u->tcache, bin);
	assert_non_null(u->has[u->n++].object);
}

/* Many calls in one direction, or a change of the whole cache. */
static void
act(struct user *u, uint64_t *seed)
{
	unsigned bin = (unsigned)random_below(seed, CACHE_BINS), n;

	switch (random_below(seed, 12)) {
	case 0:
		tcache_flush(u->tcache);
		break;
	case 1:
		tcache_hide(u->tcache, random_below(seed, 2));
		break;
	case 2:
		tcache_bin_set_max(u->tcache, bin,
		    (unsigned)random_below(seed, 200));
		break;
	case 3:
		if (random_below(seed, 8) == 0)
			tcache_configure(u->tcache, random_below(seed, 4) != 0,
			    (size_t)1 << random_below(seed, 17));
		break;
	default:
		for (n = (unsigned)random_below(seed, 300); n > 0; n--)
			if (u->n > 0 && random_below(seed, 2))
				give_last(u);
			else if (u->n < OBJECTS)
				take(u, bin);
		while (u->n > OBJECTS / 2)
			give_last(u);
	}
}

static void
be_born(struct user *u)
{
	u->thread = thread_birth();
	assert_non_null(u->thread);
	u->tcache = &u->thread->tcache;
	u->n = 0;
}

static void
die(struct user *u)
{
	while (u->n > 0)
		give_last(u);
	thread_death(u->thread);
}

/* As trim.c does it, though it has taken nothing. */
static void
trim(struct tcache *tcache)
{
	tcache->guard.marked = true;
	holding_leave(tcache);
}

/* What the stacks of threads have room for, unless they are trimmed. */
static size_t
model_sum(void)
{
	size_t sum = 0;

	for (unsigned i = 0; i < THREADS; i++)
		for (unsigned bin = 0; bin < CACHE_BINS; bin++)
			if (!user[i].tcache->guard.marked)
				sum += user[i].tcache->cold[bin].limit *
				    cache_bin_usable(bin);
	return sum;
}

static void
begin(void)
{
	for (unsigned i = 0; i < THREADS; i++)
		be_born(&user[i]);
	assert_true(tcache_table_create(arena_table_owner(0), &explicit_id));
	explicit_cache->tcache = tcache_table_get(explicit_id);
	explicit_cache->n = 0;
	assert_int_equal(holding_sum(), 0);
}

static void
end(void)
{
	for (unsigned i = 0; i < THREADS; i++)
		die(&user[i]);
	while (explicit_cache->n > 0)
		give_last(explicit_cache);
	assert_true(tcache_table_destroy(explicit_id));
	thread_self = &thread_unborn;
	assert_int_equal(holding_sum(), 0);
}

static void
the_sum_is_that_of_all_stacks_that_are_not_trimmed(void **state)
{
	uint64_t seed = 1;
	size_t most = 0;

	(void)state;
	begin();
	for (unsigned round = 0; round < 4000; round++) {
		struct user *u = &user[random_below(&seed, THREADS + 1)];

		act(u, &seed);
		assert_int_equal(holding_sum(), model_sum());
		if (u == explicit_cache)
			continue;
		if (random_below(&seed, 4) == 0)
			trim(u->tcache);
		if (random_below(&seed, 16) == 0) {
			die(u);
			be_born(u);
		}
		assert_int_equal(holding_sum(), model_sum());
		if (holding_sum() > most)
			most = holding_sum();
	}
	assert_true(most > 1 << 20);
	end();
}

/* Gives back so much that a stack grows, and takes it again. */
static void
grow(struct user *u)
{
	for (unsigned i = 0; i < 2000; i++)
		take(u, 7);
	while (u->n > 0)
		give_last(u);
}

static void
upkeep_hears_when_it_is_as_much_as_it_wants(void **state)
{
	size_t before;

	(void)state;
	begin();
	arena_upkeep.wake = note_wake;
	arena_upkeep.wants_held = 4096;
	grow(explicit_cache);
	assert_int_equal(nwakes, 0);
	/* Not from a look alone: the call that makes it so much wakes it. */
	take(&user[0], 0);
	assert_true(holding_sum() < 4096);
	assert_int_equal(nwakes, 0);
	grow(&user[0]);
	assert_true(nwakes > 0);
	/* Also one that comes back after it was trimmed. */
	before = holding_sum();
	trim(user[0].tcache);
	assert_int_equal(holding_sum(), 0);
	nwakes = 0;
	arena_upkeep.wants_held = before + 1;
	tcache_leave_counts(user[0].tcache);
	assert_int_equal(nwakes, 0);
	trim(user[0].tcache);
	arena_upkeep.wants_held = before;
	tcache_leave_counts(user[0].tcache);
	assert_int_equal(nwakes, 1);
	arena_upkeep.wants_held = SIZE_MAX;
	end();
}

static void
upkeep_is_left_alone_while_it_rests(void **state)
{
	(void)state;
	begin();
	arena_upkeep.wake = note_wake;
	arena_upkeep.wants_held = 4096;
	arena_upkeep.rests_since_ns = now_ns = 100000;
	arena_upkeep.rest_ns = 5000;
	nwakes = 0;
	grow(&user[0]);
	holding_look(now_ns + 4999);
	assert_int_equal(nwakes, 0);
	holding_look(now_ns + 5000);
	assert_int_equal(nwakes, 1);
	/* The clock went back. */
	holding_look(now_ns - 1);
	assert_int_equal(nwakes, 2);
	/* Events look, too. */
	now_ns += 5000;
	nwakes = 0;
	for (unsigned i = 0; i < 20000; i++) {
		take(&user[0], 7);
		give_last(&user[0]);
	}
	assert_true(nwakes > 0);
	arena_upkeep.rest_ns = 0;
	arena_upkeep.wants_held = SIZE_MAX;
	end();
}

static void
in_the_child_of_a_fork_only_one_cache_is_left(void **state)
{
	size_t mine;

	(void)state;
	begin();
	for (unsigned i = 0; i < THREADS; i++)
		grow(&user[i]);
	mine = holding_sum() / THREADS;
	holding_fork_child(user[2].tcache);
	assert_int_equal(holding_sum(), mine);
	trim(user[2].tcache);
	assert_int_equal(holding_sum(), 0);
	holding_fork_child(user[2].tcache);
	assert_int_equal(holding_sum(), 0);
	tcache_leave_counts(user[2].tcache);
	assert_int_equal(holding_sum(), mine);
	/* A thread without a record may fork. */
	holding_fork_child(NULL);
	assert_int_equal(holding_sum(), 0);
}

int
main(void)
{
	static const char *const none[CONF_SOURCES];
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    the_sum_is_that_of_all_stacks_that_are_not_trimmed),
		cmocka_unit_test(upkeep_hears_when_it_is_as_much_as_it_wants),
		cmocka_unit_test(upkeep_is_left_alone_while_it_rests),
		/* The last one, because it leaves threads behind. */
		cmocka_unit_test(in_the_child_of_a_fork_only_one_cache_is_left),
	};

	system_init();
	metadata_init();
	extent_records_init();
	conf_settle(&opt_at_start, none);
	opt_at_start.junk_alloc = opt_at_start.junk_free = false;
	size_class_init(system_info.page_size, opt.slab_sizes);
	thread_init(KEY);
	tcache_table_init(KEY);
	if (!arena_table_init(1, 0))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
