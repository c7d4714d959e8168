#include "cache/thread_event.h"

#include <string.h>

#include "../unit.h"

static struct thread_event_marks marks;
static unsigned taking, giving;

static void
count(bool is_taking, uint64_t taken, uint64_t given)
{
	taking += is_taking;
	giving += !is_taking;
	/* Inside of one it is no event. */
	thread_event_look(&marks, taken + 1000000, given + 1000000);
}

static void
count_too(bool is_taking, uint64_t taken, uint64_t given)
{
	(void)taken;
	(void)given;
	taking += is_taking ? 1000 : 0;
	giving += is_taking ? 0 : 1000;
}

static void
look(uint64_t taken, uint64_t given, unsigned taking_then, unsigned giving_then)
{
	thread_event_look(&marks, taken, given);
	assert_int_equal(taking, taking_then);
	assert_int_equal(giving, giving_then);
}

static void
bad_ones_are_refused(void **state)
{
	(void)state;
	thread_event_init();
	assert_false(thread_event_add(&(struct thread_event){ NULL, 5, true }));
	assert_false(thread_event_add(&(struct thread_event){
	    count, 0, true }));
	assert_false(thread_event_wanted());
}

static void
every_interval_is_told_and_what_was_missed_once(void **state)
{
	const struct thread_event event = { count, 100, false };

	(void)state;
	assert_true(thread_event_add(&event));
	assert_true(thread_event_wanted());
	look(50, 1000, 0, 0); /* it begins here */
	look(149, 1099, 0, 0);
	look(150, 1099, 1, 0);
	look(249, 1100, 1, 1);
	look(250, 1199, 2, 1);
	look(1000, 5000, 3, 2);
	look(1099, 5099, 3, 2);
	look(1100, 5100, 4, 3);
	/* Registered again it is the same. */
	assert_true(thread_event_add(&event));
	look(1200, 5200, 5, 4);
}

static void
several_have_marks_of_their_own(void **state)
{
	(void)state;
	assert_true(thread_event_add(&(struct thread_event){
	    count_too, 300, true }));
	assert_true(thread_event_add(&(struct thread_event){
	    count_too, UINT64_MAX, false }));
	look(1300, 5300, 6, 5);
	look(1599, 5301, 7, 5);
	look(1600, 9000, 1007, 6);
	look(2000, 90000, 2008, 7);
	/* Another thread begins with its own. */
	memset(&marks, 0, sizeof(marks));
	look(1000000, 1000000, 2008, 7);
	look(1000100, 1000000, 2009, 7);
}

static void
there_is_room_for_four(void **state)
{
	(void)state;
	assert_true(thread_event_add(&(struct thread_event){ count, 1, true }));
	assert_false(thread_event_add(&(struct thread_event){
	    count, 2, true }));
	assert_true(thread_event_add(&(struct thread_event){ count, 1, true }));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_ones_are_refused),
		cmocka_unit_test(
		    every_interval_is_told_and_what_was_missed_once),
		cmocka_unit_test(several_have_marks_of_their_own),
		cmocka_unit_test(there_is_room_for_four),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
