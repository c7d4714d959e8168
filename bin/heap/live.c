#include "live.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "target.h"
#include "tool.h"

/*
 * How long all threads together may take to stop. The others already wait, and
 * one may be in a system call that can't be interrupted.
 */
#define STOP_TRIES    1000
#define STOP_PAUSE_NS 1000000

struct tracee {
	pid_t tid;
	bool stopped;
	bool gone;
};

struct live {
	pid_t pid;
	pid_t reader; /* a living thread: the first one may have ended */
	unsigned tries;
	const char *exe, *sysroot;
	struct tracee *tracees;
	size_t ntracees;
	uint64_t still; /* its sum when it was stopped by others, or 0 */
};

/* ---- stopping and resuming ---- */

static struct tracee *
tracee_find(const struct live *live, pid_t tid)
{
	for (size_t i = 0; i < live->ntracees; i++) {
		if (live->tracees[i].tid == tid)
			return &live->tracees[i];
	}
	return NULL;
}

/* Those of a terminal. If they stopped us, the target would stay stopped. */
static const sigset_t *
stop_signals(void)
{
	static sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	sigaddset(&set, SIGTTIN);
	sigaddset(&set, SIGTTOU);
	return &set;
}

static void
live_resume(void *state)
{
	struct live *live = state;

	for (size_t i = 0; i < live->ntracees; i++) {
		struct tracee *tracee = &live->tracees[i];

		if (!tracee->gone)
			ptrace(PTRACE_DETACH, tracee->tid, NULL, NULL);
	}
	live->ntracees = 0;
	sigprocmask(SIG_UNBLOCK, stop_signals(), NULL);
}

static void
tracee_stopped(struct tracee *tracee, int status)
{
	if (WIFEXITED(status) || WIFSIGNALED(status)) {
		tracee->gone = true;
		return;
	}
	if (!WIFSTOPPED(status))
		return;
	if (status >> 16 == PTRACE_EVENT_STOP)
		tracee->stopped = true;
	else if (status >> 16 == 0)
		/*
		 * The thread is about to get a signal, and gets it now: if we
		 * ended before it continued, the signal would be lost. Our stop
		 * follows.
		 */
		ptrace(PTRACE_CONT, tracee->tid, NULL,
		    (void *)(intptr_t)WSTOPSIG(status));
	else
		ptrace(PTRACE_CONT, tracee->tid, NULL, NULL);
}

/* Has the thread ended? The first thread stays until the others have ended. */
static bool
thread_ended(const struct live *live, pid_t tid)
{
	char *path = print("/proc/%d/task/%d/stat", (int)live->pid, (int)tid);
	FILE *file = fopen(path, "re");
	char text[512] = "", *state;

	if (file != NULL) {
		text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
		fclose(file);
	}
	free(path);
	/* Its name in parentheses may have any characters. */
	state = strrchr(text, ')');
	return state == NULL || state[1] == '\0' || state[2] == 'Z' ||
	    state[2] == 'X';
}

static void
tracee_wait(struct live *live, struct tracee *tracee)
{
	const struct timespec pause = { .tv_nsec = STOP_PAUSE_NS };
	int status;

	while (live->tries < STOP_TRIES) {
		pid_t tid = waitpid(tracee->tid, &status, __WALL | WNOHANG);

		if (tid == tracee->tid)
			tracee_stopped(tracee, status);
		else if ((tid < 0 && errno == ECHILD) ||
		    thread_ended(live, tracee->tid))
			tracee->gone = true;
		if (tracee->stopped || tracee->gone)
			return;
		/* The stop comes at once after a signal. */
		if (tid == tracee->tid)
			continue;
		live->tries++;
		nanosleep(&pause, NULL);
	}
	live_resume(live);
	fail("thread %d does not stop within a second; --no-stop reads without "
	     "stopping",
	    (int)tracee->tid);
}

