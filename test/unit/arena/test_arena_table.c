#include "arena/arena_table.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit.h"
#include "arena/arena.h"
#include "conf/options.h"
#include "extent/extent_hooks.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "os/lock.h"
#include "os/system.h"
#include "pages/ageing.h"

#define AUTOMATIC 8
#define RESERVED  1

static struct fault metadata;

void *__real_metadata_take(size_t size, size_t align);
void *__wrap_metadata_take(size_t size, size_t align);

/* What another thread does while this one gets memory. */
static void (*_Atomic meanwhile)(void);

void *
__wrap_metadata_take(size_t size, size_t align)
{
	void (*once)(void) = atomic_exchange(&meanwhile, NULL);

	if (once != NULL)
		once();
	return fault_hits(&metadata) ? NULL : __real_metadata_take(size, align);
}

/* With `held_here`, who waits for an arena to be let go does that itself. */
static struct arena *held_here;
static _Atomic unsigned nsleeps, nwakes;

void __real_os_thread_sleep(_Atomic uint32_t *word, uint32_t value,
    uint64_t wait_ns);
void __wrap_os_thread_sleep(_Atomic uint32_t *word, uint32_t value,
    uint64_t wait_ns);
void __real_os_thread_wake(_Atomic uint32_t *word);
void __wrap_os_thread_wake(_Atomic uint32_t *word);

void
__wrap_os_thread_sleep(_Atomic uint32_t *word, uint32_t value, uint64_t wait_ns)
{
	nsleeps++;
	if (held_here != NULL)
		arena_table_let_go(held_here);
	else
		__real_os_thread_sleep(word, value, wait_ns);
}

void
__wrap_os_thread_wake(_Atomic uint32_t *word)
{
	nwakes++;
	__real_os_thread_wake(word);
}

/* The node on which the caller runs. */
static unsigned node;

unsigned __wrap_node_now(void);

