/*
 * ctl_prof: thread.prof.*, prof.* and the experimental names about profiles.
 *
 * Owns:       nothing.
 * Invariants: while the profile is off, each name answers as the contract says
 *             for a process without a profile.
 * Locking:    none.
 */
#ifndef CTL_CTL_PROF_H
#define CTL_CTL_PROF_H

#include "ctl/ctl.h"

ctl_reader ctl_prof_enabled;
ctl_writer ctl_prof_set_enabled;
ctl_reader ctl_prof_state;
ctl_writer ctl_prof_set_active;
ctl_writer ctl_prof_set_thread_init;
ctl_reader ctl_prof_thread_active;
ctl_writer ctl_prof_set_thread_active;

ctl_action ctl_prof_thread_name;
ctl_writer ctl_prof_set_gdump;
ctl_action ctl_prof_reset;
ctl_action ctl_prof_dump;
ctl_action ctl_prof_dump_holes;
ctl_action ctl_prof_prefix;
ctl_action ctl_prof_log_start;
ctl_action ctl_prof_log_stop;
ctl_reader ctl_prof_class;

/* experimental.hooks.prof_* and experimental.prof_recent.* */
ctl_action ctl_prof_hook;
ctl_writer ctl_prof_set_recent_max;
ctl_action ctl_prof_recent_dump;

#endif
