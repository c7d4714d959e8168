/*
 * metadata: memory for the library's own records.
 *
 * Owns:       blocks mapped from the kernel, cut off from the front; free
 *             lists of given-back pieces by power of two.
 * Invariants: lies apart from all user memory; never unmapped, so a record
 *             stays readable for ever (its type may not change: callers that
 *             rely on it keep their own free lists).
 * Locking:    LOCK_METADATA, never over a system call.
 */
#ifndef EXTENT_METADATA_H
#define EXTENT_METADATA_H

#include <stdbool.h>
#include <stddef.h>

void metadata_init(void);

/*
 * From now on blocks lie in huge pages: all, or those that come when there is
 * more than a huge page of them.
 */
void metadata_set_thp(bool always, bool later);

/* Zeroed memory aligned to `align` (<= 65536), or NULL. */
void *metadata_take(size_t size, size_t align);

/*
 * Pieces that come and go: `size` is rounded up to a power of two. Contents
 * are undefined.
 */
void *metadata_take_piece(size_t size);
void metadata_give_piece(void *piece, size_t size);

struct metadata_stats {
	size_t mapped;		/* bytes mapped */
	size_t used;		/* bytes cut off */
	size_t huge;		/* huge pages, as far as they are used */
};

struct metadata_stats metadata_stats(void);

/* Is `addr` inside one of our blocks? For reports; not fast. */
bool metadata_contains(const void *addr);

struct lock *metadata_lock(void);

#endif
