/*
 * prof_gzip: compresses bytes into a gzip file.
 *
 * Owns:       nothing. A stream and all memory that zlib needs are mapped until
 *             its end.
 * Invariants: only built with --enable-prof-gzip, so callers look at
 *             BUILD_PROF_GZIP. zlib's static library is a part of ours then,
 *             and its symbols are hidden. zlib gets no memory from the heap.
 * Locking:    none.
 */
#ifndef PROF_PROF_GZIP_H
#define PROF_PROF_GZIP_H

#include "prof/prof_write.h"

struct prof_gzip;

/* Begins a stream. Compressed bytes go to `write`. NULL: no memory. */
struct prof_gzip *prof_gzip_begin(prof_write_function *write, void *context);

/* A prof_write_function; `stream` is a struct prof_gzip. */
void prof_gzip_write(void *stream, const char *bytes, size_t length);

/* Writes the rest and frees the stream. */
void prof_gzip_end(struct prof_gzip *gzip);

#endif
