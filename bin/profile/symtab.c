#include "symtab.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

struct row {
	GElf_Addr start, end;
	GElf_Addr reach; /* the largest end up to this row */
	const char *name;
	bool sized;
	int rank; /* among the names of a place; 0 is best */
};

struct symtab {
	struct row *rows;
	size_t count;
};

static bool
is_function(const GElf_Sym *symbol, GElf_Word section)
{
	int type = GELF_ST_TYPE(symbol->st_info);

	return section != SHN_UNDEF && section != SHN_ABS &&
	    (type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE);
}

/* Public names are best, then names with fewer leading underscores. */
static int
name_rank(const GElf_Sym *symbol, const char *name)
{
	int binding = GELF_ST_BIND(symbol->st_info);
	int rank = binding == STB_GLOBAL ? 0 : binding == STB_WEAK ? 8 : 16;

	return rank + (int)strspn(name, "_") % 8;
}

static bool
row_fill(struct row *row, Dwfl_Module *module, int number)
{
	GElf_Sym symbol;
	GElf_Addr address;
	GElf_Word section;
	Elf *elf;
	GElf_Shdr header;
	const char *name = dwfl_module_getsym_info(module, number, &symbol,
	    &address, &section, &elf, NULL);

	if (name == NULL || name[0] == '\0' || !is_function(&symbol, section))
		return false;
	Elf_Scn *in = elf == NULL ? NULL : elf_getscn(elf, section);

	if (in == NULL || gelf_getshdr(in, &header) == NULL ||
	    (header.sh_flags & SHF_EXECINSTR) == 0)
		return false;
	*row = (struct row){
		.start = address,
		.name = name,
		.sized = symbol.st_size != 0,
		.rank = name_rank(&symbol, name),
	};
	/*
	 * Without a size, the symbol reaches to the end of its section, which
	 * is moved by as many bytes as the symbol.
	 */
	row->end = row->sized
	    ? address + symbol.st_size
	    : header.sh_addr + header.sh_size + (address - symbol.st_value);
	return true;
}

static int
compare(const void *a, const void *b)
{
	const struct row *first = a, *second = b;

	if (first->start != second->start)
		return first->start < second->start ? -1 : 1;
	/* A search begins at the end, so the best name is the last. */
	if (first->sized != second->sized)
		return first->sized ? 1 : -1;
	if (first->rank != second->rank)
		return first->rank < second->rank ? 1 : -1;
	return strcmp(second->name, first->name);
}

struct symtab *
symtab_create(Dwfl_Module *module)
{
	struct symtab *symtab = memory(1, sizeof(*symtab));
	int count = dwfl_module_getsymtab(module);
	struct row row;

	for (int i = 0; i < count; i++) {
		if (!row_fill(&row, module, i))
			continue;
		symtab->rows = array_room(symtab->rows, symtab->count,
		    sizeof(row));
		symtab->rows[symtab->count++] = row;
	}
	sort(symtab->rows, symtab->count, sizeof(row), compare);

	GElf_Addr next = UINT64_MAX, reach = 0;

	for (size_t i = symtab->count; i-- > 0;) {
		struct row *at = &symtab->rows[i];

		if (!at->sized && next < at->end)
			at->end = next;
		if (i > 0 && symtab->rows[i - 1].start != at->start)
			next = at->start;
	}
	for (size_t i = 0; i < symtab->count; i++) {
		if (symtab->rows[i].end > reach)
			reach = symtab->rows[i].end;
		symtab->rows[i].reach = reach;
	}
	return symtab;
}

const char *
symtab_find(const struct symtab *symtab, GElf_Addr address,
    struct symtab_range *range)
{
	size_t at = rows_upto(symtab->rows, symtab->count,
	    sizeof(*symtab->rows), address);

	while (at > 0 && symtab->rows[at - 1].reach > address) {
		const struct row *row = &symtab->rows[--at];

		if (row->end <= address)
			continue;
		*range = (struct symtab_range){ row->start, row->end };
		return row->name;
	}
	return NULL;
}
