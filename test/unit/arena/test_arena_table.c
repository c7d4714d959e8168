#include "arena/arena_table.h"

#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit.h"
#include "arena/arena.h"
#include "conf/options.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "os/system.h"

#define AUTOMATIC	8
#define RESERVED	1

static struct fault metadata;

void *__real_metadata_take(size_t size, size_t align);
void *__wrap_metadata_take(size_t size, size_t align);

void *
__wrap_metadata_take(size_t size, size_t align)
{
	return fault_hits(&metadata) ? NULL :
	    __real_metadata_take(size, align);
}

/* The table can be made once a process, so each test has a child. */
static void
in_child(void (*body)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		alarm(60);
		body();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

#define child_assert(condition) do { \
	if (!(condition)) \
		_exit(__LINE__ % 250 + 1); \
} while (0)

static void
init(void)
{
	child_assert(arena_table_init(AUTOMATIC, RESERVED));
}

static void
first_arena(void)
{
	init();
	child_assert(arena_table_automatic() == AUTOMATIC);
	child_assert(arena_table_count() == AUTOMATIC + RESERVED);
	child_assert(arena_table_get(0) != NULL);
	child_assert(arena_table_get(0)->index == 0);
	for (unsigned i = 1; i < ARENAS_MAX + 10; i++)
		child_assert(arena_table_get(i) == NULL);
	child_assert(arena_table_get(UINT32_MAX) == NULL);
}

static void
arena_0_is_there_from_the_start_and_no_other(void **state)
{
	(void)state;
	in_child(first_arena);
}

static void
no_memory_at_start(void)
{
	fault_set(&metadata, 1, true);
	child_assert(!arena_table_init(AUTOMATIC, RESERVED));
	fault_set(&metadata, 0, false);
	init();
}

static void
without_memory_the_table_cannot_be_made_yet(void **state)
{
	(void)state;
	in_child(no_memory_at_start);
}

static void
spread(void)
{
	struct arena *of[3 * AUTOMATIC];
	unsigned seen[AUTOMATIC] = { 0 };

	init();
	for (unsigned i = 0; i < 3 * AUTOMATIC; i++) {
		of[i] = arena_table_bind();
		child_assert(of[i] == arena_table_get(of[i]->index));
		child_assert(of[i]->index < AUTOMATIC);
		seen[of[i]->index]++;
		/* Nobody has two more than another. */
		for (unsigned k = 0; k < AUTOMATIC; k++)
			child_assert(seen[k] <= i / AUTOMATIC + 1);
	}
	for (unsigned k = 0; k < AUTOMATIC; k++)
		child_assert(arena_table_get(k)->nthreads == 3);
	/* Who leaves makes room for the next one. */
	arena_table_unbind(arena_table_get(5));
	child_assert(arena_table_bind()->index == 5);
}

static void
threads_are_spread_over_the_automatic_arenas(void **state)
{
	(void)state;
	in_child(spread);
}

static void
empty_first(void)
{
	struct arena *arena;

	init();
	/* One thread after the other needs one arena. */
	for (unsigned i = 0; i < 20; i++) {
		arena = arena_table_bind();
		child_assert(arena->index == 0);
		arena_table_unbind(arena);
	}
	child_assert(arena_table_get(1) == NULL);
}

static void
an_arena_without_threads_is_used_before_another_is_made(void **state)
{
	(void)state;
	in_child(empty_first);
}

static void
limited(void)
{
	init();
	arena_table_limit(2);
	for (unsigned i = 0; i < 10; i++)
		child_assert(arena_table_bind()->index < 2);
	arena_table_limit(100);
	for (unsigned i = 0; i < 3 * AUTOMATIC; i++)
		child_assert(arena_table_bind()->index < AUTOMATIC);
	child_assert(arena_table_get(AUTOMATIC - 1) != NULL);
	arena_table_limit(1);
	for (unsigned i = 0; i < 10; i++)
		child_assert(arena_table_bind()->index == 0);
	arena_table_limit(0);
	child_assert(arena_table_bind()->index != 0);
}

static void
a_limit_keeps_new_threads_to_the_first_arenas(void **state)
{
	(void)state;
	in_child(limited);
}

static void
bind_without_memory(void)
{
	init();
	child_assert(arena_table_bind()->index == 0);
	fault_set(&metadata, 1, true);
	for (unsigned i = 0; i < 5; i++)
		child_assert(arena_table_bind()->index == 0);
	child_assert(arena_table_get(0)->nthreads == 6);
	child_assert(arena_table_create(NULL) == NULL);
	child_assert(arena_table_need(3) == NULL);
	fault_set(&metadata, 0, false);
	child_assert(arena_table_bind()->index == 1);
	child_assert(arena_table_need(3)->index == 3);
	child_assert(arena_table_create(NULL)->index == AUTOMATIC + RESERVED);
}

