/*
 * experimental.batch_alloc against as many calls of mallocx and of malloc, for
 * who counts instructions: test/integration/batch-alloc.py.
 * usage: many COUNT SIZE...
 * For each size, by each of the three ways: one object, COUNT of them, and
 * twice as many, by a call of `fill` for each.
 */
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct batch {
	void **objects;
	size_t count;
	size_t size;
	int flags;
};

static int (*mallctl_)(const char *, void *, size_t *, void *, size_t);
static void *(*mallocx_)(size_t, int);

__attribute__((noinline)) static void
fill(const char *way, void **objects, size_t count, size_t size)
{
	struct batch batch = { objects, count, size, 0 };
	size_t filled = 0, length = sizeof(filled);

	if (strcmp(way, "batch") == 0) {
		if (mallctl_("experimental.batch_alloc", &filled, &length,
			&batch, sizeof(batch)) != 0 ||
		    filled != count)
			abort();
		return;
	}
	if (strcmp(way, "mallocx") == 0)
		for (size_t i = 0; i < count; i++)
			objects[i] = mallocx_(size, 0);
	else
		for (size_t i = 0; i < count; i++)
			objects[i] = malloc(size);
}

int
main(int argc, char **argv)
{
	static const char *const ways[] = { "batch", "malloc", "mallocx" };
	size_t few = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
	void **objects = malloc(2 * few * sizeof(void *));

	*(void **)&mallctl_ = dlsym(RTLD_DEFAULT, "mallctl");
	*(void **)&mallocx_ = dlsym(RTLD_DEFAULT, "mallocx");
	if (mallctl_ == NULL || mallocx_ == NULL || objects == NULL)
		return 1;
	for (int i = 2; i < argc; i++)
		for (int way = 0; way < 3; way++) {
			size_t size = strtoul(argv[i], NULL, 10);

			/* Whatever has to be done once is done. */
			fill(ways[way], objects, 1, size);
			fill(ways[way], objects, few, size);
			fill(ways[way], objects, 2 * few, size);
		}
	/* Ends what is counted of the last one. */
	fill("malloc", objects, 0, 1);
	return 0;
}
