/*
 * dss: memory from the end of the data segment, by sbrk().
 *
 * Owns:       the ranges that it got.
 * Invariants: others may move the break at any time: what they took is never
 *             touched, and ranges need not be adjacent. A range is never given
 *             back, because nobody could tell whether it is still the last.
 *             The C library's function is called, which knows where the break
 *             is, and not the kernel's.
 * Locking:    one caller at a time; who comes second is refused, and maps.
 */
#ifndef OS_DSS_H
#define OS_DSS_H

#include <stdbool.h>
#include <stddef.h>

/**
 * Zeroed memory.
 * @param size  bytes, multiple of the page size
 * @return      the address, a multiple of the page size, or NULL
 */
void *dss_take(size_t size);

/* Does `addr` lie where memory was taken from? It can't be unmapped then. */
bool dss_contains(const void *addr);

#endif
