/*
 * Objects that come and go, with a loader and files of the test's own: a place
 * has two pages, first the headers, then the code.
 */
#include "prof/prof_objects.h"

#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "../unit.h"
#include "extent/metadata.h"
#include "mapped.h"
#include "os/system.h"
#include "pieces.h"
#include "unwind/unwind_objects.h"

enum { PLACES = 600, KEPT = 512, FILES = 12, STEPS = 4000, ID_SIZE = 20 };

/* What the program has opened there; 0: nothing. */
static struct place {
	int file;
	int handle; /* a loader may use the same one again */
	char name[24];
} places[PLACES];

static char *memory;
static size_t page;

/* What is in the first page of a file. */
struct head {
	ElfW(Ehdr) file;
	ElfW(Phdr) segment[3];
	ElfW(Nhdr) note;
	char owner[4];
	uint8_t id[ID_SIZE];
};

bool __wrap_unwind_objects_loaded(uintptr_t pc, struct unwind_loaded *loaded);
bool __wrap_unwind_objects_name(uintptr_t pc, struct unwind_module *module);

static char *
place_start(size_t at)
{
	return memory + at * 2 * page;
}

/* The place of an address, if something is loaded there; or NULL. */
static struct place *
place_of(uintptr_t pc)
{
	size_t at = (pc - (uintptr_t)memory) / (2 * page);

	return pc >= (uintptr_t)memory && at < PLACES && places[at].file != 0
	    ? &places[at]
	    : NULL;
}

bool
__wrap_unwind_objects_loaded(uintptr_t pc, struct unwind_loaded *loaded)
{
	const struct place *place = place_of(pc);

	if (place == NULL)
		return false;
	loaded->start = (uintptr_t)place_start((size_t)(place - places));
	loaded->end = loaded->start + 2 * page;
	loaded->handle = &memory[place->handle];
	return true;
}

bool
__wrap_unwind_objects_name(uintptr_t pc, struct unwind_module *module)
{
	const struct place *place = place_of(pc);

	if (place == NULL)
		return false;
	module->name = place->name;
	module->base = 0;
	return true;
}

/* Two files of each name: builds of the same library. */
static void
open_file(size_t at, int file)
{
	struct head *head = (struct head *)place_start(at);

	assert_int_equal(places[at].file, 0);
	places[at].file = file;
	snprintf(places[at].name, sizeof(places[at].name), "/lib/%d.so",
	    file / 2);
	*head = (struct head){ .file = { .e_ident = ELFMAG,
				   .e_phentsize = sizeof(ElfW(Phdr)),
				   .e_phnum = 3,
				   .e_phoff = offsetof(struct head, segment) },
		.segment = { { .p_type = PT_LOAD,
				 .p_filesz = sizeof(*head),
				 .p_flags = PF_R },
		    { .p_type = PT_LOAD,
			.p_vaddr = page,
			.p_offset = page,
			.p_filesz = 100,
			.p_flags = PF_R | PF_X },
		    { .p_type = PT_NOTE,
			.p_offset = offsetof(struct head, note),
			.p_filesz = sizeof(*head) - offsetof(struct head, note),
			.p_align = 4 } },
		.note = { 4, ID_SIZE, NT_GNU_BUILD_ID },
		.owner = "GNU" };
	memset(head->id, file, sizeof(head->id));
}

static void
close_file(size_t at)
{
	assert_int_not_equal(places[at].file, 0);
	places[at].file = 0;
}

/* A stack with an address in the code that is opened there. */
static void
note(size_t at)
{
	void *pcs[] = { (void *)1, place_start(at) + page + 50,
		place_start(at) + page + 60, (void *)2 };

	prof_objects_note(pcs, 4);
}

static void
assert_closed(const struct prof_mapping *mapping, size_t at, int file)
{
	char name[24];
	uintptr_t code = (uintptr_t)place_start(at) + page;

	snprintf(name, sizeof(name), "/lib/%d.so", file / 2);
	assert_int_equal(mapping->start, code);
	assert_int_equal(mapping->end, code + page);
	assert_int_equal(mapping->offset, page);
	assert_int_equal(mapping->name_length, strlen(name));
	assert_memory_equal(mapping->name, name, strlen(name));
	assert_int_equal(mapping->id_length, ID_SIZE);
	for (unsigned i = 0; i < ID_SIZE; i++)
		assert_int_equal(mapping->id[i], file);
}

/* Closed ones, oldest first, as the test knows them. */
static struct gone {
	size_t at;
	int file;
} gone[STEPS];
static size_t ngone;

static void
assert_all_closed(bool incomplete)
{
	size_t before = mapped;
	struct prof_closed closed;

	assert_true(prof_closed_take(&closed));
	assert_int_equal(closed.incomplete, incomplete);
	assert_int_equal(closed.count, ngone);
	for (size_t i = 0; i < ngone; i++)
		assert_closed(&closed.item[i], gone[i].at, gone[i].file);
	prof_closed_end(&closed);
	assert_int_equal(mapped, before);
}

static int
start(void **state)
{
	(void)state;
	piece_fault = (struct fault){ .at = 0 };
	map_fault = (struct fault){ .at = 0 };
	memset(places, 0, sizeof(places));
	ngone = 0;
	return 0;
}

