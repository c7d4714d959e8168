/*
 * stride: when the next event of a cache bin comes.
 *
 * Owns:       the countdowns of bins and their strides; the bound in bytes.
 * Invariants: no fast path looks at a clock or adds up bytes. So when there is
 *             a reason to look sooner, the countdowns of the bins become short:
 *             when much memory has become unused, since its thread may do
 *             little from now on, and while something is promised by bytes.
 * Locking:    only its thread uses a cache; any may set the bound.
 *
 * cache/pace has the rules for a single bin.
 */
#ifndef CACHE_STRIDE_H
#define CACHE_STRIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/compiler.h"

struct arena;
struct tcache;

/* The sizes and the first strides of the bins of a new cache. */
void stride_init(struct tcache *tcache);

/*
 * Sets the countdown of a bin: how many objects the fast paths may hand out
 * before the slow path is needed again. `least` is its value if the next object
 * is a sample: with 0 the slow path takes that object, with 1 the fast path
 * may.
 */
void stride_grant(struct tcache *tcache, unsigned bin, uint32_t least);

/* The next event of the bin comes after `most` objects, at the latest. */
void stride_shorten(struct tcache *tcache, unsigned bin, uint32_t most);

/*
 * At an event of the bin: looks as stride_look() does, computes the stride, and
 * grants it. Returns how long the objects took that it has handed out since the
 * last one.
 */
uint64_t stride_event(struct tcache *tcache, unsigned bin, uint32_t least,
    uint64_t now_ns);

/*
 * For slow paths at which pages may have become unused: if these are many, each
 * bin has an event at its next object. Not while a bin is to hand out one.
 */
void stride_look(struct tcache *tcache, uint64_t now_ns);

/* The same after memory was given back to `arena` past the cache. */
void stride_passed(struct tcache *tcache, struct arena *arena, uint64_t now_ns);

/*
 * From now on no bin hands out more than `bytes`, or one object, from event to
 * event. Bins of other threads begin with that at their next event.
 * @param tcache  the caller's cache; NULL: it has none
 */
COLD void stride_bound(struct tcache *tcache, uint64_t bytes);

#endif
