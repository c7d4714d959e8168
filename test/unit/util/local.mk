EXTRA_DIST += test/unit/unit.h test/unit/allocated.h test/unit/before_guard.h test/unit/larger_pages.h test/unit/waits.h \
	test/unit/upkeep/trim_stage.h

unit_tests += test/unit/util/test_format
test_unit_util_test_format_LDADD = $(UNIT_UTIL)

unit_tests += test/unit/util/test_bits
test_unit_util_test_bits_LDADD = $(UNIT_UTIL)

unit_tests += test/unit/util/test_pattern
test_unit_util_test_pattern_LDADD = $(UNIT_UTIL)

unit_tests += test/unit/util/test_list
test_unit_util_test_list_LDADD = $(UNIT_UTIL)

unit_tests += test/unit/util/test_size_class
test_unit_util_test_size_class_LDADD = $(UNIT_UTIL)

unit_tests += test/unit/util/test_tree
test_unit_util_test_tree_LDADD = $(UNIT_UTIL)

unit_tests += test/unit/util/test_real
test_unit_util_test_real_LDADD = $(UNIT_UTIL) -lm
