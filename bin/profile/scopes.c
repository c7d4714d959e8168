#include "scopes.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

struct range {
	Dwarf_Addr low, high;
	size_t number; /* in the order of the tree, outer first */
	const struct scope *scope;
};

/* Up to the start of the next segment, this is the innermost function. */
struct segment {
	Dwarf_Addr start;
	const struct scope *scope;
};

struct unit {
	const void *key;
	struct range *ranges; /* while the table is made */
	size_t nranges;
	struct segment *segments;
	size_t nsegments;
};

static struct {
	struct unit **units;
	size_t count;
	struct unit *last;
} scopes;

static const struct scope *
scope_add(struct unit *unit, Dwarf_Die *die, const struct scope *parent)
{
	struct scope *scope = NULL;
	Dwarf_Addr base, low, high;
	ptrdiff_t offset = 0;

	while ((offset = dwarf_ranges(die, offset, &base, &low, &high)) > 0) {
		if (scope == NULL) {
			scope = memory(1, sizeof(*scope));
			scope->die = *die;
			scope->inlined = dwarf_tag(die) ==
			    DW_TAG_inlined_subroutine;
			scope->parent = scope->inlined ? parent : NULL;
		}
		unit->ranges = array_room(unit->ranges, unit->nranges,
		    sizeof(*unit->ranges));
		unit->ranges[unit->nranges] = (struct range){ low, high,
			unit->nranges, scope };
		unit->nranges++;
	}
	return scope;
}

static bool
holds_functions(int tag)
{
	switch (tag) {
	case DW_TAG_subprogram:
	case DW_TAG_inlined_subroutine:
	case DW_TAG_lexical_block:
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
	case DW_TAG_try_block:
	case DW_TAG_catch_block:
		return true;
	default:
		return false;
	}
}

static void
tree_walk(struct unit *unit, Dwarf_Die *die, const struct scope *parent)
{
	Dwarf_Die child;

	if (dwarf_child(die, &child) != 0)
		return;
	do {
		int tag = dwarf_tag(&child);
		const struct scope *scope = NULL;

		if (!holds_functions(tag))
			continue;
		if (tag == DW_TAG_subprogram ||
		    tag == DW_TAG_inlined_subroutine)
			scope = scope_add(unit, &child, parent);
		tree_walk(unit, &child, scope != NULL ? scope : parent);
	} while (dwarf_siblingof(&child, &child) == 0);
}

static int
compare_ranges(const void *a, const void *b)
{
	const struct range *first = a, *second = b;

	if (first->low != second->low)
		return first->low < second->low ? -1 : 1;
	return first->number < second->number ? -1
					      : first->number > second->number;
}

static void
segment_add(struct unit *unit, Dwarf_Addr start, const struct scope *scope)
{
	if (unit->nsegments > 0 &&
	    unit->segments[unit->nsegments - 1].start == start) {
		unit->segments[unit->nsegments - 1].scope = scope;
		return;
	}
	unit->segments = array_room(unit->segments, unit->nsegments,
	    sizeof(*unit->segments));
	unit->segments[unit->nsegments++] = (struct segment){ start, scope };
}

/*
 * Makes a sequence of segments from nested ranges, with a stack of the ranges
 * that are still open.
 */
static void
segments_make(struct unit *unit)
{
	size_t open = 0;
	struct range **stack = memory(unit->nranges + 1, sizeof(*stack));

	sort(unit->ranges, unit->nranges, sizeof(*unit->ranges),
	    compare_ranges);
	for (size_t i = 0; i <= unit->nranges; i++) {
		struct range *range = i < unit->nranges ? &unit->ranges[i]
							: NULL;

		while (open > 0 &&
		    (range == NULL || stack[open - 1]->high <= range->low)) {
			Dwarf_Addr end = stack[--open]->high;

			segment_add(unit, end,
			    open > 0 ? stack[open - 1]->scope : NULL);
		}
		if (range != NULL) {
			segment_add(unit, range->low, range->scope);
			stack[open++] = range;
		}
	}
	free(stack);
	free(unit->ranges);
	unit->ranges = NULL;
}

static struct unit *
unit_find(Dwarf_Die *die)
{
	if (scopes.last != NULL && scopes.last->key == die->addr)
		return scopes.last;
	for (size_t i = 0; i < scopes.count; i++) {
		if (scopes.units[i]->key == die->addr)
			return scopes.last = scopes.units[i];
	}
	struct unit *unit = memory(1, sizeof(*unit));

	unit->key = die->addr;
	tree_walk(unit, die, NULL);
	segments_make(unit);
	scopes.units = array_room(scopes.units, scopes.count,
	    sizeof(struct unit *));
	scopes.units[scopes.count++] = unit;
	return scopes.last = unit;
}

const struct scope *
scopes_find(Dwarf_Die *die, Dwarf_Addr address)
{
	const struct unit *unit = unit_find(die);
	size_t at = rows_upto(unit->segments, unit->nsegments,
	    sizeof(*unit->segments), address);

	return at == 0 ? NULL : unit->segments[at - 1].scope;
}

const char *
scopes_file(Dwarf_Die *function)
{
	Dwarf_Attribute attribute;
	Dwarf_Word number;
	Dwarf_Die unit;
	Dwarf_Files *files;
	size_t count;

	if (dwarf_attr_integrate(function, DW_AT_decl_file, &attribute) ==
		NULL ||
	    dwarf_formudata(&attribute, &number) != 0 ||
	    dwarf_cu_die(attribute.cu, &unit, NULL, NULL, NULL, NULL, NULL,
		NULL) == NULL ||
	    dwarf_getsrcfiles(&unit, &files, &count) != 0 || number >= count)
		return NULL;
	return dwarf_filesrc(files, number, NULL, NULL);
}

/*
 * Does the line have code of the function itself, in its own file? A line has
 * no code if another line follows at the same address.
 */
static bool
line_is_own(Dwarf_Line *line, Dwarf_Line *follower, Dwarf_Die *unit,
    const struct scope *scope)
{
	Dwarf_Die die = scope->die;
	const char *of = dwarf_linesrc(line, NULL, NULL);
	const char *file = scopes_file(&die);
	Dwarf_Addr address, next;
	bool end;

	if (dwarf_lineendsequence(line, &end) != 0 || end)
		return false;
	return of != NULL && file != NULL && strcmp(of, file) == 0 &&
	    dwarf_lineaddr(line, &address) == 0 &&
	    dwarf_lineaddr(follower, &next) == 0 && next != address &&
	    scopes_find(unit, address) == scope;
}

int
scopes_last_line(const Dwarf_Die *of, const struct scope *scope)
{
	Dwarf_Die unit = *of;
	Dwarf_Lines *lines;
	size_t count;
	int last = 0, number;

	if (dwarf_getsrclines(&unit, &lines, &count) != 0)
		return 0;
	for (size_t i = 0; i + 1 < count; i++) {
		Dwarf_Line *line = dwarf_onesrcline(lines, i);
		Dwarf_Line *follower = dwarf_onesrcline(lines, i + 1);

		if (dwarf_lineno(line, &number) == 0 && number > last &&
		    line_is_own(line, follower, &unit, scope))
			last = number;
	}
	return last;
}
