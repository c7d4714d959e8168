#include "prof/prof_elf.h"

#include <elf.h>
#include <link.h>
#include <string.h>

#include "os/system.h"
#include "util/bits.h"

enum { HEADERS_MAX = 64, NOTES_MAX = 1024 };

struct headers {
	prof_elf_copy *copy;
	const void *context;
	ElfW(Ehdr) file;
	ElfW(Phdr) segment; /* the current one */
	unsigned next;
};

/* False: these are no headers of this kind of machine. */
static bool
headers_open(struct headers *headers, prof_elf_copy *copy, const void *context)
{
	*headers = (struct headers){ .copy = copy, .context = context };
	return copy(context, 0, &headers->file, sizeof(headers->file)) &&
	    memcmp(headers->file.e_ident, ELFMAG, SELFMAG) == 0 &&
	    headers->file.e_phentsize == sizeof(ElfW(Phdr)) &&
	    headers->file.e_phnum <= HEADERS_MAX;
}

static bool
headers_next(struct headers *headers)
{
	return headers->next < headers->file.e_phnum &&
	    headers->copy(headers->context,
		headers->file.e_phoff +
		    headers->next++ * sizeof(headers->segment),
		&headers->segment, sizeof(headers->segment));
}

static bool
find_id(struct prof_mapping *mapping, const uint8_t *notes, size_t size,
    size_t align)
{
	ElfW(Nhdr) note;

	while (size >= sizeof(note)) {
		size_t name, next;

		memcpy(&note, notes, sizeof(note));
		/* With addresses of 32 bits these sums may overflow. */
		name = round_up(sizeof(note) + note.n_namesz, align);
		next = round_up(name + note.n_descsz, align);
		if (name < note.n_namesz || next < name ||
		    name + note.n_descsz > size)
			return false;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
		    memcmp(notes + sizeof(note), "GNU", 4) == 0 &&
		    note.n_descsz <= PROF_BUILD_ID_MAX) {
			memcpy(mapping->id, notes + name, note.n_descsz);
			mapping->id_length = note.n_descsz;
			return true;
		}
		notes += min_size(next, size);
		size -= min_size(next, size);
	}
	return false;
}

void
prof_elf_read_id(struct prof_mapping *mapping, prof_elf_copy *copy,
    const void *context)
{
	struct headers headers;
	uint8_t notes[NOTES_MAX];

	if (!headers_open(&headers, copy, context))
		return;
	while (headers_next(&headers)) {
		const ElfW(Phdr) *segment = &headers.segment;
		size_t size = min_size(segment->p_filesz, sizeof(notes));

		if (segment->p_type == PT_NOTE &&
		    copy(context, segment->p_offset, notes, size) &&
		    find_id(mapping, notes, size,
			segment->p_align == 8 ? 8 : 4))
			return;
	}
}

bool
prof_elf_find_code(struct prof_mapping *mapping, prof_elf_copy *copy,
    const void *context, uintptr_t first, uintptr_t address)
{
	size_t page = system_info.page_size;
	struct headers headers;
	uintptr_t bias = 0;
	bool any = false;

	if (!headers_open(&headers, copy, context))
		return false;
	while (headers_next(&headers)) {
		const ElfW(Phdr) *segment = &headers.segment;
		uintptr_t start;

		if (segment->p_type != PT_LOAD)
			continue;
		if (!any)
			bias = first - round_down(segment->p_vaddr, page);
		any = true;
		start = bias + segment->p_vaddr;
		if ((segment->p_flags & PF_X) == 0 ||
		    address - start >= segment->p_filesz)
			continue;
		mapping->start = round_down(start, page);
		mapping->end = round_up(start + segment->p_filesz, page);
		mapping->offset = round_down(segment->p_offset, page);
		return true;
	}
	return false;
}
