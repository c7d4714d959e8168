#include "report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "disassembly.h"
#include "images.h"
#include "pattern.h"
#include "source.h"
#include "tool.h"

#define FILE_WIDTH 55

struct row {
	const char *label;
	struct image *image;
	struct symtab_range range;
	uint64_t address;
	unsigned location;
};

struct rows {
	struct row *item;
	size_t count;
	struct samples samples;
};

/* A function, and its part of the rows. */
struct code {
	struct disassembly text;
	const struct row *rows;
	size_t count;
	struct samples *samples;
};

static int
compare_numbers(uint64_t first, uint64_t second)
{
	return first < second ? -1 : first > second;
}

static int
compare_routines(const struct row *first, const struct row *second)
{
	int order = strcmp(first->label, second->label);

	if (order == 0)
		order = compare_numbers((uintptr_t)first->image,
		    (uintptr_t)second->image);
	return order != 0
	    ? order
	    : compare_numbers(first->range.start, second->range.start);
}

static int
compare_rows(const void *a, const void *b)
{
	const struct row *first = a, *second = b;
	int order = compare_routines(first, second);

	return order != 0 ? order
			  : compare_numbers(first->address, second->address);
}

static void
rows_take(struct rows *rows, const struct report *report)
{
	const struct sample *samples = rows->samples.item;
	struct pattern routine = { 0 };

	pattern_compile(&routine, "disasm", report->routine);
	for (unsigned i = 0; i < symbols_count(); i++) {
		const struct location *location = symbols_get(i);
		const struct frame *frame;
		struct row row = { .image = location->image };

		if (sample_is_zero(&samples[i]) || location->image == NULL)
			continue;
		frame = &location->frames[location->nframes - 1];
		if (!pattern_matches(&routine, frame->label) ||
		    image_symbol(location->image, location->address,
			&row.range) == NULL)
			continue;
		row.label = frame->label;
		row.address = location->address;
		row.location = i;
		rows->item = array_room(rows->item, rows->count,
		    sizeof(*rows->item));
		rows->item[rows->count++] = row;
	}
}

/* The sum of instructions that follow each other. */
static struct sample
code_sum(struct code *code, const struct instruction *from,
    const struct instruction *to)
{
	struct sample sum = { 0, 0 };

	samples_begin(code->samples);
	for (size_t i = 0; i < code->count; i++) {
		const struct instruction *at = disassembly_find(&code->text,
		    code->rows[i].address);

		if (at != NULL && at >= from && at < to)
			samples_join(code->samples, code->rows[i].location,
			    &sum);
	}
	return sum;
}

static const char *
file_end(const char *file)
{
	size_t length = strlen(file);

	return length <= FILE_WIDTH
	    ? file
	    : print("...%s", file + length - FILE_WIDTH);
}

/* Prints instructions that follow each other and belong to one line. */
static size_t
code_print_line(const struct report *report, struct code *code, size_t at)
{
	const struct instruction *item = code->text.item, *first = &item[at];
	const struct source *source = first->file == NULL
	    ? NULL
	    : source_find(first->file);
	size_t end = at;

	while (end < code->text.count && item[end].file == first->file &&
	    item[end].line == first->line)
		end++;
	if (source != NULL && source->count > 0) {
		struct sample sum = code_sum(code, first, item + end);

		fprintf(report->to, "%s %5d: %s\n",
		    sample_columns(report, &sum), first->line,
		    source_line(source, first->line));
	}
	for (; at < end; at++)
		fprintf(report->to, "%s    %8" PRIx64 ": %6s\n",
		    sample_columns(report, &item[at].sample), item[at].address,
		    item[at].text);
	return end;
}

static void
code_print(const struct report *report, struct code *code)
{
	const char *file = NULL;

	for (size_t at = 0; at < code->text.count;) {
		const char *next = code->text.item[at].file;

		if (next != NULL && next != file)
			fprintf(report->to, "-------------------- %s\n",
			    file_end(next));
		file = next;
		at = code_print_line(report, code, at);
	}
}

static void
routine_print(const struct report *report, struct samples *samples,
    const struct row *rows, size_t count)
{
	struct code code = {
		.rows = rows,
		.count = count,
		.samples = samples,
	};
	struct sample total = { 0, 0 };

	disassemble(&code.text, rows[0].image->file, rows[0].range.start,
	    rows[0].range.end);
	samples_begin(samples);
	for (size_t i = 0; i < count; i++) {
		struct instruction *at = disassembly_find(&code.text,
		    rows[i].address);

		samples_join(samples, rows[i].location, &total);
		if (at != NULL)
			sample_add(&at->sample,
			    &samples->item[rows[i].location]);
	}
	fprintf(report->to,
	    "ROUTINE ====================== %s\n"
	    "%s %s (flat, cumulative) %s of total\n",
	    rows[0].label, sample_totals(report, &total), report_unit(report),
	    report_percent(total.cumulative, report->traces.total));
	code_print(report, &code);
	free(code.text.item);
}

void
report_disasm(struct report *report)
{
	struct rows rows = { .item = NULL };
	size_t end;

	samples_take(&rows.samples, &report->traces);
	rows_take(&rows, report);
	if (rows.count == 0) {
		note("no routine with samples matches %s", report->routine);
		return;
	}
	sort(rows.item, rows.count, sizeof(*rows.item), compare_rows);
	for (size_t i = 0; i < rows.count; i = end) {
		for (end = i; end < rows.count &&
		     compare_routines(&rows.item[i], &rows.item[end]) == 0;)
			end++;
		routine_print(report, &rows.samples, rows.item + i, end - i);
	}
	samples_free(&rows.samples);
	free(rows.item);
}
