/*
 * dump_proto: reads profiles in pprof's format, a protocol buffer.
 *
 * Owns:       nothing.
 * Invariants: values in this format are estimates for all objects already, and
 *             addresses are those of calls. Names in the file are preferred to
 *             names in programs. A file that breaks the format ends the
 *             program; no part of it is used.
 * Locking:    none.
 */
#ifndef PROFILE_DUMP_PROTO_H
#define PROFILE_DUMP_PROTO_H

#include "dump.h"

/* May a file that begins with these bytes be one? */
bool dump_proto_may_be(const char *bytes, size_t length);
/* Is this whole file one? */
bool dump_proto_is(const char *bytes, size_t length);
void dump_proto_read(struct dump *dump, const char *bytes, size_t length,
    enum dump_view view, uint64_t thread);

#endif
