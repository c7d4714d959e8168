#include "remote.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dump.h"
#include "http.h"
#include "tool.h"

/* The parts of a URL. */
struct place {
	char *url;     /* with its scheme */
	char *host;    /* without the port */
	char *service; /* heap, growth...; NULL: the URL is a file */
	char *root;    /* the part before /pprof/ */
};

static size_t
scheme_length(const char *url)
{
	if (strncasecmp(url, "http://", 7) == 0)
		return 7;
	return strncasecmp(url, "https://", 8) == 0 ? 8 : 0;
}

bool
remote_is_url(const char *name)
{
	const char *colon = strchr(name, ':'), *slash = strchr(name, '/');

	if (scheme_length(name) != 0)
		return true;
	return colon != NULL && colon > name &&
	    (slash == NULL || colon < slash);
}

static void
service_check(const char *url, const char *service)
{
	if (strcmp(service, "heap") != 0 && strcmp(service, "growth") != 0)
		fail("%s: profiles of the kind %s are not supported; heap and "
		     "growth are",
		    url, service);
}

static void
place_parse(struct place *place, const char *url)
{
	static const char mark[] = "/pprof/";
	size_t scheme = scheme_length(url);
	const char *name = url + scheme, *service = NULL, *at = name;
	size_t length;

	if (strncmp(name, "/", 1) == 0 || name[0] == '\0')
		fail("%s: no host", url);
	place->host = print("%.*s", (int)strcspn(name, ":/?"), name);
	place->url = print("%s%s", scheme == 0 ? "http://" : "", url);
	place->service = place->root = NULL;
	if (strpbrk(name, "/?") == NULL)
		fail("%s: which profile? %s/pprof/heap is the usual one", url,
		    url);
	while ((at = strstr(at, mark)) != NULL) {
		service = at;
		at += 1;
	}
	if (service == NULL)
		return;
	length = strcspn(service + sizeof(mark) - 1, "?");
	place->service = print("%.*s", (int)length, service + sizeof(mark) - 1);
	service_check(url, place->service);
	place->root = print("%s%.*s", scheme == 0 ? "http://" : "",
	    (int)(service - url), url);
}

/* The name of the server's program, if the server gives it. */
static const char *
program_name(const struct place *place)
{
	struct http http = { .optional = true };

	if (place->root == NULL)
		return "profile";
	http.url = print("%s/pprof/cmdline", place->root);
	http_ask(&http);
	if (http.text == NULL)
		return "profile";
	/*
	 * It becomes part of a file name, so only harmless characters are
	 * allowed.
	 */
	char *name = print("%.64s", base_name(http.text));

	for (char *at = name; *at != '\0'; at++) {
		if (!isalnum((unsigned char)*at) && strchr("._+-", *at) == NULL)
			*at = '_';
	}
	return name[0] != '\0' ? name : "profile";
}

static const char *
store_folder(void)
{
	const char *given = getenv("JEPROF_TMPDIR"), *home = getenv("HOME");

	if (given == NULL || given[0] == '\0')
		given = print("%s/jeprof", home != NULL ? home : "/tmp");
	if (mkdir(given, 0777) != 0 && errno != EEXIST)
		fail("%s: %s", given, strerror(errno));
	return given;
}

/* Creates a file under a name that did not exist before. */
static const char *
store_create(const struct place *place, FILE **file)
{
	const char *folder = store_folder();
	char *stem = print("%s/%s.%" PRId64 ".%s", folder, program_name(place),
	    (int64_t)time(NULL), place->host);
	char *end = place->service == NULL ? print("%s", "")
					   : print(".pprof.%s", place->service);
	char *path = print("%s%s", stem, end);
	int number = 1, descriptor;

	while ((descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
		    0666)) < 0 &&
	    errno == EEXIST) {
		free(path);
		path = print("%s.%d%s", stem, number++, end);
	}
	*file = descriptor < 0 ? NULL : fdopen(descriptor, "w");
	if (*file == NULL)
		fail("%s: %s", path, strerror(errno));
	free(stem);
	free(end);
	return path;
}

static void
store_close(FILE *file, const char *path)
{
	bool failed = ferror(file) != 0;

	if (fclose(file) != 0 || failed)
		fail("%s: %s", path, strerror(errno));
}

static int
compare_addresses(const void *a, const void *b)
{
	uint64_t first = *(const uint64_t *)a, second = *(const uint64_t *)b;

	return first < second ? -1 : first > second;
}

