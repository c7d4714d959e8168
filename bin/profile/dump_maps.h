/*
 * dump_maps: lines of the load map of a profile.
 *
 * Owns:       nothing.
 * Invariants: a line of another form is passed over.
 * Locking:    none.
 */
#ifndef PROFILE_DUMP_MAPS_H
#define PROFILE_DUMP_MAPS_H

#include <stdbool.h>

#include "dump.h"

/* Adds what the line says to the load map of the dump. */
void dump_map_line(struct dump *dump, const char *text);
/* Is it the name of a file, and not of some other memory? */
bool dump_is_file(const char *name);

#endif
