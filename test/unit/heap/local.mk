unit_tests += test/unit/heap/test_descriptor
test_unit_heap_test_descriptor_LDADD = $(UNIT_HEAP)
