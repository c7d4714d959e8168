#include "os/message.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/syscalls.h"
#include "os/write_signals.h"
#include "util/build.h"
#include "util/compiler.h"
#include "util/format.h"

#define PREFIX "<jemalloc>: "
/* Enough for all messages that don't quote options; stacks may be small. */
#define LINE_SHORT 512
#define LINE_LONG  (sizeof(PREFIX) + MESSAGE_MAX + sizeof("\n"))

/* Which file a descriptor refers to. */
struct identity {
	enum {
		IDENTITY_NOT_TAKEN,
		IDENTITY_UNKNOWN, /* the kernel does not say */
		IDENTITY_CLOSED,
		IDENTITY_OPEN
	} state;
	int fd;
	mode_t type;
	dev_t device;
	ino_t inode;
};

static struct {
	struct identity start;
	bool privileged;
	_Atomic int spare; /* a second descriptor of it; -1: none */
	_Atomic(message_abort_hook *) abort_hook;
} sink = { .spare = -1 };

EXPORT void (*malloc_message)(void *opaque, const char *s);

static long
raw_stat(int fd, struct stat *st)
{
/* On these machines the C library's struct stat is that of the kernel. */
#if defined(SYS_fstat) && defined(__LP64__) && !defined(__mips__)
	return os_syscall3(SYS_fstat, fd, (long)st, 0);
#else
	int saved = errno;
	long result = fstat(fd, st) == 0 ? 0 : -errno;

	errno = saved;
	return result;
#endif
}

static struct identity
identity_take(int fd)
{
	struct identity identity = { .state = IDENTITY_UNKNOWN, .fd = fd };
	struct stat st;
	long result = raw_stat(fd, &st);

	if (result == 0) {
		identity.state = IDENTITY_OPEN;
		identity.type = st.st_mode & S_IFMT;
		identity.device = st.st_dev;
		identity.inode = st.st_ino;
	} else if (result == -EBADF) {
		identity.state = IDENTITY_CLOSED;
	}
	return identity;
}

static bool
process_is_privileged(void)
{
	int saved = errno; /* getauxval() sets it for an unknown entry */
	bool privileged = getauxval(AT_SECURE) != 0;

	errno = saved;
	return privileged;
}

AT_START void
message_init(void)
{
	sink.start = identity_take(STDERR_FILENO);
	sink.privileged = process_is_privileged();
}

AT_START bool
message_privileged(void)
{
	if (sink.start.state == IDENTITY_NOT_TAKEN)
		message_init();
	return sink.privileged;
}

static bool
identity_kept(const struct identity *now)
{
	const struct identity *start = &sink.start;

	if (start->state == IDENTITY_NOT_TAKEN)
		message_init();
	if (start->state == IDENTITY_UNKNOWN || now->state == IDENTITY_UNKNOWN)
		return true;
	return start->state == IDENTITY_OPEN && now->state == IDENTITY_OPEN &&
	    start->type == now->type && start->device == now->device &&
	    start->inode == now->inode;
}

/* The descriptor to write to: 2, or the spare one if 2 is closed. */
static struct identity
descriptor_now(void)
{
	int spare = atomic_load_explicit(&sink.spare, memory_order_relaxed);
	struct identity now = identity_take(STDERR_FILENO), other;

	if (now.state != IDENTITY_CLOSED || spare == -1)
		return now;
	other = identity_take(spare);
	return identity_kept(&other) ? other : now;
}

bool
message_descriptor_kept(void)
{
	struct identity now = descriptor_now();

	return identity_kept(&now);
}

/* The least number of the spare one, because programs may need low numbers. */
#define SPARE_LEAST 100

void
message_keep_descriptor(void)
{
	struct identity now = identity_take(STDERR_FILENO);
	long fd;

	if (now.state != IDENTITY_OPEN || !identity_kept(&now))
		return;
	fd = os_syscall3(SYS_fcntl, STDERR_FILENO, F_DUPFD_CLOEXEC,
	    SPARE_LEAST);
	if (fd >= 0)
		sink.spare = (int)fd;
}

void
message_fork_child(void)
{
	int spare = sink.spare;
	struct identity now;

	if (spare == -1)
		return;
	sink.spare = -1;
	now = identity_take(spare);
	if (now.state == IDENTITY_OPEN && identity_kept(&now))
		os_syscall3(SYS_close, spare, 0, 0);
}

/* Gives up on any error, such as a full pipe that would not block. */
static void
write_all(int fd, const char *s, size_t length, mode_t type)
{
	long written;

	while (length > 0) {
#ifdef SYS_sendto
		if (S_ISSOCK(type))
			written = os_syscall6(SYS_sendto, fd, (long)s,
			    (long)length, MSG_NOSIGNAL, 0, 0);
		else
#endif
			written = os_syscall3(SYS_write, fd, (long)s,
			    (long)length);
		if (written == -EINTR)
			continue;
		if (written <= 0)
			return;
		s += written;
		length -= (size_t)written;
	}
}

static void
descriptor_write(const struct identity *now, const char *s)
{
	struct write_signals signals;

	if (now->state == IDENTITY_CLOSED)
		return;
	write_signals_hold(&signals);
	write_all(now->fd, s, strlen(s),
	    now->state == IDENTITY_UNKNOWN ? S_IFIFO : now->type);
	write_signals_release(&signals);
}

