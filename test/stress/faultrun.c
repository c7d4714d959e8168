/*
 * faultrun: runs a program and makes one of its system calls fail.
 *
 * usage: faultrun [-a] [-c FILE] [-m TEXT] N ERRNO CALLS -- [KEY=VALUE]...
 *                 PROGRAM [ARGUMENT]...
 *
 *   N       the number of the call that fails, from 1; 0: none, only count
 *   ERRNO   ENOMEM, EAGAIN, EINVAL, EPERM, ENOSYS or a number
 *   CALLS   names with commas between: mmap,munmap,madvise,mremap,mprotect,brk,
 *           mincore,membarrier,sched_getaffinity,openat,readlinkat,getrandom,
 *           prctl
 *   -a      all calls from the Nth on fail, not the Nth alone
 *   -c FILE the number of calls made is written there, as one line
 *   -m TEXT only calls made from a mapped file whose name has TEXT in it
 *
 * Calls count from the start of PROGRAM, in all its threads and children.
 * Those of the dynamic loader do not count and never fail: a program whose
 * libraries can't be mapped says nothing about the allocator. The exit status
 * is the program's, 128 + n if signal n has ended it, 125 if faultrun itself
 * failed, and STRESS_SKIPPED, with the reason in one line, where that can't be
 * done.
 *
 * The kernel hands each matching call to this process, which answers for it
 * (seccomp user notification), so raw system calls are seen as well.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/audit.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stress.h"

enum { CALLS_MAX = 8, FAILED = 125 };

struct request {
	unsigned long number;
	int error;
	int calls[CALLS_MAX];
	unsigned ncalls;
	bool all_from_there;
	const char *count_file;
	const char *mapping;
	char **program;
};

static const struct {
	const char *name;
	int value;
} names[] = {
	{ "mmap", SYS_mmap },
	{ "munmap", SYS_munmap },
	{ "madvise", SYS_madvise },
	{ "mremap", SYS_mremap },
	{ "mprotect", SYS_mprotect },
	{ "brk", SYS_brk },
	{ "mincore", SYS_mincore },
	{ "membarrier", SYS_membarrier },
	{ "sched_getaffinity", SYS_sched_getaffinity },
	{ "openat", SYS_openat },
	{ "readlinkat", SYS_readlinkat },
	{ "getrandom", SYS_getrandom },
	{ "prctl", SYS_prctl },
};

static const struct {
	const char *name;
	int value;
} errors[] = {
	{ "ENOMEM", ENOMEM },
	{ "EAGAIN", EAGAIN },
	{ "EINVAL", EINVAL },
	{ "EPERM", EPERM },
	{ "ENOSYS", ENOSYS },
};

__attribute__((noreturn)) static void
usage(const char *what)
{
	fprintf(stderr,
	    "faultrun: %s\nusage: faultrun [-a] [-c FILE] [-m TEXT] "
	    "N ERRNO CALLS -- [KEY=VALUE]... PROGRAM [ARGUMENT]...\n",
	    what);
	exit(FAILED);
}

__attribute__((noreturn)) static void
die(const char *what)
{
	fprintf(stderr, "faultrun: %s: %s\n", what, strerror(errno));
	exit(FAILED);
}

/* ---- arguments ---- */

static int
error_parse(const char *text)
{
	for (unsigned i = 0; i < sizeof(errors) / sizeof(*errors); i++)
		if (strcmp(errors[i].name, text) == 0)
			return errors[i].value;
	if (atoi(text) <= 0)
		usage("no such error");
	return atoi(text);
}

static void
calls_parse(struct request *request, char *text)
{
	for (char *name = strtok(text, ","); name != NULL;
	     name = strtok(NULL, ",")) {
		unsigned i = 0;

		while (i < sizeof(names) / sizeof(*names) &&
		    strcmp(names[i].name, name) != 0)
			i++;
		if (i == sizeof(names) / sizeof(*names) ||
		    request->ncalls == CALLS_MAX)
			usage("no such system call");
		request->calls[request->ncalls++] = names[i].value;
	}
}

static struct request
arguments_parse(int argc, char **argv)
{
	struct request request = { 0 };
	char *end;
	int option;

	while ((option = getopt(argc, argv, "+ac:m:")) != -1) {
		if (option == 'a')
			request.all_from_there = true;
		else if (option == 'c')
			request.count_file = optarg;
		else if (option == 'm')
			request.mapping = optarg;
		else
			usage("no such option");
	}
	if (argc - optind < 5 || strcmp(argv[optind + 3], "--") != 0)
		usage("arguments are missing");
	request.number = strtoul(argv[optind], &end, 10);
	if (*end != '\0' || end == argv[optind])
		usage("N is not a number");
	request.error = error_parse(argv[optind + 1]);
	calls_parse(&request, argv[optind + 2]);
	request.program = &argv[optind + 4];
	return request;
}

/* ---- the program's side ---- */

/* Skips where the kernel has no filters, or none that ask a supervisor. */
static void
need_listeners(void)
{
	uint32_t action = SECCOMP_RET_USER_NOTIF;

	stress_need_filters();
	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0)
		return;
	if (errno != EINVAL && errno != EOPNOTSUPP)
		die("the actions of filters");
	stress_skip("this kernel's seccomp filters have no user notification");
}

