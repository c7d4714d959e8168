EXTRA_DIST += test/unit/unit.h

unit_tests += test/unit/util/test_format
test_unit_util_test_format_LDADD = $(UNIT_UTIL)
