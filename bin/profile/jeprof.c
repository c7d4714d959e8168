/*
 * jeprof: prints what heap profiles contain. It reads them (dump), finds names
 * (symbols), adds up and filters (stacks), and prints (report).
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "holes.h"
#include "images.h"
#include "input.h"
#include "interactive.h"
#include "jit.h"
#include "process.h"
#include "selftest.h"
#include "session.h"
#include "tool.h"

/* Reads and reports for one thread, or for all together. */
static void
run(const struct options *options, const struct input *input, uint64_t thread)
{
	char title[32] = "";
	struct session session = { .program = input->program, .title = title };

	if (thread != THREAD_ALL)
		sprintf(title, " (t%" PRIu64 ")", thread);
	session_read(&session, options, input->files, thread);
	if (options->output == OUTPUT_HOLES)
		holes_print(&session, options, stdout);
	if (options->output == OUTPUT_INTERACTIVE)
		interactive(&session, options);
	else
		session_report(&session, options, stdout);
}

static void
run_each_thread(const struct options *options, const struct input *input)
{
	struct dump *last = dump_read(input->files[input->nfiles - 1],
	    options->view, THREAD_ALL);

	for (size_t i = 0; i < last->nthreads; i++)
		run(options, input, last->threads[i]);
}

/* Prints the names of each address on stdin. */
static void
print_symbols(void)
{
	struct dump *dump = dump_read_addresses(stdin);
	unsigned *locations = memory(dump->npcs, sizeof(*locations));

	for (size_t i = 0; i < dump->npcs; i++)
		locations[i] = symbols_location(dump, dump->pcs[i]);
	symbols_resolve();
	for (size_t i = 0; i < dump->npcs; i++) {
		const struct frame *frame = symbols_get(locations[i])->frames;

		puts(frame->name == NULL ? "??" : frame->short_name);
	}
	free(locations);
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

static void
run_all(const struct options *options, const struct input *input)
{
	if (options->output == OUTPUT_SYMBOLS)
		print_symbols();
	else if (options->thread == NULL)
		run(options, input, THREAD_ALL);
	else if (strcmp(options->thread, "*") == 0)
		run_each_thread(options, input);
	else
		run(options, input, thread_number(options->thread));
}

/* A test calls it by another name. */
#ifndef JEPROF_MAIN
#define JEPROF_MAIN main
#endif
int JEPROF_MAIN(int argc, char **argv);

int
JEPROF_MAIN(int argc, char **argv)
{
	struct options options;
	struct input input = { 0 };

	options_parse(&options, argc, argv);
	if (options.debug)
		trace_begin();
	if (options.output == OUTPUT_SELFTEST)
		return selftest();
	process_tools(options.tools);
	input_find(&input, &options);
	images_begin(&(struct images_options){ .program = input.program,
	    .prefixes = options.lib_prefix,
	    .added = options.add_lib });
	jit_begin(options.perf_map);
	run_all(&options, &input);
	output_check();
	return 0;
}
