/*
 * option_setters: reads the text of a value into the options.
 *
 * Owns:       nothing.
 * Invariants: a refused value does not change the options. Exception: in a list
 *             of ranges, the ranges before the mistake apply.
 * Locking:    none; options are set while the process has one thread.
 */
#ifndef CONF_OPTION_SETTERS_H
#define CONF_OPTION_SETTERS_H

#include "conf/option_fields.h"

/* The setter of all rows that have none of their own: by the row's type. */
option_setter option_set_typed;

/* The setters of keys whose values have a special form or effect. */
option_setter option_set_background, option_set_junk, option_set_slab_sizes,
    option_set_bin_shards, option_set_lg_tcache_max, option_set_ncached_max,
    option_set_huge_page_part, option_set_signal, option_set_uaf_align,
    option_set_part, option_set_quarantine;

/* The value of `junk` as a user writes it. */
const char *option_get_junk(const struct options *options);

#endif