static void
without_memory_threads_share_what_there_is(void **state)
{
	(void)state;
	in_child(bind_without_memory);
}

static void
needed(void)
{
	struct arena *arena;

	init();
	arena = arena_table_need(4);
	child_assert(arena != NULL && arena->index == 4);
	child_assert(arena_table_need(4) == arena);
	child_assert(arena_table_get(3) == NULL);
	child_assert(arena_table_need(AUTOMATIC) == NULL);
	child_assert(arena_table_need(ARENAS_MAX) == NULL);
	child_assert(arena_table_need(UINT32_MAX) == NULL);
}

static void
an_automatic_arena_is_made_when_it_is_needed(void **state)
{
	(void)state;
	in_child(needed);
}

static void
manual(void)
{
	struct arena *a, *b, *c;

	init();
	a = arena_table_create(NULL);
	b = arena_table_create(NULL);
	child_assert(a->index == AUTOMATIC + RESERVED);
	child_assert(b->index == a->index + 1);
	child_assert(a->manual && b->manual);
	child_assert(arena_table_count() == b->index + 1);
	/* Threads at large don't get them. */
	for (unsigned i = 0; i < 4 * AUTOMATIC; i++)
		child_assert(arena_table_bind()->index < AUTOMATIC);
	child_assert(!arena_table_destroy(0));
	child_assert(!arena_table_destroy(1000));
	child_assert(!arena_table_destroy(UINT32_MAX));
	arena_table_bind_to(a);
	child_assert(!arena_table_destroy(a->index));
	arena_table_unbind(a);
	child_assert(arena_table_destroy(AUTOMATIC + RESERVED));
	child_assert(arena_table_get(AUTOMATIC + RESERVED) == NULL);
	child_assert(!arena_table_destroy(AUTOMATIC + RESERVED));
	c = arena_table_create(NULL);
	child_assert(c->index == AUTOMATIC + RESERVED);
	child_assert(c->pages.mapped == 0 && c->nthreads == 0);
	arena_check(c);
}

static void
manual_arenas_come_behind_and_their_indices_are_used_again(void **state)
{
	(void)state;
	in_child(manual);
}

static void
all_indices(void)
{
	unsigned n = 0;
	size_t used;

	init();
	while (arena_table_create(NULL) != NULL)
		n++;
	child_assert(n == ARENAS_MAX - AUTOMATIC - RESERVED);
	used = metadata_stats().used;
	for (unsigned i = 0; i < 100; i++)
		child_assert(arena_table_create(NULL) == NULL);
	/* The one that is spare waits for an index. */
	child_assert(metadata_stats().used == used);
	child_assert(arena_table_destroy(ARENAS_MAX - 1));
	child_assert(arena_table_create(NULL)->index == ARENAS_MAX - 1);
}

static void
more_arenas_than_indices_are_refused(void **state)
{
	(void)state;
	in_child(all_indices);
}

static void *
bind_and_unbind(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < 2000; i++) {
		struct arena *arena = arena_table_bind();

		if (arena != arena_table_get(arena->index))
			_exit(99);
		arena_table_unbind(arena);
	}
	return arena_table_bind();
}

static void
race(void)
{
	pthread_t thread[AUTOMATIC];
	unsigned sum = 0;

	init();
	for (unsigned i = 0; i < AUTOMATIC; i++)
		child_assert(pthread_create(&thread[i], NULL, bind_and_unbind,
		    NULL) == 0);
	for (unsigned i = 0; i < AUTOMATIC; i++)
		pthread_join(thread[i], NULL);
	for (unsigned i = 0; i < AUTOMATIC; i++) {
		struct arena *arena = arena_table_get(i);

		if (arena == NULL)
			continue;
		child_assert(arena->index == i);
		sum += arena->nthreads;
	}
	child_assert(sum == AUTOMATIC);
}

static void
threads_that_bind_at_once_are_all_counted(void **state)
{
	(void)state;
	in_child(race);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arena_0_is_there_from_the_start_and_no_other),
		cmocka_unit_test(without_memory_the_table_cannot_be_made_yet),
		cmocka_unit_test(threads_are_spread_over_the_automatic_arenas),
		cmocka_unit_test(
		    an_arena_without_threads_is_used_before_another_is_made),
		cmocka_unit_test(a_limit_keeps_new_threads_to_the_first_arenas),
		cmocka_unit_test(without_memory_threads_share_what_there_is),
		cmocka_unit_test(an_automatic_arena_is_made_when_it_is_needed),
		cmocka_unit_test(
		    manual_arenas_come_behind_and_their_indices_are_used_again),
		cmocka_unit_test(more_arenas_than_indices_are_refused),
		cmocka_unit_test(threads_that_bind_at_once_are_all_counted),
	};

	system_init();
	metadata_init();
	extent_records_init();
	options_init(&opt_at_start);
	size_class_init(system_info.page_size, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
