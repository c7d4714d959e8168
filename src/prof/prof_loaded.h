/*
 * prof_loaded: the loaded objects, as the dynamic loader knows them, for
 * processes that can't read /proc.
 *
 * Owns:       nothing.
 * Invariants: the lines have the form and the order of /proc/self/maps. They
 *             are only of what comes from files, and have no inode.
 * Locking:    takes the dynamic loader's lock; the caller must hold no lock.
 */
#ifndef PROF_PROF_LOADED_H
#define PROF_PROF_LOADED_H

#include <stdbool.h>

#include "prof/prof_write.h"

/* Writes a line for each segment. False: no memory. */
bool prof_loaded_list(prof_write_function *put, void *context);

/* The path that the program was started by, or "". */
const char *prof_loaded_program(void);

#endif
