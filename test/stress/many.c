/*
 * experimental.batch_alloc against as many calls of mallocx and of malloc. With
 * arguments WAY COUNT it does that alone, for who counts instructions:
 * test/integration/batch-alloc.py.
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

static void
fill(const char *way, void **objects, size_t count, size_t size)
{
	struct batch batch = { objects, count, size, 0 };
	size_t filled = 0, length = sizeof(filled);

	if (strcmp(way, "batch") == 0) {
		if (mallctl_("experimental.batch_alloc", &filled, &length,
			&batch, sizeof(batch)) != 0 || filled != count)
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
	const char *way = argc > 1 ? argv[1] : "batch";
	size_t count = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000;
	size_t size = argc > 3 ? strtoul(argv[3], NULL, 10) : 64;
	void **objects = malloc(count * sizeof(void *));

	*(void **)&mallctl_ = dlsym(RTLD_DEFAULT, "mallctl");
	*(void **)&mallocx_ = dlsym(RTLD_DEFAULT, "mallocx");
	if (mallctl_ == NULL || mallocx_ == NULL || objects == NULL)
		return 1;
	/* Whatever has to be done once is done. */
	fill(way, objects, 1, size);
	fill(way, objects, count, size);
	return 0;
}
