/*
 * cfi_index against the linker: for all code of this program, the table that is
 * made leads to the same rules as .eh_frame_hdr.
 */
#include "unwind/cfi_index.h"

#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>

#include "../unit.h"
#include "os/system.h"
#include "unwind/cfi.h"
#include "unwind/cfi_table.h"

/* The section in memory, and the linker's table. */
static struct {
	uintptr_t base;
	const uint8_t *eh_frame;
	size_t size;
	const struct cfi_table *linked;
} program;

static int
note_program(struct dl_phdr_info *info, size_t size, void *context)
{
	(void)size;
	(void)context;
	program.base = info->dlpi_addr;
	for (unsigned i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_GNU_EH_FRAME)
			program.linked = (const void *)(info->dlpi_addr +
			    info->dlpi_phdr[i].p_vaddr);
	return 1;
}

static int
start(void **state)
{
	ElfW(Ehdr) header;
	ElfW(Shdr) section, names;
	char name[10];
	FILE *file = fopen("/proc/self/exe", "r");

	(void)state;
	system_init();
	dl_iterate_phdr(note_program, NULL);
	assert_non_null(file);
	assert_int_equal(fread(&header, sizeof(header), 1, file), 1);
	fseek(file,
	    (long)(header.e_shoff + header.e_shstrndx * sizeof(section)),
	    SEEK_SET);
	assert_int_equal(fread(&names, sizeof(names), 1, file), 1);
	for (unsigned i = 0; i < header.e_shnum; i++) {
		fseek(file, (long)(header.e_shoff + i * sizeof(section)),
		    SEEK_SET);
		assert_int_equal(fread(&section, sizeof(section), 1, file), 1);
		fseek(file, (long)(names.sh_offset + section.sh_name),
		    SEEK_SET);
		if (fread(name, sizeof(name), 1, file) != 1 ||
		    memcmp(name, ".eh_frame", sizeof(name)) != 0)
			continue;
		program.eh_frame = (const void *)(program.base +
		    section.sh_addr);
		program.size = section.sh_size;
	}
	fclose(file);
	return program.linked == NULL || program.size == 0;
}

/* Both know rules, and the same ones, or none of them does. */
static void
compare_at(uintptr_t made, uintptr_t pc)
{
	struct cfi_line a, b;
	struct cfi_row x, y;
	bool known;

	memset(&x, 0, sizeof(x));
	memset(&y, 0, sizeof(y));
	known = cfi_find((uintptr_t)program.linked, pc, &a) &&
	    cfi_row_init(&x, &a, pc);
	assert_int_equal(cfi_find(made, pc, &b) && cfi_row_init(&y, &b, pc),
	    known);
	if (!known)
		return;
	assert_ptr_equal(x.base, y.base);
	assert_memory_equal(&x.rules.cfa, &y.rules.cfa, sizeof(x.rules.cfa));
	assert_memory_equal(x.rules.of, y.rules.of, sizeof(x.rules.of));
	assert_true(cfi_fingerprint(&b) != 0);
}

static void
the_table_is_as_good_as_the_linkers(void **state)
{
	const struct cfi_table *linked = program.linked;
	uintptr_t made = cfi_index_make(program.eh_frame, program.size,
	    program.base);
	const struct cfi_table *table = (const struct cfi_table *)made;

	(void)state;
	assert_true(made != 0);
	assert_int_equal(table->count, linked->count);
	assert_true(linked->count > 30);
	for (uint32_t i = 0; i < linked->count; i++) {
		uintptr_t pc = (uintptr_t)linked +
		    (uintptr_t)(intptr_t)linked->line[i].pc;

		assert_true(i == 0 ||
		    table->line[i - 1].pc <= table->line[i].pc);
		for (unsigned k = 0; k < 40; k++)
			compare_at(made, pc - 4 + k);
	}
}

/* Wherever a section is cut: what is whole is listed, the rest is not read. */
static void
a_part_of_a_section_is_enough(void **state)
{
	size_t last = 0;

	(void)state;
	for (size_t n = 0; n < program.size && n < 2000; n++) {
		uint8_t *copy = malloc(n + 1);
		uintptr_t made;
		size_t count;

		memcpy(copy, program.eh_frame, n);
		made = cfi_index_make(copy, n, (uintptr_t)copy);
		count = made == 0 ? 0 : ((const struct cfi_table *)made)->count;
		assert_true(count == last || count == last + 1);
		last = count;
		free(copy);
	}
	assert_true(last > 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_is_as_good_as_the_linkers),
		cmocka_unit_test(a_part_of_a_section_is_enough),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
