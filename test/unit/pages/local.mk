unit_tests += test/unit/pages/test_page_source
test_unit_pages_test_page_source_LDADD = $(UNIT_PAGES)
test_unit_pages_test_page_source_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=pages_map,--wrap=pages_unmap,--wrap=pages_map_at \
	-Wl,--wrap=pages_purge_forced,--wrap=pages_purge_lazy \
	-Wl,--wrap=metadata_take,--wrap=pagemap_reserve

unit_tests += test/unit/pages/test_decay
test_unit_pages_test_decay_LDADD = $(UNIT_PAGES)

unit_tests += test/unit/pages/test_regions
test_unit_pages_test_regions_LDADD = $(UNIT_PAGES)

unit_tests += test/unit/pages/test_hooked
test_unit_pages_test_hooked_LDADD = $(UNIT_PAGES)

unit_tests += test/unit/pages/test_borrow
test_unit_pages_test_borrow_LDADD = $(UNIT_PAGES)

unit_tests += test/unit/pages/test_packed
test_unit_pages_test_packed_LDADD = $(UNIT_PAGES)

unit_tests += test/unit/pages/test_ageing
test_unit_pages_test_ageing_LDADD = $(UNIT_PAGES)
test_unit_pages_test_ageing_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=pages_map,--wrap=pages_unmap,--wrap=pages_map_at \
	-Wl,--wrap=dss_contains \
	-Wl,--wrap=pages_purge_forced,--wrap=pages_purge_lazy \
	-Wl,--wrap=pages_come_locked,--wrap=pages_are_locked \
	-Wl,--wrap=clock_now_ns,--wrap=message

unit_tests += test/unit/pages/test_pages_locks
test_unit_pages_test_pages_locks_LDADD = $(UNIT_PAGES)

unit_tests += test/unit/pages/test_guards
test_unit_pages_test_guards_LDADD = $(UNIT_PAGES)
test_unit_pages_test_guards_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=pages_forbid,--wrap=pages_allow \
	-Wl,--wrap=pages_purge_forced

unit_tests += test/unit/pages/test_growth
test_unit_pages_test_growth_LDADD = $(UNIT_PAGES)

unit_tests += test/unit/pages/test_hidden
test_unit_pages_test_hidden_LDADD = $(UNIT_PAGES)
test_unit_pages_test_hidden_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=pages_leave_out_of_core
