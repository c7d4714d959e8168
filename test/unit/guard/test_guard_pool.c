/*
 * The slots of guarded objects: random requests against a simple model, with
 * and without a kernel that refuses calls; what can be touched is found out by
 * the kernel's own answer.
 */
#include "../unit.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "extent/limit.h"
#include "extent/metadata.h"
#include "extent/pagemap.h"
#include "guard/guard_pool.h"
#include "os/lock.h"
#include "os/pages.h"
#include "os/probe.h"
#include "os/system.h"

#define LIVE 8

/* --- a kernel that refuses ------------------------------------------------ */

void *__real_pages_reserve(size_t size, size_t align);
bool __real_pages_allow(void *addr, size_t size);
bool __real_pages_forbid(void *addr, size_t size);

static struct {
	unsigned one_in; /* 0: nothing is refused */
	uint64_t seed;
	unsigned refused;
} kernel = { .seed = 1 };

static bool
refuses(void)
{
	if (kernel.one_in == 0 || random_below(&kernel.seed, kernel.one_in))
		return false;
	kernel.refused++;
	return true;
}

void *
__wrap_pages_reserve(size_t size, size_t align)
{
	return refuses() ? NULL : __real_pages_reserve(size, align);
}

bool
__wrap_pages_allow(void *addr, size_t size)
{
	return !refuses() && __real_pages_allow(addr, size);
}

bool
__wrap_pages_forbid(void *addr, size_t size)
{
	return !refuses() && __real_pages_forbid(addr, size);
}

/* --- helpers -------------------------------------------------------------- */

static bool
can_read(const char *addr)
{
	return probe_readable((uintptr_t)addr, (uintptr_t)addr + 1);
}

static char *
object_of(const struct guard_slot *slot)
{
	return slot != NULL ? atomic_load(&slot->object) : NULL;
}

static struct guard_slot *
take(size_t size, size_t align, bool at_start)
{
	struct guard_place place = { size, align, at_start };
	struct guard_slot *slot = NULL;

	if (guard_pool_take(&place, &slot) != GUARD_TAKEN)
		return NULL;
	guard_pool_hand_out(slot);
	return slot;
}

static void
give(struct guard_slot *slot)
{
	assert_true(guard_pool_claim(slot, object_of(slot)));
	guard_pool_give(slot);
}

/* --- tests ---------------------------------------------------------------- */

static void
look_at_object(size_t size, size_t align, bool at_start)
{
	struct guard_slot *slot = take(size, align, at_start);
	char *object, *window_end;

	assert_non_null(slot);
	object = object_of(slot);
	window_end = slot->window + slot->window_size;
	assert_int_equal((uintptr_t)object % align, 0);
	memset(object, 1, size);
	if (at_start)
		assert_ptr_equal(object, slot->window);
	else
		assert_true((size_t)(window_end - (object + size)) < align);
	assert_false(can_read(slot->window - 1));
	assert_false(can_read(window_end));
	give(slot);
	assert_false(can_read(object));
	assert_false(can_read(object + size - 1));
	guard_pool_check();
}

static void
an_object_lies_at_one_end_of_its_pages(void **state)
{
	static const size_t sizes[] = { 1, 8, 100, 4095, 4096, 4097, 70000,
		1 << 20 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++)
		for (size_t align = 8; align <= 1 << 16; align *= 2)
			for (unsigned start = 0; start < 2; start++)
				look_at_object(sizes[i], align, start);
}

static void
there_are_never_more_than_was_said(void **state)
{
	struct guard_slot *slots[LIVE];

	(void)state;
	for (unsigned i = 0; i < LIVE; i++)
		assert_non_null(slots[i] = take(10, 8, false));
	assert_null(take(10, 8, false));
	assert_int_equal(guard_pool_stats().live, LIVE);
	give(slots[3]);
	assert_non_null(slots[3] = take(10, 8, false));
	for (unsigned i = 0; i < LIVE; i++)
		give(slots[i]);
	assert_int_equal(guard_pool_stats().live, 0);
}

static void
a_freed_object_rests(void **state)
{
	struct guard_slot *slot = take(10, 8, false);
	char *object = object_of(slot);

	(void)state;
	give(slot);
	for (unsigned i = 0; i < 2 * LIVE - 1; i++) {
		assert_int_equal(atomic_load(&slot->state), GUARD_FREED);
		assert_false(can_read(object));
		give(take(20, 8, false));
	}
	assert_ptr_equal(take(30, 8, false), slot);
	give(slot);
}

