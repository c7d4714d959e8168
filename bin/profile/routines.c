#include "routines.h"

#include <stdlib.h>
#include <string.h>

#include "pattern.h"
#include "scopes.h"
#include "tool.h"

struct rows {
	struct routine_row *item;
	size_t count;
	struct samples samples;
};

static const char *
routine_file(const struct frame *frame)
{
	return frame->scope != NULL && frame->home != NULL ? frame->home
							   : frame->file;
}

static int
compare_routines(const struct routine_row *first,
    const struct routine_row *second)
{
	int order = strcmp(first->frame->label, second->frame->label);

	if (order == 0)
		order = first->frame->inlined - second->frame->inlined;
	if (order == 0)
		order = strcmp(first->file, second->file);
	return order;
}

static int
compare_rows(const void *a, const void *b)
{
	const struct routine_row *first = a, *second = b;
	int order = compare_routines(first, second);

	return order != 0 ? order : first->frame->line - second->frame->line;
}

static void
rows_take(struct rows *rows, const struct report *report)
{
	const struct sample *samples = rows->samples.item;
	struct pattern routine = { 0 };
	const char *unknown = NULL;

	pattern_compile(&routine, "list", report->routine);
	for (unsigned i = 0; i < symbols_count(); i++) {
		const struct location *location = symbols_get(i);

		if (sample_is_zero(&samples[i]))
			continue;
		for (unsigned k = 0; k < location->nframes; k++) {
			const struct frame *frame = &location->frames[k];
			const char *file = routine_file(frame);

			if (!pattern_matches(&routine, frame->label))
				continue;
			if (file == NULL) {
				unknown = frame->label;
				continue;
			}
			rows->item = array_room(rows->item, rows->count,
			    sizeof(*rows->item));
			rows->item[rows->count++] = (struct routine_row){ frame,
				file, samples[i] };
		}
	}
	if (rows->count > 0)
		return;
	if (unknown != NULL)
		note("%s: its source file is not known", unknown);
	else
		note("no routine with samples matches %s", report->routine);
}

static void
routine_extent(struct routine *routine)
{
	const struct scope *scope = NULL;

	routine->first = routine->rows[0].frame->first_line;
	for (size_t i = 0; i < routine->count; i++) {
		const struct frame *frame = routine->rows[i].frame;
		int line = frame->file == routine->file ? frame->line : 0;

		if (frame->scope != NULL && frame->scope != scope) {
			int end = scopes_last_line(&frame->unit, frame->scope);

			routine->last = end > routine->last ? end
							    : routine->last;
			scope = frame->scope;
		}
		if (line > 0 && (routine->first == 0 || line < routine->first))
			routine->first = line;
		if (line > routine->last)
			routine->last = line;
	}
}

struct sample
routine_line(const struct routine *routine, int line)
{
	struct sample sum = { 0, 0 };

	samples_begin(routine->samples);
	for (size_t i = 0; i < routine->count; i++) {
		const struct frame *frame = routine->rows[i].frame;

		if (frame->file == routine->file && frame->line == line)
			samples_join(routine->samples, frame->location, &sum);
	}
	return sum;
}

static void
routine_print(struct report *report, struct samples *samples,
    const struct routine_row *rows, size_t count, routine_printer *print_one)
{
	if (report->quiet && !source_exists(rows[0].file))
		return;
	struct routine routine = {
		.label = rows[0].frame->label,
		.inlined = rows[0].frame->inlined,
		.file = rows[0].file,
		.source = source_find(rows[0].file),
		.rows = rows,
		.count = count,
		.samples = samples,
	};

	if (routine.source->count == 0)
		return;
	samples_begin(samples);
	for (size_t i = 0; i < count; i++)
		samples_join(samples, rows[i].frame->location, &routine.total);
	routine_extent(&routine);
	print_one(report, &routine);
}

void
routines_print(struct report *report, routine_printer *print_one)
{
	struct rows rows = { .item = NULL };
	size_t end;

	samples_take(&rows.samples, &report->traces);
	rows_take(&rows, report);
	sort(rows.item, rows.count, sizeof(*rows.item), compare_rows);
	for (size_t i = 0; i < rows.count; i = end) {
		for (end = i; end < rows.count &&
		     compare_routines(&rows.item[i], &rows.item[end]) == 0;)
			end++;
		routine_print(report, &rows.samples, rows.item + i, end - i,
		    print_one);
	}
	samples_free(&rows.samples);
	free(rows.item);
}
