/*
 * own-malloc: the program has a malloc of its own, for good.
 *
 * Provokes: the four functions that such programs define, and the others that
 * glibc has, which call these: reallocarray(), cfree(). The C library takes
 * memory, too.
 * Must hold: all of it is the program's; the library's malloc serves nobody,
 * and aborts at nothing.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Alignas(16) char room[1 << 20];
static size_t used, nfrees;

static int
is_own(const void *object)
{
	return (const char *)object >= room &&
	    (const char *)object < room + sizeof(room);
}

/* The size is in front of each object. */
void *
malloc(size_t size)
{
	char *place = room + used;

	if (size > sizeof(room) - used - 32)
		return NULL;
	used += 16 + (size + 15) / 16 * 16;
	*(size_t *)(void *)place = size;
	return place + 16;
}

void
free(void *object)
{
	if (object == NULL)
		return;
	if (!is_own(object))
		abort();
	nfrees++;
}

void *
calloc(size_t count, size_t size)
{
	return malloc(count * size); /* room is zero, and is used once */
}

void *
realloc(void *object, size_t size)
{
	void *to = malloc(size);
	size_t old;

	if (object == NULL || to == NULL)
		return to;
	if (!is_own(object))
		abort();
	old = *(size_t *)(void *)((char *)object - 16);
	return memcpy(to, object, old < size ? old : size);
}

#define CHECK(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "FAIL: line %d: %s\n", __LINE__, \
			    #condition); \
			return 1; \
		} \
	} while (0)

int
main(void)
{
	void (*old_free)(void *);
	char *volatile object = malloc(5);
	volatile size_t too_many = SIZE_MAX / 2;
	char *copy;

	memcpy(object, "text", 5);
	object = reallocarray(object, 10, 10);
	CHECK(is_own(object) && strcmp(object, "text") == 0);
	CHECK(reallocarray(object, too_many, 3) == NULL);
	copy = strdup(object);
	CHECK(is_own(copy));
	nfrees = 0;
	*(void **)&old_free = dlsym(RTLD_DEFAULT, "cfree");
	if (old_free != NULL) {
		old_free(copy);
		CHECK(nfrees == 1);
	}
	free(object);
	return 0;
}
