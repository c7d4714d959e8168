EXTRA_DIST += test/unit/prof/dump_files.h test/unit/prof/mapped.h \
	test/unit/prof/pieces.h test/unit/prof/pprof_reader.h

unit_tests += test/unit/prof/test_prof_table
test_unit_prof_test_prof_table_LDADD = $(UNIT_PROF)
test_unit_prof_test_prof_table_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=metadata_take_piece,--wrap=metadata_give_piece

unit_tests += test/unit/prof/test_prof_names
test_unit_prof_test_prof_names_LDADD = $(UNIT_PROF)

unit_tests += test/unit/prof/test_prof_kept
test_unit_prof_test_prof_kept_LDADD = $(UNIT_PROF)
test_unit_prof_test_prof_kept_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=metadata_take_piece,--wrap=metadata_give_piece

unit_tests += test/unit/prof/test_prof_live
test_unit_prof_test_prof_live_LDADD = $(UNIT_PROF)

unit_tests += test/unit/prof/test_prof_dump
test_unit_prof_test_prof_dump_LDADD = $(UNIT_PROF) -lm
test_unit_prof_test_prof_dump_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=prof_objects_settle,--wrap=prof_closed_take \
	-Wl,--wrap=prof_closed_end

unit_tests += test/unit/prof/test_prof_elf
test_unit_prof_test_prof_elf_LDADD = $(UNIT_PROF)

unit_tests += test/unit/prof/test_prof_proto
test_unit_prof_test_prof_proto_LDADD = $(UNIT_PROF)
unit_tests += test/unit/prof/test_prof_loaded
test_unit_prof_test_prof_loaded_LDADD = $(UNIT_PROF) -ldl

unit_tests += test/unit/prof/test_prof_mappings
test_unit_prof_test_prof_mappings_LDADD = $(UNIT_PROF)
test_unit_prof_test_prof_mappings_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=pages_map,--wrap=pages_unmap
unit_tests += test/unit/prof/test_prof_pprof
test_unit_prof_test_prof_pprof_LDADD = $(UNIT_PROF) -lm
test_unit_prof_test_prof_pprof_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=pages_map,--wrap=pages_unmap

unit_tests += test/unit/prof/test_prof_recent
test_unit_prof_test_prof_recent_LDADD = $(UNIT_PROF)
test_unit_prof_test_prof_recent_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=metadata_take_piece,--wrap=metadata_give_piece

unit_tests += test/unit/prof/test_prof_log
test_unit_prof_test_prof_log_LDADD = $(UNIT_PROF)
test_unit_prof_test_prof_log_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=metadata_take_piece,--wrap=metadata_give_piece \
	-Wl,--wrap=pages_map,--wrap=pages_unmap,--wrap=message

unit_tests += test/unit/prof/test_prof_hooks
test_unit_prof_test_prof_hooks_LDADD = $(UNIT_PROF)

unit_tests += test/unit/prof/test_prof_locks
test_unit_prof_test_prof_locks_LDADD = $(UNIT_PROF) -lm

unit_tests += test/unit/prof/test_prof_objects
test_unit_prof_test_prof_objects_LDADD = $(UNIT_PROF)
test_unit_prof_test_prof_objects_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=metadata_take_piece,--wrap=metadata_give_piece \
	-Wl,--wrap=pages_map,--wrap=pages_unmap \
	-Wl,--wrap=unwind_objects_loaded,--wrap=unwind_objects_name
