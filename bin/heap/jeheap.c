/*
 * jeheap: shows what is in the heap of a process or of a core file. It opens
 * the target, finds the allocators in it (layout), reads each one (heap), and
 * runs the command for it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "json.h"
#include "session.h"
#include "tool.h"

enum status { COMPLETE = 0, WRONG_USE = 1, INCOMPLETE = 2, NO_ALLOCATOR = 3 };

static void
instance_title(const struct session *session, unsigned number)
{
	const struct layout *layout = session->heap->layout;
	const char *path = layout->module == NULL ||
		layout->module->path == NULL
	    ? "?"
	    : layout->module->path;

	if (session->options.json) {
		json_object(NULL);
		json_number("instance", number);
		json_text("file", path);
		json_text("version", layout->version);
		json_address("descriptor", layout->address);
	} else if (session->layouts.count > 1 &&
	    (session->options.command->flags & COMMAND_OF_ONE) == 0) {
		printf("%sInstance %u: %s, version %s\n",
		    number == 0 ? "" : "\n", number, path, layout->version);
	}
}

static void
state_note(const struct session *session)
{
	const struct layout *layout = session->heap->layout;

	if (session->options.quiet)
		return;
	if (layout->state == HEAP_STARTING)
		note("jeheap: the allocator was just starting");
	if (layout->state == HEAP_FORKING)
		note("jeheap: the process was just forking");
}

/* Reports what is wrong with this instance. True: nothing is. */
static bool
damage_tell(const struct session *session)
{
	const struct heap *heap = session->heap;
	uint64_t metadata = heap->layout->unreadable;
	bool has_run = target_has_run(session->target);
	bool fine = metadata == 0 && heap->unreadable_data == 0 &&
	    heap->wrong == 0 && heap->locks_held == 0;

	if (session->options.json) {
		json_object("notes");
		json_number("unreadable_metadata", metadata);
		json_number("unreadable_data", heap->unreadable_data);
		json_number("inconsistent", heap->wrong);
		json_number("locks_held", heap->locks_held);
		json_number("uncertain", heap->uncertain);
		json_bool("approximate", has_run);
		json_end();
		json_end();
	}
	if (session->options.quiet || session->options.json)
		return fine;
	if (has_run)
		note("jeheap: the process ran meanwhile: figures are "
		     "approximate");
	if (heap->uncertain > 0)
		note("jeheap: uncertain: %" PRIu64 " regions that were in "
		     "transit when the process stopped",
		    heap->uncertain);
	if (heap->locks_held > 0)
		note("jeheap: %" PRIu64 " locks were held: the data that "
		     "they protect may be incomplete",
		    heap->locks_held);
	if (metadata > 0 || heap->unreadable_data > 0)
		note("jeheap: unreadable: %" PRIu64
		     " bytes of metadata, %" PRIu64
		     " bytes of data; figures are lower bounds",
		    metadata, heap->unreadable_data);
	if (heap->wrong > 0)
		note("jeheap: %" PRIu64 " inconsistencies, such as: %s",
		    heap->wrong, heap->findings[0]);
	return fine;
}

static bool
instance_run(struct session *session, unsigned number)
{
	session->heap = heap_open(session->target,
	    session->layouts.list[number]);
	session->selector = (struct selector){ 0 };
	instance_title(session, number);
	state_note(session);
	if (session->options.operand != NULL &&
	    session->options.command->operand == OPERAND_SIZE)
		selector_parse(&session->selector, session->heap,
		    session->options.operand);
	bool here = session->options.arena < 0 ||
	    heap_arena(session->heap, (unsigned)session->options.arena) != 0;

	session->arena_found |= here;
	if (here)
		session->options.command->run(session);
	fflush(stdout);
	return damage_tell(session);
}

/* If the arena or thread does not exist, an empty answer would not say so. */
static bool
restrictions_tell(const struct session *session)
{
	bool arena = session->options.arena < 0 || session->arena_found;
	bool thread = session->options.thread < 0 || session->thread_found;

	if (!arena)
		note("jeheap: --arena=%" PRId64 ": there is no such arena",
		    session->options.arena);
	if (!thread)
		note("jeheap: --thread=%" PRId64 ": no cache is known to be "
		     "of such a thread",
		    session->options.thread);
	return arena && thread;
}

