#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "process.h"
#include "tool.h"

struct node {
	const struct entry *entry;
	bool kept;
	size_t number;    /* its name in the graph */
	unsigned in, out; /* edges drawn so far */
};

struct graph {
	const struct report *report;
	struct node *nodes; /* by entry */
	struct edge *edges;
	size_t nedges;
	double node_limit, edge_limit;
};

static int
compare_nodes(const void *a, const void *b)
{
	const struct entry *first = (*(struct node *const *)a)->entry;
	const struct entry *second = (*(struct node *const *)b)->entry;
	double difference = fabs(second->cumulative) - fabs(first->cumulative);

	if (difference != 0)
		return difference > 0 ? 1 : -1;
	return strcmp(first->name, second->name);
}

static int
compare_edges(const void *a, const void *b)
{
	const struct edge *first = a, *second = b;
	double difference = fabs(second->value) - fabs(first->value);

	if (difference != 0)
		return difference > 0 ? 1 : -1;
	if (first->caller != second->caller)
		return first->caller < second->caller ? -1 : 1;
	return first->callee < second->callee ? -1 : 1;
}

/*
 * Writes a character within quotes of dot's language, and returns its length.
 * dot takes & for the start of a name of HTML.
 */
static size_t
write_character(FILE *to, const char *text)
{
	size_t length = escape_length(text);

	if (length == 0)
		fputs("\xef\xbf\xbd", to);
	else if (*text == '&')
		fputs("&amp;", to);
	else
		fprintf(to, "%s%.*s", *text == '"' || *text == '\\' ? "\\" : "",
		    (int)length, text);
	return length > 0 ? length : 1;
}

/* Writes text within quotes of dot's language. */
static void
write_quoted(FILE *to, const char *text)
{
	while (*text != '\0')
		text += write_character(to, text);
}

/* Writes a name on several lines: a class or a blank ends a line. */
static void
write_split(FILE *to, const char *name)
{
	for (const char *at = name; *at != '\0';) {
		if (at[0] == ':' && at[1] == ':') {
			fputs("\\n", to);
			at += 2;
		} else if (at[0] == ' ') {
			fputs("\\n", to);
			at++;
		} else {
			at += write_character(to, at);
		}
	}
}

static void
write_legend(const struct graph *graph)
{
	const struct report *report = graph->report;
	const char *unit = report_unit(report);
	FILE *to = report->to;

	fputs("digraph \"", to);
	write_quoted(to, report->program);
	fprintf(to, "; %s %s\" {\n",
	    report_number(report, report->traces.total), unit);
	if (report->page)
		fputs("size=\"8,11\";\n", to);
	fputs("node [width=0.375,height=0.25];\n"
	      "Legend [shape=box,fontsize=24,shape=plaintext,label=\"",
	    to);
	write_quoted(to, report->program);
	fprintf(to, "\\lTotal %s: %s\\lFocusing on: %s\\l", unit,
	    report_number(report, report->traces.total),
	    report_number(report, report->traces.kept));
	fprintf(to, "Dropped nodes with <= %s abs(%s)\\l",
	    report_number(report, graph->node_limit), unit);
	fprintf(to, "Dropped edges with <= %s %s\\l\"];\n",
	    report_number(report, graph->edge_limit), unit);
}

static void
write_node(const struct graph *graph, const struct node *node)
{
	const struct report *report = graph->report;
	const struct entry *entry = node->entry;
	double total = report->traces.kept;
	double share = total == 0 ? 0 : fabs(entry->flat / total);
	FILE *to = report->to;

	fprintf(to, "N%zu [label=\"", node->number);
	write_split(to, entry->name);
	fprintf(to, "\\n%s (%s)", report_number(report, entry->flat),
	    report_percent(entry->flat, total));
	if (entry->flat != entry->cumulative)
		fprintf(to, "\\rof %s (%s)",
		    report_number(report, entry->cumulative),
		    report_percent(entry->cumulative, total));
	fprintf(to, "\\r\",shape=box,fontsize=%.1f%s%s];\n",
	    8 + 50 * sqrt(fmin(share, 1)),
	    report->heapcheck && entry->flat != 0
		? ",style=filled,fillcolor=gray"
		: "",
	    report->heapcheck && entry->flat < 0 ? ",peripheries=3" : "");
}

