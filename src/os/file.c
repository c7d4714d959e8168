#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "os/syscalls.h"
#include "util/bits.h"
#include "util/format.h"

static long
open_file(const char *path, int flags)
{
	long fd;

	do {
		fd = os_syscall4(SYS_openat, AT_FDCWD, (long)path,
		    flags | O_CLOEXEC, 0644);
	} while (fd == -EINTR);
	return fd;
}

static long
read_all(long fd, char *buf, size_t size)
{
	size_t length = 0;
	long got;

	while (length < size) {
		got = os_syscall3(SYS_read, fd, (long)(buf + length),
		    (long)(size - length));
		if (got == -EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		length += (size_t)got;
	}
	return (long)length;
}

ssize_t
file_read(const char *path, char *buf, size_t size)
{
	ssize_t length = -1;
	long fd = open_file(path, O_RDONLY);

	if (fd >= 0) {
		length = read_all(fd, buf, size - 1);
		/* Not repeated on EINTR: the descriptor is gone in any case. */
		os_syscall3(SYS_close, fd, 0, 0);
	}
	buf[length < 0 ? 0 : length] = '\0';
	return length;
}

ssize_t
file_link(const char *path, char *buf, size_t size)
{
	ssize_t length = -1;

	if (size > 1)
		length = os_syscall4(SYS_readlinkat, AT_FDCWD, (long)path,
		    (long)buf, (long)(size - 1));
	if (length < 0)
		length = -1;
	buf[length < 0 ? 0 : length] = '\0';
	return length;
}

/* --- writing ---------------------------------------------------------------- */

bool
file_create(struct file_out *out, const char *path)
{
	long pid = os_syscall3(SYS_getpid, 0, 0, 0);

	out->used = 0;
	out->failed = false;
	if (strlen(path) >= sizeof(out->path))
		return false;
	memcpy(out->path, path, strlen(path) + 1);
	format_text(out->partial, sizeof(out->partial), "%s.%ld.part", path,
	    pid);
	out->fd = open_file(out->partial, O_WRONLY | O_CREAT | O_TRUNC);
	return out->fd >= 0;
}

static void
flush(struct file_out *out)
{
	size_t done = 0;

	while (done < out->used && !out->failed) {
		long written = os_syscall3(SYS_write, out->fd,
		    (long)(out->buffer + done), (long)(out->used - done));

		if (written >= 0)
			done += (size_t)written;
		else if (written != -EINTR)
			out->failed = true;
	}
	out->used = 0;
}

void
file_write(struct file_out *out, const char *text, size_t length)
{
	while (length > 0) {
		size_t n = min_size(length, out->size - out->used);

		memcpy(out->buffer + out->used, text, n);
		out->used += n;
		text += n;
		length -= n;
		if (out->used == out->size)
			flush(out);
	}
}

void
file_append_maps(struct file_out *out, const char *heading)
{
	long fd = open_file("/proc/self/maps", O_RDONLY), got = -1;

	if (fd < 0)
		return;
	file_write(out, heading, strlen(heading));
	do {
		flush(out);
		got = os_syscall3(SYS_read, fd, (long)out->buffer,
		    (long)out->size);
		out->used = got > 0 ? (size_t)got : 0;
	} while (got > 0 || got == -EINTR);
	os_syscall3(SYS_close, fd, 0, 0);
}

bool
file_finish(struct file_out *out)
{
	flush(out);
	/* A full disk may show here only. */
	if (os_syscall3(SYS_close, out->fd, 0, 0) < 0)
		out->failed = true;
	if (!out->failed && os_syscall6(SYS_renameat2, AT_FDCWD,
	    (long)out->partial, AT_FDCWD, (long)out->path, 0, 0) < 0)
		out->failed = true;
	if (out->failed)
		os_syscall3(SYS_unlinkat, AT_FDCWD, (long)out->partial, 0);
	return !out->failed;
}
