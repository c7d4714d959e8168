#include "modules.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "target.h"
#include "tool.h"

#define HEADERS_MAX    128
#define NOTES_SIZE_MAX 65536

struct header { /* of a segment, of either word size */
	uint32_t type, flags;
	uint64_t offset, address, file_size, size;
};

struct reader {
	struct target *target;
	uint64_t base; /* address of the ELF header */
	int fd;        /* the file, or -1 */
	bool wide, big;
};

/*
 * Reads bytes near the beginning of the image, from memory or else from the
 * file.
 */
static bool
image_read(const struct reader *reader, uint64_t offset, void *bytes,
    size_t size)
{
	if (target_read(reader->target, reader->base + offset, bytes, size))
		return true;
	return reader->fd >= 0 &&
	    pread(reader->fd, bytes, size, (off_t)offset) == (ssize_t)size;
}

static uint64_t
field(const struct reader *reader, const unsigned char *bytes, unsigned at,
    unsigned width)
{
	return bytes_number(bytes + at, width, reader->big);
}

/* The headers of the segments; returns how many. */
static unsigned
headers_read(struct reader *reader, struct header *headers)
{
	unsigned char ehdr[64], row[56];

	if (!image_read(reader, 0, ehdr, sizeof(ehdr)) ||
	    memcmp(ehdr, ELFMAG, SELFMAG) != 0)
		return 0;
	reader->wide = ehdr[EI_CLASS] == ELFCLASS64;
	reader->big = ehdr[EI_DATA] == ELFDATA2MSB;
	uint64_t offset = reader->wide ? field(reader, ehdr, 32, 8)
				       : field(reader, ehdr, 28, 4);
	unsigned size = reader->wide ? 56 : 32,
		 count = (unsigned)field(reader, ehdr, reader->wide ? 56 : 44,
		     2),
		 found = 0;

	for (unsigned i = 0; i < count && i < HEADERS_MAX; i++) {
		struct header *h = &headers[found];

		if (!image_read(reader, offset + i * size, row, size))
			break;
		found++;
		h->type = (uint32_t)field(reader, row, 0, 4);
		if (reader->wide) {
			h->flags = (uint32_t)field(reader, row, 4, 4);
			h->offset = field(reader, row, 8, 8);
			h->address = field(reader, row, 16, 8);
			h->file_size = field(reader, row, 32, 8);
			h->size = field(reader, row, 40, 8);
		} else {
			h->offset = field(reader, row, 4, 4);
			h->address = field(reader, row, 8, 4);
			h->file_size = field(reader, row, 16, 4);
			h->size = field(reader, row, 20, 4);
			h->flags = (uint32_t)field(reader, row, 24, 4);
		}
	}
	return found;
}

static void
segments_take(struct module *module, const struct header *headers,
    unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const struct header *h = &headers[i];
		uint64_t start = module->bias + h->address;

		if (h->type != PT_LOAD || start + h->size < start ||
		    module->nsegments == MODULE_SEGMENTS)
			continue;
		module->segments[module->nsegments++] = (struct module_segment){
			.start = start,
			.end = start + h->size,
			.writable = (h->flags & PF_W) != 0,
			.executable = (h->flags & PF_X) != 0,
		};
		if (start < module->start)
			module->start = start;
		if (start + h->size > module->end)
			module->end = start + h->size;
	}
}

/* Is there an ELF image at the beginning of this mapping? */
static void
module_add(struct modules *modules, const struct mapping *mapping)
{
	struct target *target = modules->target;
	struct header headers[HEADERS_MAX];
	struct reader reader = { .target = target,
		.base = mapping->start,
		.fd = mapping->path == NULL
		    ? -1
		    : target_open_file(target, mapping->path) };
	unsigned count = headers_read(&reader, headers);
	struct module module = { .start = UINT64_MAX, .path = mapping->path };

	for (unsigned i = 0; i < count; i++) {
		if (headers[i].type != PT_LOAD)
			continue;
		/* The first one has the header. */
		module.bias = mapping->start -
		    (headers[i].address - headers[i].offset);
		break;
	}
	segments_take(&module, headers, count);
	if (module.nsegments == 0)
		return;
	module.is_program = target->program_headers >= mapping->start &&
	    target->program_headers < mapping->end;
	modules->list = array_room(modules->list, modules->count,
	    sizeof(module));
	modules->list[modules->count++] = module;
}

