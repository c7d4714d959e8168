/*
 * prof_output: dumps of the heap profile, and how they are called.
 *
 * Owns:       the prefix and the numbers of automatic names.
 * Invariants: a number is in one name only.
 * Locking:    LOCK_PROF_NAMES for the prefix. Dumps need none: each has its own
 *             snapshot.
 * Used by:    api/ (boot, fork), ctl/ctl_prof.
 */
#ifndef PROF_PROF_OUTPUT_H
#define PROF_PROF_OUTPUT_H

#include <stdbool.h>

struct lock;

void prof_output_init(void);

/* Dumps into a file of this name, or of an automatic one (NULL). */
bool prof_dump_now(const char *path);

/* What automatic names begin with; "": there are none. */
void prof_set_prefix(const char *prefix);

/* At the end of the process: the last dump, and what has leaked. */
void prof_at_exit(void);

struct lock *prof_names_lock(void);

#endif
