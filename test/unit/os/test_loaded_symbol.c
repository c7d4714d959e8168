#include "os/loaded_symbol.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../unit.h"

/* ---- objects that the loader has loaded, against dlsym() ---- */

static const ElfW(Dyn) *
entry_of(const struct link_map *map, ElfW(Sxword) tag)
{
	const ElfW(Dyn) *entry = map->l_ld;

	while (entry->d_tag != DT_NULL && entry->d_tag != tag)
		entry++;
	assert_true(entry->d_tag == tag);
	return entry;
}

/* Returns how many functions were compared. */
static unsigned
compare_all(void *handle)
{
	const struct link_map *map;
	const ElfW(Sym) *symbol;
	const char *names;
	unsigned n = 0;

	assert_int_equal(dlinfo(handle, RTLD_DI_LINKMAP, &map), 0);
	symbol = (const ElfW(Sym) *)entry_of(map, DT_SYMTAB)->d_un.d_ptr;
	names = (const char *)entry_of(map, DT_STRTAB)->d_un.d_ptr;
	/* The names follow the symbols in what the usual linkers write. */
	for (symbol++; (const char *)(symbol + 1) <= names; symbol++) {
		const char *name = names + symbol->st_name;
		uintptr_t found = loaded_symbol(map->l_addr, name);
		void *expected = dlsym(handle, name);

		if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC ||
		    symbol->st_shndx == SHN_UNDEF) {
			/* Another symbol of this name may be one. */
			assert_true(found == 0 || found == (uintptr_t)expected);
			continue;
		}
		/* Only old versions: dlsym() may choose one of them. */
		if (found == 0)
			continue;
		assert_true(found == (uintptr_t)expected);
		n++;
	}
	return n;
}

static void
each_function_is_the_one_that_dlsym_finds(void **state)
{
	void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
	void *cmocka = dlopen("libcmocka.so.0", RTLD_NOW | RTLD_NOLOAD);

	(void)state;
	if (libc == NULL || cmocka == NULL)
		SKIP_TEST("needs glibc and a shared cmocka");
	assert_true(compare_all(libc) > 1000);
	assert_true(compare_all(cmocka) > 30);
	dlclose(libc);
	dlclose(cmocka);
}

static void
other_names_are_not_found(void **state)
{
	static const char *const names[] = { "", "no_such_function", "environ",
		"pthread_creat", "pthread_create2", "memcpy@" };
	void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
	const struct link_map *map;

	(void)state;
	if (libc == NULL)
		SKIP_TEST("needs glibc");
	assert_int_equal(dlinfo(libc, RTLD_DI_LINKMAP, &map), 0);
	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		assert_true(loaded_symbol(map->l_addr, names[i]) == 0);
	assert_true(loaded_symbol(map->l_addr, "qsort") != 0);
	assert_true(loaded_symbol(0, "qsort") == 0);
	dlclose(libc);
}

/* ---- an object that is made here ---- */

enum { HIDDEN_ONE = 1, ONE, TWO, DATA, ELSEWHERE, NSYMBOLS, NBUCKETS = 97 };

static const char texts[] = "\0one\0two_that_has_a_long_name\0data\0elsewhere";
static const char *const two = texts + 5;

struct object {
	ElfW(Ehdr) header;
	ElfW(Phdr) segment[2];
	ElfW(Dyn) dynamic[7];
	ElfW(Sym) symbol[NSYMBOLS];
	ElfW(Addr) bloom_and_code[2];
	uint32_t gnu_hash[4 + sizeof(ElfW(Addr)) / 4 + 1 + NSYMBOLS - 1];
	uint32_t hash[2 + NBUCKETS + NSYMBOLS];
	uint16_t version[NSYMBOLS];
	char names[sizeof(texts)];
};

static uint32_t
gnu_hash_of(const char *name)
{
	uint32_t hash = 5381;

	for (; *name != '\0'; name++)
		hash = hash * 33 + (unsigned char)*name;
	return hash;
}

/* As the generic part of the System V ABI defines it. */
static uint32_t
hash_of(const char *name)
{
	uint32_t hash = 0;

	for (; *name != '\0'; name++) {
		uint32_t high;

		hash = (hash << 4) + (unsigned char)*name;
		high = hash & 0xf0000000;
		if (high != 0)
			hash ^= high >> 24;
		hash &= ~high;
	}
	return hash;
}

