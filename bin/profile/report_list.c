#include "routines.h"

static void
routine_print(struct report *report, const struct routine *routine)
{
	int end = routine->last + ROUTINE_CONTEXT;

	fprintf(report->to,
	    "ROUTINE ====================== %s%s in %s\n"
	    "%s Total %s (flat / cumulative)\n",
	    routine->label, routine->inlined ? " (inline)" : "", routine->file,
	    sample_totals(report, &routine->total), report_unit(report));
	for (int line = routine->first - ROUTINE_CONTEXT; line <= end; line++) {
		struct sample sum = routine_line(routine, line);

		if (line < 1 || line > routine->source->count)
			continue;
		if (line == routine->first)
			fputs("---\n", report->to);
		fprintf(report->to, "%s %4d: %s\n",
		    sample_columns(report, &sum), line,
		    source_line(routine->source, line));
		if (line == routine->last)
			fputs("---\n", report->to);
	}
}

void
report_list(struct report *report)
{
	routines_print(report, routine_print);
}
