#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool.h"

extern char **environ;

static struct {
	const char *tools;
} process;

void
process_tools(const char *tools)
{
	process.tools = tools != NULL ? tools : getenv("JEPROF_TOOLS");
}

static char *
executable(char *path)
{
	if (access(path, X_OK) == 0)
		return path;
	free(path);
	return NULL;
}

/* The path that --tools gives for this name; with a prefix it must exist. */
static char *
tool_given(const char *name)
{
	char *list, *rest, *word, *path = NULL;
	size_t length = strlen(name);
	bool prefixes = false;

	if (process.tools == NULL || process.tools[0] == '\0')
		return NULL;
	list = rest = print("%s", process.tools);
	while (path == NULL && (word = strsep(&rest, ",")) != NULL) {
		char *colon = strchr(word, ':');

		if (colon == NULL) {
			prefixes = true;
			path = executable(print("%s%s", word, name));
		} else if ((size_t)(colon - word) == length &&
		    memcmp(word, name, length) == 0) {
			path = executable(print("%s", colon + 1));
			if (path == NULL)
				fail("--tools: %s can't be run: %s", colon + 1,
				    strerror(errno));
		}
	}
	if (path == NULL && prefixes)
		fail("--tools=%s: there is no %s", process.tools, name);
	free(list);
	return path;
}

/* The tool that is in the same folder as jeprof itself. */
static char *
tool_beside(const char *name)
{
	char self[4096];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (length <= 0)
		return NULL;
	self[length] = '\0';
	slash = strrchr(self, '/');
	return slash == NULL
	    ? NULL
	    : executable(print("%.*s/%s", (int)(slash - self), self, name));
}

char *
process_find(const char *name)
{
	const char *path = getenv("PATH");
	char *list = print("%s", path != NULL ? path : "/usr/bin:/bin");
	char *rest = list, *folder, *found = NULL;

	while (found == NULL && (folder = strsep(&rest, ":")) != NULL)
		found = executable(print("%s/%s", *folder ? folder : ".",
		    name));
	free(list);
	return found;
}

static char *
tool_path(const char *name)
{
	char *path = strchr(name, '/') != NULL ? executable(print("%s", name))
					       : tool_given(name);

	if (path == NULL)
		path = tool_beside(name);
	if (path == NULL)
		path = process_find(name);
	trace("%s: %s", name, path != NULL ? path : "not found");
	return path;
}

bool
process_exists(const char *name)
{
	char *path = process_find(name);

	free(path);
	return path != NULL;
}

void
process_start(struct process *started, const char *const *words, int input,
    int output)
{
	char *path = tool_path(words[0]);
	posix_spawn_file_actions_t actions;
	int ends[2] = { -1, -1 }, error;

	if (path == NULL)
		fail("this needs the program %s%s, which is not installed",
		    words[0],
		    strcmp(words[0], "dot") == 0           ? " (graphviz)"
			: strcmp(words[0], "objdump") == 0 ? " (binutils)"
							   : "");
	if (output == PIPE && pipe2(ends, O_CLOEXEC) != 0)
		fail("pipe: %s", strerror(errno));
	fflush(stdout);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, input, 0);
	posix_spawn_file_actions_adddup2(&actions,
	    output == PIPE ? ends[1] : output, 1);
	error = posix_spawn(&started->child, path, &actions, NULL,
	    (char *const *)words, environ);
	if (error != 0)
		fail("%s: %s", path, strerror(error));
	posix_spawn_file_actions_destroy(&actions);
	started->output = NULL;
	if (output == PIPE) {
		close(ends[1]);
		started->output = fdopen(ends[0], "r");
	}
	free(path);
}

bool
process_end(struct process *ended)
{
	int status;

	if (ended->output != NULL)
		fclose(ended->output);
	return waitpid(ended->child, &status, 0) >= 0 && status == 0;
}
