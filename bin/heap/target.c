#include "target.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "core.h"
#include "live.h"
#include "tool.h"

#define BLOCKS 256u

struct target_block {
	uint64_t address;
	bool used;
	unsigned readable; /* a bit for each page */
	unsigned char bytes[TARGET_BLOCK];
};

static int
mapping_compare(const void *a, const void *b)
{
	const struct mapping *first = a, *second = b;

	if (first->start != second->start)
		return first->start < second->start ? -1 : 1;
	return 0;
}

/* Sorts them; the overlapping start of a mapping is cut off. */
static void
mappings_order(struct target *target)
{
	size_t kept = 0;
	uint64_t end = 0;

	sort(target->mappings, target->nmappings, sizeof(struct mapping),
	    mapping_compare);
	for (size_t i = 0; i < target->nmappings; i++) {
		struct mapping mapping = target->mappings[i];

		if (mapping.start < end) {
			mapping.offset += end - mapping.start;
			mapping.start = end;
		}
		if (mapping.start >= mapping.end)
			continue;
		end = mapping.end;
		target->mappings[kept++] = mapping;
	}
	target->nmappings = kept;
}

struct target *
target_open(const struct target_options *options)
{
	struct target *target = memory(1, sizeof(*target));

	/* Otherwise a name that is mistyped would only make symbols missing. */
	if (options->exe != NULL && access(options->exe, R_OK) != 0)
		fail("--exe=%s: %s", options->exe, strerror(errno));
	if (options->sysroot != NULL && access(options->sysroot, X_OK) != 0)
		fail("--sysroot=%s: %s", options->sysroot, strerror(errno));
	if (options->pid != 0)
		live_open(target, options);
	else
		core_open(target, options);
	mappings_order(target);
	target->blocks = memory(BLOCKS, sizeof(*target->blocks));
	return target;
}

void
target_resume(struct target *target)
{
	if (target->source->resume != NULL)
		target->source->resume(target->state);
}

bool
target_has_run(struct target *target)
{
	return target->approximate && !target->source->is_exact(target->state);
}

static const struct target_block *
block_at(struct target *target, uint64_t address)
{
	uint64_t number = address / TARGET_BLOCK;
	struct target_block *block =
	    &target->blocks[(number ^ number / BLOCKS) % BLOCKS];

	address = number * TARGET_BLOCK;
	if (block->used && block->address == address)
		return block;
	block->used = true;
	block->address = address;
	block->readable = target->source->read(target->state, address,
	    block->bytes);
	for (unsigned i = 0; i < TARGET_BLOCK_PAGES; i++) {
		if ((block->readable & 1u << i) == 0)
			memset(block->bytes + i * TARGET_PAGE, 0, TARGET_PAGE);
	}
	return block;
}

size_t
target_read_some(struct target *target, uint64_t address, void *bytes,
    size_t size)
{
	unsigned char *to = bytes;
	size_t lost = 0;

	while (size > 0) {
		const struct target_block *block = block_at(target, address);
		size_t at = address % TARGET_BLOCK;
		size_t part = TARGET_PAGE - at % TARGET_PAGE;

		if (part > size)
			part = size;
		memcpy(to, block->bytes + at, part);
		if ((block->readable & 1u << at / TARGET_PAGE) == 0)
			lost += part;
		to += part;
		size -= part;
		address += part;
		if (address == 0 && size > 0) {
			/* The end of the address space. */
			memset(to, 0, size);
			return lost + size;
		}
	}
	return lost;
}

bool
target_read(struct target *target, uint64_t address, void *bytes, size_t size)
{
	return target_read_some(target, address, bytes, size) == 0;
}

bool
target_text(struct target *target, uint64_t address, char *text, size_t size)
{
	bool there = target_read_some(target, address, text, size) < size;

	text[size - 1] = '\0';
	return there;
}

const struct mapping *
target_mapping(const struct target *target, uint64_t address)
{
	size_t at = rows_upto(target->mappings, target->nmappings,
	    sizeof(struct mapping), address);

	if (at == 0 || target->mappings[at - 1].end <= address)
		return NULL;
	return &target->mappings[at - 1];
}

int
target_open_file(struct target *target, const char *path)
{
	return target->source->open_file(target->state, path);
}
