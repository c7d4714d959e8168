#include "cache/shrink.h"

#include "../allocated.h"
#include "../unit.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/exchange.h"
#include "cache/stack.h"
#include "cache/tcache.h"
#include "cache/tcache_counts.h"
#include "cache/tcache_guard.h"
#include "conf/options.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "os/system.h"

#define KEY       ((uintptr_t)UINT64_C(0x1234567887654321))
#define LIVE_MAX  8000
#define KINDS_MAX 3
#define LARGE     (CACHE_BINS - SMALL_CLASSES)

/* Each call of these is an object, or a batch, that the cache did not have. */
static unsigned nfetched;

unsigned __real_exchange_take(struct arena *arena, unsigned shard, unsigned bin,
    void **objects, unsigned count);
void *__real_exchange_take_one(struct arena *arena, unsigned bin);
unsigned __wrap_exchange_take(struct arena *arena, unsigned shard, unsigned bin,
    void **objects, unsigned count);
void *__wrap_exchange_take_one(struct arena *arena, unsigned bin);

unsigned
__wrap_exchange_take(struct arena *arena, unsigned shard, unsigned bin,
    void **objects, unsigned count)
{
	nfetched++;
	return __real_exchange_take(arena, shard, bin, objects, count);
}

void *
__wrap_exchange_take_one(struct arena *arena, unsigned bin)
{
	nfetched++;
	return __real_exchange_take_one(arena, bin);
}

/* Events depend on the time, so it goes on with each call. */
static uint64_t now_ns = UINT64_C(1000000000000);

uint64_t __wrap_clock_coarse_ns(void);

uint64_t
__wrap_clock_coarse_ns(void)
{
	return now_ns / 4000000 * 4000000;
}

/* --- a cache, and what its user holds ------------------------------------- */

static struct {
	struct tcache tcache;
	int64_t room[2]; /* without any stack */
	unsigned n;
	void *live[LIVE_MAX];
	unsigned bin[LIVE_MAX];
} user CACHE_ALIGNED;

static void
check(void)
{
	const struct tcache *tcache = &user.tcache;
	int64_t bytes[2] = { 0, 0 }, gratis = 0;

	for (unsigned i = 0; i < CACHE_BINS; i++) {
		assert_true(tcache_count(tcache, i) <= tcache->cold[i].limit);
		assert_true(tcache->bins[i + 1].full <=
		    tcache->bins[i + 1].head);
		bytes[i >= SMALL_CLASSES] += (int64_t)tcache->cold[i].limit *
		    (int64_t)cache_bin_usable(i);
		gratis += (int64_t)stack_gratis(i) *
		    (int64_t)cache_bin_usable(i);
	}
	assert_true(bytes[0] <= user.room[0] + gratis);
	assert_true(bytes[1] <= user.room[1]);
	assert_int_equal(user.room[1] - bytes[1], tcache->room[1]);
}

/* As malloc and free do, fast path first. */
static void
take(unsigned bin)
{
	void *object = cache_bin_take(&user.tcache.bins[bin + 1]);

	if (object == NULL)
		object = tcache_take_slow(&user.tcache, bin);
	now_ns += 100;
	assert_non_null(object);
	assert_true(user.n < LIVE_MAX);
	user.bin[user.n] = bin;
	user.live[user.n++] = object;
}

static void
give(unsigned i)
{
	unsigned bin = user.bin[i];
	void *object = user.live[i];

	user.live[i] = user.live[--user.n];
	user.bin[i] = user.bin[user.n];
	if (user.tcache.bins[bin + 1].head != user.tcache.bins[bin + 1].full)
		cache_set_mark(object, user.tcache.mark);
	tcache_give(&user.tcache, bin, object);
}

static void
give_all(void)
{
	while (user.n > 0)
		give(user.n - 1);
}

/* Takes so many objects and gives them back, so often. */
static void
use(unsigned bin, unsigned depth, unsigned rounds)
{
	while (rounds-- > 0) {
		for (unsigned i = 0; i < depth; i++)
			take(bin);
		give_all();
		check();
	}
}

