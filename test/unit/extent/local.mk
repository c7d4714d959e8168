unit_tests += test/unit/extent/test_pagemap
test_unit_extent_test_pagemap_LDADD = $(UNIT_EXTENT)
test_unit_extent_test_pagemap_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=pages_map,--wrap=pages_unmap

unit_tests += test/unit/extent/test_limit
test_unit_extent_test_limit_LDADD = $(UNIT_EXTENT)

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

unit_tests += test/unit/extent/test_spare_records
test_unit_extent_test_spare_records_LDADD = $(UNIT_EXTENT)
test_unit_extent_test_spare_records_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=extent_records_take,--wrap=extent_records_give

unit_tests += test/unit/extent/test_extent_hooks
test_unit_extent_test_extent_hooks_LDADD = $(UNIT_EXTENT)
test_unit_extent_test_extent_hooks_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=pages_want_huge,--wrap=pages_refuse_huge
