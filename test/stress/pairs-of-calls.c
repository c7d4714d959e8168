/*
 * Each function of the family that gives memory, with its partner that takes it
 * back, for who counts instructions: test/integration/call-cost.py.
 * usage: pairs-of-calls COUNT
 * Each way has two calls of `step`: the first does what has to be done once,
 * the second COUNT pairs. Prints the names of the ways.
 */
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static void *(*mallocx_)(size_t, int);
static void *(*rallocx_)(void *, size_t, int);
static void (*dallocx_)(void *, int);
static void (*sdallocx_)(void *, size_t, int);
static void (*free_sized_)(void *, size_t);
static void *(*new_)(size_t);
static void (*delete_)(void *);
static void (*delete_sized_)(void *, size_t);

enum { SIZE = 64, LG_ALIGN = 5 };

static void
way_malloc(void)
{
	free(malloc(SIZE));
}

static void
way_calloc(void)
{
	free(calloc(1, SIZE));
}

static void
way_aligned_alloc(void)
{
	free(aligned_alloc(1 << LG_ALIGN, SIZE));
}

static void
way_realloc(void)
{
	free(realloc(malloc(SIZE), SIZE - 1));
}

static void
way_free_sized(void)
{
	free_sized_(malloc(SIZE), SIZE);
}

static void
way_mallocx(void)
{
	dallocx_(mallocx_(SIZE, 0), 0);
}

static void
way_mallocx_aligned(void)
{
	sdallocx_(mallocx_(SIZE, LG_ALIGN), SIZE, LG_ALIGN);
}

static void
way_sdallocx(void)
{
	sdallocx_(mallocx_(SIZE, 0), SIZE, 0);
}

static void
way_rallocx(void)
{
	dallocx_(rallocx_(mallocx_(SIZE, 0), SIZE - 1, 0), 0);
}

static void
way_new(void)
{
	delete_(new_(SIZE));
}

static void
way_delete_sized(void)
{
	delete_sized_(new_(SIZE), SIZE);
}

static const struct {
	const char *name;
	void (*pair)(void);
} ways[] = {
	{ "malloc", way_malloc },
	{ "calloc", way_calloc },
	{ "aligned_alloc", way_aligned_alloc },
	{ "realloc", way_realloc },
	{ "free_sized", way_free_sized },
	{ "mallocx", way_mallocx },
	{ "mallocx_aligned", way_mallocx_aligned },
	{ "sdallocx", way_sdallocx },
	{ "rallocx", way_rallocx },
	{ "new", way_new },
	{ "delete_sized", way_delete_sized },
};

__attribute__((noinline)) static void
step(void (*pair)(void), long count)
{
	for (long i = 0; i < count; i++)
		pair();
}

static void *
find(const char *name)
{
	void *function = dlsym(RTLD_DEFAULT, name);

	if (function == NULL) {
		fprintf(stderr, "there is no %s\n", name);
		exit(1);
	}
	return function;
}

int
main(int argc, char **argv)
{
	long count = argc > 1 ? atol(argv[1]) : 1000;

	*(void **)&mallocx_ = find("mallocx");
	*(void **)&rallocx_ = find("rallocx");
	*(void **)&dallocx_ = find("dallocx");
	*(void **)&sdallocx_ = find("sdallocx");
	*(void **)&free_sized_ = find("free_sized");
	*(void **)&new_ = find(SIZE_MAX > UINT32_MAX ? "_Znwm" : "_Znwj");
	*(void **)&delete_ = find("_ZdlPv");
	*(void **)&delete_sized_ = find(SIZE_MAX > UINT32_MAX ? "_ZdlPvm"
							      : "_ZdlPvj");
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		puts(ways[i].name);
		step(ways[i].pair, 1);
		step(ways[i].pair, count);
	}
	fflush(stdout);
	step(way_malloc, 0);
	return 0;
}