/* Memory and maps can be read through any living thread. */
static void
reader_find(struct live *live)
{
	char *path = print("/proc/%d/task", (int)live->pid);
	DIR *folder = opendir(path);
	struct dirent *entry;

	live->reader = live->pid;
	while (folder != NULL && (entry = readdir(folder)) != NULL) {
		pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (tid > 0 && !thread_ended(live, tid)) {
			live->reader = tid;
			break;
		}
	}
	if (folder != NULL)
		closedir(folder);
	free(path);
}

/* Seizes each thread that is not known yet; returns how many. */
static size_t
threads_seize(struct live *live)
{
	char *path = print("/proc/%d/task", (int)live->pid);
	DIR *folder = opendir(path);
	struct dirent *entry;
	size_t fresh = 0;

	if (folder == NULL)
		fail("%s: %s", path, strerror(errno));
	while ((entry = readdir(folder)) != NULL) {
		pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (tid <= 0 || tracee_find(live, tid) != NULL)
			continue;
		if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) != 0) {
			int error = errno;

			if (error == ESRCH || thread_ended(live, tid))
				continue;
			errno = error;
			fail("process %d cannot be stopped: %s; --no-stop "
			     "reads without stopping",
			    (int)live->pid,
			    errno == EPERM
				? "it belongs to another user, is "
				  "traced already, or the system forbids it"
				: strerror(errno));
		}
		live->tracees = array_room(live->tracees, live->ntracees,
		    sizeof(struct tracee));
		live->tracees[live->ntracees++] = (struct tracee){ .tid = tid };
		if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) == 0)
			fresh++;
	}
	closedir(folder);
	free(path);
	return fresh;
}

static void
threads_stop(struct live *live)
{
	size_t waited = 0;
	sigset_t all, before;

	sigprocmask(SIG_BLOCK, stop_signals(), NULL);
	/*
	 * No signal may end us before we have passed on a signal of the target.
	 */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	/* Only running threads can start new ones, so this ends. */
	while (threads_seize(live) > 0) {
		for (; waited < live->ntracees; waited++)
			tracee_wait(live, &live->tracees[waited]);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
}

/* ---- what others have stopped ---- */

/* The context switches of a thread. 0: it runs, or has ended. */
static uint64_t
thread_still(const struct live *live, const char *tid)
{
	char *path = print("/proc/%d/task/%s/status", (int)live->pid, tid);
	FILE *file = fopen(path, "re");
	char line[256], state = '?';
	uint64_t switches = 0, count;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		sscanf(line, "State: %c", &state);
		if (sscanf(line, "voluntary_ctxt_switches: %" SCNu64, &count) ==
			1 ||
		    sscanf(line, "nonvoluntary_ctxt_switches: %" SCNu64,
			&count) == 1)
			switches += count;
	}
	if (file != NULL)
		fclose(file);
	free(path);
	return state == 't' || state == 'T' ? switches + 1 : 0;
}

/*
 * For a process that a debugger or a signal has stopped: the sum of the context
 * switches of its threads. 0: some thread runs. If the sum is the same later,
 * the process has not run.
 */
