#include "unwind/program_index.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/auxv.h>

#include "os/file.h"
#include "unwind/cfi_index.h"

#define SECTION     ".eh_frame"
#define HEADERS_MAX 64

static struct {
	atomic_flag making;
	bool made;               /* or tried in vain; only its maker uses it */
	_Atomic uintptr_t index; /* publishes the other two */
	uintptr_t start;
	uintptr_t end;
} program = { .making = ATOMIC_FLAG_INIT };

/* What the file and the process say of the program. */
struct search {
	long fd;
	ElfW(Ehdr) header;
	const ElfW(Phdr) *segments; /* in memory */
	size_t nsegments;
	uintptr_t bias; /* address minus address in the file */
	uintptr_t start;
	uintptr_t end;
};

/* --- the program in memory ------------------------------------------------ */

static bool
has_index(const struct search *search)
{
	for (size_t i = 0; i < search->nsegments; i++)
		if (search->segments[i].p_type == PT_GNU_EH_FRAME)
			return true;
	return false;
}

/* False: the kernel does not say where the program is. */
static bool
look_into_memory(struct search *search)
{
	search->segments = (const void *)getauxval(AT_PHDR);
	search->nsegments = getauxval(AT_PHNUM);
	return search->segments != NULL && search->nsegments != 0 &&
	    search->nsegments <= HEADERS_MAX &&
	    getauxval(AT_PHENT) == sizeof(ElfW(Phdr));
}

/* The file's headers begin its first segment. False: they do not. */
static bool
set_range(struct search *search)
{
	bool first = true;

	search->start = UINTPTR_MAX;
	search->end = 0;
	for (size_t i = 0; i < search->nsegments; i++) {
		const ElfW(Phdr) *segment = &search->segments[i];
		uintptr_t start;

		if (segment->p_type != PT_LOAD)
			continue;
		if (first && segment->p_offset != 0)
			return false;
		if (first)
			search->bias = (uintptr_t)search->segments -
			    search->header.e_phoff - segment->p_vaddr;
		first = false;
		start = search->bias + segment->p_vaddr;
		if (start < search->start)
			search->start = start;
		if (start + segment->p_memsz > search->end)
			search->end = start + segment->p_memsz;
	}
	/* The table has differences of 32 bits. */
	return !first && search->end - search->start <= INT32_MAX;
}

/* --- its file ------------------------------------------------------------- */

static bool
is_this_program(struct search *search)
{
	ElfW(Phdr) segment;
	ElfW(Ehdr) *header = &search->header;

	if (!file_read_at(search->fd, 0, header, sizeof(*header)) ||
	    memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
	    header->e_phentsize != sizeof(segment) ||
	    header->e_phnum != search->nsegments ||
	    header->e_shentsize != sizeof(ElfW(Shdr)))
		return false;
	for (size_t i = 0; i < search->nsegments; i++)
		if (!file_read_at(search->fd,
			header->e_phoff + i * sizeof(segment), &segment,
			sizeof(segment)) ||
		    memcmp(&segment, &search->segments[i], sizeof(segment)) !=
			0)
			return false;
	return true;
}

static bool
read_section(const struct search *search, size_t i, ElfW(Shdr) *section)
{
	return file_read_at(search->fd,
	    search->header.e_shoff + i * sizeof(*section), section,
	    sizeof(*section));
}

static bool
find_section(const struct search *search, ElfW(Shdr) *section)
{
	ElfW(Shdr) names;
	char name[sizeof(SECTION)];

	if (!read_section(search, search->header.e_shstrndx, &names))
		return false;
	for (size_t i = 0; i < search->header.e_shnum; i++)
		if (read_section(search, i, section) &&
		    (section->sh_flags & SHF_ALLOC) != 0 &&
		    file_read_at(search->fd, names.sh_offset + section->sh_name,
			name, sizeof(name)) &&
		    memcmp(name, SECTION, sizeof(name)) == 0)
			return true;
	return false;
}

/* Is it in memory that is mapped from the file, and readable? */
static bool
is_loaded(const struct search *search, const ElfW(Shdr) *section)
{
	for (size_t i = 0; i < search->nsegments; i++) {
		const ElfW(Phdr) *segment = &search->segments[i];

		if (segment->p_type == PT_LOAD &&
		    (segment->p_flags & PF_R) != 0 &&
		    section->sh_addr >= segment->p_vaddr &&
		    section->sh_size <= segment->p_filesz &&
		    section->sh_addr - segment->p_vaddr <=
			segment->p_filesz - section->sh_size)
			return true;
	}
	return false;
}

/* --- the table ------------------------------------------------------------ */

/* `at` becomes where the section is in memory. */
static bool
find_entries(struct search *search, const uint8_t **at, size_t *size)
{
	ElfW(Shdr) section;

	if (!is_this_program(search) || !set_range(search) ||
	    !find_section(search, &section) || !is_loaded(search, &section))
		return false;
	*at = (const uint8_t *)(search->bias + section.sh_addr);
	*size = section.sh_size;
	return true;
}

static bool
open_program(struct search *search)
{
	const char *name = (const char *)getauxval(AT_EXECFN);

	search->fd = file_open("/proc/self/exe", O_RDONLY);
	/* Without /proc: the path that the program was started by. */
	if (search->fd < 0 && name != NULL)
		search->fd = file_open(name, O_RDONLY);
	return search->fd >= 0;
}

static void
make(void)
{
	struct search search;
	const uint8_t *at;
	size_t size;
	bool found;
	uintptr_t index;

	if (!look_into_memory(&search) || has_index(&search) ||
	    !open_program(&search))
		return;
	found = find_entries(&search, &at, &size);
	file_close(search.fd);
	index = found ? cfi_index_make(at, size, search.start) : 0;
	if (index == 0)
		return;
	program.start = search.start;
	program.end = search.end;
	/* Pairs with the acquire load in program_index_find(). */
	atomic_store_explicit(&program.index, index, memory_order_release);
}

void
program_index_make(void)
{
	if (atomic_flag_test_and_set_explicit(&program.making,
		memory_order_acquire))
		return;
	if (!program.made)
		make();
	program.made = true;
	atomic_flag_clear_explicit(&program.making, memory_order_release);
}

bool
program_index_find(uintptr_t pc, struct unwind_object *object)
{
	uintptr_t index = atomic_load_explicit(&program.index,
	    memory_order_acquire);

	if (index == 0 || pc < program.start || pc >= program.end)
		return false;
	*object = (struct unwind_object){ program.start, program.end, index };
	return true;
}
