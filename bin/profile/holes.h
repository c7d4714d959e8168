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

#include "session.h"

/*
 * Prints the sums of a session by the age of the objects that keep slabs. The
 * options choose the stacks.
 */
void holes_print(const struct session *session, const struct options *options,
    FILE *to);

#endif
