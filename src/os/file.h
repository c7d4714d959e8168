/*
 * file: read a small file or a symbolic link, write one, without allocating.
 *
 * Owns:       nothing; a descriptor is closed before the call returns, one that
 *             writes in file_finish().
 * Invariants: raw system calls, so no cancellation point and nothing that a
 *             preloaded library could have replaced; errno is kept.
 * Locking:    none.
 * Used by:    conf/conf.c (/etc/malloc.conf), os/system.c (cgroup limits),
 *             prof/prof_dump.
 */
#ifndef OS_FILE_H
#define OS_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/**
 * Read a file from its start, until its end or until `buf` is full.
 * @param buf   receives the bytes and a terminating zero
 * @param size  bytes in `buf`, at least 1; a longer file is cut to size - 1
 * @return      bytes read, without the zero; -1 if the file can't be opened or
 *              read, `buf` then holds the empty string
 */
ssize_t file_read(const char *path, char *buf, size_t size);

/**
 * The text a symbolic link points to; the other terms as for file_read(). A
 * path that is no link counts as unreadable.
 */
ssize_t file_link(const char *path, char *buf, size_t size);

/* A file that is being written, through a buffer of the caller. */
struct file_out {
	char *buffer;
	size_t size;
	size_t used;
	long fd;
	bool failed;
	char path[PATH_MAX];
	char partial[PATH_MAX + 16];	/* its name until it is whole */
};

/* Starts a file, mode 0644; false: it can't be created. */
bool file_create(struct file_out *out, const char *path);

/* Errors show at the end. */
void file_write(struct file_out *out, const char *text, size_t length);

/* `heading`, then the mappings of this process; neither if unreadable. */
void file_append_maps(struct file_out *out, const char *heading);

/* The file takes its name; false: something failed, and it is gone. */
bool file_finish(struct file_out *out);

#endif
