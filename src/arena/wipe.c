#include "arena/wipe.h"

#include <stdint.h>
#include <string.h>

#include "conf/safety.h"

void
wipe(char *memory, size_t size)
{
	memset(memory, opt.junk_free ? JUNK_FREE : 0, size);
}

/* All objects are multiples of eight bytes. */
size_t
wipe_damage(const char *memory, size_t size)
{
	unsigned char byte = opt.junk_free ? JUNK_FREE : 0;
	uint64_t word = byte * UINT64_C(0x0101010101010101), is;
	size_t at = 0;

	for (; at + 8 <= size; at += 8) {
		memcpy(&is, memory + at, 8);
		if (unlikely(is != word))
			break;
	}
	while (at < size && (unsigned char)memory[at] == byte)
		at++;
	return at;
}

void
wipe_report(const char *object, size_t offset, size_t size)
{
	safety_report("use-after-free", object, "written at offset %zu after "
	    "it was freed, size class %zu", offset, size);
}
