#include "arena/canary.h"

#include <string.h>

#include "os/system.h"

uint64_t canary_key;

AT_START void
canary_init(void)
{
	system_random(&canary_key, sizeof(canary_key));
}

static inline unsigned char
byte_of(uint64_t pattern, size_t at)
{
	unsigned char bytes[8];

	memcpy(bytes, &pattern, 8);
	return bytes[at % 8];
}

void
canary_fill_short(char *object, size_t size, size_t end)
{
	for (size_t at = size; at < end; at++)
		object[at] = (char)byte_of(canary_pattern(object), at);
}

static bool
is_right(const char *object, uint64_t pattern, size_t at)
{
	return (unsigned char)object[at] == byte_of(pattern, at);
}

size_t
canary_find_damage(const char *object, size_t size, size_t end)
{
	uint64_t pattern = canary_pattern(object);
	size_t at = size;

	while (at < end && is_right(object, pattern, at))
		at++;
	return at;
}

bool
canary_damage_is_last(const char *object, size_t end)
{
	return !is_right(object, canary_pattern(object), end - 1);
}
