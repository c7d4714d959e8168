#include "report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

static int
compare(double a, double b, const struct entry *first,
    const struct entry *second)
{
	if (a != b)
		return a < b ? 1 : -1;
	return strcmp(first->name, second->name);
}

static int
compare_flat(const void *a, const void *b)
{
	const struct entry *first = a, *second = b;

	return compare(first->flat, second->flat, first, second);
}

static int
compare_cumulative(const void *a, const void *b)
{
	const struct entry *first = a, *second = b;

	return compare(first->cumulative, second->cumulative, first, second);
}

void
report_text(struct report *report)
{
	double total = report->traces.kept, running = 0;
	unsigned rows = 0;

	if (report->traces.total != 0)
		fprintf(report->to, "Total%s: %s %s\n", report->title,
		    report_number(report, report->traces.total),
		    report_unit(report));
	/* Frames refer to entries by number, but no longer after this. */
	sort(report->entries, report->nentries, sizeof(*report->entries),
	    report->by_cumulative ? compare_cumulative : compare_flat);
	for (size_t i = 0; i < report->nentries; i++) {
		const struct entry *entry = &report->entries[i];

		if (entry->flat == 0 && entry->cumulative == 0)
			continue;
		if (report->top != 0 && rows++ == report->top)
			break;
		running += entry->flat;
		fprintf(report->to, "%8s %6s %6s %8s %6s %s\n",
		    report_number(report, entry->flat),
		    report_percent(entry->flat, total),
		    report_percent(running, total),
		    report_number(report, entry->cumulative),
		    report_percent(entry->cumulative, total), entry->name);
	}
}

/* Frames are separated by ; so it must not be in a name, such as [u8; 4]. */
static void
write_frame(FILE *to, const char *name)
{
	static const char bad[] = ";\n\r";
	size_t length;

	for (; *name != '\0'; name += length) {
		length = strcspn(name, bad);
		fwrite(name, 1, length, to);
		if (name[length] != '\0')
			fputc(name[length++] == ';' ? ':' : '?', to);
	}
}

/* All frames with their full names, so that recursion can be seen. */
static const char *
folded(const struct trace *trace)
{
	size_t length = 0;
	FILE *file;
	char *text = NULL;

	file = open_memstream(&text, &length);
	if (file == NULL)
		fail("out of memory");
	for (unsigned i = trace->count; i-- > 0;) {
		const struct frame *frame = trace->frames[i];

		if (frame->name != NULL)
			write_frame(file, frame->name);
		else if (frame->file != NULL)
			fprintf(file, "%s:%d", frame->file, frame->line);
		else
			write_frame(file, frame->short_name);
		if (frame->inlined)
			fputs("[inline]", file);
		if (i > 0)
			fputc(';', file);
	}
	fclose(file);
	const char *result = intern(text);

	free(text);
	return result;
}

struct line {
	const char *text;
	double value;
};

static int
compare_lines(const void *a, const void *b)
{
	const struct line *first = a, *second = b;

	return strcmp(first->text, second->text);
}

void
report_collapsed(struct report *report)
{
	size_t count = report->traces.count;
	struct line *lines = memory(count, sizeof(*lines));

	for (size_t i = 0; i < count; i++)
		lines[i] = (struct line){ folded(&report->traces.item[i]),
			report->traces.item[i].value };
	sort(lines, count, sizeof(*lines), compare_lines);
	for (size_t i = 0; i < count; i++) {
		if (i + 1 < count && lines[i].text == lines[i + 1].text)
			lines[i + 1].value += lines[i].value;
		else if ((int64_t)lines[i].value != 0)
			fprintf(report->to, "%s %" PRId64 "\n", lines[i].text,
			    (int64_t)lines[i].value);
	}
}
