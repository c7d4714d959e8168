/*
 * holes: what a profile of holes (the library's option prof_holes) says by age.
 *
 * Owns:       nothing.
 * Invariants: refuses other profiles: their threads are no ages.
 * Locking:    none.
 */
#ifndef PROFILE_HOLES_H
#define PROFILE_HOLES_H

#include <stdio.h>

#include "options.h"

/*
 * Prints the sums of all files, by the age of the objects that keep slabs, of
 * one age (a thread's number) or of all. The options choose the stacks.
 */
void holes_print(const struct options *options, char **files, uint64_t age,
    FILE *to);

#endif
