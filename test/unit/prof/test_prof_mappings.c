#include "prof/prof_mappings.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../unit.h"
#include "mapped.h"
#include "os/system.h"

static struct prof_mappings mappings;

static int
start(void **state)
{
	(void)state;
	map_fault = (struct fault){ 0 };
	mapped = 0;
	return prof_mappings_take(&mappings) ? 0 : -1;
}

static int
finish(void **state)
{
	(void)state;
	prof_mappings_end(&mappings);
	assert_int_equal(mapped, 0);
	return 0;
}

static const struct prof_mapping *
mapping_of(const void *address)
{
	size_t i = prof_mappings_find(&mappings, (uintptr_t)address);

	return i == mappings.count ? NULL : &mappings.item[i];
}

static bool
is_named(const struct prof_mapping *mapping, const char *name)
{
	return mapping->name_length == strlen(name) &&
	    memcmp(mapping->name, name, strlen(name)) == 0;
}

static void
code_is_found_with_its_file(void **state)
{
	const struct prof_mapping *own =
	    mapping_of(code_is_found_with_its_file);
	const struct prof_mapping *libc =
	    mapping_of((void *)(uintptr_t)dlsym(RTLD_DEFAULT, "sysconf"));
	char path[4096] = "";
	int on_stack;

	(void)state;
	assert_true(readlink("/proc/self/exe", path, sizeof(path) - 1) > 0);
	assert_non_null(own);
	assert_true(is_named(own, path));
	assert_int_equal(own - mappings.item, mappings.program);
	assert_non_null(libc);
	assert_true(own != libc);
	assert_non_null(memmem(libc->name, libc->name_length, "libc", 4));
	assert_null(mapping_of(&on_stack));
	assert_null(mapping_of(path));
	assert_null(mapping_of(NULL));
	assert_null(mapping_of((void *)UINTPTR_MAX));
	for (size_t i = 0; i < mappings.count; i++) {
		struct prof_mapping *item = &mappings.item[i];

		assert_true(item->start < item->end);
		assert_true(i == 0 || item[-1].end <= item->start);
		assert_ptr_equal(mapping_of((void *)item->start), item);
		assert_ptr_equal(mapping_of((void *)(item->end - 1)), item);
	}
}

/* What the loader says of all that is loaded. */
struct told {
	unsigned with_id;
	unsigned compared;
};

static const uint8_t *
find_note(const uint8_t *at, size_t size, size_t align, size_t *length)
{
	const uint8_t *end = at + size;

	while (at < end) {
		const ElfW(Nhdr) *note = (const void *)at;
		const uint8_t *name = at + sizeof(*note);
		const uint8_t *desc = at +
		    ((sizeof(*note) + note->n_namesz + align - 1) &
			~(align - 1));

		if (note->n_type == NT_GNU_BUILD_ID &&
		    memcmp(name, "GNU", 4) == 0) {
			*length = note->n_descsz;
			return desc;
		}
		at = desc + ((note->n_descsz + align - 1) & ~(align - 1));
	}
	return NULL;
}

static int
compare(struct dl_phdr_info *info, size_t size, void *argument)
{
	struct told *told = argument;
	const struct prof_mapping *mapping = NULL;
	const uint8_t *id = NULL;
	size_t length = 0;

	(void)size;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		void *at = (void *)(info->dlpi_addr + header->p_vaddr);

		if (header->p_type == PT_LOAD && header->p_flags & PF_X) {
			mapping = mapping_of(at);
			assert_non_null(mapping);
			assert_int_equal(mapping->start - mapping->offset,
			    ((uintptr_t)at - header->p_offset));
			told->compared++;
		}
		if (header->p_type == PT_NOTE && id == NULL)
			id = find_note(at, header->p_memsz,
			    header->p_align == 8 ? 8 : 4, &length);
	}
	assert_int_equal(mapping->id_length, length);
	if (id != NULL) {
		assert_memory_equal(mapping->id, id, length);
		told->with_id++;
	}
	return 0;
}

static void
offsets_and_ids_are_those_of_the_loader(void **state)
{
	struct told told = { 0, 0 };

	(void)state;
	if (access("/proc/self/mem", R_OK) != 0)
		SKIP_TEST("/proc/self/mem can't be read here");
	dl_iterate_phdr(compare, &told);
	assert_true(told.compared >= 3);
	print_message("%u build ids\n", told.with_id);
}

