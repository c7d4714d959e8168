unit_tests += test/unit/huge/test_pageslab
test_unit_huge_test_pageslab_LDADD = $(UNIT_HUGE)

unit_tests += test/unit/huge/test_huge_pages
test_unit_huge_test_huge_pages_LDADD = $(UNIT_HUGE)
test_unit_huge_test_huge_pages_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=pages_want_huge,--wrap=pages_refuse_huge \
	-Wl,--wrap=pages_collapse,--wrap=pages_purge_forced \
	-Wl,--wrap=metadata_take_piece,--wrap=extent_records_take

unit_tests += test/unit/huge/test_huge_cache
test_unit_huge_test_huge_cache_LDADD = $(UNIT_HUGE)

unit_tests += test/unit/huge/test_huge_locks
test_unit_huge_test_huge_locks_LDADD = $(UNIT_HUGE)
