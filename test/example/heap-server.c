/*
 * heap-server: how a service offers its heap profile over HTTP.
 *
 *   GET /heap_profile                    is it sampling?
 *   GET /heap_profile?active=true|false  sample, or pause
 *   GET /heap_profile?trigger_dump=true  the profile of now
 *   GET /flamegraph                      the same as a picture
 *   GET /pprof/heap, /pprof/cmdline,
 *   GET and POST /pprof/symbol           what `jeprof http://...` asks for
 *   GET /work?sessions=N                 work, with a leak in it
 *
 * usage: heap-server [PORT]; without one, or with 0, it takes a free one. Says
 * where it listens: on 127.0.0.1 only, for a profile shows the program's
 * inside. $JEPROF names the analyser. Start it with MALLOC_CONF=prof:true, or
 * have it sample by the page above. Link it with -rdynamic, so that
 * /pprof/symbol knows the names of functions.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HEAD_MAX = 8192, BODY_MAX = 1 << 18 };

extern char **environ;

/* Weak: without the library the server runs as well, and says so. */
__attribute__((weak)) int mallctl(const char *name, void *old, size_t *old_size,
    void *new_value, size_t new_size);

struct request {
	int fd;
	size_t length; /* of all that was read */
	char *target;
	const char *query; /* what follows the ?, or "" */
	const char *body;
	char text[HEAD_MAX + BODY_MAX + 1];
};

static struct {
	int listener;
	char folder[64]; /* for dumps; nobody else may look into it */
	_Atomic unsigned ndumps;
} server;

/* --- answers -------------------------------------------------------------- */

static void
send_all(int fd, const char *data, size_t length)
{
	while (length > 0) {
		ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		data += sent;
		length -= (size_t)sent;
	}
}

static void
answer_head(int fd, const char *status, const char *type, size_t length)
{
	char head[256];

	send_all(fd, head,
	    (size_t)snprintf(head, sizeof(head),
		"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
		"Cache-Control: no-store\r\nConnection: close\r\n\r\n",
		status, type, length));
}

static void
answer(int fd, const char *status, const char *text)
{
	answer_head(fd, status, "text/plain", strlen(text));
	send_all(fd, text, strlen(text));
}

static void
answer_error(int fd, const char *what, int error)
{
	char text[256];

	snprintf(text, sizeof(text), "%s: %s\n", what, strerror(error));
	answer(fd, "500 Internal Server Error", text);
}

/* Then the file is removed. */
static void
answer_file(int fd, const char *type, const char *path)
{
	char block[65536];
	struct stat status;
	ssize_t got;
	int file = open(path, O_RDONLY | O_CLOEXEC);

	unlink(path);
	if (file < 0 || fstat(file, &status) != 0) {
		answer_error(fd, path, errno);
	} else {
		answer_head(fd, "200 OK", type, (size_t)status.st_size);
		while ((got = read(file, block, sizeof(block))) > 0)
			send_all(fd, block, (size_t)got);
	}
	if (file >= 0)
		close(file);
}

/* --- the profile ---------------------------------------------------------- */

static int
control(const char *name, void *old, size_t *old_size, void *new_value,
    size_t new_size)
{
	return mallctl == NULL
	    ? ENOENT
	    : mallctl(name, old, old_size, new_value, new_size);
}

static void
answer_control_error(int fd, const char *name, int error)
{
	if (error == ENOENT)
		answer(fd, "503 Service Unavailable",
		    "the heap is not "
		    "profiled: start the server with the library, and with\n"
		    "MALLOC_CONF=prof:true, or ask for "
		    "/heap_profile?active=true\n");
	else
		answer_error(fd, name, error);
}

static bool
dump(int fd, char *path, size_t size)
{
	const char *name = path;
	int error;

	snprintf(path, size, "%s/%u.heap", server.folder, server.ndumps++);
	error = control("prof.dump", NULL, NULL, &name, sizeof(name));
	if (error != 0)
		answer_control_error(fd, "prof.dump", error);
	return error == 0;
}

/* Where it is not there at all, it can still be turned on. */
static int
set_active(bool active)
{
	int error = control("prof.active", NULL, NULL, &active, sizeof(active));

	if (error == ENOENT && active)
		error = control("experimental.x.prof.enable", NULL, NULL,
		    &active, sizeof(active));
	return error;
}

static void
give_dump(struct request *request)
{
	char path[128];

	if (dump(request->fd, path, sizeof(path)))
		answer_file(request->fd, "application/octet-stream", path);
}

static void
heap_profile(struct request *request)
{
	bool active = strcmp(request->query, "active=true") == 0;
	bool change = active || strcmp(request->query, "active=false") == 0;
	size_t size = sizeof(active);
	int error;

	if (strcmp(request->query, "trigger_dump=true") == 0) {
		give_dump(request);
		return;
	}
	if (!change && *request->query != '\0') {
		answer(request->fd, "400 Bad Request",
		    "active=true, "
		    "active=false or trigger_dump=true\n");
		return;
	}
	error = change ? set_active(active)
		       : control("prof.active", &active, &size, NULL, 0);
	if (error != 0)
		answer_control_error(request->fd, "prof.active", error);
	else
		answer(request->fd, "200 OK",
		    active ? "active=true\n" : "active=false\n");
}