/* Makes "0xpc+0xpc+..." of the addresses, each of them once. */
static char *
addresses_print(const struct dump *dump)
{
	uint64_t *pcs = memory(dump->npcs, sizeof(*pcs));
	char *text = NULL;
	size_t length;
	FILE *file = open_memstream(&text, &length);

	if (file == NULL)
		fail("out of memory");
	memcpy(pcs, dump->pcs, dump->npcs * sizeof(*pcs));
	sort(pcs, dump->npcs, sizeof(*pcs), compare_addresses);
	for (size_t i = 0; i < dump->npcs; i++) {
		if (i == 0 || pcs[i] != pcs[i - 1])
			fprintf(file, "%s0x%" PRIx64, i == 0 ? "" : "+",
			    pcs[i]);
	}
	fclose(file);
	free(pcs);
	return text;
}

/* Writes those lines of the answer that belong in a symbolized profile. */
static void
names_write(FILE *to, char *answer)
{
	char *line, *end;

	while ((line = strsep(&answer, "\n")) != NULL) {
		uint64_t pc = strtoull(line, &end, 16);

		line[strcspn(line, "\r")] = '\0';
		if (strncmp(line, "0x", 2) != 0 ||
		    (*end != ' ' && *end != '\t'))
			continue;
		end += strspn(end, " \t");
		if (*end != '\0' && strncmp(end, "0x", 2) != 0)
			fprintf(to, "0x%016" PRIx64 " %s\n", pc, end);
	}
}

/* Writes the stored profile again, with the server's names before it. */
static void
names_add(const struct place *place, const char *path)
{
	struct dump *dump = dump_read(path, INUSE_SPACE, THREAD_ALL);
	struct http http = { .url = print("%s/pprof/symbol", place->root) };
	const char *mark;
	FILE *file;

	/* Its names are in it, or in the files that it names. */
	if (dump->form == DUMP_PROTO || dump->nsymbols > 0 || dump->npcs == 0)
		return;
	http_ask(&http);
	mark = strstr(http.text, "num_symbols:");
	if (mark == NULL || strtol(mark + 12, NULL, 10) <= 0)
		fail("%s: the server knows no names; name the program before "
		     "the URL",
		    http.url);
	free(http.text);
	http.body = addresses_print(dump);
	http_ask(&http);
	file = fopen(path, "we");
	if (file == NULL)
		fail("%s: %s", path, strerror(errno));
	fprintf(file, "--- symbol\nbinary=%s\n", place->url);
	names_write(file, http.text);
	fprintf(file, "---\n--- %s\n", place->service);
	fwrite(dump->text, 1, dump->length, file);
	store_close(file, path);
}

static const char *
fetch_one(const char *url, const struct remote_options *options)
{
	struct place place;
	struct http http = { .seconds = options->seconds };
	const char *path;
	FILE *file;

	place_parse(&place, url);
	http.url = place.service == NULL || options->seconds == 0
	    ? place.url
	    : print("%s%cseconds=%u", place.url,
		  strchr(place.url, '?') != NULL ? '&' : '?', options->seconds);
	http_ask(&http);
	path = store_create(&place, &file);
	fwrite(http.text, 1, http.length, file);
	store_close(file, path);
	if (options->names && place.root != NULL)
		names_add(&place, path);
	note("%s is kept in %s, which can be named instead of it", url, path);
	return path;
}

/*
 * Fetches in a process of its own, which writes the path, or nothing if it has
 * failed.
 */
static FILE *
fetch_begin(const char *url, const struct remote_options *options)
{
	int ends[2];
	FILE *file;
	const char *path;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) != 0 || (child = fork()) < 0)
		fail("%s: %s", url, strerror(errno));
	if (child == 0) {
		path = fetch_one(url, options);
		_exit(write(ends[1], path, strlen(path)) < 0);
	}
	close(ends[1]);
	file = fdopen(ends[0], "r");
	if (file == NULL)
		fail("out of memory");
	return file;
}

void
remote_fetch(struct remote *remotes, unsigned count,
    const struct remote_options *options)
{
	FILE **files = memory(count, sizeof(FILE *));
	bool failed = false;

	for (unsigned i = 0; i < count; i++)
		files[i] = fetch_begin(remotes[i].url, options);
	for (unsigned i = 0; i < count; i++) {
		char *path = NULL;
		size_t room = 0;

		if (getline(&path, &room, files[i]) <= 0)
			failed = true;
		remotes[i].path = path;
		fclose(files[i]);
	}
	while (wait(NULL) > 0)
		;
	free(files);
	if (failed)
		exit(1);
}