static void
only_the_object_itself_can_be_claimed_and_only_once(void **state)
{
	struct guard_slot *slot = take(100, 16, false);
	char *object = object_of(slot);

	(void)state;
	assert_false(guard_pool_claim(slot, object + 1));
	assert_false(guard_pool_claim(slot, object - 1));
	assert_true(guard_pool_claim(slot, object));
	assert_false(guard_pool_claim(slot, object));
	guard_pool_unclaim(slot);
	assert_true(guard_pool_claim(slot, object));
	guard_pool_give(slot);
	assert_false(guard_pool_claim(slot, object));
}

static void
every_address_leads_to_its_slot(void **state)
{
	struct guard_slot *slot = take(10000, 16, false);
	char *object = object_of(slot), stack;

	(void)state;
	for (char *at = slot->extent.addr; at < extent_end(&slot->extent);
	     at += 512) {
		assert_ptr_equal(guard_pool_find(at), slot);
		assert_int_equal(pagemap_kind(at), KIND_GUARDED);
	}
	give(slot);
	assert_ptr_equal(guard_pool_find(object), slot);
	assert_null(guard_pool_find(&stack));
	assert_null(guard_pool_find(NULL));
	assert_null(guard_pool_find((void *)UINTPTR_MAX));
}

struct held {
	struct guard_slot *slot;
	char *object;
	size_t size;
	unsigned char byte;
};

static void
verify(const struct held *held)
{
	for (size_t i = 0; i < held->size; i++)
		assert_int_equal((unsigned char)held->object[i], held->byte);
	assert_false(can_read(held->slot->window - 1));
	assert_false(can_read(held->slot->window + held->slot->window_size));
}

/* Random steps; returns how many requests the pool could not serve. */
static unsigned
run_random(uint64_t seed, unsigned steps)
{
	struct held held[LIVE];
	unsigned n = 0, failed = 0;

	print_message("seed %llu\n", (unsigned long long)seed);
	for (unsigned step = 0; step < steps; step++) {
		if (n < LIVE && random_below(&seed, 2) == 0) {
			size_t size = 1 +
			    random_below(&seed,
				(size_t)1 << (1 + random_below(&seed, 18)));
			size_t align = (size_t)8 << random_below(&seed, 12);
			struct held *h = &held[n];

			h->slot = take(size, align, random_below(&seed, 2));
			if (h->slot == NULL) {
				failed++;
				continue;
			}
			h->object = object_of(h->slot);
			h->size = size;
			h->byte = (unsigned char)random_next(&seed);
			assert_int_equal((uintptr_t)h->object % align, 0);
			memset(h->object, h->byte, size);
			n++;
		} else if (n > 0) {
			unsigned i = (unsigned)random_below(&seed, n);

			verify(&held[i]);
			give(held[i].slot);
			held[i] = held[--n];
		}
		assert_int_equal(guard_pool_stats().live, n);
		/* The limits know of it. Nothing else here takes pages. */
		assert_int_equal(guard_pool_stats().in_memory, limit.in_memory);
		if (step % 16 == 0)
			guard_pool_check();
	}
	while (n > 0)
		give(held[--n].slot);
	guard_pool_check();
	return failed;
}

static void
random_requests_are_served_as_in_a_model(void **state)
{
	(void)state;
	assert_int_equal(run_random(1, 3000), 0);
	assert_int_equal(run_random(2, 3000), 0);
}

/* What is served is guarded on all sides all the same, and no slot is lost. */
static void
what_the_kernel_refuses_costs_only_the_request(void **state)
{
	unsigned failed;

	(void)state;
	kernel.one_in = 5;
	failed = run_random(3, 3000);
	kernel.one_in = 1;
	assert_null(take(10, 8, false));
	assert_null(take(10, 8, true));
	guard_pool_check();
	kernel.one_in = 0;
	assert_true(failed > 0 && failed <= kernel.refused);
	assert_int_equal(run_random(4, 1000), 0);
	there_are_never_more_than_was_said(NULL);
}

static void
a_hard_limit_is_kept(void **state)
{
	struct guard_slot *slots[LIVE];
	size_t hard = limit.in_memory + ((size_t)3 << 19);
	unsigned n = 0, failed;

	(void)state;
	limit_set_hard(hard);
	/* The second one would be above it. */
	while ((slots[n] = take((size_t)1 << 20, 16, false)) != NULL) {
		assert_true(limit.in_memory <= hard);
		n++;
	}
	assert_int_equal(n, 1);
	give(slots[0]);
	failed = run_random(5, 1000);
	limit_set_hard(limit.in_memory);
	assert_null(take((size_t)1 << 20, 16, false));
	limit_set_hard(0);
	assert_true(failed < 1000);
	guard_pool_check();
	there_are_never_more_than_was_said(NULL);
}

