/*
 * metadata: memory for the library's own records.
 *
 * Owns:       blocks mapped from the kernel, which are used up from the front;
 *             free lists of returned pieces by power of two.
 * Invariants: metadata is separate from all user memory. It is never unmapped,
 *             so a record stays readable for ever. A returned piece may be used
 *             for another type. Callers that must prevent this have free lists
 *             of their own.
 * Locking:    LOCK_METADATA, not held over a system call.
 */
#ifndef EXTENT_METADATA_H
#define EXTENT_METADATA_H

#include <stdbool.h>
#include <stddef.h>

#include "util/compiler.h"

struct heap_part;

void metadata_init(void);

/*
 * From now on new blocks are in huge pages: all of them, or (`later`) only when
 * at least a huge page of metadata is mapped.
 */
void metadata_set_thp(bool always, bool later);

/* Zeroed memory aligned to `align` (<= 65536), or NULL. */
void *metadata_take(size_t size, size_t align);

/*
 * Pieces that can be returned: `size` is rounded up to a power of two. Contents
 * are undefined.
 */
void *metadata_take_piece(size_t size);
void metadata_give_piece(void *piece, size_t size);

struct metadata_stats {
	size_t mapped; /* bytes mapped */
	size_t used;   /* bytes taken from the blocks */
	size_t huge;   /* huge pages that are used */
};

struct metadata_stats metadata_stats(void);

/*
 * The block that was mapped before `block`, and its size. `block` may be NULL:
 * then the newest block. Returns NULL if there is none before it.
 */
const void *metadata_next(const void *block, size_t *size);

/* Is `addr` inside one of our blocks? For reports; not fast. */
bool metadata_contains(const void *addr);

struct lock *metadata_lock(void);

/* For tools that read the heap. */
extern HIDDEN const struct heap_part metadata_heap_part;

#endif
