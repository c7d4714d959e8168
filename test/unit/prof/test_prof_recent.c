#include "prof/prof_recent.h"

#include <pthread.h>
#include <string.h>

#include "../unit.h"
#include "extent/metadata.h"
#include "os/system.h"
#include "pieces.h"
#include "prof/prof_trace.h"

#define SAMPLES 400
#define STEPS   20000
#define DEPTH   5

static int
start(void **state)
{
	(void)state;
	system_init();
	metadata_init();
	piece_fault = (struct fault){ .at = 0 };
	npieces = 0;
	prof_trace_init();
	prof_log_init();
	prof_recent_init(0);
	return 0;
}

static int
finish(void **state)
{
	(void)state;
	prof_recent_set_max(0);
	assert_int_equal(npieces, 0);
	assert_int_equal(piece_bytes, 0);
	return 0;
}

/* A stack of `which`; many begin alike. */
static unsigned
pcs_of(unsigned which, void **pcs)
{
	unsigned depth = which % DEPTH;

	for (unsigned i = 0; i < depth; i++)
		pcs[i] = (void *)(uintptr_t)(i + 1 == depth ? which + 1 : 7);
	return depth;
}

static void
begin(prof_record_slot *slot, size_t requested, unsigned thread)
{
	void *pcs[DEPTH];
	unsigned depth = pcs_of(thread, pcs);

	prof_recent_begin(slot, requested, requested + 10,
	    &(struct prof_doer){
		thread, thread % 2 != 0 ? "odd" : "", pcs, depth });
}

static void
end(prof_record_slot *slot, unsigned thread)
{
	void *pcs[DEPTH];
	unsigned depth = pcs_of(thread, pcs);

	if (*slot != NULL)
		prof_recent_end(slot,
		    &(struct prof_doer){ thread, "ender", pcs, depth });
	*slot = NULL;
}

/* --- stacks --------------------------------------------------------------- */

static void
a_stack_is_there_once_and_as_long_as_somebody_has_it(void **state)
{
	void *pcs[DEPTH], *other[DEPTH];
	unsigned depth = pcs_of(4, pcs);
	struct prof_trace *one = prof_trace_take(pcs, depth), *two;

	(void)state;
	assert_non_null(one);
	assert_int_equal(one->depth, depth);
	assert_memory_equal(one->pcs, pcs, depth * sizeof(void *));
	assert_ptr_equal(prof_trace_take(pcs, depth), one);
	assert_int_equal(npieces, 1);
	two = prof_trace_take(pcs, depth - 1);
	pcs_of(9, other);
	assert_ptr_not_equal(two, one);
	assert_int_equal(npieces, 2);
	prof_trace_give(two);
	two = prof_trace_take(other, depth);
	assert_ptr_not_equal(two, one);
	prof_trace_give(two);
	prof_trace_give(one);
	prof_trace_give(prof_trace_share(one));
	assert_int_equal(npieces, 1);
	prof_trace_give(one);
	prof_trace_give(NULL);
	assert_null(prof_trace_share(NULL));
	assert_int_equal(npieces, 0);
	assert_int_equal(piece_bytes, 0);
}

static void
without_memory_there_is_no_stack(void **state)
{
	(void)state;
	piece_fault = (struct fault){ .at = 1 };
	assert_null(prof_trace_take(NULL, 0));
	prof_trace_give(prof_trace_take(NULL, 0));
}

/* --- records -------------------------------------------------------------- */

static struct {
	prof_record_slot slot[SAMPLES];
	bool alive[SAMPLES];
	unsigned serial[SAMPLES]; /* which one it is, as its size */
	unsigned last[STEPS];     /* serials, oldest first */
	bool given[STEPS + 1];    /* by serial */
	unsigned count, nserials;
} model;

static void
keep(ssize_t max)
{
	unsigned more = max >= 0 && model.count > (size_t)max
	    ? model.count - (unsigned)max
	    : 0;

	model.count -= more;
	memmove(model.last, model.last + more, model.count * sizeof(unsigned));
}

static void
compare(ssize_t max)
{
	struct prof_recent_copy copy;

	assert_true(prof_recent_copy_take(&copy));
	assert_int_equal(copy.count, model.count);
	assert_int_equal(copy.max, max);
	for (unsigned i = 0; i < model.count; i++) {
		const struct prof_record *record = &copy.records[i];
		unsigned serial = model.last[i];
		void *pcs[DEPTH];
		unsigned depth = pcs_of(serial % 30, pcs);

		assert_int_equal(record->requested, serial);
		assert_int_equal(record->usable, serial + 10);
		assert_int_equal(record->given_known, model.given[serial]);
		assert_int_equal(record->taken.thread, serial % 30);
		assert_string_equal(record->taken.name,
		    serial % 2 != 0 ? "odd" : "");
		assert_int_equal(record->taken.trace->depth, depth);
		if (depth != 0)
			assert_memory_equal(record->taken.trace->pcs, pcs,
			    depth * sizeof(void *));
		if (!record->given_known)
			continue;
		assert_int_equal(record->given.thread, 3);
		assert_int_equal(record->given.trace->depth, 3);
		assert_true(record->given.ns >= record->taken.ns);
	}
	prof_recent_copy_end(&copy);
}

static void
step(uint64_t *seed, ssize_t max)
{
	unsigned i = (unsigned)random_below(seed, SAMPLES);

	if (!model.alive[i]) {
		model.serial[i] = model.nserials++;
		begin(&model.slot[i], model.serial[i], model.serial[i] % 30);
		if (max != 0)
			model.last[model.count++] = model.serial[i];
		model.alive[i] = true;
		keep(max);
	} else {
		model.given[model.serial[i]] = true;
		end(&model.slot[i], 3);
		model.alive[i] = false;
	}
}

