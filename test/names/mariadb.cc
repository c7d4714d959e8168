/*
 * As a C++ program has a bundled library linked in, position independent: it
 * is the program's malloc; and the program may have some operators of its own.
 */
#include <cstdio>
#include <cstdlib>
#include <new>

#include <jemalloc/jemalloc.h>

static bool called;

void *
operator new[](std::size_t size)
{
	called = true;
	return std::malloc(size);
}

static bool
config(const char *name)
{
	bool value = false;
	size_t size = sizeof(value);

	return mallctl(name, &value, &size, NULL, 0) == 0 && value;
}

static bool
known(void *ptr)
{
	unsigned arena;
	size_t size = sizeof(arena);

	return mallctl("arenas.lookup", &arena, &size, &ptr, sizeof(ptr)) == 0;
}

int
main()
{
	int *volatile one = new int;
	char *volatile many = new char[100];

	std::printf("%d %d %s %s\n", config("config.prof"),
	    config("config.debug"), called ? "own" : "library",
	    known(one) && known(many) ? "ours" : "another's");
	delete one;
	std::free(many);
	return 0;
}
