#include "prof/prof_table.h"

#include <pthread.h>
#include <string.h>

#include "../unit.h"
#include "extent/metadata.h"
#include "os/system.h"
#include "pieces.h"
#include "unwind/backtrace.h"

#define THREADS 5
#define STACKS  40
#define SAMPLES 600
#define DEPTH   6

static uint64_t next_number; /* behind those of the tests before */

/* --- a model: every sample by itself ------------------------------------ */

struct sample {
	struct prof_pair *pair;
	unsigned thread, stack;
	struct prof_counts counts;
	bool forgotten;
};

static struct {
	struct prof_thread *thread[THREADS];
	uint64_t number[THREADS];
	uint64_t next_number;
	struct sample sample[SAMPLES];
	unsigned nsamples;
	struct prof_counts ever[THREADS][STACKS];
	bool accumulates;
	uint64_t seed;
} model;

static void
pcs_of(unsigned stack, void **pcs, unsigned *depth)
{
	*depth = stack % DEPTH;
	/* Many begin alike. */
	for (unsigned i = 0; i < *depth; i++)
		pcs[i] = (void *)(uintptr_t)(i + 1 == *depth ? stack + 1 : 7);
}

static void
add(struct prof_counts *to, const struct prof_counts *counts)
{
	to->objects += counts->objects;
	to->bytes += counts->bytes;
	to->weight_objects += counts->weight_objects;
	to->weight_bytes += counts->weight_bytes;
}

static void
enter(unsigned thread)
{
	model.thread[thread] = prof_table_enter();
	assert_non_null(model.thread[thread]);
	model.number[thread] = model.next_number++;
}

static bool
begin(void)
{
	struct sample *sample = &model.sample[model.nsamples];
	uint64_t bytes = 1 + random_below(&model.seed, 5000);
	void *pcs[DEPTH];
	unsigned depth;

	*sample = (struct sample){ .thread = (unsigned)random_below(&model.seed,
				       THREADS),
		.stack = (unsigned)random_below(&model.seed, STACKS),
		.counts = { 1, bytes, bytes * 3, bytes * 7 } };
	pcs_of(sample->stack, pcs, &depth);
	sample->pair = prof_table_add(model.thread[sample->thread], pcs, depth,
	    &sample->counts);
	if (sample->pair == NULL)
		return false;
	if (model.accumulates)
		add(&model.ever[sample->thread][sample->stack],
		    &sample->counts);
	model.nsamples++;
	return true;
}

static void
end(unsigned i)
{
	prof_table_remove(model.sample[i].pair, &model.sample[i].counts, 0);
	model.sample[i] = model.sample[--model.nsamples];
}

static void
reset(void)
{
	prof_table_reset();
	memset(model.ever, 0, sizeof(model.ever));
	for (unsigned i = 0; i < model.nsamples; i++)
		model.sample[i].forgotten = true;
}

/* What the model expects of thread `thread` (THREADS: all) and `stack`. */
static void
expect(unsigned thread, unsigned stack, struct prof_counts *live,
    struct prof_counts *ever)
{
	memset(live, 0, sizeof(*live));
	memset(ever, 0, sizeof(*ever));
	for (unsigned i = 0; i < model.nsamples; i++) {
		const struct sample *s = &model.sample[i];

		if (!s->forgotten &&
		    (thread == THREADS || s->thread == thread) &&
		    (stack == STACKS || s->stack == stack))
			add(live, &s->counts);
	}
	for (unsigned t = 0; t < THREADS; t++)
		for (unsigned s = 0; s < STACKS; s++)
			if ((thread == THREADS || t == thread) &&
			    (stack == STACKS || s == stack))
				add(ever, &model.ever[t][s]);
}

static unsigned
stack_of(const struct prof_item *item)
{
	void *pcs[DEPTH];
	unsigned depth;

	for (unsigned s = 0; s < STACKS; s++) {
		pcs_of(s, pcs, &depth);
		if (depth == item->depth &&
		    memcmp(pcs, item->pcs, depth * sizeof(void *)) == 0)
			return depth == 0 ? 0 : s;
	}
	fail_msg("an unknown stack");
	return 0;
}

static unsigned
thread_of(const struct prof_item *item)
{
	for (unsigned t = 0; t < THREADS; t++)
		if (model.number[t] == item->thread)
			return t;
	fail_msg("an unknown thread");
	return 0;
}

