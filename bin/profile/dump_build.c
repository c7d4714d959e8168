#include "dump_build.h"

#include <math.h>
#include <string.h>

#include "tool.h"

struct dump_stack *
dump_stack_add(struct dump *dump)
{
	dump->stacks = array_room(dump->stacks, dump->nstacks,
	    sizeof(*dump->stacks));
	dump->stacks[dump->nstacks] = (struct dump_stack){
		.first = dump->npcs
	};
	return &dump->stacks[dump->nstacks++];
}

void
dump_thread_add(struct dump *dump, uint64_t uid)
{
	size_t at = dump->nthreads;

	while (at > 0 && dump->threads[at - 1] > uid)
		at--;
	if (at > 0 && dump->threads[at - 1] == uid)
		return;
	dump->threads = array_room(dump->threads, dump->nthreads,
	    sizeof(*dump->threads));
	memmove(dump->threads + at + 1, dump->threads + at,
	    (dump->nthreads - at) * sizeof(*dump->threads));
	dump->threads[at] = uid;
	dump->nthreads++;
}

struct dump_symbol *
dump_symbol_add(struct dump *dump, uint64_t pc)
{
	dump->symbols = array_room(dump->symbols, dump->nsymbols,
	    sizeof(*dump->symbols));
	dump->symbols[dump->nsymbols] = (struct dump_symbol){ .pc = pc };
	return &dump->symbols[dump->nsymbols++];
}

void
dump_symbol_line(struct dump_symbol *symbol, const struct dump_line *line)
{
	symbol->lines = array_room(symbol->lines, symbol->nlines,
	    sizeof(*symbol->lines));
	symbol->lines[symbol->nlines++] = *line;
}

void
dump_mapping_add(struct dump *dump, const struct mapping *map)
{
	dump->maps = array_room(dump->maps, dump->nmaps, sizeof(*map));
	dump->maps[dump->nmaps++] = *map;
}

/*
 * A sample of mean size z stands for 1 / (1 - e^(-z/period)) objects. This
 * holds only for a single line, because sums of lines mix sizes.
 */
static double
unsampled(double objects, double bytes, const struct dump *dump,
    bool want_bytes)
{
	double value = want_bytes ? bytes : objects;
	double period = dump->period;

	/* They are estimates already, perhaps of a difference. */
	if (dump->form == DUMP_PROTO)
		return value;
	if (objects <= 0 || bytes <= 0)
		return 0;
	if (period <= 1)
		return value;
	if (dump->by_ratio)
		return value / fmin(1, bytes / objects / period);
	return value / -expm1(-(bytes / objects) / period);
}

const char *
dump_program(const struct dump *dump)
{
	if (dump->binary != NULL)
		return dump->binary;
	return dump->nmaps > 0 && dump->maps[0].is_file ? dump->maps[0].path
							: dump->path;
}

double
dump_value(const struct dump_counts *counts, const struct dump *dump,
    enum dump_view view)
{
	bool bytes = view == INUSE_SPACE || view == ALLOC_SPACE;

	if (view == INUSE_SPACE || view == INUSE_OBJECTS)
		return unsampled(counts->objects, counts->bytes, dump, bytes);
	return unsampled(counts->objects_ever, counts->bytes_ever, dump, bytes);
}

void
dump_closed_more(const struct dump *dump)
{
	note("%s: more libraries were closed than are listed: frames of these "
	     "may have wrong names",
	    dump->path);
}