/* Marks the nodes to draw; false: there are none. */
static bool
choose_nodes(struct graph *graph)
{
	const struct report *report = graph->report;
	size_t count = report->nentries, kept = 0;
	struct node **order = memory(count, sizeof(*order));

	for (size_t i = 0; i < count; i++) {
		graph->nodes[i].entry = &report->entries[i];
		order[i] = &graph->nodes[i];
	}
	sort(order, count, sizeof(*order), compare_nodes);
	for (; kept < count && kept < report->node_count; kept++) {
		if (fabs(order[kept]->entry->cumulative) <= graph->node_limit)
			break;
		order[kept]->kept = true;
		order[kept]->number = kept + 1;
	}
	/* Sorted by size, so that equal profiles give equal text. */
	if (kept > 0) {
		write_legend(graph);
		for (size_t i = 0; i < kept; i++)
			write_node(graph, order[i]);
	}
	free(order);
	return kept > 0;
}

static void
write_edge(const struct graph *graph, const struct edge *edge)
{
	const struct report *report = graph->report;
	double size = fabs(edge->value), total = fabs(report->traces.kept);
	double width = total == 0 ? 1 : 2 * fmin(1, 3 * size / total);

	fprintf(report->to,
	    "N%zu -> N%zu [label=%s,weight=%d,style=\"setlinewidth(%f)%s\"];\n",
	    graph->nodes[edge->caller].number,
	    graph->nodes[edge->callee].number,
	    report_number(report, edge->value),
	    (int)fmin(pow(size, 0.7), 100000), fmax(width, 0.1),
	    report->entries[edge->callee].frame->inlined ? ",dashed" : "");
}

static void
write_edges(struct graph *graph)
{
	unsigned limit = graph->report->max_degree;

	sort(graph->edges, graph->nedges, sizeof(*graph->edges), compare_edges);
	for (size_t i = 0; i < graph->nedges; i++) {
		const struct edge *edge = &graph->edges[i];
		struct node *caller = &graph->nodes[edge->caller];
		struct node *callee = &graph->nodes[edge->callee];

		if (!caller->kept || !callee->kept)
			continue;
		/* Draw the first edge to a node in any case: none is alone. */
		if (callee->in > 0 &&
		    (fabs(edge->value) <= graph->edge_limit ||
			callee->in >= limit || caller->out >= limit))
			continue;
		callee->in++;
		caller->out++;
		write_edge(graph, edge);
	}
}

void
report_dot(struct report *report)
{
	double total = fabs(report->traces.total);
	struct graph graph = {
		.report = report,
		.nodes = memory(report->nentries, sizeof(struct node)),
		.node_limit = trunc(report->node_fraction * total),
		.edge_limit = trunc(report->edge_fraction * total),
	};

	graph.edges = report_edges(report, &graph.nedges);
	if (!choose_nodes(&graph))
		fail("No nodes to print");
	write_edges(&graph);
	fputs("}\n", report->to);
	if (graph.node_limit > 0 || graph.edge_limit > 0)
		note("Dropping nodes with <= %s %s; edges with <= %s abs(%s)",
		    report_number(report, graph.node_limit),
		    report_unit(report),
		    report_number(report, graph.edge_limit),
		    report_unit(report));
	free(graph.nodes);
	free(graph.edges);
}

void
report_picture(struct report *report, const char *format)
{
	FILE *to = report->to, *source = tmpfile();
	char *kind = print("-T%s", format);
	struct process dot;

	if (source == NULL)
		fail("temporary file: %s", strerror(errno));
	report->to = source;
	report->page = format[0] == 'p' && strcmp(format, "png") != 0;
	report_dot(report);
	report->to = to;
	if (fflush(source) != 0)
		fail("temporary file: %s", strerror(errno));
	rewind(source);
	fflush(to);
	process_start(&dot, (const char *const[]){ "dot", kind, NULL },
	    fileno(source), fileno(to));
	if (!process_end(&dot))
		fail("dot failed");
	fclose(source);
	free(kind);
}
