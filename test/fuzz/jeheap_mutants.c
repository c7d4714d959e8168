/*
 * jeheap on damaged core files: a copy of a core file, some words of it changed
 * at random, is read by jeheap's own code in a child process. It must end with
 * one of its statuses, within TIME_LIMIT seconds.
 *
 * usage: jeheap-mutants CORE COUNT [FIRST]
 *
 * Case number N is always the same; the cases FIRST, FIRST + 1, ... are run.
 * The file of one that fails stays in jeheap-mutant.core.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIME_LIMIT  10
#define CHANGES_MAX 64
#define HEAD        8192u /* headers and notes */

int jeheap_main(int argc, char **argv);

static struct {
	unsigned char *bytes;
	size_t size;
	uint64_t random;
	uint32_t *places; /* words that are not 0, in units of 8 bytes */
	size_t nplaces;
	struct {
		size_t place;
		uint64_t word;
	} undo[CHANGES_MAX];
	unsigned nundo;
} core;

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t
random_next(void)
{
	uint64_t x = core.random += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* A descriptor of a copy in memory. */
static int
core_copy(const char *path)
{
	int from = open(path, O_RDONLY), to = memfd_create("core", 0);
	struct stat status;

	if (from < 0 || to < 0 || fstat(from, &status) != 0)
		die(path);
	core.size = (size_t)status.st_size;
	if (core.size < HEAD || ftruncate(to, status.st_size) != 0)
		die(path);
	core.bytes = mmap(NULL, core.size, PROT_READ | PROT_WRITE, MAP_SHARED,
	    to, 0);
	core.places = malloc(core.size / 8 * sizeof(*core.places));
	if (core.bytes == MAP_FAILED || core.places == NULL)
		die(path);
	for (size_t at = 0; at < core.size;) {
		ssize_t got = pread(from, core.bytes + at, core.size - at,
		    (off_t)at);

		if (got <= 0)
			die(path);
		at += (size_t)got;
	}
	close(from);
	for (size_t i = 0; i < core.size / 8; i++) {
		uint64_t word;

		memcpy(&word, core.bytes + i * 8, 8);
		if (word != 0)
			core.places[core.nplaces++] = (uint32_t)i;
	}
	return to;
}

static size_t
place_choose(void)
{
	switch (random_next() % 8) {
	case 0:
		return random_next() % (HEAD / 8);
	case 1:
		return random_next() % (core.size / 8);
	default:
		return core.places[random_next() % core.nplaces];
	}
}

static void
mutate(void)
{
	/* Few changes get past the first check, many find other ones. */
	unsigned count = 1u << random_next() % 7;

	for (core.nundo = 0; core.nundo < count; core.nundo++) {
		size_t place = place_choose();
		uint64_t word, other;

		memcpy(&word, core.bytes + place * 8, 8);
		memcpy(&other, core.bytes + 8 * place_choose(), 8);
		core.undo[core.nundo].place = place;
		core.undo[core.nundo].word = word;
		switch (random_next() % 8) {
		/* clang-format off */
		case 0: word = 0; break;
		case 1: word = UINT64_MAX; break;
		case 2: word = random_next(); break;
		case 3: word ^= UINT64_C(1) << random_next() % 64; break;
		case 4: word += random_next() % 33 - 16; break;
		case 5: word = word << 32 | word >> 32; break;
		default: word = other; break;
			/* clang-format on */
		}
		memcpy(core.bytes + place * 8, &word, 8);
	}
}

static void
mend(void)
{
	while (core.nundo-- > 0)
		memcpy(core.bytes + core.undo[core.nundo].place * 8,
		    &core.undo[core.nundo].word, 8);
}

static void
child_run(int fd)
{
	static char *commands[] = { "stats", "check", "caches", "arenas",
		"regions", "analyze", "examine", "fragmentation" };
	char path[64], address[32], *words[7] = { "jeheap", "--core", path };
	int count = 3, nothing = open("/dev/null", O_WRONLY);

	dup2(nothing, 1);
	dup2(nothing, 2);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	uint64_t which = random_next() % 10;

	if (which < 8) {
		words[count++] = commands[which];
		if (random_next() % 2 == 0)
			words[count++] = "--json";
	} else {
		uint64_t word;

		memcpy(&word, core.bytes + 8 * place_choose(), 8);
		snprintf(address, sizeof(address), "%#llx",
		    (unsigned long long)word);
		words[count++] = which == 8 ? "find" : "who";
		words[count++] = address;
	}
	alarm(TIME_LIMIT);
	exit(jeheap_main(count, words));
}

static void
mutant_keep(void)
{
	FILE *file = fopen("jeheap-mutant.core", "w");

	if (file == NULL ||
	    fwrite(core.bytes, 1, core.size, file) != core.size ||
	    fclose(file) != 0)
		perror("jeheap-mutant.core");
}

int
main(int argc, char **argv)
{
	unsigned long counts[4] = { 0 };

	if (argc < 3) {
		fputs("usage: jeheap-mutants CORE COUNT [FIRST]\n", stderr);
		return 1;
	}
	int fd = core_copy(argv[1]), status;
	unsigned long count = strtoul(argv[2], NULL, 10);
	unsigned long first = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;

	for (unsigned long i = first; i < first + count; i++) {
		core.random = i;
		core.random = random_next();
		mutate();
		pid_t child = fork();

		if (child == 0)
			child_run(fd);
		if (child < 0 || waitpid(child, &status, 0) != child)
			die("a child process");
		if (!WIFEXITED(status) || WEXITSTATUS(status) > 3) {
			printf("FAIL: case %lu: status %#x\n", i,
			    (unsigned)status);
			mutant_keep();
			return 1;
		}
		counts[WEXITSTATUS(status)]++;
		mend();
	}
	printf("%lu cases: status 0 %lu, 1 %lu, 2 %lu, 3 %lu\n", count,
	    counts[0], counts[1], counts[2], counts[3]);
	return 0;
}
