#include "os/file_out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/file.h"
#include "os/pages.h"
#include "os/syscalls.h"
#include "os/system.h"
#include "os/write_signals.h"
#include "util/bits.h"
#include "util/format.h"

static _Atomic unsigned nfiles;

static bool
is_special(const char *path)
{
	struct stat status;

	return file_status(path, 0, &status) && !S_ISREG(status.st_mode);
}

static size_t
out_size(void)
{
	return round_up(sizeof(struct file_out), system_info.page_size);
}

struct file_out *
file_create(const char *path, int *error)
{
	struct file_out *out;

	*error = ENAMETOOLONG;
	if (strlen(path) >= sizeof(out->path))
		return NULL;
	*error = ENOMEM;
	out = pages_map(out_size(), system_info.page_size);
	if (out == NULL)
		return NULL;
	memcpy(out->path, path, strlen(path) + 1);
	if (is_special(path)) {
		out->fd = file_open(path, O_WRONLY);
	} else {
		/*
		 * Two threads may write the same file. Each has a partial name
		 * of its own; the file that is finished last stays.
		 */
		format_text(out->partial, sizeof(out->partial),
		    "%s.%ld.%u.part", path, os_syscall3(SYS_getpid, 0, 0, 0),
		    atomic_fetch_add_explicit(&nfiles, 1,
			memory_order_relaxed));
		out->fd = file_open(out->partial, O_WRONLY | O_CREAT | O_TRUNC);
	}
	if (out->fd >= 0)
		return out;
	*error = (int)-out->fd;
	pages_unmap(out, out_size());
	return NULL;
}

static void
flush(struct file_out *out)
{
	struct write_signals signals;
	size_t done = 0;

	write_signals_hold(&signals);
	while (done < out->used && out->error == 0) {
		long written = os_syscall3(SYS_write, out->fd,
		    (long)(out->buffer + done), (long)(out->used - done));

		if (written > 0)
			done += (size_t)written;
		else if (written == 0)
			out->error = EIO; /* or the loop never ends */
		else if (written != -EINTR)
			out->error = (int)-written;
	}
	write_signals_release(&signals);
	out->used = 0;
}

void
file_write(struct file_out *out, const char *text, size_t length)
{
	while (length > 0) {
		size_t n = min_size(length, sizeof(out->buffer) - out->used);

		memcpy(out->buffer + out->used, text, n);
		out->used += n;
		text += n;
		length -= n;
		if (out->used == sizeof(out->buffer))
			flush(out);
	}
}

void
file_print(struct file_out *out, const char *template, ...)
{
	char line[FILE_LINE_MAX + 1];
	va_list args;
	size_t length;

	va_start(args, template);
	length = format_text_va(line, sizeof(line), template, args);
	va_end(args);
	file_write(out, line, min_size(length, FILE_LINE_MAX));
}

bool
file_append_maps(struct file_out *out, const char *heading)
{
	long fd = file_open("/proc/self/maps", O_RDONLY), got = -1;

	if (fd < 0)
		return false;
	file_write(out, heading, strlen(heading));
	do {
		flush(out);
		got = os_syscall3(SYS_read, fd, (long)out->buffer,
		    (long)sizeof(out->buffer));
		out->used = got > 0 ? (size_t)got : 0;
	} while (got > 0 || got == -EINTR);
	os_syscall3(SYS_close, fd, 0, 0);
	return true;
}

/* Keeps the first error of a file. */
static void
note_error(struct file_out *out, long result)
{
	if (result < 0 && out->error == 0)
		out->error = (int)-result;
}

int
file_finish(struct file_out *out)
{
	int error;

	flush(out);
	/* Some file systems report a full disk only when the file is closed. */
	note_error(out, os_syscall3(SYS_close, out->fd, 0, 0));
	if (out->partial[0] != '\0') {
		if (out->error == 0)
			note_error(out,
			    os_syscall6(SYS_renameat2, AT_FDCWD,
				(long)out->partial, AT_FDCWD, (long)out->path,
				0, 0));
		if (out->error != 0)
			os_syscall3(SYS_unlinkat, AT_FDCWD, (long)out->partial,
			    0);
	}
	error = out->error;
	pages_unmap(out, out_size());
	return error;
}
