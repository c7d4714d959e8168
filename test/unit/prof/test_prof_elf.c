/* Files that are made by hand, and read from a buffer. */
#include "prof/prof_elf.h"

#include <elf.h>
#include <link.h>
#include <string.h>

#include "../unit.h"
#include "os/system.h"

enum { HEADERS = 64, NOTES = 8192, FILE_SIZE = 16384 };

static struct {
	_Alignas(16) uint8_t bytes[FILE_SIZE];
	ElfW(Phdr) segment[HEADERS + 1];
	unsigned nsegments;
	size_t end; /* of the notes */
} file;

static struct prof_mapping mapping;

static bool
copy(const void *context, uint64_t offset, void *to, size_t size)
{
	assert_ptr_equal(context, &file);
	if (offset > sizeof(file.bytes) || size > sizeof(file.bytes) - offset)
		return false;
	memcpy(to, file.bytes + offset, size);
	return true;
}

static int
start(void **state)
{
	(void)state;
	memset(&file, 0, sizeof(file));
	memset(&mapping, 0, sizeof(mapping));
	file.end = NOTES;
	return 0;
}

/* The headers say `count` segments; there may be more of them. */
static void
write_headers(unsigned count)
{
	const ElfW(Ehdr) header = { .e_ident = ELFMAG,
		.e_phentsize = sizeof(ElfW(Phdr)),
		.e_phnum = (ElfW(Half))count,
		.e_phoff = sizeof(header) };

	memcpy(file.bytes, &header, sizeof(header));
	memcpy(file.bytes + sizeof(header), file.segment, sizeof(file.segment));
}

static void
add_segment(ElfW(Phdr) segment)
{
	file.segment[file.nsegments++] = segment;
	write_headers(file.nsegments);
}

/* --- build ids ------------------------------------------------------------ */

/* Appends a note, whose contents are bytes of this value. */
static void
add_note(unsigned type, const char *name, size_t name_size, uint8_t value,
    size_t size)
{
	const ElfW(Nhdr) note = { (ElfW(Word))name_size, (ElfW(Word))size,
		type };

	memcpy(file.bytes + file.end, &note, sizeof(note));
	memcpy(file.bytes + file.end + sizeof(note), name, name_size);
	file.end += sizeof(note) + ((name_size + 3) & ~(size_t)3);
	memset(file.bytes + file.end, value, size);
	file.end += (size + 3) & ~(size_t)3;
}

static void
add_id(uint8_t value)
{
	add_note(NT_GNU_BUILD_ID, "GNU", 4, value, 20);
}

/* A segment with the notes from `begin` on. */
static void
add_notes(size_t begin, size_t align)
{
	add_segment((ElfW(Phdr)){ .p_type = PT_NOTE,
	    .p_offset = begin,
	    .p_filesz = file.end - begin,
	    .p_align = align });
}

static void
assert_id(uint8_t value, size_t size)
{
	prof_elf_read_id(&mapping, copy, &file);
	assert_int_equal(mapping.id_length, size);
	for (size_t i = 0; i < size; i++)
		assert_int_equal(mapping.id[i], value);
}

static void
an_id_is_found_behind_other_notes(void **state)
{
	(void)state;
	add_note(5, "GNU", 4, 1, 16);
	add_note(NT_GNU_BUILD_ID, "GNU X", 5, 2, 20);
	add_note(NT_GNU_BUILD_ID, "GNUX", 4, 3, 20);
	add_note(NT_GNU_BUILD_ID, "GNU", 4, 4, PROF_BUILD_ID_MAX + 1);
	add_note(1, "GNU", 4, 5, 0);
	add_note(NT_GNU_BUILD_ID, "GNU", 4, 6, PROF_BUILD_ID_MAX);
	add_notes(NOTES, 4);
	assert_id(6, PROF_BUILD_ID_MAX);
}

static void
notes_may_be_aligned_to_8(void **state)
{
	(void)state;
	add_note(5, "GNU", 4, 1, 9);
	file.end = (file.end + 7) & ~(size_t)7;
	add_id(2);
	add_notes(NOTES, 8);
	assert_id(2, 20);
}