static void
without_memory_there_is_nothing(void **state)
{
	struct prof_mappings other;
	size_t before = mapped;

	(void)state;
	for (unsigned i = 1; i <= 2; i++) {
		map_fault = (struct fault){ .at = i };
		assert_false(prof_mappings_take(&other));
		assert_int_equal(mapped, before);
	}
	map_fault = (struct fault){ .at = 3 };
	assert_true(prof_mappings_take(&other));
	assert_int_equal(map_fault.calls, 2);
	prof_mappings_end(&other);
}

/* More lines than the first guess has room for, and names with everything. */
static void
a_long_list_is_read_whole(void **state)
{
	enum { MANY = 3000 };
	char path[] = "/tmp/test mappings (deleted).XXXXXX";
	int fd = mkstemp(path);
	size_t page = system_info.page_size;
	char *at;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)(MANY * page)), 0);
	at = mmap(NULL, MANY * page, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_true(at != MAP_FAILED);
	for (size_t i = 0; i < MANY; i += 2)
		if (mprotect(at + i * page, page, PROT_READ | PROT_EXEC) != 0) {
			assert_int_equal(errno, EACCES);
			SKIP_TEST("/tmp is mounted noexec");
		}
	prof_mappings_end(&mappings);
	assert_true(prof_mappings_take(&mappings));
	for (size_t i = 0; i < MANY; i++) {
		const struct prof_mapping *mapping = mapping_of(at + i * page);

		assert_true((mapping != NULL) == (i % 2 == 0));
		if (mapping == NULL)
			continue;
		assert_true(is_named(mapping, path));
		assert_int_equal(mapping->offset, i * page);
		assert_int_equal(mapping->end, (uintptr_t)at + (i + 1) * page);
		assert_int_equal(mapping->id_length, 0);
	}
	/*
	 * Neighbours of one file are one; and it keeps its name when it is
	 * gone.
	 */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mprotect(at, 8 * page, PROT_READ | PROT_EXEC), 0);
	prof_mappings_end(&mappings);
	assert_true(prof_mappings_take(&mappings));
	assert_non_null(mapping_of(at));
	assert_int_equal(mapping_of(at)->end, (uintptr_t)at + 9 * page);
	assert_true(is_named(mapping_of(at), path));
	munmap(at, MANY * page);
	close(fd);
}

/* A file that says what it likes about itself. */
static void
strange_files_have_no_id(void **state)
{
	static char first[4096];
	uint64_t seed = 1;
	size_t page = system_info.page_size;
	char path[] = "/tmp/test_prof_mappings.XXXXXX";
	FILE *own = fopen("/proc/self/exe", "r");
	int fd = mkstemp(path);
	unsigned with_id = 0;
	char *at;

	(void)state;
	assert_int_equal(fread(first, sizeof(first), 1, own), 1);
	fclose(own);
	unlink(path);
	assert_true(fd >= 0 && page >= sizeof(first));
	assert_int_equal(ftruncate(fd, (off_t)page), 0);
	at = mmap(NULL, page, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED) {
		assert_int_equal(errno, EPERM);
		SKIP_TEST("/tmp is mounted noexec");
	}
	for (unsigned run = 0; run < 1500; run++) {
		static char bytes[sizeof(first)];
		unsigned changes = (unsigned)random_below(&seed, 12);

		memcpy(bytes, first, sizeof(first));
		for (unsigned i = 0; i < changes; i++)
			bytes[random_below(&seed, i % 2 == 0 ? 64 : 1024)] =
			    (char)(random_below(&seed, 3) == 0
				    ? 0xff
				    : random_next(&seed));
		/* Sometimes it ends in the middle of what it promises. */
		assert_int_equal(ftruncate(fd, run % 5 == 0 ? 0 : (off_t)page),
		    0);
		if (run % 5 != 0)
			assert_int_equal(pwrite(fd, bytes, sizeof(bytes), 0),
			    sizeof(bytes));
		prof_mappings_end(&mappings);
		assert_true(prof_mappings_take(&mappings));
		assert_non_null(mapping_of(at));
		assert_true(mapping_of(at)->id_length <= PROF_BUILD_ID_MAX);
		/* What does not begin as these files do is none of them. */
		if (run % 5 != 0 && memcmp(bytes, ELFMAG, SELFMAG) != 0)
			assert_int_equal(mapping_of(at)->id_length, 0);
		with_id += mapping_of(at)->id_length != 0;
	}
	print_message("%u of 1500 had a build id\n", with_id);
	munmap(at, page);
	close(fd);
}

