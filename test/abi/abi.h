/*
 * Programs of version 5.3.0: compiled with the header that the distribution
 * ships, linked with its library, and run with either. What they print must be
 * the same; what differs by contract between 5.3.0 and 5.3.1 is not printed.
 */
#ifndef ABI_H
#define ABI_H

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jemalloc/jemalloc.h>

/* Reads a value of one type; prints what went wrong and gives 0. */
#define READ(type, name) \
	(*(type *)read_value((name), &(type){ 0 }, sizeof(type)))

static inline void *
read_value(const char *name, void *value, size_t size)
{
	size_t length = size;
	int error = mallctl(name, value, &length, NULL, 0);

	if (error != 0 || length != size)
		printf("%s: error %d, %zu bytes\n", name, error, length);
	return value;
}

static inline void
refresh(void)
{
	uint64_t epoch = 1;

	mallctl("epoch", NULL, NULL, &epoch, sizeof(epoch));
}

static inline bool
all_zero(const void *memory, size_t size)
{
	const char *p = memory;

	for (size_t i = 0; i < size; i++)
		if (p[i] != 0)
			return false;
	return true;
}

#endif