static void
resting_slots_keep_a_page_at_most(void **state)
{
	struct guard_slot *slots[LIVE];
	size_t page = system_info.page_size;

	(void)state;
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < LIVE; i++) {
			slots[i] = take(1 << 20, 16, false);
			memset(object_of(slots[i]), 1, 1 << 20);
		}
		for (unsigned i = 0; i < LIVE; i++)
			give(slots[i]);
	}
	assert_true(guard_pool_stats().in_memory <= 2 * LIVE * page);
	guard_pool_check();
}

/* Most objects need one page: it stays, so that it need not be made again. */
static void
an_object_like_the_last_has_the_same_page(void **state)
{
	struct guard_slot *slot = take(10, 8, true);
	char *object = object_of(slot);

	(void)state;
	object[9] = 77;
	give(slot);
	for (unsigned i = 0; i < 2 * LIVE - 1; i++)
		give(take(10, 8, true));
	assert_ptr_equal(take(10, 8, true), slot);
	assert_ptr_equal(object_of(slot), object);
	assert_int_equal(object[9], 77);
	give(slot);
}

/* A slot that belonged to a thread that is gone can be used in the child. */
static void
a_fork_frees_what_was_in_the_middle_of_a_change(void **state)
{
	size_t page = system_info.page_size;
	/* More than any slot has had, and then what fits where it was. */
	struct guard_place place = { 400 * page, 8, false };
	struct guard_place larger = { 402 * page, 8, true };
	struct guard_slot *busy, *slot, *leaving = take(10, 8, false);
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(guard_pool_take(&place, &busy), GUARD_TAKEN);
	assert_true(busy->fresh);
	/* Its gaps are filled, but it was not handed out. */
	memset(busy->window, 1, busy->window_size);
	assert_true(guard_pool_claim(leaving, object_of(leaving)));
	pid = fork();
	if (pid == 0) {
		guard_pool_fork_child();
		guard_pool_check();
		/* Each slot in turn. */
		for (unsigned i = 0; i < 2 * LIVE; i++) {
			if (guard_pool_take(&larger, &slot) != GUARD_TAKEN)
				_exit(1);
			if (slot->fresh && *object_of(slot) != 0)
				_exit(3);
			guard_pool_hand_out(slot);
			memset(object_of(slot), 1, larger.size);
			if (can_read(object_of(slot) - 1))
				_exit(2);
			give(slot);
		}
		guard_pool_check();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	guard_pool_hand_out(busy);
	give(busy);
	guard_pool_give(leaving);
}

static void
a_request_does_not_wait_for_the_lock(void **state)
{
	(void)state;
	lock_acquire(guard_pool_lock());
	assert_null(take(10, 8, false));
	lock_release(guard_pool_lock());
	give(take(10, 8, false));
}

/* Last: the slots are lost for the others. */
static void
an_opened_slot_is_accessible_and_never_used_again(void **state)
{
	struct guard_slot *live = take(10, 8, false);
	struct guard_slot *freed = take(10, 8, false);
	char *object = object_of(freed);

	(void)state;
	give(freed);
	assert_true(guard_pool_open(live));
	assert_true(guard_pool_open(freed));
	memset(live->extent.addr, 1, live->extent.size);
	object[0] = 1;
	give(live);
	assert_true(can_read(object));
	for (unsigned i = 0; i < 4 * LIVE; i++) {
		struct guard_slot *slot = take(10, 8, false);

		assert_non_null(slot);
		assert_ptr_not_equal(slot, live);
		assert_ptr_not_equal(slot, freed);
		give(slot);
	}
	guard_pool_check();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_object_lies_at_one_end_of_its_pages),
		cmocka_unit_test(there_are_never_more_than_was_said),
		cmocka_unit_test(a_freed_object_rests),
		cmocka_unit_test(
		    only_the_object_itself_can_be_claimed_and_only_once),
		cmocka_unit_test(every_address_leads_to_its_slot),
		cmocka_unit_test(random_requests_are_served_as_in_a_model),
		cmocka_unit_test(
		    what_the_kernel_refuses_costs_only_the_request),
		cmocka_unit_test(a_hard_limit_is_kept),
		cmocka_unit_test(resting_slots_keep_a_page_at_most),
		cmocka_unit_test(an_object_like_the_last_has_the_same_page),
		cmocka_unit_test(
		    a_fork_frees_what_was_in_the_middle_of_a_change),
		cmocka_unit_test(a_request_does_not_wait_for_the_lock),
		cmocka_unit_test(
		    an_opened_slot_is_accessible_and_never_used_again),
	};

	system_init();
	metadata_init();
	guard_pool_init();
	assert_true(guard_pool_make(LIVE));
	assert_true(guard_pool_make(LIVE));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
