#include "input.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process.h"
#include "remote.h"
#include "tool.h"

#define HOSTS_MAX 1000

static bool
is_file(const char *name)
{
	return access(name, F_OK) == 0;
}

static void
check_readable(const char *path)
{
	if (access(path, R_OK) != 0)
		fail("%s: %s", path, strerror(errno));
}

static void
name_add(struct input *input, char *name)
{
	/* One more for the NULL at the end. */
	input->files = array_room(input->files, input->nfiles,
	    sizeof(*input->files));
	input->files[input->nfiles++] = name;
}

/*
 * Files are read more than once, and a pipe can't be: the name of a copy that
 * goes with this process.
 */
static char *
unpiped(char *name)
{
	char bytes[65536];
	struct stat status;
	size_t length;
	FILE *from, *to;

	if (stat(name, &status) != 0 || !S_ISFIFO(status.st_mode))
		return name;
	from = fopen(name, "re");
	to = tmpfile();
	if (from == NULL || to == NULL)
		fail("%s: %s", name, strerror(errno));
	while ((length = fread(bytes, 1, sizeof(bytes), from)) > 0)
		fwrite(bytes, 1, length, to);
	if (ferror(from) || fflush(to) != 0)
		fail("%s: %s", name, strerror(errno));
	fclose(from);
	return print("/proc/self/fd/%d", fileno(to));
}

/* host@3/path stands for 0.host/path, 1.host/path and 2.host/path. */
static bool
hosts_add(struct input *input, const char *name)
{
	const char *mark = strchr(name, '@'), *scheme = strstr(name, "://");
	const char *host = scheme != NULL ? scheme + 3 : name;
	char *end;
	unsigned long count;

	if (mark == NULL || mark == host || is_file(name) ||
	    memchr(host, '/', (size_t)(mark - host)) != NULL ||
	    !isdigit((unsigned char)mark[1]))
		return false;
	count = strtoul(mark + 1, &end, 10);
	if (strchr("/:", *end) == NULL)
		return false;
	if (count == 0 || count > HOSTS_MAX)
		fail("%s: this form can name 1 to %d hosts", name, HOSTS_MAX);
	for (unsigned long i = 0; i < count; i++) {
		char *path = print("%lu.%.*s%s", i, (int)(mark - host), host,
		    end);

		name_add(input,
		    scheme == NULL && is_file(path)
			? path
			: print("%s%s",
			      scheme == NULL          ? "http://"
				  : scheme[-1] == 's' ? "https://"
						      : "http://",
			      path));
	}
	return true;
}

static void
urls_fetch(struct input *input, struct options *options)
{
	struct remote *remotes = memory(input->nfiles + 1, sizeof(*remotes));
	char ***places = memory(input->nfiles + 1, sizeof(*places));
	struct remote_options how = {
		.seconds = options->seconds,
		.names = input->program == NULL,
	};
	unsigned count = 0;
	char *base = (char *)options->base;

	for (unsigned i = 0; i < input->nfiles; i++) {
		if (!is_file(input->files[i]) && remote_is_url(input->files[i]))
			places[count++] = &input->files[i];
	}
	if (base != NULL && !is_file(base) && remote_is_url(base))
		places[count++] = &base;
	for (unsigned i = 0; i < count; i++)
		remotes[i].url = *places[i];
	if (count > 0)
		remote_fetch(remotes, count, &how);
	for (unsigned i = 0; i < count; i++)
		*places[i] = (char *)remotes[i].path;
	options->base = base;
	free(remotes);
	free(places);
}

static void
files_check(const struct input *input, const struct options *options)
{
	for (unsigned i = 0; i < input->nfiles; i++) {
		check_readable(input->files[i]);
		if (input->program != NULL &&
		    dump_is_symbolized(input->files[i]))
			fail("%s: has its own symbols, so don't name a program "
			     "before it",
			    input->files[i]);
	}
	if (options->base != NULL)
		check_readable(options->base);
	if (options->add_lib != NULL)
		check_readable(options->add_lib);
}

/* If the program is no file here, looks it up in $PATH as a shell does. */
static char *
program_on_path(char *name)
{
	char *path;

	if (is_file(name) || strchr(name, '/') != NULL)
		return name;
	path = process_find(name);
	if (path == NULL)
		fail("%s: neither a file here nor a program on PATH", name);
	return path;
}

/* Takes the first operand as program, if it is no profile and no URL. */
static void
program_find(struct input *input)
{
	char *first = input->files[0];

	if (!is_file(first) && remote_is_url(first))
		return;
	first = input->files[0] = program_on_path(first);
	check_readable(first);
	if (dump_looks_like(first))
		return;
	input->program = *input->files++;
	input->nfiles--;
}

void
input_find(struct input *input, struct options *options)
{
	for (unsigned i = 0; i < options->noperands; i++) {
		if (!hosts_add(input, options->operands[i]))
			name_add(input, unpiped(options->operands[i]));
	}
	if (options->base != NULL)
		options->base = unpiped((char *)options->base);
	name_add(input, NULL);
	input->nfiles--;
	if (options->output == OUTPUT_SYMBOLS) {
		input->program = program_on_path(input->files[0]);
		check_readable(input->program);
		if (input->nfiles > 1)
			fail("--symbols takes a program and no profile");
		return;
	}
	program_find(input);
	if (input->nfiles == 0)
		fail("%s: not a heap profile, and no other file is given",
		    input->program);
	urls_fetch(input, options);
	files_check(input, options);
}
