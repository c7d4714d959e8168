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

/* Prints the sums of all files, by the age of the objects that keep slabs. */
void holes_print(char **files, FILE *to);

#endif
