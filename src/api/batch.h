/*
 * batch: many objects of one size in one call.
 *
 * Owns:       nothing.
 * Invariants: each object counts, and may be a sample, as if it had been asked
 *             for by itself.
 * Locking:    none of its own; objects of a slab are taken many at a time under
 *             the lock of their bin.
 */
#ifndef API_BATCH_H
#define API_BATCH_H

#include "api/request.h"

/**
 * As many times request_run().
 * @param objects  receives them
 * @return         how many there are: `count`, or less without memory
 */
size_t batch_run(const struct request *request, void **objects, size_t count);

#endif