static uint64_t
process_still(const struct live *live)
{
	char *path = print("/proc/%d/task", (int)live->pid);
	DIR *folder = opendir(path);
	struct dirent *entry;
	uint64_t sum = 0, one = 1;

	while (folder != NULL && one != 0 &&
	    (entry = readdir(folder)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		one = thread_still(live, entry->d_name);
		if (one == 0 &&
		    thread_ended(live, (pid_t)strtol(entry->d_name, NULL, 10)))
			one = 1;
		sum += one;
	}
	if (folder != NULL)
		closedir(folder);
	free(path);
	return one == 0 ? 0 : sum;
}

static bool
live_is_exact(void *state)
{
	struct live *live = state;

	return live->still != 0 && live->still == process_still(live);
}

/* ---- reading ---- */

static unsigned
live_read(void *state, uint64_t address, unsigned char *block)
{
	struct live *live = state;
	struct iovec to = { block, TARGET_BLOCK };
	struct iovec from = { (void *)(uintptr_t)address, TARGET_BLOCK };
	unsigned readable = 0;

	if (process_vm_readv(live->reader, &to, 1, &from, 1, 0) == TARGET_BLOCK)
		return (1u << TARGET_BLOCK_PAGES) - 1;
	for (unsigned i = 0; i < TARGET_BLOCK_PAGES; i++) {
		to = (struct iovec){ block + i * TARGET_PAGE, TARGET_PAGE };
		from = (struct iovec){ (void *)(uintptr_t)(address +
					   i * TARGET_PAGE),
			TARGET_PAGE };
		if (process_vm_readv(live->reader, &to, 1, &from, 1, 0) ==
		    TARGET_PAGE)
			readable |= 1u << i;
	}
	return readable;
}

static bool
is_program(const struct live *live, const char *path)
{
	char *link = print("/proc/%d/exe", (int)live->reader);
	char name[4096];
	ssize_t length = readlink(link, name, sizeof(name) - 1);

	free(link);
	return length > 0 && strlen(path) == (size_t)length &&
	    memcmp(name, path, (size_t)length) == 0;
}

static int
live_open_file(void *state, const char *path)
{
	struct live *live = state;
	char *full = live->sysroot != NULL
	    ? print("%s%s", live->sysroot, path)
	    : print("/proc/%d/root%s", (int)live->reader, path);

	if (live->exe != NULL && is_program(live, path)) {
		free(full);
		full = print("%s", live->exe);
	}
	int fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;

	if (fd >= 0 && (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))) {
		close(fd);
		fd = -1;
	}
	free(full);
	return fd;
}

static const struct target_source source = {
	.read = live_read,
	.is_exact = live_is_exact,
	.open_file = live_open_file,
	.resume = live_resume,
};

/* ---- what /proc says ---- */

static void
mapping_line(struct target *target, char *line)
{
	struct mapping mapping = { 0 };
	char access[5];
	int at = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %*s %n",
		&mapping.start, &mapping.end, access, &mapping.offset, &at) < 4)
		return;
	mapping.readable = access[0] == 'r';
	mapping.writable = access[1] == 'w';
	mapping.executable = access[2] == 'x';
	line[strcspn(line, "\n")] = '\0';
	if (at > 0 && line[at] == '/')
		mapping.path = intern(line + at);
	target->mappings = array_room(target->mappings, target->nmappings,
	    sizeof(mapping));
	target->mappings[target->nmappings++] = mapping;
}

static void
mappings_read(struct target *target, const struct live *live)
{
	char *path = print("/proc/%d/maps", (int)live->reader), *line = NULL;
	FILE *file = fopen(path, "re");
	size_t room = 0;

	if (file == NULL)
		fail("%s: %s", path, strerror(errno));
	while (getline(&line, &room, file) > 0)
		mapping_line(target, line);
	fclose(file);
	free(line);
	free(path);
	if (target->nmappings == 0)
		fail("process %d has no memory that can be read",
		    (int)live->pid);
}

/* The first line of a small file; NULL: there is none. */
static const char *
proc_line(const struct live *live, pid_t tid, const char *name)
{
	char *path = print("/proc/%d/task/%d/%s", (int)live->pid, (int)tid,
	    name);
	FILE *file = fopen(path, "re");
	char line[512] = "";
	const char *result = NULL;

	if (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		/* A thread's name may have any bytes. */
		for (char *p = line; *p != '\0'; p++)
			if ((unsigned char)*p < ' ' || *p == 0x7f)
				*p = '?';
		result = intern(line);
	}
	if (file != NULL)
		fclose(file);
	free(path);
	return result;
}

/* Its stack pointer, thread pointer and place in the code; 0: not known. */
static void
registers_read(struct target_thread *thread)
{
	uint64_t words[64] = { 0 };
	struct iovec all = { words, sizeof(words) };
	pid_t tid = (pid_t)thread->tid;

	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &all) != 0)
		return;
