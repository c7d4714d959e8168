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
static unsigned nasked; /* what is loaded there */
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

	nasked++;
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
	assert_int_equal(mapped != before, closed.count + closed.nloaded != 0);
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
	at_map = NULL;
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
	assert_int_equal(piece_bytes, 0);
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

/* Behind them are those that are open and were noted. */
static void
assert_loaded(const bool *noted)
{
	struct prof_closed closed;
	size_t count = 0;

	assert_true(prof_closed_take(&closed));
	for (size_t i = 0; i < PLACES; i++)
		count += noted[i];
	assert_int_equal(closed.nloaded, count);
	for (size_t i = 0; i < count; i++) {
		const struct prof_mapping *mapping =
		    &closed.item[closed.count + i];
		size_t at = (mapping->start - (uintptr_t)memory) / (2 * page);

		assert_true(noted[at]);
		assert_closed(mapping, at, places[at].file);
	}
	prof_closed_end(&closed);
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
			places[at].handle = (int)random_below(&seed, 2);
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
		assert_loaded(noted);
		if (random_below(&seed, 200) != 0)
			continue;
		prof_objects_forget();
		memset(noted, 0, sizeof(noted));
		ngone = 0;
	}
}

/* One that was noted is closed, and another one has its place. */
static void
give_place_to_another(void)
{
	open_file(0, 2);
	note(0);
	close_file(0);
	open_file(0, 4);
	places[0].handle = 1;
}

/* Not all that loads something says so. But then the handle may be new. */
static void
what_has_the_place_of_another_object_is_seen(void **state)
{
	(void)state;
	give_place_to_another();
	note(0);
	gone[ngone++] = (struct gone){ 0, 2 };
	assert_all_closed(false);
	close_file(0);
	prof_objects_settle();
	gone[ngone++] = (struct gone){ 0, 4 };
	assert_all_closed(false);
}

/* The next sample, or the next profile, may come after both. */
static void
what_has_its_place_when_it_is_looked_for_is_another(void **state)
{
	(void)state;
	give_place_to_another();
	prof_objects_settle();
	gone[ngone++] = (struct gone){ 0, 2 };
	assert_all_closed(false);
}

static void
note_one(const char *pc)
{
	/* What is behind the stack is not of it. */
	void *pcs[] = { (void *)(uintptr_t)pc, place_start(7) + page + 50 };

	prof_objects_note(pcs, 1);
}

/* Where a call returns to may be behind the code. */
static void
a_frame_is_where_its_call_is(void **state)
{
	(void)state;
	open_file(7, 9);
	open_file(0, 2);
	note_one(place_start(0) + page + 1);
	assert_int_equal(npieces, 1);
	open_file(1, 3);
	note_one(place_start(1) + page + 100);
	assert_int_equal(npieces, 2);
	close_file(0);
	close_file(1);
	prof_objects_settle();
	gone[ngone++] = (struct gone){ 0, 2 };
	gone[ngone++] = (struct gone){ 1, 3 };
	assert_all_closed(false);
}

static void
what_is_known_is_not_entered_again(void **state)
{
	void *pcs[4];

	(void)state;
	open_file(0, 2);
	note_one(place_start(0) + page + 50);
	piece_fault.calls = 0;
	note_one(place_start(0) + page + 1);
	note_one(place_start(0) + 2 * page);
	assert_int_equal(piece_fault.calls, 0);
	/* Nor is it looked for again in one stack. */
	for (unsigned i = 0; i < ARRAY_LEN(pcs); i++)
		pcs[i] = place_start(0) + page + 50 + i;
	nasked = 0;
	prof_objects_note(pcs, ARRAY_LEN(pcs));
	assert_int_equal(nasked, 1);
}