/* How many of so many pairs of calls the cache does not serve. */
static unsigned
fetched_in_pairs(unsigned bin, unsigned npairs)
{
	unsigned before = nfetched;

	use(bin, 1, npairs);
	return nfetched - before;
}

static int
begin(void **state)
{
	(void)state;
	memset(&user, 0, sizeof(user));
	tcache_init(&user.tcache, arena_table_need(0), KEY);
	memcpy(user.room, user.tcache.room, sizeof(user.room));
	return 0;
}

static int
end(void **state)
{
	(void)state;
	give_all();
	check();
	tcache_fini(&user.tcache);
	assert_int_equal(arena_allocated(arena_table_owner(0)), 0);
	assert_memory_equal(user.room, user.tcache.room, sizeof(user.room));
	return 0;
}

/* --- tests ---------------------------------------------------------------- */

/* Each size after each other one has left a deep stack. */
static void
no_large_size_keeps_another_from_being_cached(void **state)
{
	for (unsigned a = SMALL_CLASSES; a < CACHE_BINS; a++)
		for (unsigned b = SMALL_CLASSES; b < CACHE_BINS; b++) {
			begin(state);
			use(a, 70, 8);
			use(b, 1, 20);
			assert_int_equal(fetched_in_pairs(b, 20), 0);
			/* The other one is back as soon. */
			use(a, 1, 20);
			assert_int_equal(fetched_in_pairs(a, 20), 0);
			end(state);
		}
}

/* What the user keeps leaves empty stacks behind. */
static void
an_empty_stack_keeps_no_room(void **state)
{
	unsigned a = CACHE_BINS - 2, b = CACHE_BINS - 1;

	(void)state;
	use(a, 8, 8);
	for (unsigned i = 0; i < 8; i++)
		take(a);
	assert_true(user.tcache.cold[a].limit >= 4);
	for (unsigned i = 0; i < 40; i++) {
		take(b);
		give(user.n - 1);
	}
	nfetched = 0;
	for (unsigned i = 0; i < 40; i++) {
		take(b);
		give(user.n - 1);
	}
	assert_int_equal(nfetched, 0);
}

/* So the other size is not used again and again without a cache. */
static void
a_size_that_lacked_room_so_often_has_it_at_once(void **state)
{
	unsigned a = CACHE_BINS - 2, b = CACHE_BINS - 1;

	(void)state;
	use(a, 8, 8);
	for (unsigned i = 1; i < SHRINK_LACKS; i++)
		take(b);
	assert_int_equal(user.tcache.cold[b].limit, 0);
	take(b);
	assert_int_equal(user.tcache.cold[b].limit, 1);
}

/* None of the two is idle, and one of them had all the room. */
static void
large_sizes_in_use_have_two_slots_each(void **state)
{
	unsigned a = CACHE_BINS - 2, b = CACHE_BINS - 1;

	(void)state;
	use(a, 8, 8);
	for (unsigned i = 0; i < 80; i++) {
		if (i == 40)
			nfetched = 0;
		use(a, 2, 1);
		use(b, 2, 1);
	}
	assert_int_equal(nfetched, 0);
}

/* None of them has as much as it takes. */
static void
several_sizes_in_use_give_a_slot_together(void **state)
{
	unsigned first = SMALL_CLASSES + 12, b = CACHE_BINS - 1;

	(void)state;
	for (unsigned a = first; a < first + 7; a++)
		use(a, 2, 8);
	assert_true(user.tcache.room[1] < (int64_t)cache_bin_usable(first));
	for (unsigned i = 0; i < SHRINK_LACKS; i++)
		take(b);
	assert_int_equal(user.tcache.cold[b].limit, 1);
	for (unsigned a = first; a < first + 7; a++)
		assert_true(user.tcache.cold[a].limit > 0);
}

