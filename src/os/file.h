/*
 * file: read a small file or a symbolic link, without allocating.
 *
 * Owns:       nothing; a descriptor is closed before the call returns.
 * Invariants: uses raw system calls: these are no cancellation points, and no
 *             preloaded library can replace them. errno is kept.
 * Locking:    none.
 */
#ifndef OS_FILE_H
#define OS_FILE_H

#include <stddef.h>
#include <sys/types.h>

/**
 * Read a file from its start, until its end or until `buf` is full.
 * @param buf   out: the bytes and a terminating zero
 * @param size  bytes in `buf`, at least 1; a longer file is cut to size - 1
 * @return      bytes read, without the zero; -1 if the file can't be opened or
 *              read, `buf` then holds the empty string
 */
ssize_t file_read(const char *path, char *buf, size_t size);

/**
 * Read the text that a symbolic link points to; parameters and result are those
 * of file_read(). A path that is no link counts as unreadable.
 */
ssize_t file_link(const char *path, char *buf, size_t size);

/*
 * Opens a file, with mode 0644 if it is created. Returns a descriptor, or a
 * negated error number.
 */
long file_open(const char *path, int flags);

#endif
