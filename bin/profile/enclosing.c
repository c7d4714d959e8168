#include "enclosing.h"

#include <dwarf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

/* What is around a function; NULL: nothing. */
struct place {
	const struct place *parent;
	Dwarf_Die die;
};

struct row {
	uint64_t function; /* address of its tree node */
	const struct place *place;
};

struct unit {
	const void *key;
	struct row *rows;
	size_t count;
};

static struct {
	struct unit **units;
	size_t count;
} enclosing;

static int
compare(const void *a, const void *b)
{
	const struct row *first = a, *second = b;

	return first->function < second->function
	    ? -1
	    : first->function > second->function;
}

static bool
is_place(int tag)
{
	return tag == DW_TAG_namespace || tag == DW_TAG_structure_type ||
	    tag == DW_TAG_class_type || tag == DW_TAG_union_type ||
	    tag == DW_TAG_subprogram;
}

static void
tree_walk(struct unit *unit, Dwarf_Die *die, const struct place *place)
{
	Dwarf_Die child;

	if (dwarf_child(die, &child) != 0)
		return;
	do {
		int tag = dwarf_tag(&child);
		struct place *inner;

		if (tag == DW_TAG_lexical_block)
			tree_walk(unit, &child, place);
		if (!is_place(tag))
			continue;
		if (tag == DW_TAG_subprogram && place != NULL) {
			unit->rows = array_room(unit->rows, unit->count,
			    sizeof(*unit->rows));
			unit->rows[unit->count++] = (struct row){
				(uintptr_t)child.addr, place
			};
		}
		if (!dwarf_haschildren(&child))
			continue;
		inner = memory(1, sizeof(*inner));
		*inner = (struct place){ .parent = place, .die = child };
		tree_walk(unit, &child, inner);
	} while (dwarf_siblingof(&child, &child) == 0);
}

static const struct unit *
unit_find(Dwarf_Die *function)
{
	Dwarf_Die die;
	struct unit *unit;

	if (dwarf_diecu(function, &die, NULL, NULL) == NULL)
		return NULL;
	for (size_t i = enclosing.count; i-- > 0;) {
		if (enclosing.units[i]->key == die.addr)
			return enclosing.units[i];
	}
	unit = memory(1, sizeof(*unit));
	unit->key = die.addr;
	tree_walk(unit, &die, NULL);
	sort(unit->rows, unit->count, sizeof(*unit->rows), compare);
	enclosing.units = array_room(enclosing.units, enclosing.count,
	    sizeof(struct unit *));
	enclosing.units[enclosing.count++] = unit;
	return unit;
}

/* The declaration within a class, of which this is an instance. */
static Dwarf_Die
declaration(const Dwarf_Die *function)
{
	Dwarf_Die die = *function, next;
	Dwarf_Attribute attribute;

	for (unsigned i = 0; i < 4; i++) {
		if (dwarf_attr(&die, DW_AT_abstract_origin, &attribute) ==
			NULL &&
		    dwarf_attr(&die, DW_AT_specification, &attribute) == NULL)
			break;
		if (dwarf_formref_die(&attribute, &next) == NULL)
			break;
		die = next;
	}
	return die;
}

static char *
place_name(const struct place *place)
{
	Dwarf_Die die = place->die;
	const char *name;
	int line = 0;

	if (dwarf_tag(&die) == DW_TAG_subprogram)
		die = declaration(&die);
	name = dwarf_diename(&die);
	if (dwarf_tag(&die) == DW_TAG_namespace)
		return print("%s", name ? name : "(anonymous namespace)");
	if (name != NULL && strncmp(name, "<lambda", 7) != 0)
		return print("%s", name);
	dwarf_decl_line(&die, &line);
	return print("{%s:%d}", name != NULL ? "lambda" : "unnamed", line);
}

const char *
enclosing_name(Dwarf_Die *function)
{
	Dwarf_Die die = declaration(function);
	const struct unit *unit = unit_find(&die);
	const char *name = dwarf_diename(&die), *result;
	size_t at;
	char *text;

	if (unit == NULL || name == NULL)
		return name;
	at = rows_upto(unit->rows, unit->count, sizeof(*unit->rows),
	    (uintptr_t)die.addr);
	if (at == 0 || unit->rows[at - 1].function != (uintptr_t)die.addr)
		return name;
	text = print("%s", name);
	for (const struct place *place = unit->rows[at - 1].place;
	     place != NULL; place = place->parent) {
		char *outer = place_name(place);
		char *longer = print("%s::%s", outer, text);

		free(outer);
		free(text);
		text = longer;
	}
	result = intern(text);
	free(text);
	return result;
}
