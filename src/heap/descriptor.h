/*
 * descriptor: tells tools where the heap is and how to read it.
 *
 * Owns:       the descriptor (util/heap_layout.h), its tables, and the note in
 *             the file of the library that leads to it.
 * Invariants: all of it is in memory that was written after the start, so core
 *             files have it. Each field that heap_layout.h names has one row,
 *             unless this process has no such member.
 * Locking:    none: written once, before there is a second thread. The state
 *             changes under the lock of fork.
 */
#ifndef HEAP_DESCRIPTOR_H
#define HEAP_DESCRIPTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "util/compiler.h"
#include "util/heap_layout.h"

extern HIDDEN struct heap_layout descriptor;

struct descriptor_start {
	const void *memory; /* where objects come from during the start */
	size_t size;
	bool aside; /* another allocator has all objects */
};

/* Writes the descriptor. To be called at the end of the start-up. */
void descriptor_init(const struct descriptor_start *start);

/* A fork begins, or is over. */
void descriptor_set_forking(bool forking);

#endif
