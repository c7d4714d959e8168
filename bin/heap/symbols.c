#include "symbols.h"

#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "names.h"
#include "target.h"
#include "tool.h"

#define BUILD_ID_MAX 64

struct symbol_row {
	uint64_t start, end; /* as linked */
	const char *name;
	int rank; /* among those at one place, 0 is best */
};

struct symbol_table {
	struct symbol_row *rows;
	size_t count;
};

static int
row_rank(const GElf_Sym *symbol)
{
	int binding = GELF_ST_BIND(symbol->st_info);

	return binding == STB_GLOBAL ? 0 : binding == STB_WEAK ? 1 : 2;
}

static void
section_read(struct symbol_table *table, Elf *elf, Elf_Scn *section,
    const GElf_Shdr *header)
{
	Elf_Data *data = elf_getdata(section, NULL);
	size_t count = data == NULL || header->sh_entsize == 0
	    ? 0
	    : header->sh_size / header->sh_entsize;
	GElf_Sym symbol;

	for (size_t i = 0; i < count && i <= INT32_MAX; i++) {
		if (gelf_getsym(data, (int)i, &symbol) == NULL)
			break;
		int type = GELF_ST_TYPE(symbol.st_info);

		if ((type != STT_FUNC && type != STT_OBJECT &&
			type != STT_GNU_IFUNC) ||
		    symbol.st_shndx == SHN_UNDEF)
			continue;
		const char *name = elf_strptr(elf, header->sh_link,
		    symbol.st_name);

		if (name == NULL || name[0] == '\0')
			continue;
		table->rows = array_room(table->rows, table->count,
		    sizeof(struct symbol_row));
		table->rows[table->count++] = (struct symbol_row){
			.start = symbol.st_value,
			.name = name,
			.end = symbol.st_value +
			    (symbol.st_size == 0 ? 1 : symbol.st_size),
			.rank = row_rank(&symbol),
		};
	}
}

/* Its names stay in the Elf, which is never closed. */
static bool
sections_read(struct symbol_table *table, Elf *elf, unsigned type)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	size_t before = table->count;

	while ((section = elf_nextscn(elf, section)) != NULL) {
		if (gelf_getshdr(section, &header) != NULL &&
		    header.sh_type == type)
			section_read(table, elf, section, &header);
	}
	return table->count > before;
}

/* Where Debian and others keep the symbols that were stripped. */
static char *
debug_path(Elf *elf)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	GElf_Nhdr note;
	size_t name, contents;

	while ((section = elf_nextscn(elf, section)) != NULL) {
		if (gelf_getshdr(section, &header) == NULL ||
		    header.sh_type != SHT_NOTE)
			continue;
		Elf_Data *data = elf_getdata(section, NULL);

		if (data == NULL ||
		    gelf_getnote(data, 0, &note, &name, &contents) == 0 ||
		    note.n_type != NT_GNU_BUILD_ID || note.n_descsz < 2 ||
		    note.n_descsz > BUILD_ID_MAX)
			continue;
		const unsigned char *id = (const unsigned char *)data->d_buf +
		    contents;
		char text[2 * BUILD_ID_MAX + 1];

		for (unsigned i = 0; i < note.n_descsz; i++)
			sprintf(text + 2 * i, "%02x", id[i]);
		return print("/usr/lib/debug/.build-id/%.2s/%s.debug", text,
		    text + 2);
	}
	return NULL;
}

static void
file_read(struct symbol_table *table, int fd)
{
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);

	if (elf == NULL || elf_kind(elf) != ELF_K_ELF ||
	    sections_read(table, elf, SHT_SYMTAB))
		return;
	char *path = debug_path(elf);
	int debug = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);

	free(path);
	if (debug >= 0) {
		Elf *other = elf_begin(debug, ELF_C_READ, NULL);

		if (other != NULL && elf_kind(other) == ELF_K_ELF &&
		    sections_read(table, other, SHT_SYMTAB))
			return;
	}
	sections_read(table, elf, SHT_DYNSYM);
}

static int
row_compare(const void *a, const void *b)
{
	const struct symbol_row *first = a, *second = b;

	if (first->start != second->start)
		return first->start < second->start ? -1 : 1;
	if (first->rank != second->rank)
		return first->rank > second->rank ? -1 : 1;
	return strcmp(second->name, first->name);
}

static const struct symbol_table *
table_of(const struct modules *modules, struct module *module)
{
	if (module->symbols != NULL)
		return module->symbols;
	module->symbols = memory(1, sizeof(struct symbol_table));
	int fd = module->path == NULL
	    ? -1
	    : target_open_file(modules->target, module->path);

	elf_version(EV_CURRENT);
	if (fd >= 0)
		file_read(module->symbols, fd);
	sort(module->symbols->rows, module->symbols->count,
	    sizeof(struct symbol_row), row_compare);
	return module->symbols;
}

bool
symbol_find(const struct modules *modules, uint64_t address,
    struct symbol *symbol)
{
	struct module *module = modules_at(modules, address);

	if (module == NULL)
		return false;
	const struct symbol_table *table = table_of(modules, module);
	uint64_t linked = address - module->bias;
	size_t at = rows_upto(table->rows, table->count,
	    sizeof(struct symbol_row), linked);

	*symbol = (struct symbol){ .module = module,
		.offset = address - module->start };
	if (at == 0 || table->rows[at - 1].end <= linked)
		return true;
	symbol->mangled = table->rows[at - 1].name;
	symbol->name = name_demangle(symbol->mangled);
	symbol->offset = linked - table->rows[at - 1].start;
	return true;
}

const char *
symbol_title(const struct symbol *symbol)
{
	if (symbol->name == NULL)
		return print("%s+%#" PRIx64,
		    symbol->module->path == NULL
			? "?"
			: base_name(symbol->module->path),
		    symbol->offset);
	if (symbol->offset == 0)
		return symbol->name;
	return print("%s+%" PRIu64, symbol->name, symbol->offset);
}

const char *
symbol_class(const struct symbol *symbol)
{
	static const char words[] = "vtable for ";

	if (symbol->mangled == NULL || strncmp(symbol->mangled, "_ZTV", 4) != 0)
		return NULL;
	return strncmp(symbol->name, words, sizeof(words) - 1) == 0
	    ? symbol->name + sizeof(words) - 1
	    : symbol->mangled + 4;
}
