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

#include <stddef.h>

struct prof_gzip;

typedef void prof_gzip_function(void *context, const char *bytes,
    size_t length);

/* Begins a stream. Compressed bytes go to `write`. NULL: no memory. */
struct prof_gzip *prof_gzip_begin(prof_gzip_function *write, void *context);
void prof_gzip_write(struct prof_gzip *gzip, const char *bytes, size_t length);

/* Writes the rest and frees the stream. */
void prof_gzip_end(struct prof_gzip *gzip);

#endif
