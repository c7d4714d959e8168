/*
 * prof_dump: the profile as text for jeprof and similar programs (`heap_v2`).
 *
 * Owns:       nothing.
 * Invariants: a file with the name of a dump is always complete, because the
 *             dump is written under another name first. Nothing here allocates
 *             from the heap.
 * Locking:    none; only the caller uses its snapshot.
 */
#ifndef PROF_PROF_DUMP_H
#define PROF_PROF_DUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "prof/prof_write.h"

struct prof_counts;
struct prof_snapshot;

struct prof_dump_form {
	uint64_t period; /* mean bytes between two samples */
	bool unbias;     /* totals are right for mixed sizes, too */
};

/* Writes a dump without the list of mapped files. */
void prof_dump_format(const struct prof_snapshot *snapshot,
    const struct prof_dump_form *form, prof_write_function *write,
    void *context);

/**
 * Writes a whole dump into a file.
 * @return  0; or an error number, and nothing of the file is left
 */
int prof_dump_file(const char *path, const struct prof_snapshot *snapshot,
    const struct prof_dump_form *form);

/*
 * The numbers to be written for `counts`. A reader computes the mean size from
 * them, and divides them by the chance that an object of that size is a sample.
 * The numbers are such that the results are the sums of the weights.
 */
void prof_dump_unbias(const struct prof_counts *counts, uint64_t period,
    uint64_t *objects, uint64_t *bytes);

#endif
