unit_tests += test/unit/guard/test_guard_pool
test_unit_guard_test_guard_pool_LDADD = $(UNIT_GUARD)
test_unit_guard_test_guard_pool_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=pages_reserve,--wrap=pages_allow,--wrap=pages_forbid
