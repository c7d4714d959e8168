#include "interactive.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool.h"
#include "util/build.h"
#include "viewer.h"

#if CONFIG_LIBEDIT
#include <editline/readline.h>
#endif

#define PROMPT "(jeprof) "
#define ROWS   10

struct command {
	const char *name;
	enum output output;
	bool routine; /* its words name routines, not a focus */
	const char *help;
};

static const struct command commands[] = {
	{ "top", OUTPUT_TEXT, false,
	    "top[N] [--cum] [--lines] [PATTERN] "
	    "[-PATTERN]...\tfirst N rows (10) of the table" },
	{ "text", OUTPUT_TEXT, false, "text[N] ...\tthe same" },
	{ "list", OUTPUT_LIST, true,
	    "list PATTERN [-PATTERN]...\t"
	    "source of the functions that match" },
	{ "weblist", OUTPUT_WEBLIST, true,
	    "weblist PATTERN [-PATTERN]...\t"
	    "the same in a browser; a click shows instructions" },
	{ "disasm", OUTPUT_DISASM, true,
	    "disasm PATTERN [-PATTERN]...\t"
	    "instructions of the functions that match" },
	{ "gv", OUTPUT_GV, false, "gv [PATTERN] [-PATTERN]...\tgraph in gv" },
	{ "evince", OUTPUT_EVINCE, false, "evince ...\tgraph in evince" },
	{ "web", OUTPUT_WEB, false, "web ...\tgraph in a browser" },
	{ "callgrind", OUTPUT_CALLGRIND, false,
	    "callgrind [FILE]\t"
	    "to the file, or into kcachegrind" },
	{ "help", OUTPUT_NONE, false, "help\tthis text" },
	{ "quit", OUTPUT_NONE, false,
	    "quit\tends jeprof, like the end of the "
	    "input" },
};

static void
help(void)
{
	for (size_t i = 0; i < LENGTH(commands); i++) {
		const char *tab = strchr(commands[i].help, '\t');

		printf("  %-48.*s %s\n", (int)(tab - commands[i].help),
		    commands[i].help, tab + 1);
	}
	puts("PATTERN: only stacks in which it matches; -PATTERN: no stack in "
	     "which it matches.");
}

/* Finds a command; "top20" is top with 20 rows. */
static const struct command *
command_find(const char *word, struct options *options)
{
	size_t length = strcspn(word, "0123456789");
	char *end;

	for (size_t i = 0; i < LENGTH(commands); i++) {
		const struct command *command = &commands[i];

		if (strlen(command->name) != length ||
		    memcmp(command->name, word, length) != 0)
			continue;
		if (word[length] == '\0')
			return command;
		if (command->output != OUTPUT_TEXT)
			continue;
		options->top = (unsigned)strtoul(word + length, &end, 10);
		if (*end == '\0')
			return command;
	}
	return NULL;
}

/* Adds a pattern: a name matches if any one of them matches. */
static void
pattern_or(const char **pattern, const char *word)
{
	*pattern = *pattern == NULL ? intern(word)
				    : print("%s|%s", *pattern, word);
}

static void
words_take(struct options *options, const struct command *command, char *rest)
{
	const char *focus = NULL;
	char *word;

	while ((word = strsep(&rest, " \t")) != NULL) {
		if (word[0] == '\0')
			continue;
		if (strcmp(word, "--cum") == 0)
			options->by_cumulative = true;
		else if (strcmp(word, "--lines") == 0)
			options->granularity = LINES;
		else if (word[0] == '-')
			pattern_or(&options->filters.ignore, word + 1);
		else
			pattern_or(&focus, word);
	}
	if (command->routine)
		options->routine = focus != NULL ? focus : ".";
	else if (focus != NULL)
		options->filters.focus = focus;
}

static void
callgrind(const struct session *session, struct options *options, char *path)
{
	FILE *file;

	path += strspn(path, " \t");
	options->granularity = LINES;
	if (path[0] == '\0') {
		session_view(session, options, viewer_kcachegrind);
		return;
	}
	file = fopen(path, "we");
	if (file == NULL)
		fail("%s: %s", path, strerror(errno));
	session_report(session, options, file);
	bool failed = ferror(file) != 0;

	if (fclose(file) != 0 || failed)
		fail("%s: %s", path, strerror(errno));
}

static void
command_run(const struct session *session, const struct options *given,
    char *line)
{
	struct options options = *given;
	char *word = strsep(&line, " \t"), none[] = "";
	const struct command *command;

	options.top = ROWS;
	command = command_find(word, &options);
	if (command == NULL)
		fail("unknown command %s; help lists all", word);
	if (command->output == OUTPUT_NONE) {
		help();
		return;
	}
	options.output = command->output;
	if (line == NULL)
		line = none;
	if (command->output == OUTPUT_CALLGRIND) {
		session_total(session, &options);
		callgrind(session, &options, line);
		return;
	}
	words_take(&options, command, line);
	if (command->output != OUTPUT_TEXT)
		session_total(session, &options);
	session_report(session, &options, stdout);
}

static void
command_start(const struct session *session, const struct options *options,
    char *line)
{
	pid_t child;

	fflush(stdout);
	fflush(stderr);
	child = fork();
	if (child < 0) {
		note("jeprof: fork: %s", strerror(errno));
		return;
	}
	if (child == 0) {
		signal(SIGINT, SIG_DFL);
		viewer_in_background();
		command_run(session, options, line);
		output_check();
		_exit(0);
	}
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}

static char *
line_get(void)
{
	static char *line;
	static size_t room;

#if CONFIG_LIBEDIT
	if (isatty(0)) {
		rl_outstream = stderr;
		/* On Ctrl-C readline() returns an error: begin a new line. */
		while (errno = 0,
		    (line = readline(PROMPT)) == NULL && errno == EINTR)
			fputc('\n', stderr);
		if (line != NULL && line[0] != '\0')
			add_history(line);
		return line;
	}
#endif
	fputs(PROMPT, stderr);
	fflush(stderr);
	if (getline(&line, &room, stdin) < 0)
		return NULL;
	return line;
}

void
interactive(const struct session *session, const struct options *options)
{
	char *line;

	signal(SIGINT, SIG_IGN);
	fputs("Welcome to jeprof! help lists the commands.\n", stderr);
	while ((line = line_get()) != NULL) {
		size_t length = strlen(line);

		while (length > 0 && isspace((unsigned char)line[length - 1]))
			line[--length] = '\0';
		line += strspn(line, " \t");
		if (strcmp(line, "quit") == 0)
			return;
		if (line[0] != '\0')
			command_start(session, options, line);
	}
	fputc('\n', stderr);
}
