unit_tests += test/unit/prof/test_prof_table
test_unit_prof_test_prof_table_LDADD = $(UNIT_PROF)
test_unit_prof_test_prof_table_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=metadata_take_piece,--wrap=metadata_give_piece

unit_tests += test/unit/prof/test_prof_dump
test_unit_prof_test_prof_dump_LDADD = $(UNIT_PROF) -lm
