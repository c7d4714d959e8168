/*
 * Memory from sbrk: before mmap, after it, never; beside a program that moves
 * the break by itself.
 */
#include "stress.h"

static char *start;

static bool
from_sbrk(const void *p)
{
	return (const char *)p >= start && (const char *)p < (char *)sbrk(0);
}

static const char *
mode(void)
{
	const char *text = NULL;
	size_t size = sizeof(text);

	if (control("opt.dss", &text, &size, NULL, 0) != 0)
		stress_skip_other("opt.dss");
	return text;
}

enum { BLOCKS = 400 };

/* The program's own pieces of the break lie between and keep what is there. */
static void
take_beside_the_program(bool primary)
{
	static char *block[BLOCKS], *mine[BLOCKS];
	unsigned ours = 0;

	for (unsigned i = 0; i < BLOCKS; i++) {
		if (i % 20 == 0) {
			mine[i] = sbrk(100 + i);
			if (mine[i] != (void *)-1)
				memset(mine[i], 0x77, 100 + i);
		}
		block[i] = malloc(300000 + i);
		if (block[i] == NULL)
			stress_fail("no memory");
		memset(block[i], (int)i, 300000 + i);
		ours += from_sbrk(block[i]);
	}
	for (unsigned i = 0; i < BLOCKS; i++) {
		for (unsigned k = 0; k < 300000; k += 999)
			if (block[i][k] != (char)i)
				stress_fail("block %u changed", i);
		if (i % 20 == 0 && mine[i] != (void *)-1)
			for (unsigned k = 0; k < 100 + i; k++)
				if (mine[i][k] != 0x77)
					stress_fail("the program's own bytes "
						    "changed");
		if (i % 3 == 0)
			block[i] = realloc(block[i], 3000000);
		free(block[i]);
	}
	if (primary && ours < BLOCKS / 2)
		stress_fail("only %u of %d blocks come from sbrk", ours,
		    BLOCKS);
	if (!primary && ours != 0)
		stress_fail("%u blocks come from sbrk", ours);
	malloc_trim(0);
}

static int
without_mmap(bool may)
{
	unsigned found = 0;

	malloc(1);
	stress_refuse(CALL_MMAP, ENOMEM);
	for (unsigned i = 0; i < 100; i++) {
		char *p = malloc(100000);

		if (p == NULL)
			break;
		memset(p, 1, 100000);
		found += from_sbrk(p);
	}
	if (may && found < 50)
		stress_fail("without mmap, %u blocks come from sbrk", found);
	if (!may && found != 0)
		stress_fail("%u blocks come from sbrk", found);
	return 0;
}

int
main(int argc, char **argv)
{
	bool primary;
	int status;
	pid_t child;

	stress_start(argc, argv, 60);
	start = sbrk(0);
	primary = strcmp(mode(), "primary") == 0;
	/* First, while nothing is left over that could be used again. */
	if (seccomp_missing() == NULL) {
		child = fork();
		if (child == 0)
			_exit(without_mmap(strcmp(mode(), "disabled") != 0));
		if (waitpid(child, &status, 0) != child || status != 0)
			stress_fail("child: %x", status);
	}
	take_beside_the_program(primary);
	stress_need_filters();
	return 0;
}
