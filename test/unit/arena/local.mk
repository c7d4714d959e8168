unit_tests += test/unit/arena/test_bin
test_unit_arena_test_bin_LDADD = $(UNIT_ARENA)
test_unit_arena_test_bin_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=page_source_take

unit_tests += test/unit/arena/test_canary
test_unit_arena_test_canary_LDADD = $(UNIT_ARENA)

unit_tests += test/unit/arena/test_slab
test_unit_arena_test_slab_LDADD = $(UNIT_ARENA)

unit_tests += test/unit/arena/test_large
test_unit_arena_test_large_LDADD = $(UNIT_ARENA)
test_unit_arena_test_large_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=pages_map \
	-Wl,--wrap=page_source_take,--wrap=page_source_extend \
	-Wl,--wrap=page_source_trim,--wrap=pages_move \
	-Wl,--wrap=pages_allow,--wrap=pages_forbid

unit_tests += test/unit/arena/test_arena
test_unit_arena_test_arena_LDADD = $(UNIT_ARENA)
test_unit_arena_test_arena_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=pages_unmap,--wrap=metadata_take

unit_tests += test/unit/arena/test_arena_table
test_unit_arena_test_arena_table_LDADD = $(UNIT_ARENA)
test_unit_arena_test_arena_table_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=metadata_take,--wrap=os_thread_sleep \
	-Wl,--wrap=os_thread_wake,--wrap=node_now

unit_tests += test/unit/arena/test_arena_locks
test_unit_arena_test_arena_locks_LDADD = $(UNIT_ARENA)

unit_tests += test/unit/arena/test_ledger
test_unit_arena_test_ledger_LDADD = $(UNIT_ARENA)
test_unit_arena_test_ledger_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=metadata_take

unit_tests += test/unit/arena/test_large_freed
test_unit_arena_test_large_freed_LDADD = $(UNIT_ARENA)
