#include "pages/guards.h"

#include <sys/mman.h>

#include "../unit.h"
#include "conf/options.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "extent/pagemap.h"
#include "os/pages.h"
#include "os/probe.h"
#include "os/system.h"
#include "pages/inherit.h"
#include "pages/page_source.h"

#define MS        UINT64_C(1000000)
#define PERIOD_MS 10000

enum { LIVE_MAX = 60 };

/* --- the kernel, which can be made to refuse ------------------------------ */

static struct fault forbids, allows, purges;
static unsigned npurges;

bool __real_pages_forbid(void *addr, size_t size);
bool __real_pages_allow(void *addr, size_t size);
bool __real_pages_purge_forced(void *addr, size_t size);
bool __wrap_pages_forbid(void *addr, size_t size);
bool __wrap_pages_allow(void *addr, size_t size);
bool __wrap_pages_purge_forced(void *addr, size_t size);

/* A part of the pages has changed before the kernel refused the rest. */
bool
__wrap_pages_forbid(void *addr, size_t size)
{
	if (!fault_hits(&forbids))
		return __real_pages_forbid(addr, size);
	__real_pages_forbid(addr, system_info.page_size);
	return false;
}

bool
__wrap_pages_allow(void *addr, size_t size)
{
	if (!fault_hits(&allows))
		return __real_pages_allow(addr, size);
	if (size > system_info.page_size)
		__real_pages_allow(addr, system_info.page_size);
	return false;
}

bool
__wrap_pages_purge_forced(void *addr, size_t size)
{
	npurges++;
	return !fault_hits(&purges) && __real_pages_purge_forced(addr, size);
}

static void
kernel_works(void)
{
	fault_set(&forbids, 0, false);
	fault_set(&allows, 0, false);
	fault_set(&purges, 0, false);
}

/* --- a source, and what is taken from it ---------------------------------- */

static struct page_source *source;
static struct extent *live[LIVE_MAX];
static unsigned nlive;
static bool refused; /* something, in this test */
static uint64_t now_ns, seed;
static unsigned next_index;

static size_t
page(void)
{
	return system_info.page_size;
}

static struct page_source *
source_new_tracked(bool track_regions)
{
	struct page_source *made = aligned_alloc(CACHELINE,
	    round_up(sizeof(*made), CACHELINE));

	assert_non_null(made);
	memset(made, 0, sizeof(*made));
	page_source_init(made, next_index++,
	    &(struct page_source_config){ .dirty_decay_ms = PERIOD_MS,
		.retain = true,
		.lg_max_active_fit = 6,
		.now_ns = now_ns });
	made->track_regions = track_regions;
	return made;
}

static struct page_source *
source_new(void)
{
	return source_new_tracked(false);
}

static int
begin(void **state)
{
	(void)state;
	kernel_works();
	now_ns = 1000 * PERIOD_MS * MS;
	seed = 1;
	nlive = 0;
	refused = false;
	opt_at_start.calloc_madvise_threshold = SIZE_MAX;
	source = source_new();
	return 0;
}

static int
end(void **state)
{
	(void)state;
	kernel_works();
	guards_release(source, 0, false);
	page_source_check(source);
	free(source);
	return 0;
}

static bool
readable(const char *at)
{
	return probe_readable((uintptr_t)at, (uintptr_t)at + 1);
}

/* As large.c does it. */
static struct extent *
take(size_t npages, bool two)
{
	size_t before = two ? page() : 0, usable = npages * page();
	size_t size = before + usable + page();
	struct extent *e = guards_take(source, size, before, page());

	if (e == NULL) {
		e = page_source_take(source, size, page());
		assert_non_null(e);
		e->object = e->addr + before;
		e->usable = usable;
		guards_set(source, e);
	} else if (e->sealed && !guards_unseal(e)) {
		/* It is sealed still: others get it when it can be opened. */
		assert_true(guards_keep(source, e));
		return NULL;
	}
	assert_int_equal(e->size, size);
	assert_int_equal(e->usable, usable);
	assert_ptr_equal(e->object, e->addr + before);
	return e;
}

/*
 * The program can touch each page of its object, and no guard. Where the kernel
 * refused half-way (`partly`), one may be missing.
 */
static void
check_pages(const struct extent *e, bool partly)
{
	size_t inside = (size_t)(e->object - e->addr) + e->usable;

	for (size_t at = 0; at < e->size; at += page()) {
		bool guard = at >= inside || e->addr + at < e->object;

		if (!(partly && guard && e->guarded))
			assert_int_equal(readable(e->addr + at),
			    !(e->guarded && guard));
	}
}

static void
use(struct extent *e)
{
	check_pages(e, refused);
	memset(e->object, 0x77, e->usable);
	live[nlive++] = e;
}

static bool
give(unsigned i, bool seal)
{
	struct extent *e = live[i];

	live[i] = live[--nlive];
	/* What can't be sealed is wiped, so all of it must be open. */
	if (seal && !guards_seal(e))
		memset(e->object, 0, e->usable);
	if (guards_keep(source, e))
		return true;
	assert_false(e->guarded || e->sealed);
	for (size_t at = 0; at < e->size; at += page())
		assert_true(readable(e->addr + at));
	page_source_give(source, e);
	return false;
}

