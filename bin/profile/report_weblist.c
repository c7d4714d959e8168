#include "routines.h"

#include <inttypes.h>
#include <stdlib.h>

#include "disassembly.h"
#include "escape.h"
#include "images.h"
#include "tool.h"

/* A click on a line shows its instructions; this needs no script. */
static const char head[] =
    "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>jeprof</title>"
    "<style>\nbody,pre,summary{font:13px monospace}\npre,details,.l{margin:0;"
    "white-space:pre}\nsummary{list-style:none;cursor:pointer}\n"
    ".v{background:#ffd}\ndetails pre{color:#060}\n.o{color:#888}\n"
    "</style></head><body>\n";

static int
compare_instructions(const void *a, const void *b)
{
	const struct instruction *first = a, *second = b;

	return first->address < second->address
	    ? -1
	    : first->address > second->address;
}

static bool
has_instruction(const struct disassembly *code, uint64_t address)
{
	for (size_t i = 0; i < code->count; i++) {
		if (code->item[i].address == address)
			return true;
	}
	return false;
}

/* Takes the code of all symbols that contain samples of the routine. */
static void
code_take(struct disassembly *code, const struct routine *routine)
{
	struct symtab_range range;

	for (size_t i = 0; i < routine->count; i++) {
		const struct location *location =
		    symbols_get(routine->rows[i].frame->location);
		struct image *image = location->image;

		if (image == NULL ||
		    image_symbol(image, location->address, &range) == NULL ||
		    has_instruction(code, range.start))
			continue;
		disassemble(code, image->file, range.start, range.end);
	}
	sort(code->item, code->count, sizeof(*code->item),
	    compare_instructions);
	for (size_t i = 0; i < routine->count; i++) {
		struct instruction *at = disassembly_find(code,
		    symbols_get(routine->rows[i].frame->location)->address);

		if (at != NULL)
			sample_add(&at->sample, &routine->rows[i].sample);
	}
}

static bool
is_of_line(const struct instruction *instruction, const struct routine *routine,
    int line)
{
	return instruction->file == routine->file && instruction->line == line;
}

static void
line_print(const struct report *report, const struct routine *routine,
    const struct disassembly *code, int line)
{
	struct sample sum = routine_line(routine, line);
	bool outside = line < routine->first || line > routine->last;

	fprintf(report->to, "<details><summary class=\"%s\">%s %4d: ",
	    !sample_is_zero(&sum) ? "v"
		: outside         ? "o"
				  : "",
	    sample_columns(report, &sum), line);
	escape_xml(report->to, source_line(routine->source, line));
	fputs("</summary><pre>", report->to);
	for (size_t i = 0; i < code->count; i++) {
		const struct instruction *at = &code->item[i];

		if (!is_of_line(at, routine, line))
			continue;
		fprintf(report->to, "%s    %8" PRIx64 ": ",
		    sample_columns(report, &at->sample), at->address);
		escape_xml(report->to, at->text);
		fputc('\n', report->to);
	}
	fputs("</pre></details>\n", report->to);
}

static void
routine_print(struct report *report, const struct routine *routine)
{
	struct disassembly code = { NULL, 0 };
	int end = routine->last + ROUTINE_CONTEXT;

	code_take(&code, routine);
	fputs("<h3>", report->to);
	escape_xml(report->to, routine->label);
	fputs(routine->inlined ? " (inline)" : "", report->to);
	fputs("</h3><p>", report->to);
	escape_xml(report->to, routine->file);
	fprintf(report->to,
	    "</p><div class=\"l\">%s Total %s (flat / "
	    "cumulative)</div>\n",
	    sample_totals(report, &routine->total), report_unit(report));
	for (int line = routine->first - ROUTINE_CONTEXT; line <= end; line++) {
		if (line >= 1 && line <= routine->source->count)
			line_print(report, routine, &code, line);
	}
	free(code.item);
}

void
report_weblist(struct report *report)
{
	fputs(head, report->to);
	routines_print(report, routine_print);
	fputs("</body></html>\n", report->to);
}
