#include "session.h"

#include <stdlib.h>
#include <unistd.h>

#include "tool.h"
#include "viewer.h"

/* Ends jeprof if the report needs lines, and a symbolized profile has none. */
static void
lines_check(const struct session *session, const struct options *options)
{
	static const bool needed[OUTPUTS] = {
		[OUTPUT_CALLGRIND] = true,
		[OUTPUT_LIST] = true,
		[OUTPUT_WEBLIST] = true,
		[OUTPUT_DISASM] = true,
	};

	if (session->lineless != NULL &&
	    (needed[options->output] || options->granularity == LINES ||
		options->granularity == FILES))
		fail("%s: has names, but no lines", session->lineless);
}

/* Bytes of holes and bytes of objects have no sum. */
static void
kinds_check(const struct session *session, const struct dump *dump)
{
	const struct dump *first = session->ndumps == 0 ? dump
							: session->dumps[0];

	if (dump->holes != first->holes)
		fail("%s is a profile of holes, and %s is not: they can't be "
		     "mixed",
		    dump->holes ? dump->path : first->path,
		    dump->holes ? first->path : dump->path);
}

/*
 * A file with live memory that counts nothing since the start changes nothing
 * in a difference, which would look like a result.
 */
static void
difference_check(const struct options *options, const struct dump *dump)
{
	double live = 0, ever = 0;

	if (options->base == NULL ||
	    (options->view != ALLOC_SPACE && options->view != ALLOC_OBJECTS))
		return;
	for (size_t i = 0; i < dump->nstacks; i++) {
		live += dump->stacks[i].counts.objects;
		ever += dump->stacks[i].counts.objects_ever;
	}
	if (live > 0 && ever == 0)
		note("WARNING: %s: has nothing that was counted since the "
		     "start, so the difference is wrong: that needs "
		     "prof_accum:true",
		    dump->path);
}

/* The threads of other profiles are no ages. */
static void
holes_check(const struct options *options, const struct dump *dump)
{
	if (options->output == OUTPUT_HOLES && !dump->holes)
		fail("%s: is no profile of holes; the library writes one with "
		     "prof_holes:true",
		    dump->path);
}

static struct dump *
file_add(struct session *session, const struct options *options,
    const char *path, uint64_t thread)
{
	bool base = path == options->base;
	struct dump *dump = dump_read(path, options->view, thread);

	kinds_check(session, dump);
	holes_check(options, dump);
	difference_check(options, dump);
	if (dump->lineless) {
		session->lineless = path;
		lines_check(session, options);
	}
	symbols_drop(dump);
	profile_add(&session->profile, dump, base ? -1 : 1);
	return dump;
}

void
session_read(struct session *session, const struct options *options,
    char **files, uint64_t thread)
{
	session->thread = thread;
	session->profile.all_views = options->output == OUTPUT_PROTO ||
	    options->output == OUTPUT_FLAMEGRAPH ||
	    options->output == OUTPUT_HTML || options->output == OUTPUT_HOLES;
	for (; *files != NULL; files++) {
		session->dumps = array_room(session->dumps, session->ndumps,
		    sizeof(struct dump *));
		session->dumps[session->ndumps] = file_add(session, options,
		    *files, thread);
		session->ndumps++;
	}
	if (options->base != NULL)
		file_add(session, options, options->base, thread);
	symbols_resolve();
}

void
session_age(const struct session *session, const struct options *options,
    uint64_t age, struct traces *traces)
{
	struct session part = { .program = session->program };

	*traces = (struct traces){ .item = NULL };
	if (session->thread != THREAD_ALL && session->thread != age)
		return;

	char **files = memory(session->ndumps + 1, sizeof(char *));

	for (size_t i = 0; i < session->ndumps; i++)
		files[i] = (char *)session->dumps[i]->path;
	session_read(&part, options, files, age);
	traces_take(traces, &part.profile, &options->filters);
	free(files);
}

static void
report_make(struct report *report, const struct session *session,
    const struct options *options)
{
	const struct dump *dump = session->dumps[session->ndumps - 1];

	lines_check(session, options);
	*report = (struct report){
		.granularity = options->granularity,
		.view = options->view,
		.show_bytes = options->show_bytes,
		.by_cumulative = options->by_cumulative,
		.holes = dump->holes,
		.base = options->base,
		.title = session->title,
		.routine = options->routine,
		.top = options->top,
		.node_count = options->node_count,
		.node_fraction = options->node_fraction,
		.edge_fraction = options->edge_fraction,
		.max_degree = options->max_degree,
		.heapcheck = options->heapcheck,
		.scale = options->scale,
		.program = session->program ? session->program
					    : dump_program(dump),
		.program_map = dump->nmaps == 0 ? NULL : &dump->maps[0],
		.period = dump->rate != 0 ? dump->rate : dump->period,
	};
	if (options->output == OUTPUT_CALLGRIND)
		report->granularity = LINES;
	traces_take(&report->traces, &session->profile, &options->filters);
	report_entries(report);
}