/* How often bin `i` lacks room before it asks, and whether it gets any. */
static unsigned
lacks_until_asked(unsigned i, bool *gained)
{
	unsigned n = 0;
	bool asks;

	tcache_enter(&user.tcache);
	do {
		n++;
		asks = shrink_may_ask(&user.tcache, i);
	} while (!asks);
	*gained = shrink_others(&user.tcache, i, user.tcache.cold[i].max);
	tcache_leave(&user.tcache);
	return n;
}

/* Asking takes time, so a size that is refused does not ask all the time. */
static void
who_gets_no_room_waits_longer_and_longer(void **state)
{
	static const unsigned waits[] = { 16, 32, 64, 128, 256, 256 };
	unsigned a = SMALL_CLASSES + 12, b = CACHE_BINS - 1;
	bool gained;

	(void)state;
	/*
	 * Together they hold what a thread may hold. The smaller one could give
	 * many slots, but the other one has two.
	 */
	use(b, 2, 8);
	for (unsigned i = 0; i < 20; i++) {
		use(a, 16, 1);
		use(b, 1, 1);
	}
	assert_int_equal(user.tcache.cold[b].limit, 2);
	assert_int_equal(user.tcache.cold[a].limit, 8);
	for (unsigned i = 0; i < ARRAY_LEN(waits); i++) {
		use(a, 1, 1);
		assert_int_equal(lacks_until_asked(b, &gained), waits[i]);
		assert_false(gained);
	}
	/* Now the other one is idle. */
	assert_int_equal(lacks_until_asked(b, &gained), 256);
	assert_true(gained);
	use(a, 1, 1);
	assert_int_equal(lacks_until_asked(b, &gained), 16);
}

static void
who_gives_way_keeps_what_is_not_asked_for(void **state)
{
	unsigned a = CACHE_BINS - 2, b = CACHE_BINS - 1;
	uint32_t before;

	(void)state;
	use(a, 8, 8);
	for (unsigned i = 0; i < 8; i++)
		take(a);
	before = user.tcache.cold[a].limit;
	for (unsigned i = 0; i < SHRINK_LACKS; i++)
		take(b);
	/* It is nearly as large. */
	assert_int_equal(user.tcache.cold[a].limit, before - 1);
}

static void
age(unsigned bin)
{
	tcache_enter(&user.tcache);
	shrink_age(&user.tcache, bin);
	tcache_leave(&user.tcache);
	check();
}

/* A visit of ageing gives back half of what was not used since the last one. */
static void
a_small_stack_gets_smaller_by_halves(void **state)
{
	static const unsigned counts[] = { 37, 27, 20, 15, 11, 8, 6, 4, 3, 2, 1,
		1 };
	unsigned bin = 6;
	uint32_t limit;

	(void)state;
	use(bin, 500, 20);
	limit = user.tcache.cold[bin].limit;
	assert_true(limit >= 256);
	while (tcache_count(&user.tcache, bin) > 50)
		take(bin);
	age(bin);
	for (unsigned i = 0; i < ARRAY_LEN(counts); i++) {
		age(bin);
		assert_int_equal(tcache_count(&user.tcache, bin), counts[i]);
		/* The slots as well, while there are few objects for them. */
		if (counts[i] < limit / 4 && i < ARRAY_LEN(counts) - 1)
			limit /= 2;
		assert_int_equal(user.tcache.cold[bin].limit, limit);
	}
}

/* Large ones take much memory: all that were not used. */
static void
a_large_stack_is_empty_soon(void **state)
{
	static const unsigned counts[] = { 8, 4, 2, 1, 0 };
	unsigned bin = SMALL_CLASSES;

	(void)state;
	use(bin, 40, 20);
	while (tcache_count(&user.tcache, bin) > 16)
		take(bin);
	age(bin);
	for (unsigned i = 0; i < ARRAY_LEN(counts); i++) {
		age(bin);
		assert_int_equal(tcache_count(&user.tcache, bin), counts[i]);
	}
	for (unsigned i = 0; i < 8; i++)
		age(bin);
	assert_int_equal(user.tcache.cold[bin].limit, 0);
}

