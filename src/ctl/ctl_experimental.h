/*
 * ctl_experimental: experimental.hooks.*, .utilization.*, .batch_alloc, and the
 * limits of memory under .x.
 *
 * Owns:       ctl_allocate.
 * Invariants: these names may change in later versions.
 * Locking:    utilization takes the lock of one bin. No lock is held while
 *             objects are allocated.
 */
#ifndef CTL_CTL_EXPERIMENTAL_H
#define CTL_CTL_EXPERIMENTAL_H

#include "ctl/ctl.h"

/*
 * Allocates as `count` calls of mallocx() do, and returns how many succeeded.
 * api/ sets it at start; before that it allocates nothing.
 */
extern size_t (*ctl_allocate)(size_t size, int flags, void **objects,
    size_t count);

/* For names that this library leaves out: always ENOENT. */
ctl_action ctl_hooks_none;
ctl_writer ctl_hooks_safety;
ctl_action ctl_hooks_thread_event;
ctl_reader ctl_guard_sample;
ctl_writer ctl_guard_set_sample;
ctl_writer ctl_limit_set_soft;
ctl_writer ctl_limit_set_hard;
ctl_action ctl_limit_set_callback;
ctl_reader ctl_cgroup;

ctl_action ctl_utilization_query;
ctl_action ctl_utilization_batch;
ctl_action ctl_batch_alloc;

ctl_action ctl_heap_walk;
ctl_action ctl_heap_lookup;

#endif
