#include "os/loaded_symbol.h"

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>

#include "util/compiler.h"

/* So that no sum of sizes overflows; the largest libraries have far less. */
#define COUNT_MAX      ((size_t)1 << 24)
#define VERSION_HIDDEN 0x8000 /* not the default one of its name */

struct image {
	uintptr_t base; /* address minus base = address in the file */
	const ElfW(Phdr) *headers;
	size_t count;
};

struct tables {
	uintptr_t symbols;
	uintptr_t names;
	size_t names_size;
	uintptr_t versions; /* 0: none */
	uintptr_t gnu_hash; /* 0: none */
	uintptr_t hash;     /* 0: none */
};

/* Is this in a segment with these rights? */
static bool
is_loaded(const struct image *image, uintptr_t address, size_t size,
    unsigned rights)
{
	for (size_t i = 0; i < image->count; i++) {
		const ElfW(Phdr) *segment = &image->headers[i];
		uintptr_t offset = address - image->base - segment->p_vaddr;

		if (segment->p_type == PT_LOAD &&
		    (segment->p_flags & rights) == rights &&
		    size <= segment->p_memsz &&
		    offset <= segment->p_memsz - size)
			return true;
	}
	return false;
}

/* Can a value of so many bytes be read there? */
static bool
has_value(const struct image *image, uintptr_t address, size_t size)
{
	return address % size == 0 && is_loaded(image, address, size, PF_R);
}

static bool
word_at(const struct image *image, uintptr_t address, uint32_t *word)
{
	if (!has_value(image, address, sizeof(*word)))
		return false;
	*word = *(const uint32_t *)address;
	return true;
}

static bool
image_init(struct image *image, uintptr_t object)
{
	const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)object;

	if (object % sizeof(ElfW(Addr)) != 0 ||
	    header->e_ident[EI_MAG0] != ELFMAG0 ||
	    header->e_ident[EI_MAG1] != ELFMAG1 ||
	    header->e_ident[EI_MAG2] != ELFMAG2 ||
	    header->e_ident[EI_MAG3] != ELFMAG3 ||
	    header->e_phentsize != sizeof(ElfW(Phdr)) ||
	    header->e_phoff % sizeof(ElfW(Addr)) != 0 ||
	    header->e_phoff > LOADED_HEADERS_SIZE ||
	    header->e_phnum >
		(LOADED_HEADERS_SIZE - header->e_phoff) / sizeof(ElfW(Phdr)))
		return false;
	image->headers = (const ElfW(Phdr) *)(object + header->e_phoff);
	image->count = header->e_phnum;
	for (size_t i = 0; i < image->count; i++)
		if (image->headers[i].p_type == PT_LOAD &&
		    image->headers[i].p_offset == 0) {
			image->base = object - image->headers[i].p_vaddr;
			return true;
		}
	return false;
}

/* Some loaders put the address into the table, others leave that of the file.
 */
static uintptr_t
relocated(const struct image *image, uintptr_t address)
{
	return is_loaded(image, address, 1, PF_R) ? address
						  : image->base + address;
}

static void
enter(struct tables *tables, const struct image *image, const ElfW(Dyn) *entry)
{
	uintptr_t address = relocated(image, entry->d_un.d_ptr);

	switch (entry->d_tag) {
	case DT_SYMTAB:
		tables->symbols = address;
		break;
	case DT_STRTAB:
		tables->names = address;
		break;
	case DT_STRSZ:
		tables->names_size = entry->d_un.d_val;
		break;
	case DT_VERSYM:
		tables->versions = address;
		break;
	case DT_GNU_HASH:
		tables->gnu_hash = address;
		break;
	case DT_HASH:
		tables->hash = address;
		break;
	}
}

static bool
tables_init(struct tables *tables, const struct image *image)
{
	uintptr_t at = 0;

	*tables = (struct tables){ 0 };
	for (size_t i = 0; i < image->count; i++)
		if (image->headers[i].p_type == PT_DYNAMIC)
			at = image->base + image->headers[i].p_vaddr;
	if (at % sizeof(ElfW(Addr)) != 0)
		return false;
	for (; is_loaded(image, at, sizeof(ElfW(Dyn)), PF_R);
	     at += sizeof(ElfW(Dyn))) {
		const ElfW(Dyn) *entry = (const ElfW(Dyn) *)at;

		if (entry->d_tag == DT_NULL)
			return tables->symbols % sizeof(ElfW(Addr)) == 0;
		enter(tables, image, entry);
	}
	return false;
}

/*
 * No function of the C library is called: those of a sanitizer, which stand for
 * them, must not be called before it has started.
 */
