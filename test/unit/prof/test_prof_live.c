#include "prof/prof_live.h"

#include "../unit.h"
#include "os/system.h"
#include "prof/prof_sample.h"

#define OBJECTS 20000
#define STEPS   200000

static struct prof_sample samples[OBJECTS];
static char heap[OBJECTS * 16];

static void *
object_of(unsigned i)
{
	return heap + i * 16;
}

/* Against an array that is looked up by index; the table grows meanwhile. */
static void
a_sample_is_found_once_and_by_its_object(void **state)
{
	uint64_t seed = 12;

	(void)state;
	for (unsigned step = 0; step < STEPS; step++) {
		/* More and more, then fewer and fewer. */
		bool add = random_below(&seed, STEPS) > step;
		unsigned i = (unsigned)random_below(&seed, OBJECTS);
		struct prof_sample *sample = &samples[i];

		if (add && sample->object == NULL) {
			sample->object = object_of(i);
			prof_live_add(sample);
		} else if (!add) {
			assert_ptr_equal(prof_live_remove(object_of(i)),
			    sample->object == NULL ? NULL : sample);
			sample->object = NULL;
		}
	}
	for (unsigned i = 0; i < OBJECTS; i++) {
		assert_null(prof_live_remove((char *)object_of(i) + 8));
		assert_ptr_equal(prof_live_remove(object_of(i)),
		    samples[i].object == NULL ? NULL : &samples[i]);
		assert_null(prof_live_remove(object_of(i)));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sample_is_found_once_and_by_its_object),
	};

	system_init();
	prof_live_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
