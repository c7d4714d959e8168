# Stress programs, run with the library preloaded; not linked with it. Tools are
# programs that a test in test/integration runs.

stress_cflags = -O2 -g -pthread -fno-builtin -Wall -Wextra $(JE_WERROR)
stress_tools =
EXTRA_DIST += test/stress/blocks.h test/stress/stress.h test/seccomp.h

# The slowest.
stress_tests += test/stress/controls
stress_tests += test/stress/limits
stress_tests += test/stress/memory-limits
stress_tests += test/stress/refused
# The others.
stress_tests += test/stress/idle
test_stress_idle_SOURCES = test/stress/idle.c
test_stress_idle_CFLAGS = $(stress_cflags)
test_stress_idle_LDFLAGS = -export-dynamic
stress_tests += test/stress/clone-child
test_stress_clone_child_SOURCES = test/stress/clone-child.c
test_stress_clone_child_CFLAGS = $(stress_cflags)
stress_tests += test/stress/commit
test_stress_commit_SOURCES = test/stress/commit.c
test_stress_commit_CFLAGS = $(stress_cflags)
stress_tests += test/stress/container
test_stress_container_SOURCES = test/stress/container.c
test_stress_container_CFLAGS = $(stress_cflags)
stress_tests += test/stress/nodes
test_stress_nodes_SOURCES = test/stress/nodes.c
test_stress_nodes_CFLAGS = $(stress_cflags)
stress_tests += test/stress/burst
test_stress_burst_SOURCES = test/stress/burst.c
test_stress_burst_CFLAGS = $(stress_cflags)
stress_tests += test/stress/by-bytes
test_stress_by_bytes_SOURCES = test/stress/by-bytes.c
test_stress_by_bytes_CFLAGS = $(stress_cflags)
stress_tests += test/stress/trickle
test_stress_trickle_SOURCES = test/stress/trickle.c
test_stress_trickle_CFLAGS = $(stress_cflags)
stress_tests += test/stress/own-malloc
test_stress_own_malloc_SOURCES = test/stress/own-malloc.c
test_stress_own_malloc_CFLAGS = $(stress_cflags)

stress_tests += test/stress/fork-anywhere
test_stress_fork_anywhere_SOURCES = test/stress/fork-anywhere.c
test_stress_fork_anywhere_CFLAGS = $(stress_cflags)
stress_tests += test/stress/atfork-handlers
test_stress_atfork_handlers_SOURCES = test/stress/atfork-handlers.c
test_stress_atfork_handlers_CFLAGS = $(stress_cflags)
stress_tests += test/stress/contents
test_stress_contents_SOURCES = test/stress/contents.c
test_stress_contents_CFLAGS = $(stress_cflags)
stress_tests += test/stress/cross-free
test_stress_cross_free_SOURCES = test/stress/cross-free.c
test_stress_cross_free_CFLAGS = $(stress_cflags)
stress_tests += test/stress/every-call
test_stress_every_call_SOURCES = test/stress/every-call.c
test_stress_every_call_CFLAGS = $(stress_cflags)
stress_tests += test/stress/fork-storm
test_stress_fork_storm_SOURCES = test/stress/fork-storm.c
test_stress_fork_storm_CFLAGS = $(stress_cflags)
stress_tests += test/stress/main-leaves
test_stress_main_leaves_SOURCES = test/stress/main-leaves.c
test_stress_main_leaves_CFLAGS = $(stress_cflags)
stress_tests += test/stress/spawn
test_stress_spawn_SOURCES = test/stress/spawn.c
test_stress_spawn_CFLAGS = $(stress_cflags)
stress_tests += test/stress/drift
test_stress_drift_SOURCES = test/stress/drift.c
test_stress_drift_CFLAGS = $(stress_cflags)
stress_tests += test/stress/thread-churn
test_stress_thread_churn_SOURCES = test/stress/thread-churn.c
test_stress_thread_churn_CFLAGS = $(stress_cflags)
stress_tests += test/stress/tls-destructors
test_stress_tls_destructors_SOURCES = test/stress/tls-destructors.c
test_stress_tls_destructors_CFLAGS = $(stress_cflags)
test_stress_limits_SOURCES = test/stress/limits.c
test_stress_limits_CFLAGS = $(stress_cflags)
stress_tests += test/stress/small-start
test_stress_small_start_SOURCES = test/stress/small-start.c
test_stress_small_start_CFLAGS = $(stress_cflags)
stress_tests += test/stress/small-stack
test_stress_small_stack_SOURCES = test/stress/small-stack.c
test_stress_small_stack_CFLAGS = $(stress_cflags)
stress_tests += test/stress/start-settings
test_stress_start_settings_SOURCES = test/stress/start-settings.c
test_stress_start_settings_CFLAGS = $(stress_cflags)
stress_tests += test/stress/marks
test_stress_marks_SOURCES = test/stress/marks.c
test_stress_marks_CFLAGS = $(stress_cflags)
stress_tests += test/stress/start-end
test_stress_start_end_SOURCES = test/stress/start-end.c
test_stress_start_end_CFLAGS = $(stress_cflags)
stress_tests += test/stress/signals
test_stress_signals_SOURCES = test/stress/signals.c
test_stress_signals_CFLAGS = $(stress_cflags)
stress_tests += test/stress/errno-kept
test_stress_errno_kept_SOURCES = test/stress/errno-kept.c
test_stress_errno_kept_CFLAGS = $(stress_cflags)
stress_tests += test/stress/bad-sizes
test_stress_bad_sizes_SOURCES = test/stress/bad-sizes.c
test_stress_bad_sizes_CFLAGS = $(stress_cflags)
stress_tests += test/stress/damage
test_stress_damage_SOURCES = test/stress/damage.c test/stress/captured.h
test_stress_damage_CFLAGS = $(stress_cflags)