static ElfW(Sym)
symbol_of(const char *name, unsigned type, size_t place)
{
	size_t at = 0;

	while (strcmp(texts + at, name) != 0)
		at += strlen(texts + at) + 1;
	return (ElfW(Sym)){ .st_name = (ElfW(Word))at,
		.st_shndx = 1,
		.st_info = (unsigned char)ELF64_ST_INFO(STB_GLOBAL, type),
		.st_value = place };
}

#define AT(member) offsetof(struct object, member)

static void
fill_hashes(struct object *o)
{
	size_t at = 4 + sizeof(ElfW(Addr)) / 4;

	o->gnu_hash[0] = 1;    /* buckets */
	o->gnu_hash[1] = 1;    /* the first symbol */
	o->gnu_hash[2] = 1;    /* words of the Bloom filter */
	o->gnu_hash[at++] = 1; /* the bucket */
	for (unsigned i = 1; i < NSYMBOLS; i++)
		o->gnu_hash[at++] =
		    (gnu_hash_of(o->names + o->symbol[i].st_name) & ~1u) |
		    (i == NSYMBOLS - 1);
	o->hash[0] = NBUCKETS;
	o->hash[1] = NSYMBOLS;
	for (unsigned i = NSYMBOLS - 1; i > 0; i--) {
		uint32_t *bucket = &o->hash[2 +
		    hash_of(o->names + o->symbol[i].st_name) % NBUCKETS];

		o->hash[2 + NBUCKETS + i] = *bucket;
		*bucket = i;
	}
}

/* `moved`: as by a loader that puts addresses into the dynamic section. */
static void
object_fill(struct object *o, ElfW(Sxword) hash_tag, bool moved)
{
	uintptr_t by = moved ? (uintptr_t)o : 0;

	*o = (struct object){ .header = { .e_ident = ELFMAG,
				  .e_phoff = AT(segment),
				  .e_phnum = 2,
				  .e_phentsize = sizeof(ElfW(Phdr)) } };
	o->segment[0] = (ElfW(Phdr)){
		.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_memsz = sizeof(*o)
	};
	o->segment[1] = (ElfW(Phdr)){ .p_type = PT_DYNAMIC,
		.p_vaddr = AT(dynamic) };
	memcpy(o->names, texts, sizeof(texts));
	o->symbol[HIDDEN_ONE] = symbol_of("one", STT_FUNC, 1);
	o->symbol[ONE] = symbol_of("one", STT_FUNC, AT(bloom_and_code));
	o->symbol[TWO] = symbol_of(two, STT_FUNC, AT(bloom_and_code) + 8);
	o->symbol[DATA] = symbol_of("data", STT_OBJECT, AT(bloom_and_code));
	o->symbol[ELSEWHERE] = symbol_of("elsewhere", STT_FUNC, 0);
	o->symbol[ELSEWHERE].st_shndx = SHN_UNDEF;
	for (unsigned i = 1; i < NSYMBOLS; i++)
		o->version[i] = i == HIDDEN_ONE ? 0x8002 : 3;
	fill_hashes(o);
	o->dynamic[0] = (ElfW(Dyn)){ DT_SYMTAB, { by + AT(symbol) } };
	o->dynamic[1] = (ElfW(Dyn)){ DT_STRTAB, { by + AT(names) } };
	o->dynamic[2] = (ElfW(Dyn)){ DT_STRSZ, { sizeof(texts) } };
	o->dynamic[3] = (ElfW(Dyn)){ DT_VERSYM, { by + AT(version) } };
	o->dynamic[4] = (ElfW(Dyn)){ hash_tag,
		{ by + (hash_tag == DT_HASH ? AT(hash) : AT(gnu_hash)) } };
}

/* Ends where readable memory ends. */
static struct object *object;