static _Atomic bool stop;

static void *
come_and_go(void *argument)
{
	size_t page = system_info.page_size;
	int fd;
	FILE *own = fopen("/proc/self/exe", "r");

	(void)argument;
	fd = fileno(own);
	while (!stop) {
		char *at = mmap(NULL, 2 * page, PROT_READ | PROT_EXEC,
		    MAP_PRIVATE, fd, 0);

		if (at != MAP_FAILED)
			munmap(at, 2 * page);
	}
	fclose(own);
	return NULL;
}

static void
what_is_unmapped_meanwhile_does_no_harm(void **state)
{
	pthread_t thread[2];

	(void)state;
	stop = false;
	for (unsigned i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, come_and_go, NULL);
	for (unsigned i = 0; i < 1000; i++) {
		prof_mappings_end(&mappings);
		assert_true(prof_mappings_take(&mappings));
		assert_non_null(mapping_of(come_and_go));
	}
	stop = true;
	for (unsigned i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, finish)

/* --- closed ones ---------------------------------------------------------- */

static struct prof_mapping
part(uintptr_t start, const char *name, uint8_t id)
{
	struct prof_mapping mapping = { .start = start,
		.end = start + 0x1000,
		.name = name,
		.name_length = strlen(name),
		.id_length = id == 0 ? 0 : 20 };

	memset(mapping.id, id, mapping.id_length);
	return mapping;
}

static void
the_origin_of_code_is_one_file_or_none(void **state)
{
	struct prof_mapping now[] = {
		part(0x1000, "a", 1), part(0x3000, "b", 2),
		part(0x5000, "c", 0), part(0xa000, "g", 7),
		part(0xc000, "h", 8), part(0x9000, "z", 9), /* behind the end */
	};
	struct prof_mapping before[] = {
		part(0x2000, "d", 3), part(0x3000, "b", 2), /* the same */
		part(0x1800, "a", 4),                       /* another build */
		part(0x6000, "d", 3), part(0x6000, "e", 5),
		part(0x5000, "c", 0), part(0x7000, "f", 6),
		part(0x7000, "f", 6),
		part(0xa800, "g", 7), /* at another place */
		part(0xc800, "h", 8), part(0xe000, "k", 8),
		part(0xe000, "l", 8), part(0xe800, "k", 0),
		part(0x8000, "z", 9), /* behind the end */
	};
	const struct prof_mappings all = { .item = now,
		.count = ARRAY_LEN(now) - 1,
		.closed = { .item = before, .count = ARRAY_LEN(before) - 1 } };
	const struct {
		uintptr_t address;
		size_t origin;
	} expected[] = {
		{ 0xfff, SIZE_MAX },
		{ 0x1000, 0 },
		{ 0x17ff, 0 },
		{ 0x1800, SIZE_MAX },
		{ 0x2000, SIZE_MAX },
		{ 0x2800, 5 },
		{ 0x2fff, 5 },
		{ 0x3000, 1 },
		{ 0x4000, SIZE_MAX },
		{ 0x5fff, 2 },
		{ 0x6000, SIZE_MAX },
		{ 0x7000, 5 + 6 },
		{ 0x8000, SIZE_MAX },
		{ 0x9000, SIZE_MAX },
		{ 0xa7ff, 3 },
		{ 0xa800, SIZE_MAX },
		{ 0xb000, 5 + 8 },
		{ 0xc800, 4 },
		{ 0xd000, 5 + 9 },
		{ 0xe000, SIZE_MAX },
		{ 0xe800, SIZE_MAX },
		{ 0xf000, 5 + 12 },
	};

	(void)state;
	/* Two parts of one file that follow each other. */
	now[4].offset = 0x2000;
	before[9].offset = 0x2800;
	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		assert_int_equal(prof_mappings_origin(&all,
				     expected[i].address),
		    expected[i].origin);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(code_is_found_with_its_file),
		TEST(offsets_and_ids_are_those_of_the_loader),
		TEST(without_memory_there_is_nothing),
		TEST(a_long_list_is_read_whole),
		TEST(strange_files_have_no_id),
		TEST(what_is_unmapped_meanwhile_does_no_harm),
		cmocka_unit_test(the_origin_of_code_is_one_file_or_none),
	};

	system_init();
	if (access("/proc/self/maps", R_OK) != 0)
		SKIP_BECAUSE("there is no /proc/self/maps");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