/* Not even from what an earlier segment had behind this place. */
static void
nothing_is_read_behind_the_notes(void **state)
{
	size_t second;

	(void)state;
	add_note(1, "GNU", 4, 1, 20);
	add_id(2);
	/* The first note of these is longer than all of them. */
	((ElfW(Nhdr) *)(void *)(file.bytes + NOTES))->n_descsz = 4096;
	add_notes(NOTES, 4);
	second = file.end;
	add_note(1, "GNU", 4, 3, 20);
	add_notes(second, 4);
	/* This one is cut in its id. */
	second = file.end;
	add_id(4);
	file.end -= 4;
	add_notes(second, 4);
	assert_id(0, 0);
	/* And a sound one is found behind those. */
	file.end = second + 64;
	second = file.end;
	add_id(5);
	add_notes(second, 4);
	assert_id(5, 20);
}

static void
the_first_of_several_ids_counts(void **state)
{
	(void)state;
	add_id(1);
	add_id(2);
	add_notes(NOTES, 4);
	add_notes(NOTES + (file.end - NOTES) / 2, 4);
	assert_id(1, 20);
}

static void
as_many_segments_are_read_as_there_are(void **state)
{
	(void)state;
	for (unsigned i = 1; i < HEADERS; i++)
		add_segment((ElfW(Phdr)){ .p_type = PT_NULL });
	add_id(1);
	add_notes(NOTES, 4);
	assert_id(1, 20);
	mapping.id_length = 0;
	write_headers(HEADERS - 1);
	assert_id(0, 0);
	/* More are refused. */
	write_headers(HEADERS + 1);
	assert_id(0, 0);
}

/* --- code ----------------------------------------------------------------- */

static void
add_loaded(uintptr_t address, uint64_t offset, size_t size, unsigned flags)
{
	add_segment((ElfW(Phdr)){ .p_type = PT_LOAD,
	    .p_vaddr = address,
	    .p_offset = offset,
	    .p_filesz = size,
	    .p_memsz = size + 4096,
	    .p_flags = flags });
}

static bool
find(uintptr_t address)
{
	memset(&mapping, 0, sizeof(mapping));
	return prof_elf_find_code(&mapping, copy, &file, 0x70000000, address);
}

static void
code_is_found_as_it_is_mapped(void **state)
{
	size_t page = system_info.page_size;
	uintptr_t linked = 64 * page, loaded = 0x70000000;

	(void)state;
	assert_false(find(loaded));
	/* These say where something is, but load nothing. */
	add_segment((ElfW(Phdr)){ .p_type = PT_PHDR,
	    .p_vaddr = linked + 8 * page,
	    .p_filesz = 8 * page,
	    .p_flags = PF_R | PF_X });
	add_loaded(linked + 40, 40, 1000, PF_R);
	add_loaded(linked + page + 8, page + 8, 100, PF_R | PF_X);
	add_loaded(linked + 4 * page + 16, 2 * page + 16, page, PF_R | PF_X);
	add_loaded(linked + 6 * page, 4 * page, 100, PF_R | PF_W);
	assert_false(find(loaded));
	assert_false(find(loaded + 500));
	assert_false(find(loaded + page + 7));
	assert_true(find(loaded + page + 8));
	assert_int_equal(mapping.start, loaded + page);
	assert_int_equal(mapping.end, loaded + 2 * page);
	assert_int_equal(mapping.offset, page);
	assert_true(find(loaded + page + 107));
	assert_false(find(loaded + page + 108));
	assert_true(find(loaded + 5 * page));
	assert_int_equal(mapping.start, loaded + 4 * page);
	assert_int_equal(mapping.end, loaded + 6 * page);
	assert_int_equal(mapping.offset, 2 * page);
	assert_false(find(loaded + 6 * page + 50));
	/* No file of this kind. */
	file.bytes[0]++;
	assert_false(find(loaded + page + 8));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, start)
	const struct CMUnitTest tests[] = {
		TEST(an_id_is_found_behind_other_notes),
		TEST(notes_may_be_aligned_to_8),
		TEST(nothing_is_read_behind_the_notes),
		TEST(the_first_of_several_ids_counts),
		TEST(as_many_segments_are_read_as_there_are),
		TEST(code_is_found_as_it_is_mapped),
	};

	system_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
