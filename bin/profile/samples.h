/*
 * samples: flat and cumulative values by location, for reports that go down to
 * instructions.
 *
 * Owns:       struct samples.
 * Invariants: a location counts once in each trace, as an entry does; so do
 *             several locations that are added up.
 * Locking:    none.
 */
#ifndef PROFILE_SAMPLES_H
#define PROFILE_SAMPLES_H

#include <stdbool.h>

#include "report.h"

struct sample {
	double flat, cumulative;
};

struct samples {
	struct sample *item; /* of each location, by its number */
	const struct traces *traces;
	size_t *first;   /* of each location, its part of `list` */
	size_t *list;    /* the traces that it is in */
	size_t sum;      /* number of the newest sum */
	size_t *joined;  /* of each location, its newest sum */
	size_t *counted; /* of each trace, its newest sum */
};

void samples_take(struct samples *samples, const struct traces *traces);
void samples_free(struct samples *samples);
/* Begins a sum of locations. */
void samples_begin(struct samples *samples);
/* Adds what no location that was added to this sum before has counted. */
void samples_join(struct samples *samples, unsigned location,
    struct sample *sum);
void sample_add(struct sample *sum, const struct sample *sample);
bool sample_is_zero(const struct sample *sample);
/*
 * "flat cumulative", each of width six, a dot for nothing. The text stays valid
 * for some calls.
 */
const char *sample_columns(const struct report *report,
    const struct sample *sample);
/* The same without dots. */
const char *sample_totals(const struct report *report,
    const struct sample *sample);

#endif
