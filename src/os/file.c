#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include "os/syscalls.h"

long
file_open(const char *path, int flags)
{
	long fd;

	do {
		fd = os_syscall4(SYS_openat, AT_FDCWD, (long)path,
		    flags | O_CLOEXEC, 0644);
	} while (fd == -EINTR);
	return fd;
}

/* Up to the end of the file, or only to the end of its first line. */
static long
read_all(long fd, char *buf, size_t size, bool line)
{
	size_t length = 0;
	long got;

	while (length < size &&
	    !(line && length > 0 && buf[length - 1] == '\n')) {
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

static ssize_t
read_file(const char *path, char *buf, size_t size, bool line)
{
	ssize_t length = -1;
	long fd = file_open(path, O_RDONLY);

	if (fd >= 0) {
		length = read_all(fd, buf, size - 1, line);
		/* Not repeated on EINTR: the descriptor is gone in any case. */
		os_syscall3(SYS_close, fd, 0, 0);
	}
	buf[length < 0 ? 0 : length] = '\0';
	return length;
}

ssize_t
file_read(const char *path, char *buf, size_t size)
{
	return read_file(path, buf, size, false);
}

AT_START ssize_t
file_read_line(const char *path, char *buf, size_t size)
{
	return read_file(path, buf, size, true);
}

AT_START ssize_t
file_link(const char *path, char *buf, size_t size)
{
	ssize_t length = -ENAMETOOLONG;

	if (size > 1)
		length = os_syscall4(SYS_readlinkat, AT_FDCWD, (long)path,
		    (long)buf, (long)(size - 1));
	if (length >= 0)
		buf[length] = '\0';
	return length;
}

/*
 * Where pointers have 32 bits, the kernel and the C library have several forms
 * of struct stat. Only that of the other call is the same for both.
 */
bool
file_status(const char *path, int flags, struct stat *status)
{
#if defined(SYS_newfstatat)
	return os_syscall4(SYS_newfstatat, AT_FDCWD, (long)path, (long)status,
		   flags) == 0;
#else
	struct statx found;

	if (os_syscall6(SYS_statx, AT_FDCWD, (long)path, flags,
		STATX_TYPE | STATX_INO, (long)&found, 0) != 0)
		return false;
	*status = (struct stat){ .st_mode = found.stx_mode,
		.st_ino = found.stx_ino,
		.st_dev = makedev(found.stx_dev_major, found.stx_dev_minor) };
	return true;
#endif
}

bool
file_identify(const char *path, struct file_identity *identity)
{
	struct stat status;

	if (!file_status(path, AT_SYMLINK_NOFOLLOW, &status) ||
	    !S_ISREG(status.st_mode))
		return false;
	*identity = (struct file_identity){ status.st_dev, status.st_ino };
	return true;
}

void
file_remove(const char *path, const struct file_identity *identity)
{
	struct file_identity now;

	/* If it can't be removed, it stays: nobody could do more. */
	if (file_identify(path, &now) && now.device == identity->device &&
	    now.inode == identity->inode)
		(void)os_syscall3(SYS_unlinkat, AT_FDCWD, (long)path, 0);
}

bool
file_read_at(long fd, uint64_t offset, void *to, size_t size)
{
	struct iovec vec = { to, size };

	/*
	 * Only this call with an offset has the same form on all machines: the
	 * upper half is a parameter of its own, for registers of 32 bits.
	 */
	return os_syscall6(SYS_preadv, fd, (long)&vec, 1, (long)offset,
		   sizeof(long) < 8 ? (long)(offset >> 32) : 0,
		   0) == (long)size;
}

void
file_close(long fd)
{
	os_syscall3(SYS_close, fd, 0, 0);
}
