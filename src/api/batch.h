/*
 * batch: allocates many objects of one size in one call.
 *
 * Owns:       nothing.
 * Invariants: each object counts, and may be a sample, as if a call of its own
 *             had asked for it.
 * Locking:    none of its own. Many objects are taken at a time under the lock
 *             of their bin.
 */
#ifndef API_BATCH_H
#define API_BATCH_H

#include "api/request.h"

/**
 * Does the same as `count` calls of request_run().
 * @param objects  receives the objects
 * @return         how many were allocated; less than `count` without memory
 */
size_t batch_run(const struct request *request, void **objects, size_t count);

#endif
