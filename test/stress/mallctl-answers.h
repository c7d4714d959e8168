/*
 * mallctl-answers: asking mallctl, and checking all that it answers.
 *
 * Offers:     calls with any output and input, in one line each, which count
 *             and tell what is not as expected; values of any size.
 * Invariants: what an answer left alone is checked, too.
 */
#ifndef MALLCTL_ANSWERS_H
#define MALLCTL_ANSWERS_H

#include "stress.h"

#define KEPT      (-1) /* the length is not to change */
#define NO_OUTPUT (-2) /* neither place nor length is given */

static mallctl_function *mallctl;
static unsigned char out[64];
static unsigned failures;

/* One call; checks its result, the length after it, and what it left alone. */
static inline void
ask(int line, const char *name, int room, const void *input, size_t size,
    int wanted, int length_after)
{
	size_t length = (size_t)room;
	int error;

	memset(out, 0xa5, sizeof(out));
	error = mallctl(name, room == NO_OUTPUT ? NULL : out,
	    room == NO_OUTPUT ? NULL : &length, (void *)(uintptr_t)input, size);
	if (error != wanted) {
		printf("line %d: %s: %d, not %d\n", line, name, error, wanted);
		failures++;
	}
	if (room == NO_OUTPUT)
		return;
	if (length != (size_t)(length_after == KEPT ? room : length_after)) {
		printf("line %d: %s: length %zu\n", line, name, length);
		failures++;
	}
	for (size_t i = length; i < sizeof(out); i++)
		if (out[i] != 0xa5) {
			printf("line %d: %s: byte %zu\n", line, name, i);
			failures++;
			return;
		}
}

static inline void
expect_untouched(int line)
{
	for (size_t i = 0; i < sizeof(out); i++)
		if (out[i] != 0xa5) {
			printf("line %d: byte %zu was written\n", line, i);
			failures++;
			return;
		}
}

#define ASK(...) ask(__LINE__, __VA_ARGS__)
/* Reads, writes, or neither. */
#define READ(name, size, wanted) ASK(name, (int)(size), NULL, 0, wanted, KEPT)
#define WRITE(name, type, value, wanted) \
	ASK(name, NO_OUTPUT, &(type){ value }, sizeof(type), wanted, KEPT)
#define ACT(name, wanted) ASK(name, NO_OUTPUT, NULL, 0, wanted, KEPT)
#define UNTOUCHED()       expect_untouched(__LINE__)

__attribute__((format(printf, 1, 2))) static inline const char *
named(const char *format, ...)
{
	static char names[4][256];
	static unsigned next;
	char *name = names[next++ % 4];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(name, 256, format, arguments);
	va_end(arguments);
	return name;
}

static inline uint64_t
get(const char *name)
{
	uint64_t value = 0;
	size_t length;

	for (size_t size = 8; size >= 1; size /= 2) {
		length = size;
		value = 0;
		if (mallctl(name, &value, &length, NULL, 0) == 0)
			return value;
	}
	stress_fail("%s can't be read", name);
}

static inline const char *
text(const char *name)
{
	return (const char *)(uintptr_t)get(name);
}

/*
 * To be called first in main. Returns which of several runs this is to be, as
 * answers_start_again() has it; NULL: it is the program's first start.
 */
static inline const char *
answers_start(int argc, char **argv)
{
	stress_start(argc, argv, 60);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!symbol_find("mallctl", &mallctl))
		stress_skip_other("mallctl");
	if (!built_with("stats"))
		stress_skip("built without statistics");
	return getenv("ANSWERS");
}

/* Without junk, which takes the place of caches. */
static inline void
answers_start_again(char **argv, const char *what, const char *conf)
{
	stress_start_again(argv, "ANSWERS", what,
	    named("%s%s", conf, built_with("fill") ? ",junk:false" : ""));
}

#endif