static int
finish(void **state)
{
	(void)state;
	prof_objects_forget();
	assert_int_equal(npieces, 0);
	return 0;
}

static void
gone_remove(size_t at, int file)
{
	for (size_t i = 0; i < ngone; i++) {
		if (gone[i].at != at || gone[i].file != file)
			continue;
		memmove(&gone[i], &gone[i + 1],
		    (ngone - i - 1) * sizeof(gone[0]));
		ngone--;
		return;
	}
}

static void
closed_objects_are_those_of_a_model(void **state)
{
	static bool noted[PLACES];
	uint64_t seed = 1;

	(void)state;
	for (unsigned step = 0; step < STEPS; step++) {
		size_t at = random_below(&seed, 8);
		int file = 2 + (int)random_below(&seed, FILES);

		if (places[at].file == 0) {
			prof_objects_settle();
			open_file(at, file);
			noted[at] = false;
		} else if (random_below(&seed, 2) == 0) {
			note(at);
			gone_remove(at, places[at].file);
			noted[at] = true;
		} else {
			file = places[at].file;
			close_file(at);
			prof_objects_settle();
			if (noted[at])
				gone[ngone++] = (struct gone){ at, file };
			noted[at] = false;
		}
		assert_all_closed(false);
		if (random_below(&seed, 200) != 0)
			continue;
		prof_objects_forget();
		memset(noted, 0, sizeof(noted));
		ngone = 0;
	}
}

/* Not all that loads something says so. But then the handle may be new. */
static void
what_has_the_place_of_another_object_is_seen(void **state)
{
	(void)state;
	open_file(0, 2);
	note(0);
	close_file(0);
	open_file(0, 4);
	places[0].handle = 1;
	note(0);
	gone[ngone++] = (struct gone){ 0, 2 };
	assert_all_closed(false);
	close_file(0);
	prof_objects_settle();
	gone[ngone++] = (struct gone){ 0, 4 };
	assert_all_closed(false);
}

static void
the_oldest_are_forgotten(void **state)
{
	(void)state;
	for (size_t i = 0; i < PLACES; i++) {
		open_file(i, 2 + (int)i % FILES);
		note(i);
		close_file(i);
		prof_objects_settle();
	}
	for (size_t i = PLACES - KEPT; i < PLACES; i++)
		gone[ngone++] = (struct gone){ i, 2 + (int)i % FILES };
	assert_all_closed(true);
	prof_objects_forget();
	ngone = 0;
	assert_all_closed(false);
}

static void
what_is_loaded_is_not_forgotten_for_more(void **state)
{
	(void)state;
	for (size_t i = 0; i < PLACES; i++) {
		open_file(i, 2);
		note(i);
	}
	assert_int_equal(npieces, KEPT);
	for (size_t i = 0; i < PLACES; i++)
		close_file(i);
	prof_objects_settle();
	for (size_t i = 0; i < KEPT; i++)
		gone[ngone++] = (struct gone){ i, 2 };
	assert_all_closed(true);
}

static void
without_memory_the_list_is_incomplete(void **state)
{
	struct prof_closed closed;

	(void)state;
	open_file(0, 2);
	open_file(1, 3);
	fault_set(&piece_fault, 1, false);
	note(0);
	note(1);
	close_file(1);
	prof_objects_settle();
	gone[ngone++] = (struct gone){ 1, 3 };
	assert_all_closed(true);
	fault_set(&map_fault, 1, false);
	assert_false(prof_closed_take(&closed));
	assert_int_equal(closed.count, 0);
	assert_true(closed.incomplete);
	prof_closed_end(&closed);
}

static void
without_headers_all_of_it_counts_as_code(void **state)
{
	struct prof_closed closed;

	(void)state;
	open_file(3, 2);
	assert_int_equal(mprotect(place_start(3), page, PROT_NONE), 0);
	note(3);
	assert_int_equal(mprotect(place_start(3), page, PROT_READ | PROT_WRITE),
	    0);
	close_file(3);
	prof_objects_settle();
	assert_true(prof_closed_take(&closed));
	assert_int_equal(closed.count, 1);
	assert_int_equal(closed.item->start, (uintptr_t)place_start(3));
	assert_int_equal(closed.item->end, (uintptr_t)place_start(4));
	assert_int_equal(closed.item->id_length, 0);
	prof_closed_end(&closed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    closed_objects_are_those_of_a_model, start, finish),
		cmocka_unit_test_setup_teardown(
		    what_has_the_place_of_another_object_is_seen, start,
		    finish),
		cmocka_unit_test_setup_teardown(the_oldest_are_forgotten, start,
		    finish),
		cmocka_unit_test_setup_teardown(
		    what_is_loaded_is_not_forgotten_for_more, start, finish),
		cmocka_unit_test_setup_teardown(
		    without_memory_the_list_is_incomplete, start, finish),
		cmocka_unit_test_setup_teardown(
		    without_headers_all_of_it_counts_as_code, start, finish),
	};

	system_init();
	metadata_init();
	prof_objects_init();
	page = system_info.page_size;
	memory = mmap(NULL, PLACES * 2 * page, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