/* One filter that hands the calls to whoever reads the listener. */
static int
listener_install(const struct request *request)
{
	struct sock_filter code[CALLS_MAX + 3];
	struct sock_fprog program = { 0, code };
	unsigned ncalls = request->ncalls;

	code[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
	    offsetof(struct seccomp_data, nr));
	for (unsigned i = 0; i < ncalls; i++)
		code[1 + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ |
			BPF_K,
		    (uint32_t)request->calls[i], (uint8_t)(ncalls - i), 0);
	code[1 + ncalls] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
	    SECCOMP_RET_ALLOW);
	code[2 + ncalls] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
	    SECCOMP_RET_USER_NOTIF);
	program.len = (unsigned short)(ncalls + 3);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		die("no new privileges");
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	    SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

static void
descriptor_send(int socket, int descriptor)
{
	char byte = 0, space[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = space,
		.msg_controllen = sizeof(space) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &descriptor, sizeof(descriptor));
	if (sendmsg(socket, &message, 0) != 1)
		_exit(FAILED);
}

static int
descriptor_receive(int socket)
{
	char byte, space[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = space,
		.msg_controllen = sizeof(space) };
	int descriptor = -1;

	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1 ||
	    CMSG_FIRSTHDR(&message) == NULL)
		return -1;
	memcpy(&descriptor, CMSG_DATA(CMSG_FIRSTHDR(&message)),
	    sizeof(descriptor));
	return descriptor;
}

__attribute__((noreturn)) static void
program_start(const struct request *request, int socket)
{
	char **program = request->program;
	int listener;

	while (*program != NULL && strchr(*program, '=') != NULL)
		putenv(*program++);
	if (*program == NULL)
		_exit(FAILED);
	listener = listener_install(request);
	if (listener < 0)
		die("no filter");
	descriptor_send(socket, listener);
	/* Nothing from here to the exec may make a matching call. */
	close(listener);
	close(socket);
	execvp(*program, program);
	_exit(FAILED);
}

/* ---- the supervisor's side ---- */

/*
 * The name of the mapped file that an instruction lies in. Files are told
 * apart by their names: the loader's is ld-linux or ld-musl.
 */
static bool
mapping_find(pid_t pid, uint64_t instruction, char *name, size_t size)
{
	char path[64], line[4096];
	bool found = false;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	if (maps == NULL)
		return false;
	while (!found && fgets(line, sizeof(line), maps) != NULL) {
		uint64_t start, end;
		int at = 0;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %*s %*s %*s %n",
			&start, &end, &at) < 2 ||
		    at == 0)
			continue;
		if (instruction >= start && instruction < end) {
			snprintf(name, size, "%s", line + at);
			found = true;
		}
	}
	fclose(maps);
	return found;
}

static bool
call_counts(const struct request *request, const struct seccomp_notif *call)
{
	char name[4096] = "";

	if (!mapping_find((pid_t)call->pid, call->data.instruction_pointer,
		name, sizeof(name)))
		return request->mapping == NULL;
	if (strstr(name, "/ld-linux") != NULL ||
	    strstr(name, "/ld-musl") != NULL)
		return false;
	return request->mapping == NULL ||
	    strstr(name, request->mapping) != NULL;
}

static void
call_answer(const struct request *request, int listener, unsigned long *ncalls)
{
	struct seccomp_notif call = { 0 };
	struct seccomp_notif_resp answer = { 0 };
	bool fail = false;

	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0)
		return; /* the caller is gone already */
	if (call_counts(request, &call)) {
		++*ncalls;
		fail = *ncalls == request->number ||
		    (request->all_from_there && request->number > 0 &&
			*ncalls > request->number);
	}
	answer.id = call.id;
	if (fail)
		answer.error = -request->error;
	else
		answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

/* Answers until no process with the filter is left. */
static unsigned long
supervise(const struct request *request, int listener)
{
	unsigned long ncalls = 0;
	struct pollfd wait = { listener, POLLIN, 0 };

	for (;;) {
		if (poll(&wait, 1, -1) < 0) {
			if (errno == EINTR)
				continue;
			die("poll");
		}
		if (wait.revents & POLLIN)
			call_answer(request, listener, &ncalls);
		else if (wait.revents & (POLLHUP | POLLERR))
			return ncalls;
	}
}

static void
count_write(const char *path, unsigned long ncalls)
{
	FILE *file = fopen(path, "we");

	if (file == NULL)
		die(path);
	fprintf(file, "%lu\n", ncalls);
	if (fclose(file) != 0)
		die(path);
}

int
main(int argc, char **argv)
{
	struct request request = arguments_parse(argc, argv);
	unsigned long ncalls = 0;
	int ends[2], listener, status;
	pid_t child;

	need_listeners();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		die("socketpair");
	child = fork();
	if (child < 0)
		die("fork");
	if (child == 0)
		program_start(&request, ends[1]);
	close(ends[1]);
	listener = descriptor_receive(ends[0]);
	if (listener >= 0)
		ncalls = supervise(&request, listener);
	if (waitpid(child, &status, 0) != child)
		die("waitpid");
	if (request.count_file != NULL)
		count_write(request.count_file, ncalls);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}