/* Without any other bin that asks for them. */
static void
slots_that_are_not_used_go(void **state)
{
	unsigned bin = CACHE_BINS - 1;

	(void)state;
	use(bin, 8, 8);
	assert_true(user.tcache.cold[bin].limit >= 4);
	for (unsigned i = 0; i < 8; i++)
		take(bin);
	for (unsigned i = 0; i < 200000; i++) {
		take(bin);
		give(user.n - 1);
	}
	assert_int_equal(user.tcache.cold[bin].limit, 1);
	check();
}

static void
a_hidden_cache_gives_way_as_well(void **state)
{
	unsigned a = CACHE_BINS - 2, b = CACHE_BINS - 1;

	(void)state;
	use(a, 8, 8);
	tcache_hide(&user.tcache, true);
	for (unsigned i = 0; i < 40; i++) {
		take(b);
		give(0);
	}
	nfetched = 0;
	for (unsigned i = 0; i < 40; i++) {
		take(b);
		assert_null(user.tcache.bins[a + 1].head);
		give(0);
		assert_null(user.tcache.bins[b + 1].head);
	}
	assert_int_equal(nfetched, 0);
	tcache_hide(&user.tcache, false);
}

static void
flushing_gives_all_room_back(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		use(4, 200, 8);
		use(CACHE_BINS - 1, 8, 8);
		assert_true(user.tcache.room[0] < user.room[0]);
		assert_true(user.tcache.room[1] < user.room[1] / 2);
		tcache_hide(&user.tcache, i == 1);
		tcache_flush(&user.tcache);
		tcache_hide(&user.tcache, false);
		assert_memory_equal(user.room, user.tcache.room,
		    sizeof(user.room));
		assert_int_equal(user.tcache.held, 0);
	}
	/* The first object finds a slot at once. */
	take(CACHE_BINS - 1);
	give(0);
	assert_int_equal(fetched_in_pairs(CACHE_BINS - 1, 10), 0);
}

/*
 * A bin that is used keeps what it needs, although others would like to have
 * more; those who share can't have all.
 */
static void
all_sizes_at_once_share_the_room(void **state)
{
	unsigned rounds = 300;

	(void)state;
	use(CACHE_BINS - 1, 8, 8);
	for (unsigned round = 0; round < 2 * rounds; round++) {
		if (round == rounds)
			nfetched = 0;
		for (unsigned bin = SMALL_CLASSES; bin < CACHE_BINS; bin++)
			use(bin, 1, 1);
	}
	/* Some always fit; how many depends on when bins age. */
	assert_in_range(nfetched, 0, rounds * (LARGE - 4));
}

/* Many small sizes grew far, and the user has kept their objects. */
static void
small_sizes_give_way_too(void **state)
{
	unsigned last = SMALL_CLASSES - 1, usable, slots;

	(void)state;
	for (unsigned bin = 4; bin < last; bin++)
		use(bin, 2500, 8);
	usable = (unsigned)cache_bin_usable(last);
	slots = (128 << 10) / usable;
	use(last, slots, 200);
	assert_true(user.tcache.cold[last].limit >= slots);
	nfetched = 0;
	use(last, slots, 100);
	assert_in_range(nfetched, 0, slots);
}

/* --- phases of random use ------------------------------------------------- */

/*
 * A phase takes and gives the same objects again and again. A naive cache, with
 * a slot for each of them, has all of them after the first round.
 */
struct phase {
	unsigned nkinds;
	unsigned bin[KINDS_MAX];
	unsigned depth[KINDS_MAX];
	int64_t bytes[2]; /* in the naive cache: small, large */
};

