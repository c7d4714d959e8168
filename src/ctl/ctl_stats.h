/*
 * ctl_stats: epoch, stats.* and approximate_stats.*.
 *
 * Owns:       nothing. The figures lie in the snapshot, and most rows of
 *             ctl_tree.c find theirs without a function here.
 * Invariants: a call holds the snapshot that it reads, from the component
 *             "stats" of its path until its end.
 * Locking:    none of its own.
 */
#ifndef CTL_CTL_STATS_H
#define CTL_CTL_STATS_H

#include "ctl/ctl.h"

ctl_reader ctl_stats_epoch;
ctl_writer ctl_stats_refresh;

ctl_entry ctl_stats_enter; /* place: the snapshot */
ctl_exit ctl_stats_leave;
ctl_entry ctl_stats_arena_enter; /* place: its struct arena_stats */

ctl_reader ctl_stats_safety_reports;
ctl_reader ctl_stats_guarded_now;
ctl_reader ctl_stats_unguarded;
ctl_reader ctl_stats_active_now;
ctl_action ctl_stats_reset_mutexes;

#endif