stress_tests += test/stress/corruption
test_stress_corruption_SOURCES = test/stress/corruption.c test/stress/captured.h
test_stress_corruption_CFLAGS = $(stress_cflags)
stress_tests += test/stress/bad-pointers
test_stress_bad_pointers_SOURCES = test/stress/bad-pointers.c \
	test/stress/captured.h
test_stress_bad_pointers_CFLAGS = $(stress_cflags)
stress_tools += test/stress/faultrun
test_stress_faultrun_SOURCES = test/stress/faultrun.c
test_stress_faultrun_CFLAGS = $(stress_cflags)
stress_tools += test/stress/fault-workload
test_stress_fault_workload_SOURCES = test/stress/fault-workload.c
test_stress_fault_workload_CFLAGS = $(stress_cflags)
stress_tests += test/stress/defrag
test_stress_defrag_SOURCES = test/stress/defrag.c test/stress/stress.h
test_stress_defrag_CFLAGS = $(stress_cflags)
stress_tests += test/stress/profile
test_stress_profile_SOURCES = test/stress/profile.c test/stress/stress.h
test_stress_profile_CFLAGS = $(stress_cflags)
test_stress_profile_LDADD = -lm
EXTRA_DIST += test/stress/profile.h
stress_tests += test/stress/profile-estimates
test_stress_profile_estimates_SOURCES = test/stress/profile-estimates.c
test_stress_profile_estimates_CFLAGS = $(stress_cflags)
test_stress_profile_estimates_LDADD = -lm
stress_tests += test/stress/profile-storm
test_stress_profile_storm_SOURCES = test/stress/profile-storm.c
test_stress_profile_storm_CFLAGS = $(stress_cflags)
test_stress_profile_storm_CPPFLAGS = $(AM_CPPFLAGS) \
	-DPLUGINS='"$(abs_top_builddir)/test/unit/unwind"'
test_stress_profile_storm_LDFLAGS = -export-dynamic
test_stress_profile_storm_LDADD = -lm
EXTRA_test_stress_profile_storm_DEPENDENCIES = \
	$(unwind_plugins) $(unwind_thrower)
stress_tests += test/stress/figures
test_stress_figures_SOURCES = test/stress/figures.c test/stress/stress.h
test_stress_figures_CFLAGS = $(stress_cflags)
stress_tests += test/stress/profile-holes
test_stress_profile_holes_SOURCES = test/stress/profile-holes.c
test_stress_profile_holes_CFLAGS = $(stress_cflags)
test_stress_profile_holes_LDADD = -lm
stress_tests += test/stress/profile-hooks
test_stress_profile_hooks_SOURCES = test/stress/profile-hooks.c \
	test/stress/stress.h
