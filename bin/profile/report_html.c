#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "page_parts.h"
#include "report.h"
#include "routines.h"
#include "tool.h"

/* A page is for people: what is too small to matter only makes it slow. */
#define ROWS_MAX     1000
#define EDGE_LEAST   0.0002 /* of all */
#define SOURCE_LEAST 0.005
#define SOURCES_MAX  200

static struct {
	unsigned written; /* functions with their source */
} page;

static const struct entry *entries;

static int
compare_entries(const void *a, const void *b)
{
	const struct entry *first = &entries[*(const unsigned *)a];
	const struct entry *second = &entries[*(const unsigned *)b];
	double x = fabs(first->flat), y = fabs(second->flat);

	if (x == y) {
		x = fabs(first->cumulative);
		y = fabs(second->cumulative);
	}
	return x != y ? (x < y ? 1 : -1) : strcmp(first->name, second->name);
}

static void
write_row(const struct report *report, unsigned number)
{
	const struct entry *entry = &report->entries[number];
	double all = report->traces.kept;
	FILE *to = report->to;

	fprintf(to,
	    "<tr data-i=\"%u\" data-v=\"%.0f\" data-c=\"%.0f\" "
	    "data-n=\"",
	    number, entry->flat, entry->cumulative);
	escape_xml(to, entry->frame->label);
	fprintf(to,
	    "\"><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td>"
	    "<a href=\"#f%u\">",
	    report_number(report, entry->flat),
	    report_percent(entry->flat, all),
	    report_number(report, entry->cumulative),
	    report_percent(entry->cumulative, all), number);
	escape_xml(to, entry->name);
	fputs("</a></td></tr>\n", to);
}

static void
write_table(const struct report *report)
{
	static const char *const heads[][2] = {
		{ "v", "itself" },
		{ "v", "%" },
		{ "c", "with callees" },
		{ "c", "%" },
		{ "n", "function" },
	};
	unsigned *order = memory(report->nentries, sizeof(*order)), count = 0;
	FILE *to = report->to;

	for (unsigned i = 0; i < report->nentries; i++) {
		if (report->entries[i].flat != 0 ||
		    report->entries[i].cumulative != 0)
			order[count++] = i;
	}
	entries = report->entries;
	sort(order, count, sizeof(*order), compare_entries);
	fputs("<h2 id=\"top\">Functions</h2>\n<input id=\"filter\" "
	      "type=\"search\" placeholder=\"filter\" aria-label=\"filter\">\n"
	      "<div class=\"scroll\"><table id=\"functions\"><thead><tr>",
	    to);
	for (size_t i = 0; i < LENGTH(heads); i++)
		fprintf(to, "<th><button data-by=\"%s\">%s</button></th>",
		    heads[i][0], heads[i][1]);
	fputs("</tr></thead><tbody>\n", to);
	for (unsigned i = 0; i < count && i < ROWS_MAX; i++)
		write_row(report, order[i]);
	fputs("</tbody></table></div>\n", to);
	if (count > ROWS_MAX)
		fprintf(to, "<p>%u smaller functions are left out.</p>\n",
		    count - ROWS_MAX);
	free(order);
}

static void
write_edges(const struct report *report)
{
	double least = EDGE_LEAST * fabs(report->traces.kept);
	const char *comma = "";
	size_t count;
	struct edge *edges = report_edges(report, &count);
	FILE *to = report->to;

	fprintf(to, "<script>var edges={unit:\"%s\",list:[",
	    report_unit(report));
	for (size_t i = 0; i < count; i++) {
		if (edges[i].value == 0 || fabs(edges[i].value) < least)
			continue;
		fprintf(to, "%s[%u,%u,%.0f]", comma, edges[i].caller,
		    edges[i].callee, edges[i].value);
		comma = ",\n";
	}
	fputs("]};</script>\n", to);
	free(edges);
}

static void
write_line(const struct report *report, const struct routine *routine, int line)
{
	struct sample sum = routine_line(routine, line);
	bool outside = line < routine->first || line > routine->last;
	const char *mark = !sample_is_zero(&sum) ? "b" : outside ? "i" : "span";
	FILE *to = report->to;

	fprintf(to, "<%s>%s %5d: ", mark, sample_columns(report, &sum), line);
	escape_xml(to, source_line(routine->source, line));
	/* A block ends its line itself. */
	fprintf(to, "</%s>%s", mark, *mark == 'b' ? "" : "\n");
}

static void
write_source(struct report *report, const struct routine *routine)
{
	int last = routine->last + ROUTINE_CONTEXT;
	FILE *to = report->to;

	if (fabs(routine->total.cumulative) <
		SOURCE_LEAST * fabs(report->traces.kept) ||
	    page.written >= SOURCES_MAX)
		return;
	fprintf(to, "<details id=\"s%u\" data-f=\"", page.written++);
	escape_xml(to, routine->label);
	fprintf(to, "\"><summary>%s ", sample_columns(report, &routine->total));
	escape_xml(to, routine->label);
	fputs(routine->inlined ? " (inline), " : ", ", to);
	escape_xml(to, routine->file);
	fputs("</summary><pre>\n", to);
	for (int line = routine->first - ROUTINE_CONTEXT; line <= last;
	     line++) {
		if (line >= 1 && line <= routine->source->count)
			write_line(report, routine, line);
	}
	fputs("</pre></details>\n", to);
}

static void
write_sources(struct report *report)
{
	fputs("<h2 id=\"source\">Source</h2>\n", report->to);
	report->routine = ".";
	report->quiet = true;
	routines_print(report, write_source);
	if (page.written == 0)
		fputs("<p>No source file can be read here.</p>\n", report->to);
}

void
report_html(struct report *report)
{
	char *headline = report_headline(report);
	FILE *to = report->to;

	fputs("<!DOCTYPE html>\n<html lang=\"en\"><head>"
	      "<meta charset=\"utf-8\"><title>",
	    to);
	escape_xml(to, headline);
	fprintf(to, "</title>\n<style>%s</style></head><body>\n<h1>",
	    page_style);
	escape_xml(to, headline);
	fputs("</h1>\n<nav><a href=\"#flame\">Flame graph</a>"
	      "<a href=\"#top\">Functions</a>"
	      "<a href=\"#neighbours\">Callers and callees</a>"
	      "<a href=\"#source\">Source</a></nav>\n"
	      "<h2 id=\"flame\">Flame graph</h2>\n",
	    to);
	free(headline);
	report_flame_part(report);
	write_table(report);
	fputs(
	    "<h2 id=\"neighbours\">Callers and callees of <span "
	    "id=\"chosen\"></span> <a id=\"to-source\" hidden>source</a></h2>\n"
	    "<div class=\"sides\"><div><table id=\"callers\"><thead><tr>"
	    "<th></th><th>callers</th></tr></thead><tbody></tbody></table>"
	    "</div><div><table id=\"callees\"><thead><tr><th></th>"
	    "<th>callees</th></tr></thead><tbody></tbody></table></div>"
	    "</div>\n",
	    to);
	write_edges(report);
	write_sources(report);
	fprintf(to,
	    "<script>\n%s</script>\n<script>\n%s</script>\n"
	    "</body></html>\n",
	    flame_script, page_script);
}