static void
what_follows_at_once_is_another_object(void **state)
{
	(void)state;
	open_file(0, 2);
	note(0);
	open_file(1, 3);
	/* Without its headers it is code from its first byte on. */
	assert_int_equal(mprotect(place_start(1), page, PROT_NONE), 0);
	note_one(place_start(1) + 1);
	assert_int_equal(mprotect(place_start(1), page, PROT_READ | PROT_WRITE),
	    0);
	assert_int_equal(npieces, 2);
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
a_closed_one_is_forgotten_behind_one_that_is_loaded(void **state)
{
	(void)state;
	for (size_t i = 0; i <= KEPT; i++) {
		open_file(i, 2);
		note(i);
		if (i == 1 || i == 2) {
			close_file(i);
			prof_objects_settle();
		}
	}
	assert_int_equal(npieces, KEPT);
	gone[ngone++] = (struct gone){ 2, 2 };
	assert_all_closed(true);
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

/* They are closed while there is a list already, but too short for them. */
static void
close_many(void)
{
	at_map = NULL;
	for (size_t i = 1; i < page / sizeof(struct prof_mapping); i++) {
		open_file(i, 2);
		note(i);
		close_file(i);
	}
	prof_objects_settle();
}

static void
forget_all(void)
{
	at_map = NULL;
	prof_objects_forget();
}

static void
the_list_is_empty_if_all_are_forgotten_meanwhile(void **state)
{
	(void)state;
	open_file(0, 2);
	note(0);
	at_map = forget_all;
	assert_all_closed(false);
	assert_null(at_map);
}

static void
the_list_has_those_that_are_closed_meanwhile(void **state)
{
	/* Room for one has room for all of them without their names. */
	size_t before, count = page / sizeof(struct prof_mapping);
	const struct prof_mapping *last;
	struct prof_closed closed;

	(void)state;
	if (count > KEPT)
		SKIP_TEST("in a page there is room for more than are kept");
	for (size_t i = 0; i < count; i++)
		gone[ngone++] = (struct gone){ i, 2 };
	open_file(0, 2);
	note(0);
	close_file(0);
	prof_objects_settle();
	at_map = close_many;
	before = mapped;
	map_fault.calls = 0;
	assert_true(prof_closed_take(&closed));
	assert_int_equal(map_fault.calls, 2);
	assert_int_equal(mapped - before, closed.size);
	assert_int_equal(closed.count, ngone);
	last = &closed.item[closed.count - 1];
	assert_true(last->name + last->name_length <=
	    (char *)closed.item + closed.size);
	/* It does not need the objects. */
	prof_objects_forget();
	for (size_t i = 0; i < ngone; i++)
		assert_closed(&closed.item[i], gone[i].at, gone[i].file);
	prof_closed_end(&closed);
	assert_int_equal(mapped, before);
}

static void
assert_all_of_it_is_code(size_t at)
{
	struct prof_closed closed;

	close_file(at);
	prof_objects_settle();
	assert_true(prof_closed_take(&closed));
	assert_int_equal(closed.count, 1);
	assert_int_equal(closed.item->start, (uintptr_t)place_start(at));
	assert_int_equal(closed.item->end, (uintptr_t)place_start(at + 1));
	assert_int_equal(closed.item->id_length, 0);
	prof_closed_end(&closed);
	prof_objects_forget();
}

static void
without_headers_all_of_it_counts_as_code(void **state)
{
	(void)state;
	open_file(3, 2);
	assert_int_equal(mprotect(place_start(3), page, PROT_NONE), 0);
	note(3);
	assert_int_equal(mprotect(place_start(3), page, PROT_READ | PROT_WRITE),
	    0);
	assert_all_of_it_is_code(3);
}

/* Opens a file whose headers of segments begin at this offset. */
static void
open_with_segments_at(size_t offset)
{
	struct head *head = (struct head *)place_start(3);

	open_file(3, 2);
	memcpy(place_start(3) + offset, head->segment, sizeof(head->segment));
	head->file.e_phoff = offset;
	note(3);
}

static void
headers_are_read_in_the_first_page_alone(void **state)
{
	size_t room = sizeof(((struct head *)0)->segment);

	(void)state;
	open_with_segments_at(page - room);
	close_file(3);
	prof_objects_settle();
	gone[ngone++] = (struct gone){ 3, 2 };
	assert_all_closed(false);
	prof_objects_forget();
	open_with_segments_at(page - sizeof(ElfW(Phdr)) - 8);
	assert_all_of_it_is_code(3);
	open_with_segments_at(page);
	assert_all_of_it_is_code(3);
	open_with_segments_at(page + 8);
	assert_all_of_it_is_code(3);
}

/* Then the contents of the notes before count no more. */
static void
notes_that_can_not_be_read_have_no_id(void **state)
{
	struct head *head = (struct head *)place_start(3);
	struct {
		ElfW(Phdr) segment[4];
		ElfW(Nhdr) other;
		char other_owner[4];
		uint8_t contents[12];
		ElfW(Nhdr) note;
		char owner[4];
		uint8_t id[ID_SIZE];
	} more = { .other = { 4, 12, 5 },
		.other_owner = "GNU",
		.note = { 4, ID_SIZE, NT_GNU_BUILD_ID },
		.owner = "GNU" };
	struct prof_closed closed;

	(void)state;
	open_file(3, 2);
	memcpy(more.segment, head->segment, sizeof(head->segment));
	more.segment[2].p_offset = 1024 + sizeof(more.segment);
	more.segment[2].p_filesz = sizeof(more) - sizeof(more.segment);
	/* The id is there only for those who read it with another alignment. */
	more.segment[2].p_align = 8;
	more.segment[3] = more.segment[2];
	more.segment[3].p_offset = page;
	more.segment[3].p_align = 4;
	memcpy(place_start(3) + 1024, &more, sizeof(more));
	head->file.e_phoff = 1024;
	head->file.e_phnum = 4;
	note(3);
	close_file(3);
	prof_objects_settle();
	assert_true(prof_closed_take(&closed));
	assert_int_equal(closed.count, 1);
	assert_int_equal(closed.item->start, (uintptr_t)place_start(3) + page);
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
		cmocka_unit_test_setup_teardown(
		    what_has_its_place_when_it_is_looked_for_is_another, start,
		    finish),
		cmocka_unit_test_setup_teardown(a_frame_is_where_its_call_is,
		    start, finish),
		cmocka_unit_test_setup_teardown(
		    what_is_known_is_not_entered_again, start, finish),
		cmocka_unit_test_setup_teardown(
		    what_follows_at_once_is_another_object, start, finish),
		cmocka_unit_test_setup_teardown(
		    a_closed_one_is_forgotten_behind_one_that_is_loaded, start,
		    finish),
		cmocka_unit_test_setup_teardown(
		    the_list_has_those_that_are_closed_meanwhile, start,
		    finish),
		cmocka_unit_test_setup_teardown(
		    the_list_is_empty_if_all_are_forgotten_meanwhile, start,
		    finish),
		cmocka_unit_test_setup_teardown(
		    headers_are_read_in_the_first_page_alone, start, finish),
		cmocka_unit_test_setup_teardown(
		    notes_that_can_not_be_read_have_no_id, start, finish),
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