static int
set_up(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t room = (sizeof(*object) + page - 1) / page * page;
	char *memory = mmap(NULL, room + page, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	if (memory == MAP_FAILED ||
	    mprotect(memory + room, page, PROT_NONE) != 0)
		return -1;
	object = (struct object *)(void *)(memory + room - sizeof(*object));
	return 0;
}

static uintptr_t
look_up(const char *name)
{
	return loaded_symbol((uintptr_t)object, name);
}

static void
expect_usual_answers(void)
{
	uintptr_t code = (uintptr_t)object + AT(bloom_and_code);

	assert_true(look_up("one") == code);
	assert_true(look_up(two) == code + 8);
	assert_true(look_up("data") == 0);
	assert_true(look_up("elsewhere") == 0);
	assert_true(look_up("on") == 0);
}

static void
both_kinds_of_hash_and_of_addresses_work(void **state)
{
	(void)state;
	for (unsigned moved = 0; moved < 2; moved++) {
		object_fill(object, DT_GNU_HASH, moved);
		expect_usual_answers();
		object_fill(object, DT_HASH, moved);
		expect_usual_answers();
	}
}

/* As the kernel's object of old x86-64 kernels: at the top of memory. */
static void
an_object_that_was_linked_to_an_address_is_found_elsewhere(void **state)
{
	uintptr_t by = (uintptr_t)0 - (1u << 20);

	(void)state;
	object_fill(object, DT_GNU_HASH, false);
	for (unsigned i = 0; i < 2; i++)
		object->segment[i].p_vaddr += by;
	for (unsigned i = 0; i < 5; i++)
		if (object->dynamic[i].d_tag != DT_STRSZ)
			object->dynamic[i].d_un.d_ptr += by;
	for (unsigned i = 1; i < NSYMBOLS; i++)
		object->symbol[i].st_value += by;
	expect_usual_answers();
}

static void
code_outside_the_object_is_no_answer(void **state)
{
	(void)state;
	object_fill(object, DT_GNU_HASH, false);
	object->symbol[ONE].st_value = sizeof(*object);
	object->segment[0].p_flags = PF_R | PF_X;
	assert_true(look_up("one") == 0);
	assert_true(look_up(two) != 0);
	object->segment[0].p_flags = PF_R;
	assert_true(look_up(two) == 0);
}

static void
a_header_that_is_none_is_no_answer(void **state)
{
	(void)state;
	object_fill(object, DT_GNU_HASH, false);
	object->header.e_ident[1] = 'e';
	assert_true(look_up("one") == 0);
	object_fill(object, DT_GNU_HASH, false);
	object->header.e_phnum = 0xffff;
	assert_true(look_up("one") == 0);
	object_fill(object, DT_GNU_HASH, false);
	object->header.e_phoff = (ElfW(Off))-8;
	assert_true(look_up("one") == 0);
}

/* A fault, or a search without end, would end this program. */
static void
damaged_tables_do_no_harm(void **state)
{
	size_t first = AT(dynamic), words = (sizeof(*object) - first) / 4;
	static const uint32_t bad[] = { 0, 1, 0x7fffffff, 0x80000000,
		0xffffffff, 0xfffffffc };
	uint64_t seed = 7;

	(void)state;
	for (unsigned round = 0; round < 40000; round++) {
		uint32_t *word = (uint32_t *)(void *)((char *)object + first);

		object_fill(object, round % 2 ? DT_HASH : DT_GNU_HASH,
		    round % 4 / 2);
		for (unsigned i = 0; i <= round % 3; i++) {
			uint64_t r = random_next(&seed);

			word[r % words] = r >> 63
			    ? (uint32_t)(r >> 20)
			    : bad[(r >> 40) % ARRAY_LEN(bad)];
		}
		look_up("one");
		look_up(two);
		look_up("none");
	}
}

static void
a_ring_of_symbols_ends(void **state)
{
	(void)state;
	object_fill(object, DT_HASH, false);
	for (unsigned i = 0; i < NBUCKETS; i++)
		object->hash[2 + i] = ONE;
	object->hash[2 + NBUCKETS + ONE] = ELSEWHERE;
	object->hash[2 + NBUCKETS + ELSEWHERE] = ONE;
	assert_true(look_up("none") == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_function_is_the_one_that_dlsym_finds),
		cmocka_unit_test(other_names_are_not_found),
		cmocka_unit_test(both_kinds_of_hash_and_of_addresses_work),
		cmocka_unit_test(
		    an_object_that_was_linked_to_an_address_is_found_elsewhere),
		cmocka_unit_test(code_outside_the_object_is_no_answer),
		cmocka_unit_test(a_header_that_is_none_is_no_answer),
		cmocka_unit_test(damaged_tables_do_no_harm),
		cmocka_unit_test(a_ring_of_symbols_ends),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
