/*
 * jeprof: what heap profiles say. Reads them (dump), finds names (symbols), adds
 * them up and filters (stacks), prints (report).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "images.h"
#include "options.h"
#include "tool.h"

struct input {
	const char *program;	/* NULL: not given */
	char **files;
	unsigned nfiles;
};

static void
check_exists(const char *path)
{
	if (access(path, R_OK) == 0)
		return;
	const char *colon = strchr(path, ':'), *slash = strchr(path, '/');

	if (errno == ENOENT && colon != NULL && (slash == NULL || colon < slash))
		fail("%s: no such file, and fetching by URL is not supported "
		    "yet", path);
	fail("%s: %s", path, strerror(errno));
}

/* Without a program if the first file is a profile itself. */
static void
input_find(struct input *input, const struct options *options)
{
	for (unsigned i = 0; i < options->noperands; i++)
		check_exists(options->operands[i]);
	input->files = options->operands;
	input->nfiles = options->noperands;
	if (!dump_looks_like(input->files[0])) {
		input->program = *input->files++;
		input->nfiles--;
	}
	if (input->nfiles == 0)
		fail("%s: not a heap profile, and no other file is given",
		    input->program);
	for (unsigned i = 0; i < input->nfiles; i++) {
		if (input->program && dump_is_symbolized(input->files[i]))
			fail("%s: has its symbols with it, so there must be no "
			    "program before it", input->files[i]);
	}
	if (options->base != NULL)
		check_exists(options->base);
}

static struct dump *
input_add(struct profile *profile, const char *path,
    const struct options *options, uint64_t thread)
{
	bool base = path == options->base;
	struct dump *dump = dump_read(path, options->view, thread);

	if (dump->nsymbols > 0 && (options->granularity == LINES ||
	    options->granularity == FILES ||
	    options->output == OUTPUT_CALLGRIND))
		fail("%s: has names, but no lines", path);
	symbols_given(dump);
	profile_add(profile, dump, base ? -1 : 1);
	return dump;
}

static void
print_report(struct report *report, const struct options *options,
    const struct profile *profile)
{
	static const char *const formats[] = {
		[OUTPUT_SVG] = "svg", [OUTPUT_PDF] = "pdf", [OUTPUT_PS] = "ps",
		[OUTPUT_GIF] = "gif", [OUTPUT_PNG] = "png",
	};

	if (options->output == OUTPUT_CALLGRIND)
		report->granularity = LINES;
	traces_take(&report->traces, profile, &options->filters);
	report_entries(report);
	switch (options->output) {
	case OUTPUT_COLLAPSED:
		report_collapsed(report);
		break;
	case OUTPUT_DOT:
		report_dot(report);
		break;
	case OUTPUT_SVG:
	case OUTPUT_PDF:
	case OUTPUT_PS:
	case OUTPUT_GIF:
	case OUTPUT_PNG:
		report_picture(report, formats[options->output]);
		break;
	case OUTPUT_CALLGRIND:
		report_callgrind(report);
		break;
	case OUTPUT_FLAMEGRAPH:
		report_flamegraph(report);
		break;
	default:
		report_text(report);
		break;
	}
}

/* Everything for one thread, or for all together. */
static struct dump *
run(const struct options *options, const struct input *input, uint64_t thread)
{
	struct profile profile = { 0 };
	struct dump *dump = NULL;
	char title[32] = "";

	for (unsigned i = 0; i < input->nfiles; i++)
		dump = input_add(&profile, input->files[i], options, thread);
	if (options->base != NULL)
		input_add(&profile, options->base, options, thread);
	symbols_resolve();
	if (thread != THREAD_ALL)
		sprintf(title, " (t%" PRIu64 ")", thread);

	struct report report = {
		.to = stdout, .granularity = options->granularity,
		.view = options->view, .show_bytes = options->show_bytes,
		.by_cumulative = options->by_cumulative, .title = title,
		.node_count = options->node_count,
		.node_fraction = options->node_fraction,
		.edge_fraction = options->edge_fraction,
		.max_degree = options->max_degree,
		.program = input->program ? input->program :
		    dump->binary ? dump->binary : "unknown",
	};

	if (options->output != OUTPUT_RAW)
		print_report(&report, options, &profile);
	else if (input->nfiles > 1 || options->base != NULL)
		fail("--raw of more than one profile is not supported yet");
	else if (dump->nsymbols > 0)
		fail("%s: is a raw profile already", dump->path);
	else
		report_raw(&report, &profile, dump);
	return dump;
}

static void
run_each_thread(const struct options *options, const struct input *input)
{
	struct dump *last = dump_read(input->files[input->nfiles - 1],
	    options->view, THREAD_ALL);

	for (size_t i = 0; i < last->nthreads; i++)
		run(options, input, last->threads[i]);
}

static uint64_t
thread_number(const char *text)
{
	char *end;
	unsigned long long number = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0')
		fail("--thread=%s is neither a number nor *", text);
	return number;
}

int
main(int argc, char **argv)
{
	struct options options;
	struct input input = { 0 };

	options_parse(&options, argc, argv);
	input_find(&input, &options);
	images_begin(&(struct images_options){ .program = input.program,
	    .prefixes = options.lib_prefix });
	if (options.thread == NULL)
		run(&options, &input, THREAD_ALL);
	else if (strcmp(options.thread, "*") == 0)
		run_each_thread(&options, &input);
	else
		run(&options, &input, thread_number(options.thread));
	if (fflush(stdout) != 0 || ferror(stdout))
		fail("output: %s", strerror(errno));
	return 0;
}
