/*
 * For programs that run a tool's own code on damaged files: random numbers that
 * are the same for the same case, and a child process for each case.
 */
#ifndef MUTANTS_H
#define MUTANTS_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIME_LIMIT   10 /* seconds for a case */
#define STATUSES_MAX 4
#define CHANGES_MAX  64

static uint64_t random_state;

static inline uint64_t
random_next(void)
{
	uint64_t x = random_state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static inline size_t
random_below(size_t n)
{
	return random_next() % n;
}

/* Case number N is always the same. */
static inline void
random_case(unsigned long number)
{
	random_state = number;
	random_state = random_next();
}

/* The word, damaged in one of several ways; `other` is one of them. */
static inline uint64_t
word_damaged(uint64_t word, uint64_t other)
{
	switch (random_below(8)) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX;
	case 2:
		return random_next();
	case 3:
		return word ^ UINT64_C(1) << random_below(64);
	case 4:
		return word + random_below(33) - 16;
	case 5:
		return word << 32 | word >> 32;
	default:
		return other;
	}
}

/* What words_damage() has changed, in the order of the changes. */
static struct {
	size_t place; /* in words of 8 bytes */
	uint64_t word;
} changes[CHANGES_MAX];
static unsigned nchanges;

/* Damages some words of a file, at places that `choose` names. */
static inline void
words_damage(unsigned char *bytes, size_t (*choose)(void))
{
	/* Few changes get past the first check, many find other ones. */
	unsigned count = 1u << random_below(7);

	for (nchanges = 0; nchanges < count; nchanges++) {
		size_t place = choose();
		uint64_t word, other;

		memcpy(&word, bytes + place * 8, 8);
		memcpy(&other, bytes + 8 * choose(), 8);
		changes[nchanges].place = place;
		changes[nchanges].word = word;
		word = word_damaged(word, other);
		memcpy(bytes + place * 8, &word, 8);
	}
}

/* Undoes words_damage(); nothing if there is nothing to undo. */
static inline void
words_mend(unsigned char *bytes)
{
	for (; nchanges > 0; nchanges--)
		memcpy(bytes + changes[nchanges - 1].place * 8,
		    &changes[nchanges - 1].word, 8);
}

static inline _Noreturn void
die(const char *what)
{
	perror(what);
	exit(1);
}

static inline void
file_write(const char *path, const void *bytes, size_t size)
{
	FILE *file = fopen(path, "w");

	if (file == NULL || fwrite(bytes, 1, size, file) != size ||
	    fclose(file) != 0)
		perror(path);
}

/*
 * Runs `tool` in a child process, without its output. Returns its exit status,
 * or prints what happened and returns -1 if it did not end by itself in time,
 * or with a status above `most`. `peak`: KiB that it had in memory.
 */
static inline int
case_run(unsigned long number, void (*tool)(void), int most, long *peak)
{
	struct rusage usage;
	int status;
	pid_t child = fork();

	if (child == 0) {
		int nothing = open("/dev/null", O_RDWR);

		for (int fd = 0; fd < 3; fd++)
			dup2(nothing, fd);
		alarm(TIME_LIMIT);
		tool();
	}
	if (child < 0 || wait4(child, &status, 0, &usage) != child)
		die("a child process");
	*peak = usage.ru_maxrss;
	if (WIFEXITED(status) && WEXITSTATUS(status) <= most)
		return WEXITSTATUS(status);
	printf("FAIL: case %lu: status %#x\n", number, (unsigned)status);
	return -1;
}

#endif