static void
the_last_samples_are_those_of_a_model(void **state)
{
	static const ssize_t limits[] = { 0, 1, 7, -1, 100, 3, 0, -1, 50 };
	uint64_t seed = 5;

	(void)state;
	memset(&model, 0, sizeof(model));
	for (unsigned i = 0; i < ARRAY_LEN(limits); i++) {
		prof_recent_set_max(limits[i]);
		assert_int_equal(prof_recent_max, limits[i]);
		assert_int_equal(prof_recent_wanted(), limits[i] != 0);
		keep(limits[i]);
		for (unsigned n = 0; n < 1500; n++) {
			step(&seed, limits[i]);
			if (n % 100 == 0)
				compare(limits[i]);
		}
		compare(limits[i]);
	}
	/* What is none of the last has no record either: 50, their stacks. */
	assert_true(npieces <= 50 + 31);
	for (unsigned i = 0; i < SAMPLES; i++)
		end(&model.slot[i], 3);
}

static void
a_sample_without_memory_has_no_record(void **state)
{
	struct prof_recent_copy copy;
	prof_record_slot slot[3] = { NULL, NULL, NULL };

	(void)state;
	prof_recent_set_max(-1);
	piece_fault = (struct fault){ .at = 1 };
	begin(&slot[0], 100, 4);
	assert_null(slot[0]);
	/* Or one without a stack, at its beginning or its end. */
	piece_fault = (struct fault){ .at = 2 };
	begin(&slot[1], 200, 4);
	piece_fault = (struct fault){ .at = 0 };
	begin(&slot[2], 300, 4);
	piece_fault = (struct fault){ .at = 1 };
	end(&slot[2], 3);
	assert_true(prof_recent_copy_take(&copy));
	assert_int_equal(copy.count, 2);
	assert_null(copy.records[0].taken.trace);
	assert_non_null(copy.records[1].taken.trace);
	assert_true(copy.records[1].given_known);
	assert_null(copy.records[1].given.trace);
	prof_recent_copy_end(&copy);
	end(&slot[1], 3);
}

/* Another thread may push it out when its end has begun. */
static void
an_end_without_a_record_leaves_nothing(void **state)
{
	prof_record_slot slot[2] = { NULL, NULL };
	void *pcs[] = { &slot };

	(void)state;
	prof_recent_set_max(1);
	begin(&slot[0], 100, 4);
	begin(&slot[1], 200, 4);
	assert_null(slot[0]);
	prof_recent_end(&slot[0], &(struct prof_doer){ 3, "", pcs, 1 });
	assert_int_equal(npieces, 2);
	end(&slot[1], 3);
}

/* The log has the end of a sample that is none of the last any more. */
static void
a_log_keeps_records(void **state)
{
	prof_record_slot slot[20];
	bool (*namer)(char *, uint64_t) = NULL;

	(void)state;
	memset(slot, 0, sizeof(slot));
	prof_recent_set_max(2);
	begin(&slot[0], 100, 4);
	assert_true(prof_log_start("/dev/null"));
	for (unsigned i = 1; i < 20; i++)
		begin(&slot[i], 100 + i, 4);
	assert_null(slot[0]);
	for (unsigned i = 1; i < 20; i++)
		assert_non_null(slot[i]);
	prof_recent_set_max(0);
	for (unsigned i = 1; i < 10; i++)
		end(&slot[i], 3);
	assert_true(prof_recent_wanted());
	assert_int_equal(prof_log_stop(namer, 19), 0);
	assert_false(prof_recent_wanted());
	for (unsigned i = 10; i < 20; i++)
		end(&slot[i], 3);
}

static void *
storm(void *argument)
{
	uint64_t seed = (uintptr_t)argument;
	prof_record_slot slot[50];
	struct prof_recent_copy copy;

	memset(slot, 0, sizeof(slot));
	for (unsigned i = 0; i < 5000; i++) {
		unsigned k = (unsigned)random_below(&seed, 50);

		if (slot[k] == NULL)
			begin(&slot[k], i, k);
		else
			end(&slot[k], k);
		if (i % 500 == 0)
			prof_recent_set_max((ssize_t)random_below(&seed, 90) -
			    1);
		if (i % 700 == 1 && prof_recent_copy_take(&copy))
			prof_recent_copy_end(&copy);
		if (i % 900 == 2)
			prof_log_start("/dev/null");
		if (i % 900 == 500)
			prof_log_stop(NULL, 19);
	}
	for (unsigned k = 0; k < 50; k++)
		end(&slot[k], k);
	return NULL;
}

static void
threads_may_do_all_of_it_at_once(void **state)
{
	pthread_t thread[4];

	(void)state;
	prof_recent_set_max(10);
	for (unsigned i = 0; i < ARRAY_LEN(thread); i++)
		pthread_create(&thread[i], NULL, storm,
		    (void *)(uintptr_t)(i + 1));
	for (unsigned i = 0; i < ARRAY_LEN(thread); i++)
		pthread_join(thread[i], NULL);
	prof_log_stop(NULL, 19);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, finish)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_stack_is_there_once_and_as_long_as_somebody_has_it),
		TEST(without_memory_there_is_no_stack),
		TEST(the_last_samples_are_those_of_a_model),
		TEST(a_sample_without_memory_has_no_record),
		TEST(an_end_without_a_record_leaves_nothing),
		TEST(a_log_keeps_records),
		TEST(threads_may_do_all_of_it_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
