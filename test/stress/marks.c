/*
 * marks: a program stores what marks freed objects.
 *
 * Provokes: reads the first bytes of an object that it has freed, and stores
 * them in thousands of objects that it frees, in one thread and in several.
 * Must hold: nothing is reported, because nothing is wrong; sooner or later the
 * library marks with something else; a second free is still found at once.
 */
#include "stress.h"

#include <pthread.h>

enum { NOBJECTS = 300, NROUNDS = 30, NTHREADS = 3 };

static _Atomic unsigned reports;

static void
hear(const char *report)
{
	if (strstr(report, "double-free") == NULL)
		stress_fail("reported: %s", report);
	reports++;
}

static uint16_t
mark_now(void)
{
	volatile uint16_t *freed = needed(malloc(40));

	free(hidden((void *)(uintptr_t)freed));
	return *freed;
}

static void
free_twice(size_t size)
{
	unsigned before = reports;
	void *object = needed(malloc(size));

	free(object);
	free(hidden(object));
	if (reports != before + 1)
		stress_fail("a second free of %zu bytes is not found", size);
}

static void *
store_marks(void *shared)
{
	uint16_t *object[NOBJECTS];
	unsigned changes = 0;

	for (unsigned round = 0; round < NROUNDS; round++) {
		uint16_t mark = mark_now();

		for (unsigned i = 0; i < NOBJECTS; i++) {
			object[i] = needed(malloc(24 + i % 7 * 100));
			*object[i] = mark;
		}
		for (unsigned i = 0; i < NOBJECTS; i++)
			free(object[i]);
		changes += mark_now() != mark;
		/* Others would hear this report, too. */
		if (shared == NULL)
			free_twice(24 + round % 7 * 100);
	}
	if (changes < NROUNDS / 2)
		stress_fail("the mark was changed %u times only", changes);
	return NULL;
}

int
main(int argc, char **argv)
{
	void (*handler)(const char *) = hear;
	pthread_t thread[NTHREADS];

	stress_start(argc, argv, 60);
	stress_again_with_caches(argv);
	if (getenv("STRESS_WITH_CACHES") == NULL &&
	    getenv("MALLOC_CONF") == NULL && built_with("debug"))
		return 0;
	CHECK(control("experimental.hooks.safety_check_abort", NULL, NULL,
		  &handler, sizeof(handler)) == 0);
	store_marks(NULL);
	for (unsigned i = 0; i < NTHREADS; i++)
		CHECK(pthread_create(&thread[i], NULL, store_marks, thread) ==
		    0);
	for (unsigned i = 0; i < NTHREADS; i++)
		CHECK(pthread_join(thread[i], NULL) == 0);
	return 0;
}
