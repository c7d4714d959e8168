unit_tests += test/unit/cache/test_cache_bin
test_unit_cache_test_cache_bin_LDADD = $(UNIT_CACHE)

unit_tests += test/unit/cache/test_tcache
test_unit_cache_test_tcache_LDADD = $(UNIT_CACHE)
test_unit_cache_test_tcache_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=metadata_take_piece,--wrap=page_source_take \
	-Wl,--wrap=clock_coarse_ns

unit_tests += test/unit/cache/test_stride
test_unit_cache_test_stride_LDADD = $(UNIT_CACHE)
test_unit_cache_test_stride_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=clock_coarse_ns

unit_tests += test/unit/cache/test_tcache_table
test_unit_cache_test_tcache_table_LDADD = $(UNIT_CACHE)
test_unit_cache_test_tcache_table_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=metadata_take_piece

unit_tests += test/unit/cache/test_thread
test_unit_cache_test_thread_LDADD = $(UNIT_CACHE)
test_unit_cache_test_thread_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=metadata_take

unit_tests += test/unit/cache/test_sampler
test_unit_cache_test_sampler_LDADD = $(UNIT_CACHE) -lm

unit_tests += test/unit/cache/test_thread_event
test_unit_cache_test_thread_event_LDADD = $(UNIT_CACHE)

unit_tests += test/unit/cache/test_exchange
test_unit_cache_test_exchange_LDADD = $(UNIT_CACHE)

unit_tests += test/unit/cache/test_quarantine
test_unit_cache_test_quarantine_LDADD = $(UNIT_CACHE)
test_unit_cache_test_quarantine_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=metadata_take_piece,--wrap=safety_report

unit_tests += test/unit/cache/test_cache_locks
test_unit_cache_test_cache_locks_LDADD = $(UNIT_CACHE)

unit_tests += test/unit/cache/test_quarantine_age
test_unit_cache_test_quarantine_age_LDADD = $(UNIT_CACHE)

unit_tests += test/unit/cache/test_holding
test_unit_cache_test_holding_LDADD = $(UNIT_CACHE)
test_unit_cache_test_holding_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=clock_coarse_ns

unit_tests += test/unit/cache/test_shrink
test_unit_cache_test_shrink_LDADD = $(UNIT_CACHE)
test_unit_cache_test_shrink_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=exchange_take,--wrap=exchange_take_one \
	-Wl,--wrap=clock_coarse_ns

unit_tests += test/unit/cache/test_pace
test_unit_cache_test_pace_LDADD = $(UNIT_CACHE)

unit_tests += test/unit/cache/test_stack
test_unit_cache_test_stack_LDADD = $(UNIT_CACHE)