/* The analyser's own heap is of no interest, so it is not to be profiled. */
static int
run_jeprof(const char *dump_path, const char *picture_path)
{
	const char *jeprof = getenv("JEPROF");
	char *arguments[] = { "jeprof", "--flamegraph", "/proc/self/exe",
		(char *)dump_path, NULL };
	char program[256] = "";
	char *environment[256];
	posix_spawn_file_actions_t actions;
	size_t count = 0;
	int error, status = 0;
	pid_t pid;

	if (readlink("/proc/self/exe", program, sizeof(program) - 1) > 0)
		arguments[2] = program;
	for (char **at = environ; *at != NULL && count < 255; at++)
		if (strncmp(*at, "LD_PRELOAD=", 11) != 0 &&
		    strncmp(*at, "MALLOC_CONF=", 12) != 0)
			environment[count++] = *at;
	environment[count] = NULL;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, picture_path,
	    O_WRONLY | O_CREAT | O_TRUNC, 0600);
	error = posix_spawnp(&pid, jeprof == NULL ? "jeprof" : jeprof, &actions,
	    NULL, arguments, environment);
	posix_spawn_file_actions_destroy(&actions);
	if (error != 0)
		return error;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return errno;
	return status == 0 ? 0 : EIO;
}

static void
flame_graph(struct request *request)
{
	char path[128], picture[160];
	int error;

	if (!dump(request->fd, path, sizeof(path)))
		return;
	snprintf(picture, sizeof(picture), "%s.svg", path);
	error = run_jeprof(path, picture);
	unlink(path);
	if (error == 0) {
		answer_file(request->fd, "image/svg+xml", picture);
		return;
	}
	unlink(picture);
	answer_error(request->fd, "no jeprof, or no samples", error);
}

/* --- what jeprof asks a server for ---------------------------------------- */

static void
command_line(struct request *request)
{
	char text[4096];
	ssize_t got = 0;
	int file = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);

	if (file >= 0) {
		got = read(file, text, sizeof(text));
		close(file);
	}
	answer_head(request->fd, "200 OK", "text/plain",
	    got > 0 ? (size_t)got : 0);
	send_all(request->fd, text, got > 0 ? (size_t)got : 0);
}

/* `0xpc+0xpc+...` becomes lines of `0xpc name`. */
static void
symbols(struct request *request)
{
	const char *at = request->body;
	char *text = NULL;
	size_t length = 0;
	FILE *to;

	if (*at == '\0') {
		answer(request->fd, "200 OK", "num_symbols: 1\n");
		return;
	}
	to = open_memstream(&text, &length);
	if (to == NULL) {
		answer_error(request->fd, "symbols", errno);
		return;
	}
	while (*at != '\0') {
		char *end;
		uintptr_t pc = strtoull(at, &end, 16);
		Dl_info info;

		if (end == at)
			break;
		fprintf(to, "%.*s", (int)(end - at), at);
		if (dladdr((void *)pc, &info) != 0 && info.dli_sname != NULL)
			fprintf(to, " %s\n", info.dli_sname);
		else
			fprintf(to, " 0x%016jx\n", (uintmax_t)pc);
		at = *end == '+' ? end + 1 : end;
	}
	fclose(to);
	answer_head(request->fd, "200 OK", "text/plain", length);
	send_all(request->fd, text, length);
	free(text);
}

/* --- what the service is for ---------------------------------------------- */

struct visit {
	struct visit *next;
	char text[1000];
};

static pthread_mutex_t history_lock = PTHREAD_MUTEX_INITIALIZER;
static struct visit *history;

/* The leak: what is remembered here, nobody ever forgets. */
__attribute__((noinline)) void
history_remember(const char *what)
{
	struct visit *visit = malloc(sizeof(*visit));

	if (visit == NULL)
		return;
	snprintf(visit->text, sizeof(visit->text), "%s", what);
	pthread_mutex_lock(&history_lock);
	visit->next = history;
	history = visit;
	pthread_mutex_unlock(&history_lock);
}

/* Not the leak: much comes, and all of it goes. */
__attribute__((noinline)) void
session_run(unsigned number)
{
	char *buffer[8];

	for (unsigned i = 0; i < 8; i++) {
		buffer[i] = malloc(2000 + i);
		if (buffer[i] != NULL)
			snprintf(buffer[i], 2000, "session %u", number + i);
	}
	if (buffer[number % 8] != NULL)
		history_remember(buffer[number % 8]);
	for (unsigned i = 0; i < 8; i++)
		free(buffer[i]);
}

void
work(struct request *request)
{
	unsigned sessions = 1;
	char text[64];

	sscanf(request->query, "sessions=%u", &sessions);
	for (unsigned i = 0; i < sessions; i++)
		session_run(i);
	snprintf(text, sizeof(text), "%u sessions\n", sessions);
	answer(request->fd, "200 OK", text);
}

