#include <stdlib.h>

#include "report.h"
#include "tool.h"

struct edge_table {
	struct edge *edges;
	size_t count;
	unsigned *slots; /* edge + 1 */
	size_t mask;
};

static size_t
slot_find(const struct edge_table *table, unsigned caller, unsigned callee)
{
	unsigned key[2] = { caller, callee };
	size_t at = hash_bytes(key, sizeof(key)) & table->mask;

	for (; table->slots[at] != 0; at = (at + 1) & table->mask) {
		const struct edge *edge = &table->edges[table->slots[at] - 1];

		if (edge->caller == caller && edge->callee == callee)
			break;
	}
	return at;
}

static void
table_grow(struct edge_table *table)
{
	size_t size = table->slots == NULL ? 1024 : 2 * (table->mask + 1);

	free(table->slots);
	table->slots = memory(size, sizeof(*table->slots));
	table->mask = size - 1;
	for (size_t i = 0; i < table->count; i++)
		table->slots[slot_find(table, table->edges[i].caller,
		    table->edges[i].callee)] = (unsigned)i + 1;
}

static void
edge_add(struct edge_table *table, unsigned caller, unsigned callee,
    double value)
{
	if (2 * table->count >= table->mask)
		table_grow(table);
	size_t at = slot_find(table, caller, callee);

	if (table->slots[at] == 0) {
		table->edges = array_room(table->edges, table->count,
		    sizeof(*table->edges));
		table->edges[table->count] = (struct edge){ caller, callee, 0 };
		table->slots[at] = (unsigned)++table->count;
	}
	table->edges[table->slots[at] - 1].value += value;
}

struct edge *
report_edges(const struct report *report, size_t *count)
{
	struct edge_table table = { 0 };

	for (size_t i = 0; i < report->traces.count; i++) {
		const struct trace *trace = &report->traces.item[i];

		for (unsigned k = 1; k < trace->count; k++)
			edge_add(&table, trace->frames[k]->entry - 1,
			    trace->frames[k - 1]->entry - 1, trace->value);
	}
	free(table.slots);
	*count = table.count;
	return table.edges;
}
