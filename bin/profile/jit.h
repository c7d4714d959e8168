/*
 * jit: names of code that was made at run time, from perf's maps.
 *
 * Owns:       the map that the user names, or those of the profiles' processes,
 *             /tmp/perf-PID.map, which node, Java and others write.
 * Invariants: if code was replaced by other code, what was written last counts.
 * Locking:    none.
 */
#ifndef PROFILE_JIT_H
#define PROFILE_JIT_H

#include "dump.h"

/* This file is the map of all profiles; NULL: each has its own. */
void jit_begin(const char *file);
/* The name of the function at this address, or NULL. */
const char *jit_name(const struct dump *dump, uint64_t pc);

#endif
