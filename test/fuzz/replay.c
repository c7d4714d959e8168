/*
 * Runs a fuzz target without libFuzzer: on each file of its corpus, and on
 * random inputs, always the same.
 *
 * usage: replay-TARGET [FILE]...
 *
 * Without files: those of test/fuzz/corpus/TARGET, then random ones. Prints the
 * input that is under way when the process aborts: its file, or the number of
 * the random one, which is then written to replay.crash.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef REPLAY_COUNT
#define REPLAY_COUNT 300
#endif

enum { INPUT_MAX = 4096 };

int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	const char *target;
	char what[900];
	uint8_t data[INPUT_MAX];
	size_t size;
	bool is_file;
} input;

static void
aborted(int signal_number)
{
	static const char name[] = "replay.crash";
	int fd = -1;

	if (write(2, input.what, strlen(input.what)) < 0)
		_exit(1);
	if (!input.is_file)
		fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd >= 0 && write(fd, input.data, input.size) < 0)
		_exit(1);
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

static void
run(void)
{
	LLVMFuzzerTestOneInput(input.data, input.size);
}

static int
run_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : read(fd, input.data, INPUT_MAX);

	if (size < 0) {
		fprintf(stderr, "%s: can't be read\n", path);
		return 1;
	}
	close(fd);
	input.size = (size_t)size;
	input.is_file = true;
	snprintf(input.what, sizeof(input.what), "FAIL: with %s\n", path);
	run();
	return 0;
}

static int
run_corpus(void)
{
	const char *source = getenv("srcdir");
	char folder[500], path[800];
	struct dirent *entry;
	int nfiles = 0;
	DIR *files;

	snprintf(folder, sizeof(folder), "%s/test/fuzz/corpus/%s",
	    source != NULL ? source : ".", input.target);
	files = opendir(folder);
	while (files != NULL && (entry = readdir(files)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (run_file(path) != 0)
			return 1;
		nfiles++;
	}
	if (files != NULL)
		closedir(files);
	if (nfiles == 0)
		fprintf(stderr, "FAIL: there is no corpus %s\n", folder);
	return nfiles == 0;
}

static uint64_t
next(uint64_t *state)
{
	uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 31)) * UINT64_C(0x7fb5d329728ea185);
	x = (x ^ (x >> 27)) * UINT64_C(0x81dadef4bc2dd44d);
	return x ^ (x >> 33);
}

static void
run_random(void)
{
	uint64_t state = 1;

	for (unsigned i = 0; i < REPLAY_COUNT; i++) {
		input.size = 2 + next(&state) % (i % 8 == 0 ? 2000 : 300);
		for (size_t k = 0; k < input.size; k++)
			input.data[k] = (uint8_t)next(&state);
		input.is_file = false;
		snprintf(input.what, sizeof(input.what),
		    "FAIL: with random "
		    "input %u, written to replay.crash\n",
		    i);
		run();
	}
}

int
main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '-');
	int status = 0;

	input.target = name != NULL ? name + 1 : argv[0];
	signal(SIGABRT, aborted);
	signal(SIGSEGV, aborted);
	if (LLVMFuzzerInitialize != NULL)
		LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++)
		status |= run_file(argv[i]);
	if (argc > 1)
		return status;
	if (run_corpus() != 0)
		return 1;
	run_random();
	return 0;
}
