/*
 * dss: memory from the end of the data segment, by sbrk().
 *
 * Owns:       the ranges that it got.
 * Invariants: other code may move the break at any time. Its memory is never
 *             touched, and ranges need not be adjacent. A range is never given
 *             back, because nobody knows whether it is still the last one. This
 *             calls the C library's function and not the kernel's, because the
 *             C library remembers where the break is.
 * Locking:    one caller at a time; a second one gets NULL, and maps memory.
 */
#ifndef OS_DSS_H
#define OS_DSS_H

#include <stdbool.h>
#include <stddef.h>

#include "util/compiler.h"

struct heap_part;

/**
 * Takes zeroed memory.
 * @param size  bytes, multiple of the page size
 * @return      the address, a multiple of the page size, or NULL
 */
void *dss_take(size_t size);

/* Is `addr` in the data segment? Such memory must not be unmapped. */
bool dss_contains(const void *addr);

/* For tools that read the heap. */
extern HIDDEN const struct heap_part dss_heap_part;

#endif
