/*
 * live: the memory of a running process.
 *
 * Owns:       the state behind struct target for a process.
 * Invariants: all its threads are stopped before the first read, unless
 *             --no-stop was given. However this program ends, also by a signal,
 *             the kernel lets them go on; signals that came meanwhile are
 *             passed on, if that is up to the tracer.
 * Locking:    none.
 */
#ifndef HEAP_LIVE_H
#define HEAP_LIVE_H

struct target;
struct target_options;

void live_open(struct target *target, const struct target_options *options);

#endif