/* Figures are those of the list; nothing is lost. */
static void
check_kept(void)
{
	const struct guards *guards = &source->guards;
	size_t size = 0, count = 0, active = 0;

	for (const struct list *at = guards->age.next; at != &guards->age;
	     at = at->next) {
		const struct extent *e = container_of(at, struct extent, age);

		size += e->size;
		count++;
	}
	for (unsigned i = 0; i < nlive; i++)
		active += live[i]->size;
	assert_int_equal(guards->size, size);
	assert_int_equal(guards->count, count);
	assert_int_equal(source->active, active);
	page_source_check(source);
}

/* --- tests ---------------------------------------------------------------- */

static void
random_steps(unsigned nsteps, bool refuses)
{
	refused |= refuses;
	for (unsigned i = 0; i < nsteps; i++) {
		if (refuses) {
			fault_set(&forbids, (unsigned)random_below(&seed, 4),
			    random_below(&seed, 2) == 0);
			fault_set(&allows, (unsigned)random_below(&seed, 4),
			    random_below(&seed, 2) == 0);
			fault_set(&purges, (unsigned)random_below(&seed, 3),
			    true);
		}
		if (nlive == 0 ||
		    (nlive < LIVE_MAX && random_below(&seed, 2) == 0)) {
			struct extent *e = take(1 + random_below(&seed, 9),
			    random_below(&seed, 2) == 0);

			if (e != NULL && (refuses || e->guarded))
				use(e);
			else
				assert_null(e);
		} else {
			give((unsigned)random_below(&seed, nlive),
			    random_below(&seed, 3) == 0);
		}
		if (random_below(&seed, 50) == 0)
			guards_release(source, source->guards.size / 2,
			    random_below(&seed, 2) == 0);
		check_kept();
	}
}

/* Whatever the kernel refuses: no page is lost, and in the end all are back. */
static void
no_refusal_loses_a_page_or_leaves_it_shut(void **state)
{
	struct extent *all;

	(void)state;
	random_steps(1000, false);
	random_steps(3000, true);
	kernel_works();
	random_steps(500, false);
	while (nlive > 0)
		give(0, false);
	guards_release(source, 0, false);
	assert_int_equal(source->guards.count, 0);
	assert_int_equal(source->active, 0);
	/* All that the source has can be touched, also what was shut. */
	while ((all = extent_pool_oldest(pools_of(source, EXTENT_DIRTY))) !=
	    NULL) {
		struct extent *e = page_source_take(source, all->size, page());

		for (size_t at = 0; at < e->size; at += page())
			assert_true(readable(e->addr + at));
		live[nlive++] = e;
		if (nlive == LIVE_MAX)
			break;
	}
	while (nlive > 0)
		page_source_give(source, live[--nlive]);
}

/* What was sealed has contents of the program until it is released. */
static void
contents_of_sealed_objects_are_cleared(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct extent *e = take(5, i % 2 != 0);
		char *object = e->object;

		use(e);
		assert_true(give(0, true));
		assert_false(readable(object));
		/* The kernel may refuse to drop them. */
		fault_set(&purges, i / 2, true);
		guards_release(source, 0, true);
		assert_int_equal(source->guards.count, 0);
		for (size_t at = 0; at < 5 * page(); at++)
			assert_int_equal(object[at], 0);
	}
}

static bool
in_memory(char *from, size_t size)
{
	static unsigned char there[64];

	assert_int_equal(mincore(from, size, there), 0);
	for (size_t i = 0; i < size / page(); i++)
		if ((there[i] & 1) != 0)
			return true;
	return false;
}

/* What the program did not touch is not brought into memory. */
static void
long_objects_are_cleared_by_the_kernel(void **state)
{
	(void)state;
	opt_at_start.calloc_madvise_threshold = 20 * page();
	for (unsigned i = 0; i < 4; i++) {
		size_t npages = i % 2 == 0 ? 20 : 64;
		struct extent *e = take(npages, i / 2 != 0);
		char *object = e->object;

		object[page() + 1] = 1;
		live[nlive++] = e;
		npurges = 0;
		assert_true(give(0, true));
		assert_false(in_memory(object, npages * page()));
		guards_release(source, 0, i % 2 == 0);
		assert_int_equal(npurges, 1);
		assert_false(in_memory(object, npages * page()));
		assert_int_equal(object[page() + 1], 0);
	}
}