static enum status
instances_run(struct session *session)
{
	enum status status = session->target->truncated ? INCOMPLETE : COMPLETE;
	int64_t wanted = session->options.instance;

	if (wanted >= 0 && (uint64_t)wanted >= session->layouts.count)
		fail("--instance=%" PRId64 ": there are only %zu", wanted,
		    session->layouts.count);
	if (wanted < 0 && session->layouts.count > 1 &&
	    (session->options.command->flags & COMMAND_OF_ONE) != 0)
		fail("there are %zu allocators; choose one: --instance=0 to "
		     "%zu",
		    session->layouts.count, session->layouts.count - 1);
	if (session->target->truncated && !session->options.quiet)
		note("jeheap: %s: ends too early; what is missing counts as "
		     "unreadable",
		    session->target->name);
	if (session->options.json) {
		json_object(NULL);
		json_text("command", session->options.command->name);
		json_text("target", session->target->name);
		json_array("instances");
	}
	for (unsigned i = 0; i < session->layouts.count; i++) {
		if ((wanted < 0 || wanted == i) && !instance_run(session, i))
			status = INCOMPLETE;
	}
	if (session->options.json) {
		json_end();
		json_end();
	}
	return restrictions_tell(session) ? status : WRONG_USE;
}

/* Without a folder for temporary files, the output is kept in memory. */
static FILE *
output_file(void)
{
	FILE *file = tmpfile();
	int memory = file == NULL ? memfd_create("jeheap", MFD_CLOEXEC) : -1;

	return memory >= 0 ? fdopen(memory, "w+") : file;
}

/*
 * While the process is stopped, the output goes to a file: the reader of a pipe
 * could make the process wait.
 */
static enum status
instances_run_apart(struct session *session)
{
	FILE *file = output_file();
	int real = dup(STDOUT_FILENO);
	char bytes[65536];
	size_t count;

	if (file == NULL || real < 0 || dup2(fileno(file), STDOUT_FILENO) < 0)
		fail("a temporary file: %s", strerror(errno));
	enum status status = instances_run(session);

	output_check();
	target_resume(session->target);
	dup2(real, STDOUT_FILENO);
	close(real);
	rewind(file);
	while ((count = fread(bytes, 1, sizeof(bytes), file)) > 0)
		fwrite(bytes, 1, count, stdout);
	fclose(file);
	return status;
}

/* One look at the target. */
static enum status
look(struct session *session)
{
	session->target = target_open(&session->options.target);
	modules_find(&session->modules, session->target);
	layouts_find(&session->layouts, session->target, &session->modules);
	if (session->layouts.count == 0) {
		target_resume(session->target);
		note("jeheap: %s: %s", session->target->name,
		    session->layouts.reason != NULL
			? session->layouts.reason
			: "no allocator of this kind in it");
		if (session->target->truncated)
			note("jeheap: %s: ends too early",
			    session->target->name);
		return NO_ALLOCATOR;
	}
	session->bars = isatty(STDOUT_FILENO);
	enum status status = session->options.target.pid != 0 &&
		!session->options.target.no_stop
	    ? instances_run_apart(session)
	    : instances_run(session);

	output_check();
	return status;
}

/*
 * Looks repeatedly, until a look fails. Each look is a new process, so nothing
 * is left of the last one.
 */
static enum status
look_repeatedly(struct session *session)
{
	int64_t count = session->options.count;
	int status = 0;

	/* So a reader knows at the end of a line that a look is complete. */
	json_one_line();
	for (int64_t i = 0; count == 0 || i < count; i++) {
		if (i > 0)
			sleep((unsigned)session->options.interval);
		if (isatty(STDOUT_FILENO) && !session->options.json)
			fputs("\033[H\033[J", stdout);
		fflush(stdout);
		pid_t child = fork();

		if (child == 0)
			exit(look(session));
		if (child < 0 || waitpid(child, &status, 0) != child)
			fail("a process: %s", strerror(errno));
		if (!WIFEXITED(status))
			return INCOMPLETE;
		if (WEXITSTATUS(status) != COMPLETE &&
		    WEXITSTATUS(status) != INCOMPLETE)
			break;
	}
	return (enum status)WEXITSTATUS(status);
}

/* A test calls it by another name. */
#ifndef JEHEAP_MAIN
#define JEHEAP_MAIN main
#endif
int JEHEAP_MAIN(int argc, char **argv);

int
JEHEAP_MAIN(int argc, char **argv)
{
	static struct session session;

	tool_name("jeheap");
	options_parse(&session.options, argc, argv);
	return (session.options.command->flags & COMMAND_REPEATS) != 0
	    ? look_repeatedly(&session)
	    : look(&session);
}