static struct phase
random_phase(uint64_t *seed)
{
	struct phase phase = { .nkinds = 1 +
		    (unsigned)random_below(seed, KINDS_MAX) };

	for (unsigned k = 0; k < phase.nkinds; k++) {
		unsigned bin = random_below(seed, 4) == 0
		    ? (unsigned)random_below(seed, SMALL_CLASSES)
		    : SMALL_CLASSES + (unsigned)random_below(seed, LARGE);
		int64_t usable = (int64_t)cache_bin_usable(bin);
		unsigned most = stack_most(&user.tcache, bin) / 2;

		phase.bin[k] = bin;
		phase.depth[k] = 1 + (unsigned)random_below(seed, most);
		/* One object, or many, but at most half of the room. */
		if (random_below(seed, 2) == 0 ||
		    phase.bytes[bin >= SMALL_CLASSES] +
			    phase.depth[k] * usable >
			user.room[bin >= SMALL_CLASSES] / 2)
			phase.depth[k] = 1;
		phase.bytes[bin >= SMALL_CLASSES] += phase.depth[k] * usable;
	}
	return phase;
}

static unsigned
play(const struct phase *phase, uint64_t *seed, unsigned ntakes)
{
	unsigned done = 0;

	while (done < ntakes) {
		for (unsigned k = 0; k < phase->nkinds; k++)
			for (unsigned i = 0; i < phase->depth[k]; i++, done++)
				take(phase->bin[k]);
		while (user.n > 0)
			give((unsigned)random_below(seed, user.n));
		check();
	}
	return done;
}

/* In per mille of the objects, so many more than in the naive cache. */
#define SHARE_MAX 20

static void
a_phase_is_soon_served_by_the_cache(void **state)
{
	unsigned nphases = test_is_long() ? 8000 : 300;
	uint64_t seed = 1;

	(void)state;
	for (unsigned n = 0; n < nphases; n++) {
		struct phase phase = random_phase(&seed);
		unsigned ntakes;

		play(&phase, &seed, 12000);
		nfetched = 0;
		ntakes = play(&phase, &seed, 2000);
		assert_in_range(nfetched, 0, ntakes * SHARE_MAX / 1000);
		if (random_below(&seed, 8) == 0)
			tcache_flush(&user.tcache);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_large_size_keeps_another_from_being_cached),
		cmocka_unit_test_setup_teardown(an_empty_stack_keeps_no_room,
		    begin, end),
		cmocka_unit_test_setup_teardown(
		    a_size_that_lacked_room_so_often_has_it_at_once, begin,
		    end),
		cmocka_unit_test_setup_teardown(
		    large_sizes_in_use_have_two_slots_each, begin, end),
		cmocka_unit_test_setup_teardown(
		    several_sizes_in_use_give_a_slot_together, begin, end),
		cmocka_unit_test_setup_teardown(
		    who_gets_no_room_waits_longer_and_longer, begin, end),
		cmocka_unit_test_setup_teardown(
		    who_gives_way_keeps_what_is_not_asked_for, begin, end),
		cmocka_unit_test_setup_teardown(
		    a_small_stack_gets_smaller_by_halves, begin, end),
		cmocka_unit_test_setup_teardown(a_large_stack_is_empty_soon,
		    begin, end),
		cmocka_unit_test_setup_teardown(slots_that_are_not_used_go,
		    begin, end),
		cmocka_unit_test_setup_teardown(
		    a_hidden_cache_gives_way_as_well, begin, end),
		cmocka_unit_test_setup_teardown(flushing_gives_all_room_back,
		    begin, end),
		cmocka_unit_test_setup_teardown(
		    all_sizes_at_once_share_the_room, begin, end),
		cmocka_unit_test_setup_teardown(small_sizes_give_way_too, begin,
		    end),
		cmocka_unit_test_setup_teardown(
		    a_phase_is_soon_served_by_the_cache, begin, end),
	};

	system_init();
	metadata_init();
	extent_records_init();
	options_init(&opt_at_start);
	opt_at_start.junk_alloc = opt_at_start.junk_free = false;
	size_class_init(system_info.page_size, NULL);
	if (!arena_table_init(1, 0))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
