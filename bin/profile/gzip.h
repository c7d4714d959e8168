/*
 * gzip: compressed files, by zlib, which the build may lack.
 *
 * Owns:       nothing.
 * Invariants: without zlib, a compressed file ends the program with a line that
 *             says so, and what is written is not compressed.
 * Locking:    none.
 */
#ifndef PROFILE_GZIP_H
#define PROFILE_GZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

bool gzip_is(const void *bytes, size_t length);
/* The contents, with a 0 behind them; path is for messages. */
char *gzip_unpack(const char *path, const void *bytes, size_t length,
    size_t *unpacked);
void gzip_write(FILE *to, const void *bytes, size_t length);

#endif
