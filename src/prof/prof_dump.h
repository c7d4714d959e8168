/*
 * prof_dump: samples as text that analysers read (`heap_v2`).
 *
 * Owns:       nothing.
 * Invariants: a dump is either whole under its name or not there: it is written
 *             beside it first. Nothing here allocates from the heap.
 * Locking:    none; a snapshot is its caller's.
 */
#ifndef PROF_PROF_DUMP_H
#define PROF_PROF_DUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct prof_counts;
struct prof_snapshot;

struct prof_dump_form {
	uint64_t period;	/* mean bytes between two samples */
	bool unbias;		/* readers get totals right for mixed sizes */
};

typedef void prof_write_function(void *context, const char *text,
    size_t length);

/* All but the mapped libraries. */
void prof_dump_format(const struct prof_snapshot *snapshot,
    const struct prof_dump_form *form, prof_write_function *write,
    void *context);

/**
 * The whole dump into a file.
 * @return  0; or an error number, and nothing of the file is left
 */
int prof_dump_file(const char *path, const struct prof_snapshot *snapshot,
    const struct prof_dump_form *form);

/*
 * Counts as they are written: so that a reader who divides by the chance of an
 * object of mean size finds the sums of the weights.
 */
void prof_dump_unbias(const struct prof_counts *counts, uint64_t period,
    uint64_t *objects, uint64_t *bytes);

#endif
