/*
 * ctl_prof: thread.prof.*, prof.* and the experimental names about profiles.
 *
 * Owns:       nothing.
 * Invariants: nothing is sampled yet, so each name answers as the contract has
 *             it while opt.prof is off, or with the failure of its action.
 * Locking:    none.
 * Used by:    ctl_tree.c.
 */
#ifndef CTL_CTL_PROF_H
#define CTL_CTL_PROF_H

#include "ctl/ctl.h"

/* Switches: they read false, and can't be turned on. */
ctl_reader ctl_prof_off;
ctl_writer ctl_prof_set_nothing;
ctl_writer ctl_prof_set_active;

ctl_action ctl_prof_thread_name;
ctl_reader ctl_prof_interval;
ctl_writer ctl_prof_reset;
ctl_action ctl_prof_fail;

/* experimental.hooks.prof_* and experimental.prof_recent.* */
ctl_action ctl_prof_hook;
ctl_reader ctl_prof_recent_max;
ctl_writer ctl_prof_set_recent_max;
ctl_action ctl_prof_recent_dump;

#endif
