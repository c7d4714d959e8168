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
#include "mutants.h"

#include <sys/mman.h>
#include <sys/stat.h>

#define HEAD 8192u /* headers and notes */

int jeheap_main(int argc, char **argv);

static struct {
	unsigned char *bytes;
	size_t size;
	int fd;
	uint32_t *places; /* words that are not 0, in units of 8 bytes */
	size_t nplaces;
} core;

/* Copies it into memory, where children find it by its descriptor. */
static void
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
	core.fd = to;
}

static size_t
place_choose(void)
{
	switch (random_below(8)) {
	case 0:
		return random_below(HEAD / 8);
	case 1:
		return random_below(core.size / 8);
	default:
		return core.places[random_below(core.nplaces)];
	}
}

static void
child_run(void)
{
	static char *commands[] = { "stats", "check", "caches", "arenas",
		"regions", "analyze", "examine", "fragmentation" };
	char path[64], address[32], *words[7] = { "jeheap", "--core", path };
	size_t which = random_below(10);
	int count = 3;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", core.fd);
	if (which < 8) {
		words[count++] = commands[which];
		if (random_below(2) == 0)
			words[count++] = "--json";
	} else {
		uint64_t word;

		memcpy(&word, core.bytes + 8 * place_choose(), 8);
		snprintf(address, sizeof(address), "%#llx",
		    (unsigned long long)word);
		words[count++] = which == 8 ? "find" : "who";
		words[count++] = address;
	}
	exit(jeheap_main(count, words));
}

int
main(int argc, char **argv)
{
	unsigned long counts[STATUSES_MAX] = { 0 };

	if (argc < 3) {
		fputs("usage: jeheap-mutants CORE COUNT [FIRST]\n", stderr);
		return 1;
	}
	unsigned long count = strtoul(argv[2], NULL, 10);
	unsigned long first = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;

	core_copy(argv[1]);
	for (unsigned long i = first; i < first + count; i++) {
		long peak;
		int status;

		random_case(i);
		words_damage(core.bytes, place_choose);
		status = case_run(i, child_run, STATUSES_MAX - 1, &peak);
		if (status < 0) {
			file_write("jeheap-mutant.core", core.bytes, core.size);
			return 1;
		}
		counts[status]++;
		words_mend(core.bytes);
	}
	printf("%lu cases: status 0 %lu, 1 %lu, 2 %lu, 3 %lu\n", count,
	    counts[0], counts[1], counts[2], counts[3]);
	return 0;
}
