/*
 * file_out: write a file without allocating; it appears only when complete.
 *
 * Owns:       the memory that it has mapped, and the descriptor, until
 *             file_finish().
 * Invariants: uses raw system calls; a file gets its name when it is complete.
 * Locking:    none; a file belongs to its caller.
 */
#ifndef OS_FILE_OUT_H
#define OS_FILE_OUT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "util/compiler.h"

#define FILE_BUFFER_SIZE ((size_t)64 << 10)

/*
 * A file that is being written. It is too large for a stack, so it is mapped.
 */
struct file_out {
	size_t used;
	long fd;
	int error; /* of the first write that failed; 0: none */
	char path[PATH_MAX];
	char partial[PATH_MAX + 32]; /* name while incomplete, or "" */
	char buffer[FILE_BUFFER_SIZE];
};

/**
 * Starts a file, with mode 0644. If `path` is not a regular file, such as a
 * pipe or a terminal, it is opened and written directly.
 * @param error  out: the error number, if NULL is returned
 * @return       NULL: it can't be created, or there is no memory
 */
struct file_out *file_create(const char *path, int *error);

/* Writes; errors are kept for file_finish(). */
void file_write(struct file_out *out, const char *text, size_t length);

/* Formats as format_text() does; at most FILE_LINE_MAX bytes are written. */
#define FILE_LINE_MAX 256
void file_print(struct file_out *out, const char *template, ...) PRINTF(2, 3);

/*
 * Writes `heading` and the mappings of the process. False: they can't be read,
 * and nothing is written.
 */
bool file_append_maps(struct file_out *out, const char *heading);

/**
 * Gives the file its name, and ends `out`.
 * @return  0, or an error number: something has failed, and there is no file
 */
int file_finish(struct file_out *out);

#endif
