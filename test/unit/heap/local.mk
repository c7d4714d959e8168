unit_tests += test/unit/heap/test_descriptor
test_unit_heap_test_descriptor_LDADD = $(UNIT_HEAP)

unit_tests += test/unit/heap/test_walk
test_unit_heap_test_walk_LDADD = $(UNIT_HEAP)
