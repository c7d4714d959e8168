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
	struct sample sample;
};

struct rows {
	struct row *item;
	size_t count;
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
	return order != 0 ? order :
	    compare_numbers(first->range.start, second->range.start);
}

static int
compare_rows(const void *a, const void *b)
{
	const struct row *first = a, *second = b;
	int order = compare_routines(first, second);

	return order != 0 ? order :
	    compare_numbers(first->address, second->address);
}

static void
rows_take(struct rows *rows, const struct report *report)
{
	struct sample *samples = samples_take(&report->traces);
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
		row.sample = samples[i];
		rows->item = array_room(rows->item, rows->count,
		    sizeof(*rows->item));
		rows->item[rows->count++] = row;
	}
	free(samples);
}

static const char *
file_end(const char *file)
{
	size_t length = strlen(file);

	return length <= FILE_WIDTH ? file :
	    print("...%s", file + length - FILE_WIDTH);
}

/* Prints instructions that follow each other and belong to one line. */
static size_t
code_print_line(const struct report *report, const struct disassembly *code,
    size_t at)
{
	const struct instruction *first = &code->item[at];
	const struct source *source = first->file == NULL ? NULL :
	    source_find(first->file);
	struct sample sum = { 0, 0 };
	size_t end = at;

	for (; end < code->count && code->item[end].file == first->file &&
	    code->item[end].line == first->line; end++)
		sample_add(&sum, &code->item[end].sample);
	if (source != NULL && source->count > 0)
		fprintf(report->to, "%s %5d: %s\n",
		    sample_columns(report, &sum), first->line,
		    source_line(source, first->line));
	for (; at < end; at++)
		fprintf(report->to, "%s    %8" PRIx64 ": %6s\n",
		    sample_columns(report, &code->item[at].sample),
		    code->item[at].address, code->item[at].text);
	return end;
}

static void
code_print(const struct report *report, const struct disassembly *code)
{
	const char *file = NULL;

	for (size_t at = 0; at < code->count;) {
		const char *next = code->item[at].file;

		if (next != NULL && next != file)
			fprintf(report->to, "-------------------- %s\n",
			    file_end(next));
		file = next;
		at = code_print_line(report, code, at);
	}
}

static void
routine_print(const struct report *report, const struct row *rows, size_t count)
{
	struct disassembly code = { NULL, 0 };
	struct sample total = { 0, 0 };

	disassemble(&code, rows[0].image->file, rows[0].range.start,
	    rows[0].range.end);
	for (size_t i = 0; i < count; i++) {
		struct instruction *at = disassembly_find(&code,
		    rows[i].address);

		sample_add(&total, &rows[i].sample);
		if (at != NULL)
			sample_add(&at->sample, &rows[i].sample);
	}
	fprintf(report->to, "ROUTINE ====================== %s\n"
	    "%s %s (flat, cumulative) %s of total\n", rows[0].label,
	    sample_totals(report, &total), report_unit(report),
	    report_percent(total.cumulative, report->traces.total));
	code_print(report, &code);
	free(code.item);
}

void
report_disasm(struct report *report)
{
	struct rows rows = { NULL, 0 };
	size_t end;

	rows_take(&rows, report);
	if (rows.count == 0) {
		note("no routine with samples matches %s", report->routine);
		return;
	}
	sort(rows.item, rows.count, sizeof(*rows.item), compare_rows);
	for (size_t i = 0; i < rows.count; i = end) {
		for (end = i; end < rows.count && compare_routines(
		    &rows.item[i], &rows.item[end]) == 0;)
			end++;
		routine_print(report, rows.item + i, end - i);
	}
	free(rows.item);
}