test_stress_profile_hooks_CFLAGS = $(stress_cflags)
stress_tools += test/stress/without
test_stress_without_SOURCES = test/stress/without.c
test_stress_without_CFLAGS = $(stress_cflags)
stress_tests += test/stress/sandbox
test_stress_sandbox_SOURCES = test/stress/sandbox.c
test_stress_sandbox_CFLAGS = $(stress_cflags)
test_stress_refused_SOURCES = test/stress/refused.c test/stress/blocks.h
test_stress_refused_CFLAGS = $(stress_cflags)
stress_tests += test/stress/cancel
test_stress_cancel_SOURCES = test/stress/cancel.c test/stress/stress.h
test_stress_cancel_CFLAGS = $(stress_cflags)
stress_tests += test/stress/max-maps
test_stress_max_maps_SOURCES = test/stress/max-maps.c
test_stress_max_maps_CFLAGS = $(stress_cflags)

# The same tests as in `make check`, only longer.
check-long: all
	TEST_LONG=1 $(MAKE) $(AM_MAKEFLAGS) check
.PHONY: check-long

# Again and again, for what fails rarely.
ROUNDS = 50
check-repeat: all
	+MAKE='$(MAKE)' $(SHELL) $(top_srcdir)/scripts/check-repeat $(ROUNDS)
.PHONY: check-repeat

# Random options, for a given time.
SOAK_SECONDS = 600
soak: all
	$(MAKE) check TESTS=
	$(top_srcdir)/scripts/soak --seconds $(SOAK_SECONDS)
.PHONY: soak

stress_tests += test/stress/glibc
test_stress_glibc_SOURCES = test/stress/glibc.c test/stress/stress.h
test_stress_glibc_CFLAGS = $(stress_cflags)

# Control: the names against test/data, and what they do.
EXTRA_DIST += test/data/mallctl-names.txt
stress_tests += test/stress/mallctl-names
test_stress_mallctl_names_SOURCES = test/stress/mallctl-names.c
test_stress_mallctl_names_CFLAGS = $(stress_cflags)
stress_tests += test/stress/mallctl-fuzz
test_stress_mallctl_fuzz_SOURCES = test/stress/mallctl-fuzz.c
test_stress_mallctl_fuzz_CFLAGS = $(stress_cflags)
stress_tests += test/stress/mallctl-answers
test_stress_mallctl_answers_SOURCES = test/stress/mallctl-answers.c \
	test/stress/mallctl-answers.h
test_stress_mallctl_answers_CFLAGS = $(stress_cflags)
stress_tests += test/stress/profile-answers
test_stress_profile_answers_SOURCES = test/stress/profile-answers.c \
	test/stress/mallctl-answers.h
test_stress_profile_answers_CFLAGS = $(stress_cflags)
stress_tests += test/stress/mallctl-effects
test_stress_mallctl_effects_SOURCES = test/stress/mallctl-effects.c
test_stress_mallctl_effects_CFLAGS = $(stress_cflags)
stress_tests += test/stress/hooks
test_stress_hooks_SOURCES = test/stress/hooks.c
test_stress_hooks_CFLAGS = $(stress_cflags)
stress_tests += test/stress/hooks-metadata
test_stress_hooks_metadata_SOURCES = test/stress/hooks-metadata.c
test_stress_hooks_metadata_CFLAGS = $(stress_cflags)
stress_tests += test/stress/background
test_stress_background_SOURCES = test/stress/background.c
test_stress_background_CFLAGS = $(stress_cflags)
stress_tests += test/stress/arenas
test_stress_arenas_SOURCES = test/stress/arenas.c
test_stress_arenas_CFLAGS = $(stress_cflags)
stress_tests += test/stress/dss
test_stress_dss_SOURCES = test/stress/dss.c
test_stress_dss_CFLAGS = $(stress_cflags)
stress_tests += test/stress/limit-changes
test_stress_limit_changes_SOURCES = test/stress/limit-changes.c
test_stress_limit_changes_CFLAGS = $(stress_cflags)
test_stress_memory_limits_SOURCES = test/stress/memory-limits.c
test_stress_memory_limits_CFLAGS = $(stress_cflags)

# Every control against every other.
EXTRA_DIST += test/stress/controls.h
controls_sources = test/stress/controls.c test/stress/controls-ordinary.c \
	test/stress/controls-arenas.c test/stress/controls-settings.c
