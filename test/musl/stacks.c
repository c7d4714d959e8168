/*
 * A program on musl: the stacks of its heap profile lead through its functions.
 * Started with prof:true,lg_prof_sample:0; the argument names the dump.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern int mallctl(const char *name, void *old, size_t *old_length, void *value,
    size_t length);

enum { OBJECTS = 100, NEAR = 64 };

static __attribute__((noinline, aligned(128))) void *
inner(size_t size)
{
	char *block = malloc(size);

	memset(block, 1, size);
	return block;
}

static __attribute__((noinline, aligned(128))) void *
outer(size_t size)
{
	char *block = inner(size);

	block[0] = 2;
	return block;
}

/* Is one of the addresses of the line in the first bytes of the function? */
static int
passes(const char *line, void *(*function)(size_t))
{
	for (const char *at = strstr(line, " 0x"); at != NULL;
	     at = strstr(at + 1, " 0x")) {
		unsigned long pc = strtoul(at + 1, NULL, 16);

		if (pc - (unsigned long)function < NEAR)
			return 1;
	}
	return 0;
}

int
main(int argc, char **argv)
{
	static char line[1 << 16];
	unsigned long long objects = 0;
	const char *path = argv[argc - 1];
	FILE *file;
	int here = 0;

	for (int i = 0; i < OBJECTS; i++)
		outer((size_t)i * 10 + 1);
	if (mallctl("prof.dump", NULL, NULL, &path, sizeof(path)) != 0)
		return 2;
	file = fopen(path, "r");
	while (fgets(line, sizeof(line), file) != NULL)
		if (line[0] == '@')
			here = passes(line, inner) && passes(line, outer);
		else if (here && sscanf(line, " t*: %llu:", &objects) == 1)
			break;
	fclose(file);
	printf("%llu objects of %d\n", objects, OBJECTS);
	return objects != OBJECTS;
}
