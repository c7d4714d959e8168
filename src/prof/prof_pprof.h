/*
 * prof_pprof: samples as pprof and its kin read them (profile.proto).
 *
 * Owns:       nothing.
 * Invariants: a dump is either whole under its name or not there. Nothing here
 *             allocates from the heap: tables are mapped, and gone at the end.
 *             Values are estimates for all objects, not of samples alone:
 *             readers scale nothing.
 * Locking:    none; a snapshot is its caller's.
 */
#ifndef PROF_PROF_PPROF_H
#define PROF_PROF_PPROF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct prof_mappings;
struct prof_snapshot;

struct prof_pprof_form {
	uint64_t period;	/* mean bytes between two samples */
	uint64_t wall_ns;	/* when, since 1970 */
	bool accumulated;	/* what is freed is known, too */
};

typedef void prof_pprof_function(void *context, const char *bytes,
    size_t length);

/* What a file's name ends in, dot included. */
extern const char *const prof_pprof_suffix;

/**
 * All of a profile, uncompressed.
 * @param mappings  where code is
 * @return          false: no memory; what was written is to be thrown away
 */
bool prof_pprof_format(const struct prof_snapshot *snapshot,
    const struct prof_mappings *mappings, const struct prof_pprof_form *form,
    prof_pprof_function *write, void *context);

/**
 * A profile as a file, compressed if the library can do it.
 * @return  0; or an error number, and nothing of the file is left
 */
int prof_pprof_file(const char *path, const struct prof_snapshot *snapshot,
    const struct prof_pprof_form *form);

#endif