static int
module_compare(const void *a, const void *b)
{
	const struct module *first = a, *second = b;

	if (first->start != second->start)
		return first->start < second->start ? -1 : 1;
	return 0;
}

void
modules_find(struct modules *modules, struct target *target)
{
	modules->target = target;
	for (size_t i = 0; i < target->nmappings; i++) {
		const struct mapping *mapping = &target->mappings[i];
		unsigned char magic[SELFMAG];

		if (!mapping->readable || mapping->offset != 0)
			continue;
		if (mapping->path == NULL &&
		    (!target_read(target, mapping->start, magic, SELFMAG) ||
			memcmp(magic, ELFMAG, SELFMAG) != 0))
			continue;
		module_add(modules, mapping);
	}
	sort(modules->list, modules->count, sizeof(struct module),
	    module_compare);
}

struct module *
modules_at(const struct modules *modules, uint64_t address)
{
	size_t at = rows_upto(modules->list, modules->count,
	    sizeof(struct module), address);

	if (at == 0 || modules->list[at - 1].end <= address)
		return NULL;
	return &modules->list[at - 1];
}

bool
module_is_code(const struct module *module, uint64_t address)
{
	for (unsigned i = 0; i < module->nsegments; i++) {
		const struct module_segment *s = &module->segments[i];

		if (address >= s->start && address < s->end)
			return s->executable;
	}
	return false;
}

/* ---- notes ---- */

struct visit {
	bool (*function)(void *context, const struct module_note *note);
	void *context;
	const char *owner;
};

/* Visits the notes of one segment; false: the visit ended the search. */
static bool
notes_walk(const struct visit *visit, const struct module *module,
    const unsigned char *bytes, struct header where, bool big)
{
	size_t length = strlen(visit->owner) + 1;
	uint64_t at = 0, size = where.file_size;

	while (range_inside(at, 12, size)) {
		uint64_t owner = bytes_number(bytes + at, 4, big);
		uint64_t contents = at + 12 + ((owner + 3) & ~(uint64_t)3);
		struct module_note note = {
			.module = module,
			.size = bytes_number(bytes + at + 4, 4, big),
			.type = (unsigned)bytes_number(bytes + at + 8, 4, big),
			.address = module->bias + where.address + contents,
		};

		if (!range_inside(contents, note.size, size))
			return true;
		memcpy(note.bytes, bytes + contents,
		    note.size < sizeof(note.bytes) ? note.size
						   : sizeof(note.bytes));
		if (owner == length &&
		    memcmp(bytes + at + 12, visit->owner, length) == 0 &&
		    !visit->function(visit->context, &note))
			return false;
		at = contents + ((note.size + 3) & ~(uint64_t)3);
	}
	return true;
}

static bool
module_notes(const struct modules *modules, const struct module *module,
    const struct visit *visit)
{
	struct header headers[HEADERS_MAX];
	struct reader reader = { .target = modules->target,
		.base = module->start / TARGET_PAGE * TARGET_PAGE,
		.fd = module->path == NULL
		    ? -1
		    : target_open_file(modules->target, module->path) };
	unsigned count = headers_read(&reader, headers);
	bool on = true;

	for (unsigned i = 0; i < count && on; i++) {
		if (headers[i].type != PT_NOTE)
			continue;
		if (headers[i].file_size > NOTES_SIZE_MAX)
			headers[i].file_size = NOTES_SIZE_MAX;
		unsigned char *bytes = memory(headers[i].file_size, 1);

		if (target_read(reader.target,
			module->bias + headers[i].address, bytes,
			headers[i].file_size) ||
		    (reader.fd >= 0 &&
			pread(reader.fd, bytes, headers[i].file_size,
			    (off_t)headers[i].offset) ==
			    (ssize_t)headers[i].file_size))
			on = notes_walk(visit, module, bytes, headers[i],
			    reader.big);
		free(bytes);
	}
	return on;
}

void
modules_notes(const struct modules *modules, const char *owner,
    bool (*function)(void *context, const struct module_note *note),
    void *context)
{
	const struct visit visit = { function, context, owner };

	for (size_t i = 0; i < modules->count; i++) {
		if (!module_notes(modules, &modules->list[i], &visit))
			return;
	}
}