/* Stacks without pcs are one. */
static void
fold_stacks(void)
{
	for (unsigned i = 0; i < model.nsamples; i++)
		if (model.sample[i].stack % DEPTH == 0)
			model.sample[i].stack = 0;
	for (unsigned t = 0; t < THREADS; t++)
		for (unsigned s = DEPTH; s < STACKS; s += DEPTH) {
			add(&model.ever[t][0], &model.ever[t][s]);
			memset(&model.ever[t][s], 0, sizeof(model.ever[t][s]));
		}
}

static void
check_item(const struct prof_item *item, unsigned thread, unsigned stack)
{
	struct prof_counts live, ever;

	expect(thread, stack, &live, &ever);
	assert_memory_equal(&item->live, &live, sizeof(live));
	assert_memory_equal(&item->ever, &ever, sizeof(ever));
}

static void
check(void)
{
	struct prof_snapshot snapshot;
	const struct prof_item *item = NULL;
	struct prof_counts live, ever, sum = { 0, 0, 0, 0 };
	unsigned stack = 0;
	uint64_t last = 0;

	fold_stacks();
	assert_true(prof_snapshot_take(&snapshot));
	/* Some room for others, who go on meanwhile, but not for much more. */
	assert_true(snapshot.size <=
	    2 * (snapshot.used + system_info.page_size));
	while ((item = prof_snapshot_next(&snapshot, item)) != NULL) {
		if (item->kind == PROF_ITEM_STACK) {
			stack = stack_of(item);
			check_item(item, THREADS, stack);
			last = 0;
			continue;
		}
		assert_true(last == 0 || item->thread + 1 > last);
		last = item->thread + 1;
		if (item->kind == PROF_ITEM_THREAD) {
			check_item(item, thread_of(item), STACKS);
		} else {
			check_item(item, thread_of(item), stack);
			add(&sum, &item->live);
		}
	}
	expect(THREADS, STACKS, &live, &ever);
	assert_memory_equal(&snapshot.live, &live, sizeof(live));
	assert_memory_equal(&snapshot.ever, &ever, sizeof(ever));
	assert_memory_equal(&sum, &live, sizeof(live));
	prof_snapshot_end(&snapshot);
}

static int
start(void **state)
{
	(void)state;
	memset(&model, 0, sizeof(model));
	fault_set(&piece_fault, 0, false);
	system_init();
	metadata_init();
	prof_table_init();
	npieces = 0;
	model.next_number = next_number;
	for (unsigned i = 0; i < THREADS; i++)
		enter(i);
	return 0;
}

static int
finish(void **state)
{
	(void)state;
	while (model.nsamples > 0)
		end(0);
	prof_table_accumulate(false);
	reset();
	check();
	for (unsigned i = 0; i < THREADS; i++)
		prof_table_leave(model.thread[i]);
	next_number = model.next_number;
	/* All that was made has gone back. */
	assert_int_equal(npieces, 0);
	assert_int_equal(piece_bytes, 0);
	return 0;
}

static void
run_random(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned op = (unsigned)random_below(&model.seed, 1000);

		if (op < 520 && model.nsamples < SAMPLES)
			assert_true(begin());
		else if (op < 990 && model.nsamples > 0)
			end((unsigned)random_below(&model.seed,
			    model.nsamples));
		else if (op == 999)
			reset();
		if (i % 50 == 0)
			check();
	}
	check();
}

static void
random_samples_are_counted_by_stack_and_thread(void **state)
{
	(void)state;
	run_random(20000);
}

static void
what_ever_was_is_kept_if_asked_for(void **state)
{
	(void)state;
	prof_table_accumulate(true);
	model.accumulates = true;
	run_random(20000);
}

static void
a_sample_without_memory_is_lost_and_nothing_else(void **state)
{
	unsigned nlost = 0;

	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		fault_set(&piece_fault, 1 + i % 2, true);
		if (model.nsamples < SAMPLES && !begin())
			nlost++;
		fault_set(&piece_fault, 0, false);
		if (model.nsamples > 0 && i % 3 == 0)
			end(0);
		if (i % 100 == 0)
			check();
	}
	assert_true(nlost > 0);
	fault_set(&piece_fault, 1, true);
	assert_null(prof_table_enter());
}

