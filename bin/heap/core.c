#include "core.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"
#include "core_notes.h"
#include "target.h"
#include "tool.h"

struct segment {
	uint64_t start, end; /* addresses */
	uint64_t offset;     /* in the core file */
	uint64_t dumped;     /* bytes from start that the core claims */
	bool writable;
};

struct core {
	int fd;
	uint64_t size;
	const struct target *target;
	const char *exe, *sysroot;
	struct segment *segments;
	size_t nsegments;
	struct core_notes notes;
};

static bool
read_at(int fd, void *bytes, size_t size, uint64_t offset)
{
	char *to = bytes;

	while (size > 0) {
		ssize_t count = pread(fd, to, size, (off_t)offset);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return false;
		to += count;
		size -= (size_t)count;
		offset += (uint64_t)count;
	}
	return true;
}

static const struct segment *
segment_at(const struct core *core, uint64_t address)
{
	size_t at = rows_upto(core->segments, core->nsegments,
	    sizeof(struct segment), address);

	if (at == 0 || core->segments[at - 1].end <= address)
		return NULL;
	return &core->segments[at - 1];
}

/* Reads a page that is not in the core file from the file that was mapped. */
static bool
page_from_file(struct core *core, uint64_t address, unsigned char *page)
{
	const struct core_file *file = core_notes_file(&core->notes, address);

	if (file == NULL)
		return false;
	int fd = target_open_file((struct target *)core->target, file->path);

	if (fd < 0)
		return false;
	uint64_t offset = file->offset + (address - file->start);
	struct stat status;

	if (fstat(fd, &status) != 0 || offset >= (uint64_t)status.st_size)
		return false;
	uint64_t there = (uint64_t)status.st_size - offset;

	memset(page, 0, TARGET_PAGE);
	return read_at(fd, page, there < TARGET_PAGE ? there : TARGET_PAGE,
	    offset);
}

static bool
page_read(struct core *core, uint64_t address, unsigned char *page)
{
	const struct segment *segment = segment_at(core, address);

	if (segment == NULL)
		return page_from_file(core, address, page);
	uint64_t at = address - segment->start;

	if (range_inside(at, TARGET_PAGE, segment->dumped)) {
		if (range_inside(segment->offset, at + TARGET_PAGE,
			core->size) &&
		    read_at(core->fd, page, TARGET_PAGE, segment->offset + at))
			return true;
		return !segment->writable &&
		    page_from_file(core, address, page);
	}
	return page_from_file(core, address, page);
}

static unsigned
core_read(void *state, uint64_t address, unsigned char *block)
{
	struct core *core = state;
	const struct segment *segment = segment_at(core, address);
	unsigned readable = 0;

	/* Usually the whole block is there. */
	if (segment != NULL &&
	    range_inside(address - segment->start, TARGET_BLOCK,
		segment->dumped) &&
	    range_inside(segment->offset,
		address - segment->start + TARGET_BLOCK, core->size) &&
	    read_at(core->fd, block, TARGET_BLOCK,
		segment->offset + (address - segment->start)))
		return (1u << TARGET_BLOCK_PAGES) - 1;
	for (unsigned i = 0; i < TARGET_BLOCK_PAGES; i++) {
		if (page_read(core, address + i * TARGET_PAGE,
			block + i * TARGET_PAGE))
			readable |= 1u << i;
	}
	return readable;
}

/* ---- the files that were mapped ---- */

/*
 * Does the file begin with the same bytes as its mapping in the core file, if
 * these are there?
 */
static bool
same_beginning(struct core *core, const struct core_file *file, int fd)
{
	unsigned char there[TARGET_PAGE], here[TARGET_PAGE];
	const struct segment *segment = segment_at(core, file->start);

	if (file->offset != 0 || segment == NULL ||
	    !range_inside(file->start - segment->start, TARGET_PAGE,
		segment->dumped) ||
	    !range_inside(segment->offset,
		file->start - segment->start + TARGET_PAGE, core->size))
		return true;
	if (!read_at(core->fd, there, sizeof(there),
		segment->offset + (file->start - segment->start)))
		return true;
	struct stat status;

	memset(here, 0, sizeof(here));
	if (fstat(fd, &status) != 0)
		return false;
	uint64_t size = status.st_size < TARGET_PAGE ? (uint64_t)status.st_size
						     : TARGET_PAGE;

	return read_at(fd, here, size, 0) && memcmp(here, there, size) == 0;
}

static int
file_open(struct core *core, const struct core_file *file)
{
	const char *path = file->path;
	char *full = NULL;

	if (core->exe != NULL &&
	    core_notes_is_program(&core->notes, file->path))
		path = core->exe;
	else if (core->sysroot != NULL)
		path = full = print("%s%s", core->sysroot, path);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;

	if (fd >= 0 && (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))) {
		close(fd);
		fd = -1;
	}
	if (fd >= 0 && !same_beginning(core, file, fd)) {
		note("jeheap: %s: is not the file that was mapped; not read",
		    path);
		close(fd);
		fd = -1;
	}
	free(full);
	return fd;
}

/* Each file is opened and judged once, by its first mapping. */
static int
core_open_file(void *state, const char *path)
{
	struct core *core = state;

	for (size_t i = 0; i < core->notes.nfiles; i++) {
		struct core_file *file = &core->notes.files[i];

		if (strcmp(file->path, path) != 0)
			continue;
		if (!file->tried) {
			file->tried = true;
			file->fd = file_open(core, file);
		}
		return file->fd;
	}
	return -1;
}

