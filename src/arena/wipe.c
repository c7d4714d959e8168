#include "arena/wipe.h"

void
wipe_long(char *memory, size_t size)
{
	memset(memory, (int)(unsigned char)wipe_word(), size);
}

/* All are right if the first ones are, and each repeats those before it. */
bool
wipe_long_is_whole(const char *memory, size_t size)
{
	return pattern_is_here(memory, PATTERN_STEP, wipe_word()) &&
	    memcmp(memory, memory + PATTERN_STEP, size - PATTERN_STEP) == 0;
}

size_t
wipe_damage(const char *memory, size_t size)
{
	unsigned char byte = (unsigned char)wipe_word();
	size_t at = 0;

	if (likely(wipe_is_whole(memory, size)))
		return size;
	while (at < size && (unsigned char)memory[at] == byte)
		at++;
	return at;
}

void
wipe_report(const char *object, size_t offset, size_t size)
{
	safety_report("use-after-free", object,
	    "written at offset %zu after "
	    "it was freed, size class %zu",
	    offset, size);
}