#if defined(__x86_64__)
	thread->stack = words[19];
	thread->pc = words[16];
	thread->pointer = words[21];
#elif defined(__aarch64__)
	thread->stack = words[31];
	thread->pc = words[32];
	all = (struct iovec){ &thread->pointer, sizeof(thread->pointer) };
	ptrace(PTRACE_GETREGSET, tid, (void *)NT_ARM_TLS, &all);
#endif
}

static struct target_thread *
thread_add(struct target *target, const struct live *live, pid_t tid)
{
	target->threads = array_room(target->threads, target->nthreads,
	    sizeof(struct target_thread));
	struct target_thread *thread = &target->threads[target->nthreads++];

	*thread = (struct target_thread){
		.tid = (uint32_t)tid,
		.name = proc_line(live, tid, "comm"),
	};
	return thread;
}

/* Reads what the debugger that stopped the process knows of its threads. */
static void
threads_take(struct target *target, const struct live *live, const char *path)
{
	FILE *file = fopen(path, "re");
	char line[128];
	long tid;
	uint64_t stack, pointer, pc;

	if (file == NULL)
		fail("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), file) != NULL) {
		if (sscanf(line, "%ld %" SCNx64 " %" SCNx64 " %" SCNx64, &tid,
			&stack, &pointer, &pc) != 4 ||
		    tid <= 0 || tid > INT32_MAX)
			fail("%s: a line is no thread, stack pointer, thread "
			     "pointer and address of code",
			    path);
		struct target_thread *thread = thread_add(target, live,
		    (pid_t)tid);

		thread->stack = stack;
		thread->pointer = pointer;
		thread->pc = pc;
	}
	fclose(file);
}

static void
threads_name(struct target *target, const struct live *live)
{
	for (size_t i = 0; i < live->ntracees; i++) {
		pid_t tid = live->tracees[i].tid;

		if (live->tracees[i].gone)
			continue;
		registers_read(thread_add(target, live, tid));
	}
}

/*
 * Finds the program headers by the auxiliary vector, and the kind of machine by
 * the ELF header.
 */
static void
program_read(struct target *target, const struct live *live)
{
	char *path = print("/proc/%d/auxv", (int)live->reader);
	FILE *file = fopen(path, "re");
	uint64_t pair[2];

	while (file != NULL && fread(pair, sizeof(pair), 1, file) == 1) {
		if (pair[0] == AT_PHDR)
			target->program_headers = pair[1];
	}
	if (file != NULL)
		fclose(file);
	free(path);
	path = print("/proc/%d/exe", (int)live->reader);
	unsigned char ident[EI_NIDENT] = "";

	file = fopen(path, "re");
	if (file != NULL && fread(ident, sizeof(ident), 1, file) == 1 &&
	    ident[EI_CLASS] == ELFCLASS32)
		target->pointer_size = 4;
	if (file != NULL)
		fclose(file);
	free(path);
}

void
live_open(struct target *target, const struct target_options *options)
{
	struct live *live = memory(1, sizeof(*live));

	if (options->pid > INT32_MAX)
		fail("there is no process %" PRId64, (int64_t)options->pid);
	live->pid = (pid_t)options->pid;
	live->exe = options->exe;
	live->sysroot = options->sysroot;
	target->name = print("process %d", (int)live->pid);
	target->source = &source;
	target->state = live;
	target->pointer_size = 8;
	target->approximate = options->no_stop;
	if (kill(live->pid, 0) != 0 && errno == ESRCH)
		fail("there is no process %d", (int)live->pid);
	if (live->pid == getpid())
		fail("process %d is this program itself", (int)live->pid);
	if (!options->no_stop)
		threads_stop(live);
	else
		live->still = process_still(live);
	reader_find(live);
	if (!options->no_stop)
		threads_name(target, live);
	else if (options->threads != NULL)
		threads_take(target, live, options->threads);
	mappings_read(target, live);
	program_read(target, live);
}
