/*
 * ctl_opt: opt.* from the table of the options, and the texts that were read.
 *
 * Owns:       nothing.
 * Invariants: each row of conf/options.c without no_ctl is a name. An option
 *             that is not compiled in has a name, too, but reading it is
 *             ENOENT.
 * Locking:    none: options are read only after start.
 */
#ifndef CTL_CTL_OPT_H
#define CTL_CTL_OPT_H

#include "ctl/ctl.h"

ctl_finder ctl_opt_find;
ctl_entry ctl_opt_enter; /* place: the option's row */
ctl_action ctl_opt_read;

/* opt.malloc_conf.*; ENOENT if there was no such text. */
ctl_reader ctl_opt_source;

#endif
