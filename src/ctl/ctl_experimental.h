/*
 * ctl_experimental: experimental.hooks.*, .utilization.* and .batch_alloc.
 *
 * Owns:       ctl_allocate.
 * Invariants: none of these names is promised to stay.
 * Locking:    utilization takes the lock of one bin. Objects are allocated with
 *             no lock held.
 */
#ifndef CTL_CTL_EXPERIMENTAL_H
#define CTL_CTL_EXPERIMENTAL_H

#include "ctl/ctl.h"

/*
 * Allocates as `count` calls of mallocx() do; returns how many succeeded. None
 * does until api/ has set it at start.
 */
extern size_t (*ctl_allocate)(size_t size, int flags, void **objects,
    size_t count);

/* There are none such. */
ctl_action ctl_hooks_none;
ctl_writer ctl_hooks_safety;
ctl_action ctl_hooks_thread_event;
ctl_reader ctl_limit_soft;
ctl_writer ctl_limit_set_soft;
ctl_reader ctl_limit_hard;
ctl_writer ctl_limit_set_hard;
ctl_action ctl_limit_set_callback;
ctl_reader ctl_limit_in_memory;
ctl_reader ctl_cgroup_high;
ctl_reader ctl_cgroup_max;
ctl_reader ctl_cgroup_current;

ctl_action ctl_utilization_query;
ctl_action ctl_utilization_batch;
ctl_action ctl_batch_alloc;

#endif
