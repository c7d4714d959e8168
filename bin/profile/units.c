#include "units.h"

#include "tool.h"

struct row {
	Dwarf_Addr start, end;
	Dwarf_Addr reach; /* the largest end up to this row */
	Dwarf_Addr bias;
	Dwarf_Die unit;
};

struct units {
	struct row *rows;
	size_t count;
};

static int
compare(const void *a, const void *b)
{
	const struct row *first = a, *second = b;

	return first->start < second->start ? -1 : first->start > second->start;
}

struct units *
units_create(Dwfl_Module *module, bool (*is_code)(const void *, Dwarf_Addr),
    const void *context)
{
	struct units *units = memory(1, sizeof(*units));
	Dwarf_Die *unit = NULL;
	Dwarf_Addr bias = 0, base, low, high, reach = 0;

	while ((unit = dwfl_module_nextcu(module, unit, &bias)) != NULL) {
		ptrdiff_t offset = 0;

		while ((offset = dwarf_ranges(unit, offset, &base, &low,
			    &high)) > 0) {
			if (low >= high || !is_code(context, low + bias))
				continue;
			units->rows = array_room(units->rows, units->count,
			    sizeof(*units->rows));
			units->rows[units->count++] = (struct row){
				.start = low + bias,
				.end = high + bias,
				.bias = bias,
				.unit = *unit,
			};
		}
	}
	sort(units->rows, units->count, sizeof(*units->rows), compare);
	for (size_t i = 0; i < units->count; i++) {
		if (units->rows[i].end > reach)
			reach = units->rows[i].end;
		units->rows[i].reach = reach;
	}
	return units;
}

bool
units_find(const struct units *units, Dwarf_Addr address, Dwarf_Die *unit,
    Dwarf_Addr *bias)
{
	size_t at = rows_upto(units->rows, units->count, sizeof(*units->rows),
	    address);

	while (at > 0 && units->rows[at - 1].reach > address) {
		const struct row *row = &units->rows[--at];

		if (row->end <= address)
			continue;
		*unit = row->unit;
		*bias = row->bias;
		return true;
	}
	return false;
}
