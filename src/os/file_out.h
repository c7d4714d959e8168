/*
 * file_out: write a file that is whole or not there, without allocating.
 *
 * Owns:       what it has mapped, and the descriptor, until file_finish().
 * Invariants: raw system calls; a file has its name only when it is whole.
 * Locking:    none; a file is its caller's.
 */
#ifndef OS_FILE_OUT_H
#define OS_FILE_OUT_H

#include <limits.h>
#include <stddef.h>

#include "util/compiler.h"

#define FILE_BUFFER_SIZE ((size_t)64 << 10)

/* A file that is being written. In memory mapped for it: stacks are small. */
struct file_out {
	size_t used;
	long fd;
	int error;	/* of the first write that failed; 0: none */
	char path[PATH_MAX];
	char partial[PATH_MAX + 32];	/* its name until it is whole, or "" */
	char buffer[FILE_BUFFER_SIZE];
};

/**
 * Starts a file, mode 0644. What is no file, such as a pipe or a terminal, is
 * written to as it is.
 * @param error  receives the error number of what could not be done
 * @return       NULL: it can't be created, or there is no memory
 */
struct file_out *file_create(const char *path, int *error);

/* Errors show at the end. */
void file_write(struct file_out *out, const char *text, size_t length);

/* As format_text(), but at most FILE_LINE_MAX bytes of it. */
#define FILE_LINE_MAX	256
void file_print(struct file_out *out, const char *template, ...) PRINTF(2, 3);

/* `heading`, then the mappings of this process; neither if unreadable. */
void file_append_maps(struct file_out *out, const char *heading);

/**
 * The file takes its name. Ends `out`.
 * @return  0; or an error number: something failed, and it is gone
 */
int file_finish(struct file_out *out);

#endif