test_stress_controls_SOURCES = $(controls_sources)
test_stress_controls_CFLAGS = $(stress_cflags)

# The same with the library linked in, for a build with --enable-tsan and
# --with-jemalloc-prefix=je_: so that malloc stays the sanitizer's own.
EXTRA_PROGRAMS += test/stress/controls-linked
test_stress_controls_linked_SOURCES = $(controls_sources)
test_stress_controls_linked_CPPFLAGS = $(AM_CPPFLAGS) \
	-DCONTROLS_PREFIX='"$(JE_PREFIX)"'
test_stress_controls_linked_CFLAGS = $(stress_cflags) $(JE_SANITIZE)
test_stress_controls_linked_LDFLAGS = -export-dynamic \
	-Wl,--undefined=$(JE_PREFIX)malloc
test_stress_controls_linked_LDADD = $(static_lib)
EXTRA_test_stress_controls_linked_DEPENDENCIES = $(static_lib)

# A child of a fork starts threads, which the sanitizer otherwise forbids.
check-tsan-controls: test/stress/controls-linked
	@test -n '$(JE_PREFIX)' || { echo 'configure --enable-tsan' \
	    '--with-jemalloc-prefix=je_ for this'; exit 1; }
	TSAN_OPTIONS="halt_on_error=1 die_after_fork=0 $$TSAN_OPTIONS" \
	    test/stress/controls-linked $(CONTROLS_ARGUMENTS)
.PHONY: check-tsan-controls
stress_tests += test/stress/surroundings
test_stress_surroundings_SOURCES = test/stress/surroundings.c
test_stress_surroundings_CFLAGS = $(stress_cflags)
test_stress_surroundings_LDFLAGS = -export-dynamic
stress_tests += test/stress/options-constant
test_stress_options_constant_SOURCES = test/stress/options-constant.c
test_stress_options_constant_CFLAGS = $(stress_cflags)
stress_tests += test/stress/option-effects
test_stress_option_effects_SOURCES = test/stress/option-effects.c \
	test/stress/option-effects.h test/stress/option-effects-calls.c \
	test/stress/option-effects-memory.c test/stress/option-effects-huge.c \
	test/stress/option-effects-prof.c
test_stress_option_effects_CFLAGS = $(stress_cflags)
test_stress_option_effects_LDADD = -lm
stress_tests += test/stress/aborts
test_stress_aborts_SOURCES = test/stress/aborts.c
test_stress_aborts_CFLAGS = $(stress_cflags)
stress_tests += test/stress/batch
test_stress_batch_SOURCES = test/stress/batch.c
test_stress_batch_CFLAGS = $(stress_cflags)
stress_tools += test/stress/pairs-of-calls
test_stress_pairs_of_calls_SOURCES = test/stress/pairs-of-calls.c
test_stress_pairs_of_calls_CFLAGS = $(stress_cflags)
stress_tools += test/stress/many
test_stress_many_SOURCES = test/stress/many.c
test_stress_many_CFLAGS = $(stress_cflags)
stress_tests += test/stress/resize
test_stress_resize_SOURCES = test/stress/resize.c
test_stress_resize_CFLAGS = $(stress_cflags)
stress_tests += test/stress/guarded-bugs
test_stress_guarded_bugs_SOURCES = test/stress/guarded-bugs.c
test_stress_guarded_bugs_CFLAGS = $(stress_cflags)
stress_tests += test/stress/guarded
test_stress_guarded_SOURCES = test/stress/guarded.c
test_stress_guarded_CFLAGS = $(stress_cflags)
stress_tools += test/stress/signalled
test_stress_signalled_SOURCES = test/stress/signalled.c
test_stress_signalled_CFLAGS = $(stress_cflags)
stress_tools += test/stress/heap-oracle
test_stress_heap_oracle_SOURCES = test/stress/heap-oracle.c
test_stress_heap_oracle_CFLAGS = $(stress_cflags)
test_stress_heap_oracle_LDADD = -ldl
test_stress_heap_oracle_LDFLAGS = -rdynamic
stress_tests += test/stress/heap-walk
test_stress_heap_walk_SOURCES = test/stress/heap-walk.c
test_stress_heap_walk_CFLAGS = $(stress_cflags)
