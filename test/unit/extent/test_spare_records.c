#include "extent/spare_records.h"

#include "../unit.h"
#include "extent/extent.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "os/lock.h"
#include "os/system.h"

/* --- where records come from ---------------------------------------------- */

static struct lock lock;

static struct {
	struct fault take;           /* no records at all */
	unsigned most;               /* of each call; 0: as many as asked for */
	struct spare_records *thief; /* loses all meanwhile */
	unsigned thefts;
	size_t used; /* records that came and did not go back */
} world;

void __real_extent_records_give(struct extent *chain);
void __wrap_extent_records_give(struct extent *chain);
unsigned __real_extent_records_take(struct extent **chain, unsigned count);
unsigned __wrap_extent_records_take(struct extent **chain, unsigned count);

void
__wrap_extent_records_give(struct extent *chain)
{
	for (struct extent *e = chain; e != NULL; e = e->next)
		world.used--;
	__real_extent_records_give(chain);
}

/* Another thread uses all that there are, while the lock is free. */
static void
steal(void)
{
	struct spare_records *spares = world.thief;
	struct extent *chain = NULL;

	/* It must not be held here: memory may be asked of the kernel. */
	assert_true(lock_try(&lock));
	if (spares != NULL && world.thefts != 0) {
		world.thefts--;
		while (spares->count != 0) {
			struct extent *e = spare_records_take(spares);

			e->next = chain;
			chain = e;
		}
	}
	lock_release(&lock);
	extent_records_give(chain);
}

unsigned
__wrap_extent_records_take(struct extent **chain, unsigned count)
{
	unsigned got;

	steal();
	if (fault_hits(&world.take))
		return 0;
	if (world.most != 0 && count > world.most)
		count = world.most;
	got = __real_extent_records_take(chain, count);
	world.used += got;
	return got;
}

static int
begin(void **state)
{
	(void)state;
	memset(&world, 0, sizeof(world));
	return 0;
}

/* The chain has as many as it says, none of them twice. */
static void
check(const struct spare_records *spares)
{
	static size_t mark;
	unsigned n = 0;

	mark++;
	for (struct extent *e = spares->first; e != NULL; e = e->next, n++) {
		assert_int_not_equal(e->size, mark);
		e->size = mark;
	}
	assert_int_equal(n, spares->count);
}

/* --- tests ---------------------------------------------------------------- */

/* Whatever is taken, given and shed: no record is lost or made twice. */
static void
random_use_loses_no_record(void **state)
{
	struct spare_records spares = { NULL, 0 };
	struct extent *mine[300];
	unsigned n = 0;
	uint64_t seed = 1;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		unsigned least = 1 + (unsigned)random_below(&seed, 3);
		unsigned wanted = least + (unsigned)random_below(&seed, 20);
		bool more = i / 500 % 2 == 0;

		if (random_below(&seed, 100) == 0)
			spare_records_shed(&spares, &lock);
		fault_set(&world.take, random_below(&seed, 4) == 0, true);
		world.most = (unsigned)random_below(&seed, 4);
		if (!spare_records_lock(&spares, &lock, least, wanted)) {
			/* Only if there are none at all; nothing is held. */
			assert_true(spares.count < least);
			assert_true(world.take.at != 0);
			assert_true(lock_try(&lock));
			lock_release(&lock);
			continue;
		}
		LOCK_ASSERT_HELD(&lock);
		assert_true(spares.count >= least);
		if (world.take.at == 0 && world.most == 0)
			assert_true(spares.count >= wanted);
		for (unsigned k = 0; k < least; k++)
			if (more && n < ARRAY_LEN(mine))
				mine[n++] = spare_records_take(&spares);
			else if (!more && n > 0)
				spare_records_give(&spares, mine[--n]);
		lock_release(&lock);
		if (i % 64 == 0)
			check(&spares);
		assert_int_equal(world.used, n + spares.count);
	}
	while (n > 0)
		spare_records_give(&spares, mine[--n]);
	check(&spares);
	spare_records_fini(&spares);
	assert_int_equal(spares.count, 0);
	assert_int_equal(world.used, 0);
}

/* Those that others took meanwhile are fetched again. */
static void
what_others_used_meanwhile_is_fetched_again(void **state)
{
	struct spare_records spares = { NULL, 0 };

	(void)state;
	for (unsigned thefts = 0; thefts < 5; thefts++) {
		world.thief = &spares;
		world.thefts = thefts;
		assert_true(spare_records_lock(&spares, &lock, 2, 2));
		assert_true(spares.count >= 2);
		while (spares.count > 1) {
			struct extent *e = spare_records_take(&spares);

			e->next = NULL;
			lock_release(&lock);
			extent_records_give(e);
			lock_acquire(&lock);
		}
		lock_release(&lock);
	}
	world.thief = NULL;
	spare_records_fini(&spares);
}

/* With enough at hand nobody is asked, whatever is wanted beyond. */
static void
enough_is_enough(void **state)
{
	struct spare_records spares = { NULL, 0 };

	(void)state;
	assert_true(spare_records_lock(&spares, &lock, 2, 2));
	lock_release(&lock);
	fault_set(&world.take, 1, true);
	assert_true(spare_records_lock(&spares, &lock, 2, spares.count));
	lock_release(&lock);
	assert_int_equal(world.take.calls, 0);
	/* More are wanted than there are, but these are enough. */
	assert_true(spare_records_lock(&spares, &lock, 2, spares.count + 1));
	lock_release(&lock);
	assert_false(spare_records_lock(&spares, &lock, spares.count + 1,
	    spares.count + 1));
	assert_true(lock_try(&lock));
	lock_release(&lock);
	/* Nobody asks for ever. */
	assert_int_equal(world.take.calls, 2);
	spare_records_fini(&spares);
}

static void
only_very_many_are_shed(void **state)
{
	struct spare_records spares = { NULL, 0 };

	(void)state;
	for (unsigned count = 0; count <= 600; count += 20) {
		while (spares.count < count)
			spares.count +=
			    __wrap_extent_records_take(&spares.first, 1);
		check(&spares);
		spare_records_shed(&spares, &lock);
		check(&spares);
		assert_int_equal(world.used, spares.count);
		/* Some stay always, and a source needs no more than these. */
		assert_true(spares.count >= min_size(count, 2));
		assert_true(spares.count <= 128);
		if (count <= 128 && spares.count != count)
			fail_msg("%u became %u", count, spares.count);
		assert_true(count <= 128 || spares.count < count / 2);
	}
	spare_records_fini(&spares);
	assert_int_equal(world.used, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(random_use_loses_no_record, begin),
		cmocka_unit_test_setup(
		    what_others_used_meanwhile_is_fetched_again, begin),
		cmocka_unit_test_setup(enough_is_enough, begin),
		cmocka_unit_test_setup(only_very_many_are_shed, begin),
	};

	system_init();
	metadata_init();
	extent_records_init();
	lock_init(&lock, LOCK_PAGES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
