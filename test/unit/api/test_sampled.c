#include "api/sampled.h"

#include "../unit.h"
#include "api/boot.h"
#include "api/inspect.h"
#include "api/release.h"
#include "api/request.h"
#include "api/resize.h"
#include "arena/arena_table.h"
#include "cache/tcache_table.h"
#include "cache/thread.h"
#include "conf/options.h"
#include "extent/pagemap.h"
#include "modes.h"
#include "prof/prof_stats.h"
#include "util/build.h"

/*
 * The library is a part of this program. Each object is a sample while the
 * profile is on, so that the counts of samples by class are known exactly.
 */

enum { NOBJECTS = 200 };

static struct object {
	char *start;
	size_t requested, size_class;
	bool sampled;
} objects[NOBJECTS];

static struct {
	struct prof_class_stats want[SIZE_CLASSES];
	struct arena *arena;
	struct tcache *tcache;
	uint64_t seed;
	bool on;
} model;

static size_t
below(size_t n)
{
	return random_below(&model.seed, n);
}

static void
note(const struct object *o, bool begins)
{
	struct prof_class_stats *want = &model.want[o->size_class];

	if (!o->sampled)
		return;
	if (begins) {
		want->live.count++;
		want->live.requested += o->requested;
		want->ever.count++;
		want->ever.requested += o->requested;
	} else {
		want->live.count--;
		want->live.requested -= o->requested;
	}
}

static void
check(void)
{
	for (unsigned i = 0; i < SIZE_CLASSES; i++) {
		struct prof_class_stats is = prof_stats_read(i);

		if (memcmp(&is, &model.want[i], sizeof(is)) != 0)
			fail_msg("class %u: %lu samples of %lu bytes, not %lu "
				 "of %lu",
			    i, (unsigned long)is.live.count,
			    (unsigned long)is.live.requested,
			    (unsigned long)model.want[i].live.count,
			    (unsigned long)model.want[i].live.requested);
	}
}

static struct request
any_request(void)
{
	struct request request = { .function = "mallocx",
		.size = 1 + below((size_t)8 << 2 * below(10)),
		.align = 1,
		.zero = below(4) == 0,
		.uncached = below(5) == 0 };

	if (below(5) == 0)
		request.align = (size_t)1 << below(14);
	if (below(5) == 0)
		request.arena = model.arena;
	if (!request.uncached && below(5) == 0)
		request.tcache = model.tcache;
	return request;
}

static void
adopt(struct object *o, void *start, const struct request *request)
{
	o->start = start;
	o->requested = request->size;
	o->size_class = size_class_of(request_usable(request->size,
	    request->align));
	o->sampled = model.on;
	note(o, true);
}

static void
take(struct object *o)
{
	struct request request = any_request();
	void *start = request_run(&request);

	assert_non_null(start);
	adopt(o, start, &request);
}

static void
give(struct object *o)
{
	note(o, false);
	switch (below(3)) {
	case 0:
		release_as_asked(NULL, true, o->start);
		break;
	case 1:
		release_as_asked(model.tcache, false, o->start);
		break;
	default:
		release_object(o->start);
	}
	o->start = NULL;
}

/* What keeps its usable size stays the sample that it was. */
static void
resize(struct object *o)
{
	struct request request = any_request();
	size_t old = inspect_usable(o->start);
	char *start = resize_object(o->start, &request);

	assert_non_null(start);
	if (start == o->start && inspect_usable(start) == old)
		return;
	note(o, false);
	adopt(o, start, &request);
}

static void
resize_where_it_is(struct object *o)
{
	struct request request = { .align = 1,
		.size = 1 + below(2 * o->requested + 100000) };
	size_t old = inspect_usable(o->start);

	if (resize_in_place(o->start, &request) == old)
		return;
	note(o, false);
	adopt(o, o->start, &request);
}

static void
step(void)
{
	struct object *o = &objects[below(NOBJECTS)];

	if (o->start == NULL)
		take(o);
	else if (below(3) != 0)
		give(o);
	else if (below(2) != 0)
		resize(o);
	else
		resize_where_it_is(o);
}

static void
begin(uint64_t seed)
{
	unsigned id;

	model.seed = seed;
	model.on = true;
	if (model.arena == NULL) {
		model.arena = arena_table_create(NULL, false);
		assert_true(tcache_table_create(model.arena, &id));
		model.tcache = tcache_table_get(id);
	}
	for (unsigned i = 0; i < SIZE_CLASSES; i++)
		model.want[i] = prof_stats_read(i);
}

static void
end(void)
{
	for (unsigned i = 0; i < NOBJECTS; i++)
		if (objects[i].start != NULL)
			give(&objects[i]);
	check();
}

static void
each_object_is_a_sample_as_long_as_it_lives(void **state)
{
	unsigned steps = under_valgrind() ? 500 : 3000;

	(void)state;
	begin(1);
	for (unsigned i = 0; i < steps; i++) {
		step();
		check();
	}
	/* The thread keeps its counters with each call. */
	thread_go_live(thread_self);
	for (unsigned i = 0; i < steps; i++) {
		step();
		check();
	}
	end();
}

/* Objects that came while it was off are none, whatever becomes of them. */
static void
off_and_on_again_it_follows_at_once(void **state)
{
	(void)state;
	begin(2);
	for (unsigned i = 0; i < 2000; i++) {
		if (below(10) == 0) {
			model.on = !model.on;
			prof_enable(model.on);
			assert_int_equal(prof_is_on(), model.on);
		}
		step();
		check();
	}
	model.on = true;
	prof_enable(true);
	end();
}

/* Without anything to pick the slow paths are short again. */
static void
the_flag_is_off_while_nothing_is_picked(void **state)
{
	void *object;

	(void)state;
	prof_enable(false);
	release_object(request_run(&(struct request){
	    .size = 100, .align = 1, .function = "mallocx" }));
	if (guard_every() == 0)
		assert_int_equal(tcache_rare(&thread_self->tcache) &
			TCACHE_SAMPLED,
		    0);
	for (unsigned bin = 0; bin < CACHE_BINS && guard_every() == 0; bin++)
		assert_int_equal(sampled_draw(&thread_self->tcache, bin,
				     cache_bin_usable(bin)),
		    SAMPLER_NOTHING);
	prof_enable(true);
	assert_int_not_equal(tcache_rare(&thread_self->tcache) & TCACHE_SAMPLED,
	    0);
	begin(3);
	object = request_run(&(struct request){
	    .size = 100, .align = 1, .function = "mallocx" });
	assert_int_equal(
	    prof_stats_read(small_class_of(request_usable(100, 1))).live.count,
	    model.want[small_class_of(request_usable(100, 1))].live.count + 1);
	release_object(object);
}

int
main(int argc, char **argv)
{
#define EACH "prof:true,lg_prof_sample:0,prof_stats:true,prof_prefix:"
	static const char *const modes[] = { EACH, EACH ",tcache:false",
		EACH ",canary:true", EACH ",guard_sample:5",
		EACH ",safety:full",
		EACH ",disable_large_size_classes:false,junk:false",
		EACH ",hpa:true,junk:false", EACH ",uaf_check:true" };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_object_is_a_sample_as_long_as_it_lives),
		cmocka_unit_test(off_and_on_again_it_follows_at_once),
		cmocka_unit_test(the_flag_is_off_while_nothing_is_picked),
	};

	if (!BUILD_PROF)
		SKIP_BECAUSE("built without the heap profile");
	if (argc == 1)
		return modes_run(argv[0], modes, ARRAY_LEN(modes));
	assert_non_null(boot_thread());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
