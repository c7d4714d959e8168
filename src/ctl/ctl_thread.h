/*
 * ctl_thread: thread.* of the calling thread, and tcache.*.
 *
 * Owns:       nothing.
 * Invariants: a thread without a record of its own (at its end, or without
 *             memory for one) has no arena and no cache: EAGAIN.
 * Locking:    a thread's record is its own.
 */
#ifndef CTL_CTL_THREAD_H
#define CTL_CTL_THREAD_H

#include "ctl/ctl.h"

ctl_reader ctl_thread_arena;
ctl_writer ctl_thread_set_arena;
ctl_reader ctl_thread_counter;
ctl_reader ctl_thread_counter_place;
ctl_reader ctl_thread_cached;
ctl_writer ctl_thread_set_cached;
ctl_reader ctl_thread_cache_max;
ctl_writer ctl_thread_set_cache_max;
ctl_action ctl_thread_flush;
ctl_action ctl_thread_ncached;
ctl_writer ctl_thread_set_ncached;
ctl_reader ctl_thread_peak;
ctl_action ctl_thread_peak_reset;
ctl_action ctl_thread_idle;

ctl_reader ctl_tcache_create;
ctl_writer ctl_tcache_flush;
ctl_writer ctl_tcache_destroy;

#endif