static bool
program_takes(const char *s)
{
	void (*take)(void *, const char *) = malloc_message;
	int saved = errno;

	if (take == NULL)
		return false;
	take(NULL, s);
	errno = saved;
	return true;
}

void
message_write(const char *s)
{
	struct identity now;

	if (program_takes(s))
		return;
	now = descriptor_now();
	descriptor_write(&now, s);
}

/* Is descriptor 2 a local socket, such as that of the system's journal? */
static bool
socket_is_local(void)
{
	long result = -1;
#ifdef SYS_getsockname
	struct sockaddr_storage address = { .ss_family = AF_UNSPEC };
	socklen_t length = sizeof(address);

	result = os_syscall3(SYS_getsockname, STDERR_FILENO, (long)&address,
	    (long)&length);
	if (result == 0 && address.ss_family != AF_UNIX)
		result = -1;
#endif
	return result == 0;
}

/*
 * Is it a terminal, a pipe or socket to a collector of logs, or a log file? A
 * daemon or a forked worker may have changed its standard error to one of
 * these. If a program was started without standard error, any file that it
 * opens may get the number 2. Then a socket, or a file that is only written, is
 * more likely its data. A file that is also read is never a log.
 */
static bool
identity_is_log(const struct identity *now)
{
	bool had_stderr = sink.start.state == IDENTITY_OPEN;
	long flags;

	if (now->state != IDENTITY_OPEN)
		return false;
	if (S_ISCHR(now->type) || S_ISFIFO(now->type))
		return true;
	if (S_ISSOCK(now->type))
		return had_stderr && socket_is_local();
	flags = os_syscall3(SYS_fcntl, STDERR_FILENO, F_GETFL, 0);
	return S_ISREG(now->type) && flags >= 0 &&
	    ((flags & O_APPEND) != 0 ||
		(had_stderr && (flags & O_ACCMODE) == O_WRONLY));
}

/* Gives the line to the program's hook; false: there is none. */
static bool
hook_takes(const char *line)
{
	message_abort_hook *hook = atomic_load_explicit(&sink.abort_hook,
	    memory_order_acquire);

	if (hook != NULL)
		hook(line);
	return hook != NULL;
}

static void
line_write(const char *line, bool is_report)
{
	struct identity now;

	if (program_takes(line))
		return;
	now = descriptor_now();
	if (identity_kept(&now) || (is_report && identity_is_log(&now)))
		descriptor_write(&now, line);
}

/* Builds a line of `size` bytes at most; false: the text had to be cut. */
static PRINTF(3, 0) bool
line_build(char *line, size_t size, const char *template, va_list args)
{
	size_t start = sizeof(PREFIX) - 1, room = size - start - 1, length;
	char *text = line + start;
	bool fits;

	memcpy(line, PREFIX, start);
	length = format_text_va(text, room, template, args);
	fits = length < room;
	if (!fits) {
		length = room - 1;
		memcpy(text + length - 3, "...", 3);
	}
	/* A message is one line. */
	format_make_printable(text, length);
	text[length] = '\n';
	text[length + 1] = '\0';
	return fits;
}

static void
line_warn(const char *line)
{
	line_write(line, false);
}

void
message_report_as_it_is(const char *text)
{
	line_write(text, true);
}

COLD void
fatal_as_it_is(const char *line)
{
	if (hook_takes(line))
		return;
	line_write(line, true);
	abort();
}

static NOINLINE PRINTF(2, 0) void
line_say_long(void (*say)(const char *), const char *template, va_list args)
{
	char line[LINE_LONG];

	line_build(line, sizeof(line), template, args);
	say(line);
}

static NOINLINE PRINTF(2, 0) bool
line_say_short(void (*say)(const char *), const char *template, va_list args)
{
	char line[LINE_SHORT];
	bool fits = line_build(line, sizeof(line), template, args);

	if (fits)
		say(line);
	return fits;
}

static PRINTF(2, 0) void
line_say(void (*say)(const char *), const char *template, va_list args)
{
	if (!line_say_short(say, template, args))
		line_say_long(say, template, args);
}

COLD void
message(const char *template, ...)
{
	va_list args;

	if (message_privileged())
		return;
	va_start(args, template);
	line_say(line_warn, template, args);
	va_end(args);
}

COLD void
message_report(const char *template, ...)
{
	va_list args;

	va_start(args, template);
	line_say(message_report_as_it_is, template, args);
	va_end(args);
}

/* --- ending the process ----------------------------------------------- */

void
message_set_abort_hook(message_abort_hook *hook)
{
	atomic_store_explicit(&sink.abort_hook, hook, memory_order_release);
}

bool
message_has_abort_hook(void)
{
	return atomic_load_explicit(&sink.abort_hook, memory_order_acquire) !=
	    NULL;
}

COLD void
fatal(const char *template, ...)
{
	va_list args;

	va_start(args, template);
	line_say(fatal_as_it_is, template, args);
	va_end(args);
}

#if CONFIG_DEBUG && defined(__GLIBC__)

HIDDEN _Noreturn void __assert_fail(const char *condition, const char *file,
    unsigned line, const char *function);

/*
 * The library's assert() calls this. The function of the C library allocates.
 * Under a lock of this library that would fail, and nobody would see which
 * assertion it was.
 */
COLD void
__assert_fail(const char *condition, const char *file, unsigned line,
    const char *function)
{
	fatal("assertion %s failed: %s, %s:%u", condition, function, file,
	    line);
	abort(); /* in case the program's hook has returned */
}

#endif
