#include "tool.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
	const char **slot;
	size_t mask;
	size_t count;
} strings;

static bool tracing;
static const char *program_name = "jeprof";

static void
message(const char *format, va_list arguments)
{
	fflush(stdout);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
}

void
fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fprintf(stderr, "%s: ", program_name);
	message(format, arguments);
	va_end(arguments);
	exit(1);
}

void
tool_name(const char *name)
{
	program_name = name;
}

void
note(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	message(format, arguments);
	va_end(arguments);
}

void
trace_begin(void)
{
	tracing = true;
}

void
trace(const char *format, ...)
{
	va_list arguments;

	if (!tracing)
		return;
	va_start(arguments, format);
	message(format, arguments);
	va_end(arguments);
}

void
output_check(void)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		fail("output: %s", strerror(errno));
}

void *
memory(size_t count, size_t size)
{
	void *result = calloc(count ? count : 1, size ? size : 1);

	if (result == NULL)
		fail("out of memory");
	return result;
}

void *
array_room(void *array, size_t count, size_t size)
{
	size_t capacity = count < 8 ? 8 : 2 * count;

	if (count != 0 && (count < 8 || (count & (count - 1)) != 0))
		return array;
	array = realloc(array, capacity * size);
	if (array == NULL)
		fail("out of memory");
	return array;
}

void
sort(void *array, size_t count, size_t size,
    int (*compare)(const void *, const void *))
{
	if (count > 0)
		qsort(array, count, size, compare);
}

size_t
rows_upto(const void *rows, size_t count, size_t size, uint64_t value)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		uint64_t start;

		memcpy(&start, (const char *)rows + middle * size,
		    sizeof(start));
		if (start <= value)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint64_t
hash_bytes(const void *bytes, size_t length)
{
	const unsigned char *byte = bytes;
	uint64_t hash = 0x9e3779b97f4a7c15, word;

	for (; length >= 8; length -= 8, byte += 8) {
		memcpy(&word, byte, 8);
		hash = (hash ^ word) * 0xff51afd7ed558ccd;
		hash ^= hash >> 32;
	}
	for (; length > 0; length--)
		hash = (hash ^ *byte++) * 0x100000001b3;
	hash *= 0xc4ceb9fe1a85ec53;
	return hash ^ hash >> 29;
}

static void
strings_grow(void)
{
	size_t old = strings.slot == NULL ? 0 : strings.mask + 1;
	size_t size = old == 0 ? 4096 : 2 * old;
	const char **slot = memory(size, sizeof(*slot));

	for (size_t i = 0; i < old; i++) {
		const char *string = strings.slot[i];

		if (string == NULL)
			continue;
		size_t at = hash_bytes(string, strlen(string)) & (size - 1);

		while (slot[at] != NULL)
			at = (at + 1) & (size - 1);
		slot[at] = string;
	}
	free(strings.slot);
	strings.slot = slot;
	strings.mask = size - 1;
}

const char *
intern_bytes(const char *bytes, size_t length)
{
	if (2 * strings.count >= strings.mask)
		strings_grow();

	size_t at = hash_bytes(bytes, length) & strings.mask;
	const char *string;

	for (; (string = strings.slot[at]) != NULL;
	     at = (at + 1) & strings.mask) {
		if (strncmp(string, bytes, length) == 0 &&
		    string[length] == '\0')
			return string;
	}
	char *copy = memory(length + 1, 1);

	memcpy(copy, bytes, length);
	strings.slot[at] = copy;
	strings.count++;
	return copy;
}

const char *
intern(const char *string)
{
	return intern_bytes(string, strlen(string));
}

char *
print(const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		fail("out of memory");
	va_end(arguments);
	return text;
}

const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}