/* Why there is nothing to print, or NULL. */
static const char *
emptiness(const struct report *report, const struct options *options)
{
	for (size_t i = 0; i < report->traces.count; i++) {
		const struct trace *trace = &report->traces.item[i];

		if (trace->value != 0)
			return NULL;
		/* This one writes all views. */
		for (unsigned k = 0; k < VIEWS && trace->views != NULL; k++)
			if (options->output == OUTPUT_PROTO &&
			    trace->views[k] != 0)
				return NULL;
	}
	if (report->traces.total != 0)
		return "no stack matches";
	if (options->base != NULL)
		return "nothing has changed";
	if (report->view == ALLOC_SPACE || report->view == ALLOC_OBJECTS)
		return "nothing was counted since the start: that needs "
		       "prof_accum:true";
	return options->thread != NULL ? "that thread has no samples"
				       : "the profile has no samples";
}

/* Is it a picture? All other reports can be empty. */
static bool
needs_stacks(enum output output)
{
	return output != OUTPUT_TEXT && output != OUTPUT_HOLES &&
	    output != OUTPUT_COLLAPSED && output != OUTPUT_CALLGRIND &&
	    output != OUTPUT_LIST && output != OUTPUT_WEBLIST &&
	    output != OUTPUT_DISASM && output != OUTPUT_RAW &&
	    output != OUTPUT_PROTO;
}

static void
report_print(struct report *report, enum output output)
{
	static void (*const texts[OUTPUTS])(struct report *) = {
		[OUTPUT_TEXT] = report_text,
		[OUTPUT_HOLES] = report_text,
		[OUTPUT_COLLAPSED] = report_collapsed,
		[OUTPUT_DOT] = report_dot,
		[OUTPUT_CALLGRIND] = report_callgrind,
		[OUTPUT_FLAMEGRAPH] = report_flamegraph,
		[OUTPUT_PROTO] = report_proto,
		[OUTPUT_HTML] = report_html,
		[OUTPUT_LIST] = report_list,
		[OUTPUT_DISASM] = report_disasm,
		[OUTPUT_GV] = viewer_gv,
		[OUTPUT_EVINCE] = viewer_evince,
		[OUTPUT_WEB] = viewer_web,
		[OUTPUT_WEBLIST] = viewer_weblist,
	};
	static const char *const pictures[OUTPUTS] = {
		[OUTPUT_SVG] = "svg",
		[OUTPUT_PDF] = "pdf",
		[OUTPUT_PS] = "ps",
		[OUTPUT_GIF] = "gif",
		[OUTPUT_PNG] = "png",
	};

	if (texts[output] != NULL)
		texts[output](report);
	else
		report_picture(report, pictures[output]);
}

void
session_report(const struct session *session, const struct options *options,
    FILE *to)
{
	struct report report;
	const char *empty;

	report_make(&report, session, options);
	report.to = to;
	if (options->output == OUTPUT_PROTO && session->dumps[0]->holes) {
		struct traces *ages = memory(AGES, sizeof(*ages));

		for (uint64_t i = 0; i < AGES; i++)
			session_age(session, options, i, &ages[i]);
		report.ages = ages;
	}
	empty = emptiness(&report, options);
	if (empty != NULL && needs_stacks(options->output))
		fail("No nodes to print: %s", empty);
	if (empty != NULL && options->output != OUTPUT_RAW)
		note("nothing to print: %s", empty);
	if (options->output == OUTPUT_PROTO && isatty(fileno(to)))
		fail("--proto writes binary data: send them to a file");
	if (options->output != OUTPUT_RAW)
		report_print(&report, options->output);
	else if (options->filters.focus != NULL ||
	    options->filters.ignore != NULL ||
	    options->filters.retain != NULL ||
	    options->filters.exclude != NULL || options->thread != NULL)
		fail("--raw writes a profile as it is: it takes no filters and "
		     "no --thread");
	else if (options->base != NULL)
		fail("--raw and --base exclude each other: a profile has no "
		     "negative counts");
	else if (session->ndumps > 1 || session->dumps[0]->text == NULL ||
	    session->dumps[0]->form == DUMP_GO)
		report_raw_sum(&report, session->dumps, session->ndumps);
	else if (session->dumps[0]->form == DUMP_RAW)
		fail("%s: is a raw profile already", session->dumps[0]->path);
	else
		report_raw(&report, &session->profile, session->dumps[0]);
}

void
session_view(const struct session *session, const struct options *options,
    void (*view)(struct report *))
{
	struct report report;

	report_make(&report, session, options);
	view(&report);
}

void
session_total(const struct session *session, const struct options *options)
{
	struct report report;

	report_make(&report, session, options);
	printf("Total%s: %s %s\n", report.title,
	    report_number(&report, report.traces.total), report_unit(&report));
}
