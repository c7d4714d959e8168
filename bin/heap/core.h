/*
 * core: the memory in a core file (ELF).
 *
 * Owns:       the state behind struct target for a core file.
 * Invariants: pages that the kernel left out because the file on disk has them
 *             are read from that file, if it is the file that was mapped. A
 *             writable page that is missing because the core file ends too
 *             early is not read from the file: it may have changed.
 * Locking:    none.
 */
#ifndef HEAP_CORE_H
#define HEAP_CORE_H

struct target;
struct target_options;

void core_open(struct target *target, const struct target_options *options);

#endif
