#include "report.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

#define MB 1048576.0

struct entry_table {
	unsigned *slots; /* entry + 1 by name */
	size_t mask;
};

static const char *
frame_line(const struct frame *frame)
{
	char *text;
	const char *result;

	if (frame->file == NULL)
		return "??:?";
	text = frame->line > 0 ? print("%s:%d", frame->file, frame->line)
			       : print("%s:?", frame->file);
	result = intern(text);
	free(text);
	return result;
}

static const char *
entry_name(const struct frame *frame, enum granularity granularity)
{
	const char *mark = frame->inlined ? " (inline)" : "", *result;
	char *text;

	if (granularity == FILES)
		return intern(frame->file ? frame->file : "??");
	if (granularity == FUNCTIONS)
		text = print("%s%s", frame->label, mark);
	else if (frame->name == NULL &&
	    (granularity == LINES || frame->label[0] != '['))
		text = print("%s ??:?", frame->label);
	else if (granularity == LINES)
		text = print("%s%s %s", frame->label, mark, frame_line(frame));
	else
		text = print("%016" PRIx64 " %s%s %s", frame->pc, frame->label,
		    mark, frame_line(frame));
	result = intern(text);
	free(text);
	return result;
}

static size_t
slot_find(const struct report *report, const struct entry_table *table,
    const char *name)
{
	uintptr_t key = (uintptr_t)name;
	size_t at = hash_bytes(&key, sizeof(key)) & table->mask;

	while (table->slots[at] != 0 &&
	    report->entries[table->slots[at] - 1].name != name)
		at = (at + 1) & table->mask;
	return at;
}

static void
table_grow(const struct report *report, struct entry_table *table)
{
	size_t size = table->slots == NULL ? 1024 : 2 * (table->mask + 1);

	free(table->slots);
	table->slots = memory(size, sizeof(*table->slots));
	table->mask = size - 1;
	for (size_t i = 0; i < report->nentries; i++)
		table->slots[slot_find(report, table,
		    report->entries[i].name)] = (unsigned)i + 1;
}

static void
frame_entry(struct report *report, struct entry_table *table,
    struct frame *frame)
{
	const char *name = entry_name(frame, report->granularity);

	if (2 * report->nentries >= table->mask)
		table_grow(report, table);
	size_t at = slot_find(report, table, name);

	if (table->slots[at] == 0) {
		report->entries = array_room(report->entries, report->nentries,
		    sizeof(*report->entries));
		report->entries[report->nentries] = (struct entry){
			.name = name,
			.frame = frame,
		};
		table->slots[at] = (unsigned)++report->nentries;
	}
	frame->entry = table->slots[at];
}

unsigned
report_trace(const struct trace *trace, unsigned *entries)
{
	unsigned count = 0, k;

	for (unsigned i = 0; i < trace->count; i++) {
		for (k = 0; k < count; k++) {
			if (entries[k] == trace->frames[i]->entry - 1)
				break;
		}
		if (k == count)
			entries[count++] = trace->frames[i]->entry - 1;
	}
	return count;
}

void
report_entries(struct report *report)
{
	struct entry_table table = { NULL, 0 };

	/* The report of another thread may have left its values here. */
	for (size_t i = 0; i < report->traces.count; i++) {
		const struct trace *trace = &report->traces.item[i];

		for (unsigned k = 0; k < trace->count; k++)
			trace->frames[k]->entry = 0;
	}
	for (size_t i = 0; i < report->traces.count; i++) {
		const struct trace *trace = &report->traces.item[i];
		unsigned *entries = memory(trace->count, sizeof(*entries));

		for (unsigned k = 0; k < trace->count; k++) {
			if (trace->frames[k]->entry == 0)
				frame_entry(report, &table, trace->frames[k]);
		}
		unsigned count = report_trace(trace, entries);

		report->entries[entries[0]].flat += trace->value;
		for (unsigned k = 0; k < count; k++)
			report->entries[entries[k]].cumulative += trace->value;
		free(entries);
	}
	free(table.slots);
}

static bool
in_bytes(const struct report *report)
{
	return report->view == INUSE_SPACE || report->view == ALLOC_SPACE;
}

static char *
scratch(void)
{
	static char text[8][32];
	static unsigned turn;

	return text[turn++ % LENGTH(text)];
}

const char *
report_number(const struct report *report, double value)
{
	char *text = scratch();

	if (in_bytes(report) && !report->show_bytes)
		snprintf(text, 32, "%.1f", value / MB);
	else
		snprintf(text, 32, "%" PRId64, (int64_t)value);
	return text;
}

const char *
report_percent(double value, double total)
{
	char *text = scratch();

	if (total != 0)
		snprintf(text, 32, "%.1f%%", 100 * value / total);
	else
		strcpy(text, value == 0 ? "nan" : value > 0 ? "+inf" : "-inf");
	return text;
}

const char *
report_view(const struct report *report)
{
	static const char *const names[VIEWS] = {
		[INUSE_SPACE] = "inuse_space",
		[INUSE_OBJECTS] = "inuse_objects",
		[ALLOC_SPACE] = "alloc_space",
		[ALLOC_OBJECTS] = "alloc_objects",
	};

	return report->holes ? "holes" : names[report->view];
}

char *
report_headline(const struct report *report)
{
	const struct traces *traces = &report->traces;
	const char *unit = report_unit(report);

	if (report->base == NULL)
		return print("%s%s: %s, %s %s", report->program, report->title,
		    report_view(report), report_number(report, traces->kept),
		    unit);
	return print("%s%s: %s, %s%s %s since %s (%s to %s %s)",
	    report->program, report->title, report_view(report),
	    traces->kept > 0 ? "+" : "", report_number(report, traces->kept),
	    unit, report->base, report_number(report, traces->base),
	    report_number(report, traces->base + traces->kept), unit);
}

const char *
report_unit(const struct report *report)
{
	if (!in_bytes(report))
		return "objects";
	return report->show_bytes ? "B" : "MB";
}
