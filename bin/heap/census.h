/*
 * census: the contents of a heap, counted by size and by use.
 *
 * Owns:       struct census.
 * Invariants: rows are sorted by size; the sums are those of all rows. Only the
 *             requested arena is counted.
 * Locking:    none.
 */
#ifndef HEAP_CENSUS_H
#define HEAP_CENSUS_H

#include <stddef.h>
#include <stdint.h>

#include "heap.h"

struct census_row {
	uint64_t size;
	uint64_t count[REGION_FREE + 1]; /* by enum region_state */
	uint64_t slabs;
	uint64_t inconsistent; /* live ones whose bin was locked */
};

struct census {
	struct census_row *rows;
	size_t nrows;
	uint64_t count[REGION_FREE + 1];
	uint64_t bytes[REGION_FREE + 1];
	uint64_t pages[RUN_TYPES]; /* bytes of runs */
	uint64_t nruns[RUN_TYPES];
	uint64_t slack;  /* in slabs and large runs, in no object */
	uint64_t packed; /* free pages inside huge pages */
	uint64_t metadata;
	uint64_t allocated; /* VM allocated */
};

/* `arena` is -1: all. */
void census_take(struct census *census, struct heap *heap, int64_t arena);
void census_free(struct census *census);

/* Bytes of a run: of the address space of a guarded object what it can use. */
uint64_t census_pages(struct heap *heap, const struct run *run);

#endif
