/*
 * A program with libc's malloc and two allocators beside it.
 *	both 1, both 2	two options of that library
 *	both run	uses all three at once; says ok
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "names.h"

static void
expect(int good, const char *what)
{
	if (!good) {
		printf("wrong: %s\n", what);
		exit(1);
	}
}

static uint64_t
allocated(const struct half *half)
{
	uint64_t value = 0;
	size_t size = sizeof(value);

	expect(half->control("thread.allocated", &value, &size, NULL, 0) == 0,
	    "thread.allocated");
	return value;
}

static int
knows(const struct half *half, void *ptr)
{
	unsigned arena;
	size_t size = sizeof(arena);

	return half->control("arenas.lookup", &arena, &size, &ptr,
		   sizeof(ptr)) == 0;
}

static void *
work(void *unused)
{
	enum { OBJECTS = 500 };
	void *objects[3][OBJECTS];

	(void)unused;
	for (int i = 0; i < OBJECTS; i++) {
		size_t size = (size_t)(i * 37 % 3000 + 1);

		objects[0][i] = first.get(size);
		objects[1][i] = second.get(size);
		objects[2][i] = malloc(size);
		for (int j = 0; j < 3; j++) {
			expect(objects[j][i] != NULL, "an object");
			memset(objects[j][i], i + j, size);
		}
	}
	for (int i = 0; i < OBJECTS; i++) {
		for (int j = 0; j < 3; j++)
			expect(*(unsigned char *)objects[j][i] ==
				(unsigned char)(i + j),
			    "content");
		first.put(objects[0][i]);
		second.put(objects[1][i]);
		free(objects[2][i]);
	}
	return NULL;
}

static void
run(void)
{
	void *a = first.get(100), *b = second.get(100), *c = malloc(100);
	uint64_t before = allocated(&second);
	pthread_t threads[4];
	int status;

	expect(knows(&first, a) && !knows(&first, b) && !knows(&first, c),
	    "what the first library knows");
	expect(!knows(&second, a) && knows(&second, b) && !knows(&second, c),
	    "what the second library knows");
	first.put(first.get(5000));
	expect(allocated(&second) == before, "counters are apart");
	expect(first_smallocx(100) == 128, "smallocx");
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, work, NULL);
	/* A child of a process in use must have all three. */
	pid_t child = fork();
	if (child == 0) {
		work(NULL);
		_exit(7);
	}
	expect(waitpid(child, &status, 0) == child && WIFEXITED(status) &&
		WEXITSTATUS(status) == 7,
	    "a child");
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	first.put(a);
	second.put(b);
	free(c);
	puts("ok");
}

int
main(int argc, char **argv)
{
	const struct half *half;
	ssize_t decay = -2;
	unsigned narenas = 0;
	size_t decay_size = sizeof(decay), narenas_size = sizeof(narenas);

	if (argc != 2)
		return 1;
	if (strcmp(argv[1], "run") == 0) {
		run();
		return 0;
	}
	half = argv[1][0] == '1' ? &first : &second;
	half->control("opt.dirty_decay_ms", &decay, &decay_size, NULL, 0);
	half->control("opt.narenas", &narenas, &narenas_size, NULL, 0);
	printf("%zd,%u\n", decay, narenas);
	return 0;
}
