/*
 * canary: bytes behind an object that show whether the program wrote there.
 *
 * Owns:       the key.
 * Invariants: the pattern depends on the key and on the object's address. None
 *             of its bytes is 0, so that the end of a string is noticed, too.
 * Locking:    none; the key is written once, at start.
 */
#ifndef ARENA_CANARY_H
#define ARENA_CANARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/size_class.h"

/* At least so many bytes behind each object that has no guard. */
#define CANARY_MIN 8

void canary_init(void);

/* Fills the bytes from `size` up to `end` of an object. */
void canary_fill(char *object, size_t size, size_t end);

/* The offset of the first byte of these that has changed; `end`: none has. */
size_t canary_damage(const char *object, size_t size, size_t end);

/* For reports: has the last byte of these changed? */
bool canary_damage_is_last(const char *object, size_t end);

/*
 * Where the canary of an object ends. Of a very long rest only the first bytes
 * are used.
 */
static inline size_t
canary_end(size_t size, size_t capacity)
{
	size_t most = 16 * UNIT;

	return capacity - size <= most ? capacity : size + most;
}

#endif
