/*
 * file: read a small file or a symbolic link, or remove a file, without
 * allocating.
 *
 * Owns:       nothing; a descriptor is closed before the call returns.
 * Invariants: uses raw system calls: these are no cancellation points, and no
 *             preloaded library can replace them. errno is kept.
 * Locking:    none.
 */
#ifndef OS_FILE_H
#define OS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct stat;

/**
 * Read a file from its start, until its end or until `buf` is full.
 * @param buf   out: the bytes and a terminating zero
 * @param size  bytes in `buf`, at least 1; a longer file is cut to size - 1
 * @return      bytes read, without the zero; -1 if the file can't be opened or
 *              read, `buf` then holds the empty string
 */
ssize_t file_read(const char *path, char *buf, size_t size);

/*
 * The same for a file of one line: what ends with a newline is not read on to
 * see that nothing follows. Each process reads some when it starts.
 */
ssize_t file_read_line(const char *path, char *buf, size_t size);

/**
 * Read the text that a symbolic link points to; parameters as for file_read(),
 * but without a link, nothing is written to `buf`.
 * @return  bytes read, without the zero; otherwise -ENOENT, -EINVAL if it is no
 *          link, or another negative errno value
 */
ssize_t file_link(const char *path, char *buf, size_t size);

/*
 * Opens a file, with mode 0644 if it is created. Returns a descriptor, or a
 * negated error number.
 */
long file_open(const char *path, int flags);

/* Reads that many bytes from this place. False: they are not there. */
bool file_read_at(long fd, uint64_t offset, void *to, size_t size);
void file_close(long fd);

/* False: there is no such file. `flags` are those of fstatat(). */
bool file_status(const char *path, int flags, struct stat *status);

/* Which file it is, whatever its name is. */
struct file_identity {
	uint64_t device;
	uint64_t inode;
};

/* False: there is no regular file with this name. Links are not followed. */
bool file_identify(const char *path, struct file_identity *identity);

/* Removes the file, if it is still the same one. */
void file_remove(const char *path, const struct file_identity *identity);

#endif
