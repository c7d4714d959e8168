/*
 * jeprof on damaged files: a copy of a profile, or the program that it is of,
 * is changed at random and read by jeprof's own code in a child process. It
 * must end with status 0 or 1 within TIME_LIMIT seconds, and use little more
 * memory than for the sound files.
 *
 * usage: jeprof-mutants PROGRAM COUNT FIRST PROFILE...
 *
 * Case number N is always the same for the same files; the cases FIRST, FIRST +
 * 1, ... are run. Profiles are changed in a copy, the file mutant.heap; the
 * program is changed where it is. Both stay as they are if a case fails.
 */
#include "mutants.h"

#include <sys/mman.h>
#include <sys/stat.h>

#define PROFILES_MAX 64
#define SIZE_MOST    (1u << 20)
#define CHUNK_MAX    64
/* Beyond three times the files. */
#define SLACK_KIB 16384
#define HEAP      "mutant.heap"

int jeprof_main(int argc, char **argv);

struct bytes {
	unsigned char *at;
	size_t size;
};

static struct bytes program, profiles[PROFILES_MAX], heap;
static unsigned nprofiles;
static const char *program_path;
static bool is_sound;
static bool has_names;  /* so the program may not be named */
static long sound_peak; /* KiB */
static char *output;

static char *const outputs[] = { "--text", "--collapsed", "--flamegraph",
	"--proto", "--raw", "--lines", "--callgrind", "--html", "--addresses" };

static struct bytes
file_map(const char *path)
{
	struct bytes file;
	struct stat status;
	int fd = open(path, O_RDWR);

	if (fd < 0 || fstat(fd, &status) != 0)
		die(path);
	file.size = (size_t)status.st_size;
	file.at = mmap(NULL, file.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
	    0);
	if (file.at == MAP_FAILED || file.size < CHUNK_MAX ||
	    file.size > SIZE_MOST / 2)
		die(path);
	close(fd);
	return file;
}

/* ---- changes ---- */

/* A number where there is one, so that it is still a text of the right form. */
static void
number_change(void)
{
	static const char *const numbers[] = { "0", "1", "-1", "4294967296",
		"18446744073709551615", "0x", "ffffffffffffffff", "" };
	const char *number = numbers[random_below(8)];
	size_t from = random_below(heap.size), to, length = strlen(number);

	while (from < heap.size && (heap.at[from] < '0' || heap.at[from] > '9'))
		from++;
	for (to = from;
	     to < heap.size && heap.at[to] >= '0' && heap.at[to] <= '9';)
		to++;
	if (heap.size + length > SIZE_MOST)
		return;
	memmove(heap.at + from + length, heap.at + to, heap.size - to);
	memcpy(heap.at + from, number, length);
	heap.size += length - (to - from);
}

/* Copies a piece of it into it, in place of as many bytes or before them. */
static void
piece_copy(bool in_place)
{
	size_t length = 1 + random_below(CHUNK_MAX);
	unsigned char piece[CHUNK_MAX];
	size_t from, to;

	if (heap.size < length || heap.size + length > SIZE_MOST)
		return;
	from = random_below(heap.size - length + 1);
	to = random_below(heap.size - length + 1);
	memcpy(piece, heap.at + from, length);
	if (!in_place) {
		memmove(heap.at + to + length, heap.at + to, heap.size - to);
		heap.size += length;
	}
	memcpy(heap.at + to, piece, length);
}

static void
piece_remove(void)
{
	size_t from = random_below(heap.size);
	size_t length = 1 + random_below(CHUNK_MAX);

	if (length > heap.size - from)
		length = heap.size - from;
	memmove(heap.at + from, heap.at + from + length,
	    heap.size - from - length);
	heap.size -= length;
}

static void
heap_change(void)
{
	size_t at = random_below(heap.size);

	switch (random_below(8)) {
	case 0:
		heap.at[at] = (unsigned char)random_next();
		break;
	case 1:
		heap.at[at] ^= (unsigned char)(1u << random_below(8));
		break;
	case 2:
		piece_copy(true);
		break;
	case 3:
		piece_copy(false);
		break;
	case 4:
		piece_remove();
		break;
	case 5:
		if (random_below(8) == 0)
			heap.size = at;
		break;
	default:
		number_change();
	}
}

static size_t
word_of_program(void)
{
	return random_below(program.size / 8);
}

/* ---- cases ---- */

static void
child_run(void)
{
	char *words[] = { "jeprof", output, HEAP, HEAP, NULL };

	if (!has_names)
		words[2] = (char *)program_path;
	exit(jeprof_main(has_names ? 3 : 4, words));
}

static int
heap_run(unsigned long number)
{
	long peak;
	int status;

	file_write(HEAP, heap.at, heap.size);
	status = case_run(number, child_run, 1, &peak);
	if (is_sound && peak > sound_peak)
		sound_peak = peak;
	if (peak > sound_peak + SLACK_KIB +
		(long)(3 * (heap.size + program.size) / 1024)) {
		printf("FAIL: case %lu: %ld KiB, with sound files %ld\n",
		    number, peak, sound_peak);
		return -1;
	}
	return status;
}

static void
heap_choose(const struct bytes *profile)
{
	memcpy(heap.at, profile->at, profile->size);
	heap.size = profile->size;
	has_names = memcmp(heap.at, "--- symbol", 10) == 0;
}

/* Not every report can be made of every profile, but one can. */
static void
all_sound(void)
{
	is_sound = true;
	for (unsigned i = 0; i < nprofiles; i++) {
		bool any = false;

		heap_choose(&profiles[i]);
		for (size_t j = 0; j < sizeof(outputs) / sizeof(*outputs);
		     j++) {
			output = outputs[j];
			any |= heap_run(0) == 0;
		}
		if (!any) {
			printf("FAIL: profile %u, no report of it\n", i);
			exit(1);
		}
	}
	is_sound = false;
}

static int
mutant_run(unsigned long number)
{
	static const unsigned counts[] = { 1, 1, 2, 8 };
	int status;

	random_case(number);
	heap_choose(&profiles[random_below(nprofiles)]);
	output = outputs[random_below(sizeof(outputs) / sizeof(*outputs))];
	if (random_below(4) == 0)
		words_damage(program.at, word_of_program);
	else
		for (size_t i = counts[random_below(4)]; i > 0; i--)
			if (heap.size != 0)
				heap_change();
	status = heap_run(number);
	if (status >= 0)
		words_mend(program.at);
	else
		printf("with %s\n", output);
	return status;
}

int
main(int argc, char **argv)
{
	unsigned long counts[2] = { 0 };

	if (argc < 5 || argc - 4 > PROFILES_MAX) {
		fputs("usage: jeprof-mutants PROGRAM COUNT FIRST PROFILE...\n",
		    stderr);
		return 1;
	}
	unsigned long count = strtoul(argv[2], NULL, 10);
	unsigned long first = strtoul(argv[3], NULL, 10);

	program_path = argv[1];
	program = file_map(program_path);
	heap.at = malloc(SIZE_MOST);
	if (heap.at == NULL)
		die("memory");
	for (int i = 4; i < argc; i++)
		profiles[nprofiles++] = file_map(argv[i]);
	all_sound();
	for (unsigned long i = first; i < first + count; i++) {
		int status = mutant_run(i);

		if (status < 0)
			return 1;
		counts[status]++;
	}
	printf("%lu cases: status 0 %lu, 1 %lu\n", count, counts[0], counts[1]);
	return 0;
}