static void
a_thread_that_is_gone_is_known_while_its_samples_live(void **state)
{
	struct prof_snapshot snapshot;
	const struct prof_item *item;

	(void)state;
	while (model.nsamples == 0 || model.sample[0].thread != 0) {
		model.nsamples = model.nsamples != 0 ? (end(0), 0) : 0;
		assert_true(begin());
	}
	prof_table_set_name(model.thread[0], "a name of more than fifteen");
	prof_table_leave(model.thread[0]);
	assert_true(prof_snapshot_take(&snapshot));
	item = prof_snapshot_next(&snapshot, NULL);
	assert_int_equal(item->thread, model.number[0]);
	assert_string_equal(item->name, "a name of more ");
	prof_snapshot_end(&snapshot);
	end(0);
	assert_true(prof_snapshot_take(&snapshot));
	item = prof_snapshot_next(&snapshot, NULL);
	assert_int_equal(item->thread, model.number[1]);
	prof_snapshot_end(&snapshot);
	/* A new one gets a new number. */
	enter(0);
	assert_int_equal(model.number[0], next_number + THREADS);
	check();
}

static void *
churn(void *argument)
{
	struct prof_thread *self = prof_table_enter();
	const struct prof_counts one = { 1, 100, 200, 300 };
	uint64_t seed = (uintptr_t)argument;
	struct prof_pair *held[16] = { NULL };
	void *pcs[2];

	for (unsigned i = 0; i < 20000; i++) {
		struct prof_pair **pair = &held[random_below(&seed, 16)];
		struct prof_snapshot snapshot;

		pcs[0] = (void *)(uintptr_t)(1 + random_below(&seed, 8));
		pcs[1] = (void *)(uintptr_t)5;
		if (*pair != NULL) {
			prof_table_remove(*pair, &one, 0);
			*pair = NULL;
		} else {
			*pair = prof_table_add(self, pcs, 2, &one);
		}
		if (i % 1000 == 0)
			prof_table_reset();
		/* TSan does not see that memory is unmapped and new. */
		if (!UNDER_TSAN && i % 500 == 0 &&
		    prof_snapshot_take(&snapshot)) {
			if (snapshot.live.bytes != snapshot.live.objects * 100)
				return (void *)"bytes and objects differ";
			prof_snapshot_end(&snapshot);
		}
	}
	for (unsigned i = 0; i < 16; i++)
		if (held[i] != NULL)
			prof_table_remove(held[i], &one, 0);
	prof_table_leave(self);
	return NULL;
}

static void
threads_sample_while_others_read_and_reset(void **state)
{
	pthread_t thread[4];
	void *wrong;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, churn,
				     (void *)(uintptr_t)i),
		    0);
	for (unsigned i = 0; i < 4; i++) {
		pthread_join(thread[i], &wrong);
		if (wrong != NULL)
			fail_msg("%s", (char *)wrong);
	}
	check();
}

/* Of two stacks, whose hashes are made equal, each is counted by itself. */
static void
stacks_with_the_same_hash_are_two(void **state)
{
	void *a[] = { (void *)0x1000, (void *)0x2000 };
	void *b[] = { (void *)0x7000, NULL };
	struct prof_counts sample = { 1, 100, 1, 1 };
	struct prof_pair *pair[3];
	uint64_t begin[2];

	(void)state;
	/* Their first steps: a hash begins with the depth, here 1 for 2. */
	begin[0] = backtrace_hash(&(void *){ (void *)(0x1000 ^ 1 ^ 2) }, 1);
	begin[1] = backtrace_hash(&(void *){ (void *)(0x7000 ^ 1 ^ 2) }, 1);
	if (WORD_BITS < 64)
		SKIP_TEST("a hash has more bits than a pointer");
	b[1] = (void *)(uintptr_t)(0x2000 ^ begin[0] ^ begin[1]);
	assert_true(backtrace_hash(a, 2) == backtrace_hash(b, 2));
	pair[0] = prof_table_add(model.thread[0], a, 2, &sample);
	pair[1] = prof_table_add(model.thread[0], b, 2, &sample);
	pair[2] = prof_table_add(model.thread[0], a, 2, &sample);
	assert_ptr_equal(pair[0], pair[2]);
	assert_ptr_not_equal(pair[0], pair[1]);
	for (unsigned i = 0; i < 3; i++)
		prof_table_remove(pair[i], &sample, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, finish)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(random_samples_are_counted_by_stack_and_thread),
		TEST(what_ever_was_is_kept_if_asked_for),
		TEST(a_sample_without_memory_is_lost_and_nothing_else),
		TEST(stacks_with_the_same_hash_are_two),
		TEST(a_thread_that_is_gone_is_known_while_its_samples_live),
		TEST(threads_sample_while_others_read_and_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