static void
front_page(struct request *request)
{
	static const char page[] =
	    "<!DOCTYPE html><title>heap-server</title>\n"
	    "<ul><li><a href=/work?sessions=20000>work</a>\n"
	    "<li><a href=/flamegraph>flame graph of the heap</a>\n"
	    "<li><a href=/heap_profile>is it sampled?</a>\n"
	    "<li><a href=/heap_profile?active=true>sample</a>\n"
	    "<li><a href=/heap_profile?active=false>pause</a>\n"
	    "<li><a href=/heap_profile?trigger_dump=true>profile</a></ul>\n";

	answer_head(request->fd, "200 OK", "text/html", sizeof(page) - 1);
	send_all(request->fd, page, sizeof(page) - 1);
}

/* --- requests ------------------------------------------------------------- */

static const struct {
	const char *path;
	void (*serve)(struct request *request);
} pages[] = {
	{ "/", front_page },
	{ "/heap_profile", heap_profile },
	{ "/flamegraph", flame_graph },
	{ "/pprof/heap", give_dump },
	{ "/pprof/cmdline", command_line },
	{ "/pprof/symbol", symbols },
	{ "/work", work },
};

static bool
read_more(struct request *request)
{
	ssize_t got = recv(request->fd, request->text + request->length,
	    sizeof(request->text) - 1 - request->length, 0);

	if (got <= 0)
		return false;
	request->length += (size_t)got;
	request->text[request->length] = '\0';
	return true;
}

/* Head and body; false: it is not a request that we know. */
static bool
read_request(struct request *request)
{
	const char *field;
	size_t wanted = 0;
	char *end, *mark;

	request->length = 0;
	request->text[0] = '\0';
	while ((end = strstr(request->text, "\r\n\r\n")) == NULL)
		if (request->length >= HEAD_MAX || !read_more(request))
			return false;
	end += 4;
	field = strcasestr(request->text, "\r\nContent-Length:");
	if (field != NULL && field < end)
		wanted = strtoull(field + 17, NULL, 10);
	if (wanted > BODY_MAX)
		return false;
	field = strcasestr(request->text, "\r\nExpect: 100-continue");
	if (field != NULL && field < end)
		send_all(request->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	while ((size_t)(request->text + request->length - end) < wanted)
		if (!read_more(request))
			return false;
	end[wanted] = '\0';
	request->body = end;
	if (strncmp(request->text, "GET ", 4) != 0 &&
	    strncmp(request->text, "POST ", 5) != 0)
		return false;
	request->target = strchr(request->text, ' ') + 1;
	request->target[strcspn(request->target, " \r\n")] = '\0';
	mark = strchr(request->target, '?');
	request->query = mark == NULL ? "" : mark + 1;
	if (mark != NULL)
		*mark = '\0';
	return true;
}

static void
serve(struct request *request)
{
	if (!read_request(request)) {
		answer(request->fd, "400 Bad Request", "bad request\n");
		return;
	}
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		if (strcmp(request->target, pages[i].path) == 0) {
			pages[i].serve(request);
			return;
		}
	}
	answer(request->fd, "404 Not Found", "no such page\n");
}

static void *
run_connection(void *argument)
{
	struct request *request = argument;

	serve(request);
	close(request->fd);
	free(request);
	return NULL;
}

/* Browsers open connections before they need them: each one gets a thread. */
static void *
run_listener(void *argument)
{
	struct timeval patience = { .tv_sec = 10 };
	pthread_attr_t detached;

	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	for (;;) {
		int fd = accept4(server.listener, NULL, NULL, SOCK_CLOEXEC);
		struct request *request;
		pthread_t thread;

		if (fd < 0)
			continue;
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
		    sizeof(patience));
		request = malloc(sizeof(*request));
		if (request != NULL)
			request->fd = fd;
		if (request == NULL ||
		    pthread_create(&thread, &detached, run_connection,
			request) != 0) {
			free(request);
			close(fd);
		}
	}
	return argument;
}

static void
start_listening(unsigned port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int on = 1;

	server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(server.listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(server.listener, (struct sockaddr *)&address, size) != 0 ||
	    listen(server.listener, 64) != 0 ||
	    getsockname(server.listener, (struct sockaddr *)&address, &size) !=
		0) {
		perror("heap-server");
		exit(1);
	}
	printf("http://127.0.0.1:%u/\n", ntohs(address.sin_port));
	fflush(stdout);
}

/*
 * Signals come to the main thread, which then returns: a process that a signal
 * kills writes no profile at its end (prof_final:true).
 */
int
main(int argc, char **argv)
{
	const char *temporary = getenv("TMPDIR");
	pthread_t thread;
	sigset_t ends;
	int number;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &ends, NULL);
	snprintf(server.folder, sizeof(server.folder), "%.40s/heap.XXXXXX",
	    temporary == NULL ? "/tmp" : temporary);
	if (mkdtemp(server.folder) == NULL) {
		perror(server.folder);
		return 1;
	}
	start_listening(argc > 1 ? (unsigned)atoi(argv[1]) : 0);
	if (pthread_create(&thread, NULL, run_listener, NULL) != 0)
		return 1;
	sigwait(&ends, &number);
	rmdir(server.folder);
	return 0;
}
