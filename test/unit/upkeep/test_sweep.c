#include "upkeep/sweep.h"

#include "../unit.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "conf/conf.h"
#include "conf/options.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "os/clock.h"
#include "os/system.h"
#include "pages/ageing.h"
#include "upkeep/trim.h"

#define MS        UINT64_C(1000000)
#define PERIOD_NS (10000 * MS) /* opt.dirty_decay_ms */

/* What was asked of the trimmer, and what it says. */
static struct {
	unsigned calls;
	uint64_t before_ns;
	bool more;
} trim;

bool __wrap_trim_silent(uint64_t before_ns);

bool
__wrap_trim_silent(uint64_t before_ns)
{
	trim.calls++;
	trim.before_ns = before_ns;
	return trim.more;
}

static uint64_t now_ns;

/* One sweep can purge this, wherever it begins. */
static void
leave_unused(struct arena *arena)
{
	page_source_give(&arena->pages,
	    page_source_take(&arena->pages, (AGEING_PIECES - 1) * AGEING_PIECE,
		system_info.page_size));
	assert_int_not_equal(ageing_unused(&arena->pages), 0);
}

static void
pages_of_arenas_that_nobody_ticks_are_given_back(void **state)
{
	struct arena *ticked = arena_table_first();
	struct arena *silent = arena_table_create(NULL, false);
	size_t unused;

	(void)state;
	assert_non_null(silent);
	leave_unused(silent);
	arena_tick(silent, now_ns);
	now_ns += PERIOD_NS / 2;
	leave_unused(ticked);
	arena_tick(ticked, now_ns);
	unused = ageing_unused(&ticked->pages);
	sweep(now_ns);
	assert_int_not_equal(ageing_unused(&silent->pages), 0);
	now_ns += PERIOD_NS / 2 + 100 * MS;
	sweep(now_ns);
	assert_int_equal(ageing_unused(&silent->pages), 0);
	assert_int_equal(ageing_unused(&ticked->pages), unused);
	ageing_purge(&ticked->pages);
	assert_int_equal(trim.calls, 0);
}

static void
threads_are_trimmed_that_were_silent_for_a_decay_time(void **state)
{
	(void)state;
	opt_at_start.tcache_trim = true;
	now_ns += PERIOD_NS;
	trim.more = true;
	sweep(now_ns);
	assert_int_equal(trim.calls, 1);
	assert_int_equal(trim.before_ns, now_ns - PERIOD_NS);
	/* There are more: it goes on with the next sweep. */
	now_ns += 100 * MS;
	trim.more = false;
	sweep(now_ns);
	assert_int_equal(trim.calls, 2);
	assert_int_equal(trim.before_ns, now_ns - PERIOD_NS);
	/* Now that all are trimmed it waits a quarter of that time. */
	now_ns += PERIOD_NS / 4 - 1;
	sweep(now_ns);
	assert_int_equal(trim.calls, 2);
	now_ns++;
	sweep(now_ns);
	assert_int_equal(trim.calls, 3);
	/* Pages may stay for ever, and so may what is in caches. */
	for (unsigned which = 0; which < 2; which++)
		ageing_set_decay(&arena_table_first()->pages, which, -1,
		    now_ns);
	now_ns += PERIOD_NS;
	sweep(now_ns);
	assert_int_equal(trim.calls, 3);
	opt_at_start.tcache_trim = false;
}

int
main(void)
{
	static const char *const none[CONF_SOURCES];
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    pages_of_arenas_that_nobody_ticks_are_given_back),
		cmocka_unit_test(
		    threads_are_trimmed_that_were_silent_for_a_decay_time),
	};

	system_init();
	metadata_init();
	extent_records_init();
	conf_settle(&opt_at_start, none);
	size_class_init(system_info.page_size, opt.slab_sizes);
	if (!arena_table_init(1, 0))
		return 1;
	now_ns = clock_now_ns();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