static size_t
text_size(const char *text)
{
	size_t size = 1;

	while (text[size - 1] != '\0') {
		HIDE(text); /* else this becomes a call of strlen() */
		size++;
	}
	return size;
}

static bool
same_text(const char *a, const char *b)
{
	while (*a == *b && *a != '\0') {
		a++;
		b++;
	}
	return *a == *b;
}

/* Its address, if symbol `index` is a function of this name; otherwise 0. */
static AT_START uintptr_t
function_at(const struct image *image, const struct tables *tables,
    size_t index, const char *name)
{
	uintptr_t at = tables->symbols + index * sizeof(ElfW(Sym));
	uintptr_t version = tables->versions + index * sizeof(uint16_t);
	const ElfW(Sym) *symbol = (const ElfW(Sym) *)at;
	size_t size = text_size(name);
	uintptr_t address;

	if (index >= COUNT_MAX ||
	    !is_loaded(image, at, sizeof(*symbol), PF_R) ||
	    symbol->st_shndx == SHN_UNDEF ||
	    ELF64_ST_TYPE(symbol->st_info) != STT_FUNC ||
	    ELF64_ST_BIND(symbol->st_info) == STB_LOCAL ||
	    size > tables->names_size ||
	    symbol->st_name > tables->names_size - size ||
	    !is_loaded(image, tables->names + symbol->st_name, size, PF_R) ||
	    !same_text((const char *)tables->names + symbol->st_name, name))
		return 0;
	if (tables->versions != 0 &&
	    (!has_value(image, version, sizeof(uint16_t)) ||
		(*(const uint16_t *)version & VERSION_HIDDEN) != 0))
		return 0;
	address = image->base + symbol->st_value;
	return is_loaded(image, address, 1, PF_X) ? address : 0;
}

static uintptr_t
find_by_gnu_hash(const struct image *image, const struct tables *tables,
    const char *name)
{
	uint32_t nbuckets, first, bloom_size, index, value, hash = 5381;
	uintptr_t buckets, chain, found;

	if (!word_at(image, tables->gnu_hash, &nbuckets) ||
	    !word_at(image, tables->gnu_hash + 4, &first) ||
	    !word_at(image, tables->gnu_hash + 8, &bloom_size) ||
	    nbuckets == 0 || nbuckets > COUNT_MAX || bloom_size > COUNT_MAX)
		return 0;
	for (const char *c = name; *c != '\0'; c++)
		hash = hash * 33 + (unsigned char)*c;
	buckets = tables->gnu_hash + 16 + bloom_size * sizeof(ElfW(Addr));
	chain = buckets + nbuckets * sizeof(uint32_t);
	if (!word_at(image, buckets + hash % nbuckets * sizeof(uint32_t),
		&index) ||
	    index < first)
		return 0;
	/* The lowest bit marks the last one of a chain. */
	do {
		if (!word_at(image,
			chain + (index - first) * (uintptr_t)sizeof(uint32_t),
			&value))
			return 0;
		found = (value | 1) != (hash | 1)
		    ? 0
		    : function_at(image, tables, index, name);
		index++;
	} while (found == 0 && (value & 1) == 0);
	return found;
}

/*
 * The older kind of table. Nothing is found on s390x, where its words have 64
 * bits.
 */
static uintptr_t
find_by_hash(const struct image *image, const struct tables *tables,
    const char *name)
{
	uint32_t nbuckets, count, index, hash = 0;
	uintptr_t at, found = 0;

	if (!word_at(image, tables->hash, &nbuckets) ||
	    !word_at(image, tables->hash + 4, &count) || nbuckets == 0 ||
	    nbuckets > COUNT_MAX || count > COUNT_MAX)
		return 0;
	for (const char *c = name; *c != '\0'; c++) {
		hash = (hash << 4) + (unsigned char)*c;
		hash = (hash ^ (hash >> 28 << 4)) & 0x0fffffff;
	}
	at = tables->hash + 8 + hash % nbuckets * sizeof(uint32_t);
	/* A damaged chain may be a ring. */
	for (uint32_t i = 0; i < count && found == 0; i++) {
		if (!word_at(image, at, &index) || index == 0 || index >= count)
			return 0;
		found = function_at(image, tables, index, name);
		at = tables->hash + 8 +
		    (nbuckets + index) * (uintptr_t)sizeof(uint32_t);
	}
	return found;
}

AT_START uintptr_t
loaded_symbol(uintptr_t object, const char *name)
{
	struct image image;
	struct tables tables;

	if (object == 0 || !image_init(&image, object) ||
	    !tables_init(&tables, &image))
		return 0;
	return tables.gnu_hash != 0 ? find_by_gnu_hash(&image, &tables, name)
				    : find_by_hash(&image, &tables, name);
}
