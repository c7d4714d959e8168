/*
 * samples: flat and cumulative values by location, for reports that go down to
 * instructions.
 *
 * Owns:       nothing.
 * Invariants: a location counts once in each trace, as an entry does.
 * Locking:    none.
 */
#ifndef PROFILE_SAMPLES_H
#define PROFILE_SAMPLES_H

#include <stdbool.h>

#include "report.h"

struct sample {
	double flat, cumulative;
};

/* Makes an array with a sample for each location, by its number. */
struct sample *samples_take(const struct traces *traces);
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