unsigned
__wrap_node_now(void)
{
	return node;
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

#define child_assert(condition) \
	do { \
		if (!(condition)) \
			_exit(__LINE__ % 250 + 1); \
	} while (0)

static void
init(void)
{
	child_assert(arena_table_init(AUTOMATIC, RESERVED));
}

static bool
destroy(unsigned index)
{
	struct arena *arena = arena_table_begin_destroy(index, true);

	if (arena != NULL)
		arena_table_end_destroy(arena);
	return arena != NULL;
}

static void
first_arena(void)
{
	init();
	child_assert(arena_table_automatic() == AUTOMATIC);
	child_assert(arena_table_count() == AUTOMATIC + RESERVED);
	child_assert(arena_table_owner(0) != NULL);
	child_assert(arena_table_owner(0)->index == 0);
	for (unsigned i = 1; i < ARENAS_MAX + 10; i++)
		child_assert(arena_table_owner(i) == NULL);
	child_assert(arena_table_owner(UINT32_MAX) == NULL);
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
		child_assert(of[i] == arena_table_owner(of[i]->index));
		child_assert(of[i]->index < AUTOMATIC);
		seen[of[i]->index]++;
		/* Nobody has two more than another. */
		for (unsigned k = 0; k < AUTOMATIC; k++)
			child_assert(seen[k] <= i / AUTOMATIC + 1);
	}
	for (unsigned k = 0; k < AUTOMATIC; k++)
		child_assert(arena_table_owner(k)->nthreads == 3);
	/* Who leaves makes room for the next one. */
	arena_table_unbind(arena_table_owner(5));
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
	child_assert(arena_table_owner(1) == NULL);
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
	child_assert(arena_table_owner(AUTOMATIC - 1) != NULL);
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

static unsigned
bind_on(unsigned where)
{
	node = where;
	return arena_table_bind()->index;
}

static void
on_nodes(void)
{
	unsigned seen[AUTOMATIC] = { 0 };

	init();
	/* Two nodes in turn: each has half of the arenas. */
	for (unsigned i = 0; i < 4 * AUTOMATIC; i++) {
		unsigned where = i % 2 + 1, index = bind_on(where);

		child_assert(index < AUTOMATIC);
		child_assert(seen[index] == 0 || seen[index] == where);
		seen[index] = where;
		child_assert(arena_table_owner(index)->pages.node == where);
	}
	for (unsigned k = 0; k < AUTOMATIC; k++)
		child_assert(arena_table_owner(k)->nthreads == 4);
	/* On a third node, they share with others until an arena is empty. */
	child_assert(seen[bind_on(3)] != 0);
	for (unsigned i = 0; i < 5; i++)
		if (arena_table_owner(2)->nthreads > 0)
			arena_table_unbind(arena_table_owner(2));
	child_assert(bind_on(3) == 2);
	child_assert(arena_table_owner(2)->pages.node == 3);
	child_assert(bind_on(3) == 2);
	/* Who does not know where it is takes the one with the fewest. */
	child_assert(bind_on(0) == 2);
}

static void
threads_of_a_node_have_arenas_of_their_own(void **state)
{
	(void)state;
	in_child(on_nodes);
}

static void
far_and_near(void)
{
	init();
	child_assert(bind_on(1) == 0);
	arena_table_unbind(arena_table_owner(0));
	/* Its pages are far away, so another one is better. */
	child_assert(bind_on(2) == 1);
	arena_table_unbind(arena_table_owner(1));
	child_assert(bind_on(1) == 0);
	arena_table_unbind(arena_table_owner(0));
	/* If there may be no more, an empty one is taken over. */
	arena_table_limit(2);
	child_assert(bind_on(3) == 0);
	child_assert(bind_on(3) == 1);
	child_assert(arena_table_owner(1)->pages.node == 3);
	/* So does who chooses it. */
	arena_table_limit(0);
	node = 4;
	child_assert(arena_table_bind_to(5) == arena_table_owner(5));
	child_assert(arena_table_owner(5)->pages.node == 4);
}

static void
an_empty_arena_of_another_node_is_the_last_choice(void **state)
{
	(void)state;
	in_child(far_and_near);
}

static void
bind_without_memory(void)
{
	init();
	child_assert(arena_table_bind()->index == 0);
	fault_set(&metadata, 1, true);
	for (unsigned i = 0; i < 5; i++)
		child_assert(arena_table_bind()->index == 0);
	child_assert(arena_table_owner(0)->nthreads == 6);
	child_assert(arena_table_create(NULL, true) == NULL);
	child_assert(arena_table_need(3) == NULL);
	fault_set(&metadata, 0, false);
	child_assert(arena_table_bind()->index == 1);
	child_assert(arena_table_need(3)->index == 3);
	child_assert(arena_table_create(NULL, true)->index ==
	    AUTOMATIC + RESERVED);
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
	child_assert(arena_table_owner(3) == NULL);
	child_assert(arena_table_owner(AUTOMATIC) == NULL);
	arena = arena_table_need(AUTOMATIC);
	child_assert(arena != NULL && arena == arena_table_oversize());
	child_assert(arena_table_need(AUTOMATIC + RESERVED) == NULL);
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
	a = arena_table_create(NULL, true);
	b = arena_table_create(NULL, true);
	child_assert(a->index == AUTOMATIC + RESERVED);
	child_assert(b->index == a->index + 1);
	child_assert(a->manual && b->manual);
	child_assert(arena_table_count() == b->index + 1);
	/* Threads at large don't get them. */
	for (unsigned i = 0; i < 4 * AUTOMATIC; i++)
		child_assert(arena_table_bind()->index < AUTOMATIC);
	child_assert(!destroy(0));
	child_assert(!destroy(1000));
	child_assert(!destroy(UINT32_MAX));
	child_assert(arena_table_bind_to(a->index) == a);
	child_assert(!destroy(a->index));
	arena_table_unbind(a);
	child_assert(destroy(AUTOMATIC + RESERVED));
	child_assert(arena_table_owner(AUTOMATIC + RESERVED) == NULL);
	child_assert(!destroy(AUTOMATIC + RESERVED));
	c = arena_table_create(NULL, true);
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
count_visit(struct arena *arena, void *seen)
{
	((unsigned *)seen)[arena->index]++;
}

static unsigned
visits(unsigned index)
{
	unsigned seen[ARENAS_MAX] = { 0 };

	arena_table_each(count_visit, seen);
	child_assert(seen[0] == 1);
	return seen[index];
}

static void
ending(void)
{
	struct arena *a;
	unsigned index, seen[ARENAS_MAX] = { 0 };

	init();
	index = arena_table_create(NULL, true)->index;
	child_assert(visits(index) == 1);
	child_assert(arena_table_visit(index, count_visit, seen));
	child_assert(seen[index] == 1);
	a = arena_table_begin_destroy(index, true);
	child_assert(a != NULL && a->index == index);
	/* Nobody finds it any more, but fork, which takes its locks. */
	child_assert(visits(index) == 0);
	child_assert(!arena_table_visit(index, count_visit, seen));
	child_assert(arena_table_hold(index) == NULL);
	child_assert(arena_table_bind_to(index) == NULL && a->nthreads == 0);
	child_assert(arena_table_begin_destroy(index, true) == NULL);
	arena_table_each_locked(count_visit, seen);
	child_assert(seen[index] == 2);
	/* Or it does not end. */
	arena_table_keep(a);
	child_assert(visits(index) == 1);
	child_assert(destroy(index));
	child_assert(visits(index) == 0);
	child_assert(arena_table_hold(index) == NULL);
	child_assert(arena_table_hold(UINT32_MAX) == NULL);
	child_assert(arena_table_bind_to(index) == NULL);
}

static void
bind_meanwhile(void)
{
	child_assert(arena_table_bind()->index == 1);
}

static void
two_at_once(void)
{
	init();
	child_assert(arena_table_bind()->index == 0);
	meanwhile = bind_meanwhile;
	/* Not what was free before the other one came. */
	child_assert(arena_table_bind()->index == 2);
	child_assert(meanwhile == NULL);
	for (unsigned i = 0; i < 3; i++)
		child_assert(arena_table_owner(i)->nthreads == 1);
}

static void
threads_that_begin_at_once_have_arenas_of_their_own(void **state)
{
	(void)state;
	in_child(two_at_once);
}

static void
an_arena_that_ends_is_found_by_nobody(void **state)
{
	(void)state;
	in_child(ending);
}

static _Atomic bool about_to_let_go;

static void *
destroy_held(void *index)
{
	child_assert(destroy(*(unsigned *)index));
	child_assert(about_to_let_go);
	return NULL;
}

static void
held(void)
{
	struct arena *a;
	pthread_t thread;
	unsigned index;

	init();
	index = arena_table_create(NULL, true)->index;
	a = arena_table_hold(index);
	child_assert(a != NULL && a->index == index);
	child_assert(arena_table_hold(index) == a);
	/* Who may be the holder itself does not wait, and changes nothing. */
	child_assert(arena_table_begin_destroy(index, false) == NULL);
	child_assert(arena_table_hold(index) == a);
	child_assert(pthread_create(&thread, NULL, destroy_held, &index) == 0);
	for (unsigned i = 0; i < 3; i++) {
		usleep(5000);
		/* It has not ended yet, whatever it is looked at for. */
		child_assert(arena_table_owner(index) == a);
		about_to_let_go = i == 2;
		arena_table_let_go(a);
	}
	pthread_join(thread, NULL);
	child_assert(arena_table_owner(index) == NULL);
}

static void
destroying_waits_for_who_holds_the_arena(void **state)
{
	(void)state;
	in_child(held);
}

static void
let_go_one_by_one(void)
{
	unsigned index;

	init();
	index = arena_table_create(NULL, true)->index;
	for (unsigned i = 0; i < 3; i++)
		held_here = arena_table_hold(index);
	child_assert(held_here != NULL);
	/* Nobody waits yet. */
	arena_table_let_go(held_here);
	child_assert(nwakes == 0);
	/* Each of the two others lets go while this sleeps. */
	child_assert(arena_table_begin_destroy(index, true) == held_here);
	child_assert(nsleeps == 2 && nwakes == 1);
}

static void
the_last_who_lets_go_wakes_who_waits(void **state)
{
	(void)state;
	in_child(let_go_one_by_one);
}

static void
fork_inside(struct arena *arena, void *unused)
{
	(void)unused;
	if (fork() != 0) {
		int status;

		wait(&status);
		child_assert(status == 0);
		return;
	}
	arena_table_fork_child();
	child_assert(destroy(arena->index));
	child_assert(arena_table_create(NULL, true)->index == arena->index);
}

static void
held_over_fork(void)
{
	unsigned index;
	pid_t self;

	init();
	self = getpid();
	index = arena_table_create(NULL, true)->index;
	child_assert(arena_table_hold(index) != NULL);
	child_assert(arena_table_visit(index, fork_inside, NULL));
	if (getpid() == self)
		arena_table_let_go(arena_table_owner(index));
	/* On both sides nobody holds it now. */
	child_assert(arena_table_begin_destroy(index, false) != NULL);
}

static void
in_a_forked_child_nobody_holds_an_arena(void **state)
{
	(void)state;
	in_child(held_over_fork);
}

/* --- memory functions of the program that are asked for records ----------- */

static bool
no_lock_is_held(void)
{
#if CONFIG_DEBUG
	return lock_none_is_held();
#else
	return true;
#endif
}

static struct {
	struct extent_hooks table;
	unsigned refuse; /* so many times */
	unsigned given, taken;
	unsigned arena; /* as the functions are told */
	void (*inside)(void);
} program;

static void *
program_alloc(struct extent_hooks *table, void *addr, size_t size, size_t align,
    bool *zero, bool *commit, unsigned arena)
{
	(void)addr, (void)align, (void)zero;
	child_assert(table == &program.table && *commit);
	child_assert(no_lock_is_held());
	program.arena = arena;
	if (program.inside != NULL)
		program.inside();
	if (program.refuse > 0) {
		program.refuse--;
		return NULL;
	}
	program.given++;
	return aligned_alloc(system_info.page_size, size);
}

static void
program_destroy(struct extent_hooks *table, void *addr, size_t size,
    bool committed, unsigned arena)
{
	child_assert(table == &program.table && committed);
	child_assert(arena == program.arena && no_lock_is_held());
	/* Nobody finds it any more, and its index is nobody else's yet. */
	child_assert(arena_table_hold(arena) == NULL);
	child_assert(arena_table_create(NULL, true)->index != arena);
	memset(addr, 0xee, size);
	free(addr);
	program.taken++;
}

static void
init_program(void)
{
	init();
	program.table.alloc = program_alloc;
	program.table.destroy = program_destroy;
}

static void
asked_for_records(void)
{
	struct extent_hooks *hooks = &program.table;
	unsigned first = AUTOMATIC + RESERVED;
	struct arena *a;

	init_program();
	child_assert(arena_table_create(hooks, false)->index == first);
	child_assert(arena_table_create(&extent_hooks_default, true) != NULL);
	child_assert(program.given == 0);
	a = arena_table_create(hooks, true);
	child_assert(a->index == first + 2 && program.arena == a->index);
	child_assert(program.given == 1);
	arena_check(a);
	child_assert(destroy(a->index) && program.taken == 1);
	child_assert(destroy(first) && program.taken == 1);
}

static void
functions_are_asked_without_a_lock_and_get_all_back(void **state)
{
	(void)state;
	in_child(asked_for_records);
}

static void
refused_records(void)
{
	struct extent_hooks *hooks = &program.table;
	unsigned count, first = AUTOMATIC + RESERVED;
	size_t used;

	init_program();
	child_assert(arena_table_create(NULL, true)->index == first);
	child_assert(arena_table_create(NULL, true)->index == first + 1);
	child_assert(destroy(first));
	count = arena_table_count();
	program.refuse = 1;
	child_assert(arena_table_create(hooks, true) == NULL);
	child_assert(program.arena == first);
	used = metadata_stats().used;
	program.refuse = 100;
	for (unsigned i = 0; i < 100; i++)
		child_assert(arena_table_create(hooks, true) == NULL);
	child_assert(metadata_stats().used == used);
	child_assert(arena_table_count() == count);
	/* Both kinds of indices are there again: used before, and new. */
	child_assert(arena_table_create(NULL, true)->index == first);
	program.refuse = 1;
	child_assert(arena_table_create(hooks, true) == NULL);
	child_assert(program.arena == first + 2);
	child_assert(arena_table_count() == count);
	child_assert(arena_table_create(hooks, true)->index == first + 2);
}

static void
a_refusal_leaves_index_and_memory_as_they_were(void **state)
{
	(void)state;
	in_child(refused_records);
}

/* Two more are made from inside, and the first of them ends. */
static void
make_others(void)
{
	unsigned outer = program.arena, first, second;

	program.inside = NULL;
	first = arena_table_create(NULL, true)->index;
	second = arena_table_create(NULL, true)->index;
	child_assert(first == outer + 1 && second == outer + 2);
	child_assert(arena_table_count() == second + 1);
	child_assert(!arena_table_has(outer));
	child_assert(arena_table_hold(outer) == NULL && !destroy(outer));
	child_assert(destroy(first));
}

static void
others_meanwhile(void)
{
	struct extent_hooks *hooks = &program.table;
	unsigned first = AUTOMATIC + RESERVED;

	init_program();
	program.inside = make_others;
	program.refuse = 1;
	child_assert(arena_table_create(hooks, true) == NULL);
	/* The one that was refused came back last. */
	child_assert(arena_table_create(NULL, true)->index == first);
	child_assert(arena_table_create(NULL, true)->index == first + 1);
	child_assert(arena_table_create(NULL, true)->index == first + 3);
}

static void
an_index_is_kept_while_a_function_is_asked(void **state)
{
	(void)state;
	in_child(others_meanwhile);
}

/* --- at once -------------------------------------------------------------- */

#define COMERS 3

static void *
create_and_destroy(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < 3000; i++) {
		struct arena *a = arena_table_create(NULL, true);

		child_assert(a != NULL && a->manual);
		/* Refused while somebody is bound to it, which is not long. */
		while (!destroy(a->index))
			sched_yield();
	}
	about_to_let_go = true;
	return NULL;
}

/* An arena that is visited is whole, whatever others do meanwhile. */
static void
look(struct arena *arena, void *index)
{
	struct arena_summary sum = { .active = 0 };

	child_assert(arena->index == *(unsigned *)index);
	child_assert(arena->manual == (arena->index >= AUTOMATIC + RESERVED));
	arena_summary_add(arena, &sum);
	child_assert(sum.active == 0 && sum.mapped == 0);
	ageing_purge(&arena->pages);
}

static void *
look_at_all(void *arg)
{
	(void)arg;
	while (!about_to_let_go)
		for (unsigned i = 0; i < arena_table_count(); i++) {
			struct arena *arena;

			arena_table_visit(i, look, &i);
			arena = arena_table_hold(i);
			if (arena != NULL)
				arena_table_let_go(arena);
			if (arena_table_bind_to(i) != NULL)
				arena_table_unbind(arena_table_owner(i));
		}
	return NULL;
}

static void
come_and_go(void)
{
	pthread_t thread[2 * COMERS];

	init();
	for (unsigned i = 0; i < 2 * COMERS; i++)
		child_assert(pthread_create(&thread[i], NULL,
				 i % 2 == 0 ? look_at_all : create_and_destroy,
				 NULL) == 0);
	for (unsigned i = 0; i < 2 * COMERS; i++)
		pthread_join(thread[i], NULL);
}

static void
arenas_come_and_go_while_others_look_at_all(void **state)
{
	(void)state;
	in_child(come_and_go);
}

static void
all_indices(void)
{
	unsigned n = 0;
	size_t used;

	init();
	while (arena_table_create(NULL, true) != NULL)
		n++;
	child_assert(n == ARENAS_MAX - AUTOMATIC - RESERVED);
	used = metadata_stats().used;
	for (unsigned i = 0; i < 100; i++)
		child_assert(arena_table_create(NULL, true) == NULL);
	/* The one that is spare waits for an index. */
	child_assert(metadata_stats().used == used);
	child_assert(destroy(ARENAS_MAX - 1));
	child_assert(arena_table_create(NULL, true)->index == ARENAS_MAX - 1);
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

		if (arena != arena_table_owner(arena->index))
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
		struct arena *arena = arena_table_owner(i);

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
		cmocka_unit_test(threads_of_a_node_have_arenas_of_their_own),
		cmocka_unit_test(
		    an_empty_arena_of_another_node_is_the_last_choice),
		cmocka_unit_test(without_memory_threads_share_what_there_is),
		cmocka_unit_test(an_automatic_arena_is_made_when_it_is_needed),
		cmocka_unit_test(
		    manual_arenas_come_behind_and_their_indices_are_used_again),
		cmocka_unit_test(
		    threads_that_begin_at_once_have_arenas_of_their_own),
		cmocka_unit_test(an_arena_that_ends_is_found_by_nobody),
		cmocka_unit_test(destroying_waits_for_who_holds_the_arena),
		cmocka_unit_test(the_last_who_lets_go_wakes_who_waits),
		cmocka_unit_test(in_a_forked_child_nobody_holds_an_arena),
		cmocka_unit_test(arenas_come_and_go_while_others_look_at_all),
		cmocka_unit_test(more_arenas_than_indices_are_refused),
		cmocka_unit_test(threads_that_bind_at_once_are_all_counted),
		cmocka_unit_test(
		    functions_are_asked_without_a_lock_and_get_all_back),
		cmocka_unit_test(
		    a_refusal_leaves_index_and_memory_as_they_were),
		cmocka_unit_test(an_index_is_kept_while_a_function_is_asked),
	};

	system_init();
	metadata_init();
	extent_records_init();
	options_init(&opt_at_start);
	size_class_init(system_info.page_size, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
