/*
 * prof_gzip: compresses what is written, as a gzip file.
 *
 * Owns:       nothing; a stream lies in mapped memory until its end, with all
 *             that the compressor needs.
 * Invariants: only there with zlib's archive (--enable-prof-gzip), which becomes
 *             a part of the library without a symbol to be seen; callers ask
 *             BUILD_PROF_GZIP. zlib gets no memory from the heap.
 * Locking:    none.
 */
#ifndef PROF_PROF_GZIP_H
#define PROF_PROF_GZIP_H

#include <stddef.h>

struct prof_gzip;

typedef void prof_gzip_function(void *context, const char *bytes,
    size_t length);

/* What is compressed goes to `write`. NULL: no memory. */
struct prof_gzip *prof_gzip_begin(prof_gzip_function *write, void *context);
void prof_gzip_write(struct prof_gzip *gzip, const char *bytes, size_t length);

/* Writes the rest; the stream is gone. */
void prof_gzip_end(struct prof_gzip *gzip);

#endif
