unit_tests += test/unit/extent/test_page_source
test_unit_extent_test_page_source_LDADD = $(UNIT_EXTENT)
test_unit_extent_test_page_source_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=pages_map,--wrap=pages_unmap,--wrap=pages_map_at \
	-Wl,--wrap=pages_purge_forced,--wrap=pages_purge_lazy \
	-Wl,--wrap=metadata_take,--wrap=pagemap_reserve

unit_tests += test/unit/extent/test_pagemap
test_unit_extent_test_pagemap_LDADD = $(UNIT_EXTENT)
test_unit_extent_test_pagemap_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=pages_map,--wrap=pages_unmap

unit_tests += test/unit/extent/test_limit
test_unit_extent_test_limit_LDADD = $(UNIT_EXTENT)

unit_tests += test/unit/extent/test_decay
test_unit_extent_test_decay_LDADD = $(UNIT_EXTENT)

unit_tests += test/unit/extent/test_extent_pool
test_unit_extent_test_extent_pool_LDADD = $(UNIT_EXTENT)

unit_tests += test/unit/extent/test_extent_records
test_unit_extent_test_extent_records_LDADD = $(UNIT_EXTENT)
test_unit_extent_test_extent_records_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=metadata_take,--wrap=pages_purge_forced

unit_tests += test/unit/extent/test_metadata
test_unit_extent_test_metadata_LDADD = $(UNIT_EXTENT)
test_unit_extent_test_metadata_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=pages_map,--wrap=pages_unmap,--wrap=dss_take \
	-Wl,--wrap=pages_want_huge,--wrap=pages_refuse_huge

unit_tests += test/unit/extent/test_regions
test_unit_extent_test_regions_LDADD = $(UNIT_EXTENT)

unit_tests += test/unit/extent/test_hooked
test_unit_extent_test_hooked_LDADD = $(UNIT_EXTENT)

unit_tests += test/unit/extent/test_pageslab
test_unit_extent_test_pageslab_LDADD = $(UNIT_EXTENT)

unit_tests += test/unit/extent/test_huge_pages
test_unit_extent_test_huge_pages_LDADD = $(UNIT_EXTENT)
test_unit_extent_test_huge_pages_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=pages_want_huge,--wrap=pages_refuse_huge \
	-Wl,--wrap=pages_collapse,--wrap=pages_purge_forced \
	-Wl,--wrap=metadata_take_piece,--wrap=extent_records_take

unit_tests += test/unit/extent/test_huge_cache
test_unit_extent_test_huge_cache_LDADD = $(UNIT_EXTENT)
unit_tests += test/unit/extent/test_borrow
test_unit_extent_test_borrow_LDADD = $(UNIT_EXTENT)

unit_tests += test/unit/extent/test_packed
test_unit_extent_test_packed_LDADD = $(UNIT_EXTENT)

unit_tests += test/unit/extent/test_purge
test_unit_extent_test_purge_LDADD = $(UNIT_EXTENT)
test_unit_extent_test_purge_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=pages_map,--wrap=pages_unmap,--wrap=pages_map_at \
	-Wl,--wrap=dss_contains \
	-Wl,--wrap=pages_purge_forced,--wrap=pages_purge_lazy \
	-Wl,--wrap=pages_come_locked,--wrap=pages_are_locked \
	-Wl,--wrap=clock_now_ns,--wrap=message

unit_tests += test/unit/extent/test_extent_locks
test_unit_extent_test_extent_locks_LDADD = $(UNIT_EXTENT)