/* A quarter of the decay time at least, and half of it at most. */
static void
kept_extents_stay_for_a_part_of_the_decay_time(void **state)
{
	uint64_t kept_ns[200], gone_ns = 0, step_ns = PERIOD_MS * MS / 100;
	unsigned nkept = 0, ngone = 0;

	(void)state;
	for (unsigned i = 0; i < 400; i++) {
		size_t before;

		if (i % 7 == 0 && i < 300) {
			use(take(1 + i % 20, false));
			assert_true(give(0, false));
			kept_ns[nkept++] = now_ns;
		}
		now_ns += step_ns;
		before = source->guards.count;
		if (guards_wait(source, now_ns) == 0)
			guards_age(source, now_ns);
		assert_int_not_equal(guards_wait(source, now_ns), 0);
		for (size_t k = source->guards.count; k < before; k++) {
			gone_ns = now_ns - kept_ns[ngone++];
			assert_in_range(gone_ns, PERIOD_MS * MS / 4,
			    PERIOD_MS * MS / 2 + step_ns);
		}
		check_kept();
		/* One of the same size would be used again. */
		if (source->guards.count != nkept - ngone)
			fail_msg("%u kept, %u gone, %zu there", nkept, ngone,
			    source->guards.count);
	}
	assert_int_equal(ngone, nkept);
	assert_true(guards_wait(source, now_ns) == UINT64_MAX);
}

/* The oldest go first if there are too many; those of one size are equal. */
static void
no_more_is_kept_than_a_part_of_what_is_in_use(void **state)
{
	struct extent *e[64], *first;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(e); i++) {
		e[i] = take(49, false);
		assert_true(e[i]->guarded);
	}
	for (unsigned i = 0; i < ARRAY_LEN(e); i++) {
		assert_true(guards_keep(source, e[i]));
		assert_true(source->guards.size <=
		    ((size_t)4 << 20) + source->active / 8);
	}
	assert_true(source->guards.count < ARRAY_LEN(e));
	assert_true(source->guards.count > 10);
	/* Those that stayed are the last ones; the oldest is used first. */
	first = take(49, false);
	assert_ptr_equal(first, e[ARRAY_LEN(e) - 1 - source->guards.count]);
	live[nlive++] = first;
	give(0, false);
	check_kept();
}

static void
what_stays_shut_has_an_owner_after_the_end(void **state)
{
	struct page_source *heir = source, *last;
	char *object;

	(void)state;
	last = source = source_new();
	use(take(3, true));
	object = live[0]->object;
	assert_true(give(0, true));
	fault_set(&allows, 1, true);
	inherit_fini(last, heir);
	assert_int_equal(last->mapped, 0);
	assert_int_equal(heir->guards.count, 1);
	source = heir;
	check_kept();
	/* It can be used again, and goes when the kernel lets it. */
	assert_false(readable(object));
	kernel_works();
	guards_release(heir, 0, false);
	assert_int_equal(heir->guards.count, 0);
	assert_true(readable(object));
	check_kept();
	free(last);
}

/*
 * A source that ends leaves its address range to the next one, but not what is
 * shut in it: nobody unmaps or opens pages that the next source uses.
 */
static void
kept_extents_leave_no_hole_in_the_next_source(void **state)
{
	struct page_source *heir = source, *last;
	unsigned char *p;
	struct extent *e;

	(void)state;
	for (unsigned round = 0; round < 4; round++) {
		bool refuse = round % 2 != 0;

		last = source = source_new_tracked(true);
		use(take(3, false));
		use(take(5, false));
		page_source_give(source,
		    page_source_take(source, 7 * page(), page()));
		assert_true(give(0, round > 1));
		assert_true(give(0, round > 1));
		fault_set(&allows, 1, refuse);
		inherit_fini(last, heir);
		assert_int_equal(last->mapped, 0);
		free(last);
		kernel_works();
		source = source_new_tracked(true);
		e = page_source_take(source, (size_t)2 << 20, page());
		assert_non_null(e);
		p = (unsigned char *)e->addr;
		for (size_t at = 0; at < e->size; at += page())
			assert_true(readable((char *)p + at));
		memset(p, 0x5a, e->size);
		guards_release(heir, 0, true);
		assert_int_equal(heir->guards.count, 0);
		for (size_t at = 0; at < e->size; at++)
			assert_int_equal(p[at], 0x5a);
		page_source_give(source, e);
		inherit_fini(source, heir);
		free(source);
	}
	source = heir;
	check_kept();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    no_refusal_loses_a_page_or_leaves_it_shut, begin, end),
		cmocka_unit_test_setup_teardown(
		    contents_of_sealed_objects_are_cleared, begin, end),
		cmocka_unit_test_setup_teardown(
		    long_objects_are_cleared_by_the_kernel, begin, end),
		cmocka_unit_test_setup_teardown(
		    kept_extents_stay_for_a_part_of_the_decay_time, begin, end),
		cmocka_unit_test_setup_teardown(
		    no_more_is_kept_than_a_part_of_what_is_in_use, begin, end),
		cmocka_unit_test_setup_teardown(
		    what_stays_shut_has_an_owner_after_the_end, begin, end),
		cmocka_unit_test_setup_teardown(
		    kept_extents_leave_no_hole_in_the_next_source, begin, end),
	};

	system_init();
	metadata_init();
	extent_records_init();
	size_class_init(system_info.page_size, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