static const struct target_source source = {
	.read = core_read,
	.open_file = core_open_file,
};

/* ---- reading the headers ---- */

static int
segment_compare(const void *a, const void *b)
{
	const struct segment *first = a, *second = b;

	if (first->start != second->start)
		return first->start < second->start ? -1 : 1;
	return 0;
}

static void
mapping_add(struct target *target, const struct mapping *mapping)
{
	target->mappings = array_room(target->mappings, target->nmappings,
	    sizeof(*mapping));
	target->mappings[target->nmappings++] = *mapping;
}

static void
segment_add(struct core *core, struct target *target, const GElf_Phdr *header)
{
	struct segment segment = {
		.start = header->p_vaddr,
		.end = header->p_vaddr + header->p_memsz,
		.offset = header->p_offset,
		.dumped = header->p_filesz,
		.writable = (header->p_flags & PF_W) != 0,
	};

	if (segment.end <= segment.start)
		return;
	if (segment.dumped > header->p_memsz)
		segment.dumped = header->p_memsz;
	if (!range_inside(segment.offset, segment.dumped, core->size))
		target->truncated = true;
	core->segments = array_room(core->segments, core->nsegments,
	    sizeof(segment));
	core->segments[core->nsegments++] = segment;
	mapping_add(target,
	    &(struct mapping){
		.start = segment.start,
		.end = segment.end,
		.readable = (header->p_flags & PF_R) != 0,
		.writable = segment.writable,
		.executable = (header->p_flags & PF_X) != 0,
	    });
}

static void
notes_read(struct core *core, const GElf_Phdr *header, struct target *target)
{
	uint64_t size = header->p_filesz;

	if (header->p_offset >= core->size)
		return;
	if (size > core->size - header->p_offset)
		size = core->size - header->p_offset;
	if (size > CORE_NOTES_MAX)
		size = CORE_NOTES_MAX;
	unsigned char *bytes = memory(size, 1);

	if (read_at(core->fd, bytes, size, header->p_offset))
		core_notes_read(&core->notes, target, bytes, size);
	free(bytes);
}

static void
headers_read(struct core *core, struct target *target, Elf *elf)
{
	size_t count = 0;
	GElf_Ehdr file;
	GElf_Phdr header;

	if (elf == NULL || elf_kind(elf) != ELF_K_ELF ||
	    gelf_getehdr(elf, &file) == NULL)
		fail("%s: is not a core file (ELF)", target->name);
	if (file.e_type != ET_CORE)
		fail("%s: is no core file, but a program or library; name that "
		     "with --exe",
		    target->name);
	target->big_endian = file.e_ident[EI_DATA] == ELFDATA2MSB;
	target->pointer_size = file.e_ident[EI_CLASS] == ELFCLASS64 ? 8 : 4;
	core->notes.machine = file.e_machine;
	if (elf_getphdrnum(elf, &count) != 0 || count == 0)
		fail("%s: the table of segments is missing", target->name);
	for (size_t i = 0; i < count; i++) {
		if (gelf_getphdr(elf, (int)i, &header) == NULL)
			fail("%s: the table of segments is cut off",
			    target->name);
		if (header.p_type == PT_LOAD)
			segment_add(core, target, &header);
		else if (header.p_type == PT_NOTE)
			notes_read(core, &header, target);
	}
}

/* Gives each mapping its file; adds mappings that have no segment. */
static void
mappings_name(struct core *core, struct target *target)
{
	size_t count = target->nmappings;

	for (size_t i = 0; i < count; i++) {
		struct mapping *mapping = &target->mappings[i];
		const struct core_file *file = core_notes_file(&core->notes,
		    mapping->start);

		if (file == NULL)
			continue;
		mapping->path = file->path;
		mapping->offset = file->offset + (mapping->start - file->start);
	}
	for (size_t i = 0; i < core->notes.nfiles; i++) {
		const struct core_file *file = &core->notes.files[i];

		if (segment_at(core, file->start) == NULL)
			mapping_add(target,
			    &(struct mapping){
				.start = file->start,
				.end = file->end,
				.offset = file->offset,
				.path = file->path,
				.readable = true,
			    });
	}
}

void
core_open(struct target *target, const struct target_options *options)
{
	struct core *core = memory(1, sizeof(*core));
	struct stat status;

	core->fd = open(options->core, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (core->fd < 0 || fstat(core->fd, &status) != 0)
		fail("%s: %s", options->core, strerror(errno));
	if (!S_ISREG(status.st_mode))
		fail("%s: is no regular file", options->core);
	core->size = (uint64_t)status.st_size;
	core->exe = options->exe;
	core->sysroot = options->sysroot;
	core->target = target;
	target->name = options->core;
	target->source = &source;
	target->state = core;
	elf_version(EV_CURRENT);
	Elf *elf = elf_begin(core->fd, ELF_C_READ, NULL);

	headers_read(core, target, elf);
	elf_end(elf);
	sort(core->segments, core->nsegments, sizeof(struct segment),
	    segment_compare);
	core_notes_order(&core->notes);
	mappings_name(core, target);
	target->program_headers = core->notes.program_headers;
}
