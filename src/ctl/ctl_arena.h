/*
 * ctl_arena: arena.<i>.*, arenas.* and experimental.arenas.<i>.*.
 *
 * Owns:       nothing.
 * Invariants: the arena is found again at each call, by the index in the path.
 * Locking:    none here; arenas take their own locks.
 */
#ifndef CTL_CTL_ARENA_H
#define CTL_CTL_ARENA_H

#include "ctl/ctl.h"

/* Used instead of an index. */
#define CTL_ARENAS_ALL       4096
#define CTL_ARENAS_DESTROYED 4097

/* The index after the last arena is an old name for all arenas, too. */
bool ctl_arena_means_all(size_t index);

ctl_entry ctl_arena_enter;
ctl_reader ctl_arena_initialized;
ctl_action ctl_arena_decay;
ctl_action ctl_arena_purge;
ctl_action ctl_arena_reset;
ctl_action ctl_arena_destroy;
ctl_reader ctl_arena_dss;
ctl_writer ctl_arena_set_dss;
ctl_reader ctl_arena_oversize;
ctl_writer ctl_arena_set_oversize;
ctl_reader ctl_arena_decay_ms;
ctl_writer ctl_arena_set_decay_ms;
ctl_reader ctl_background;
ctl_writer ctl_background_set;
ctl_reader ctl_background_max;
ctl_writer ctl_background_set_max;

ctl_reader ctl_arena_hooks;
ctl_writer ctl_arena_set_hooks;
ctl_reader ctl_arena_grow_limit;
ctl_writer ctl_arena_set_grow_limit;
ctl_action ctl_arena_name;

ctl_reader ctl_arenas_geometry;
ctl_writer ctl_arenas_set_dirty_decay;
ctl_writer ctl_arenas_set_muzzy_decay;
ctl_entry ctl_bin_enter; /* place: its struct slab_geometry */
ctl_reader ctl_bin_size;
ctl_reader ctl_bin_slab_size;
ctl_reader ctl_bin_nshards;
ctl_reader ctl_lextent_size;
ctl_action ctl_arenas_create;
ctl_action ctl_arenas_create_ext;
ctl_action ctl_arenas_lookup;

ctl_entry ctl_experimental_arena_enter;
ctl_action ctl_arena_pactivep;
ctl_reader ctl_arena_node;

#endif
