/*
 * prof_pprof: the profile in the format of pprof (profile.proto).
 *
 * Owns:       nothing.
 * Invariants: a file with the name of a dump is always complete. Nothing here
 *             allocates from the heap: tables are mapped, and unmapped at the
 *             end. Values are estimates for all objects, not counts of samples,
 *             so readers need not scale them.
 * Locking:    none; only the caller uses its snapshot.
 */
#ifndef PROF_PROF_PPROF_H
#define PROF_PROF_PPROF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "prof/prof_write.h"

struct prof_mappings;
struct prof_snapshot;

struct prof_pprof_form {
	uint64_t period;  /* mean bytes between two samples */
	uint64_t wall_ns; /* time of the dump, since 1970 */
	bool accumulated; /* freed objects are counted, too */
};

/* The ending of file names, with its dot. */
extern const char *const prof_pprof_suffix;

/**
 * Writes a whole profile, uncompressed.
 * @param mappings  of the process
 * @return          false: no memory; what was written is incomplete
 */
bool prof_pprof_format(const struct prof_snapshot *snapshot,
    const struct prof_mappings *mappings, const struct prof_pprof_form *form,
    prof_write_function *write, void *context);

/**
 * Writes a profile into a file, compressed if the library is built with zlib.
 * @return  0; or an error number, and nothing of the file is left
 */
int prof_pprof_file(const char *path, const struct prof_snapshot *snapshot,
    const struct prof_pprof_form *form);

#endif
