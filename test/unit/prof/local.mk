EXTRA_DIST += test/unit/prof/dump_files.h test/unit/prof/mapped.h \
	test/unit/prof/pieces.h test/unit/prof/pprof_reader.h

unit_tests += test/unit/prof/test_prof_table
test_unit_prof_test_prof_table_LDADD = $(UNIT_PROF)
test_unit_prof_test_prof_table_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=metadata_take_piece,--wrap=metadata_give_piece

unit_tests += test/unit/prof/test_prof_live
test_unit_prof_test_prof_live_LDADD = $(UNIT_PROF)

unit_tests += test/unit/prof/test_prof_dump
test_unit_prof_test_prof_dump_LDADD = $(UNIT_PROF) -lm

unit_tests += test/unit/prof/test_prof_proto
test_unit_prof_test_prof_proto_LDADD = $(UNIT_PROF)
unit_tests += test/unit/prof/test_prof_mappings
test_unit_prof_test_prof_mappings_LDADD = $(UNIT_PROF)
test_unit_prof_test_prof_mappings_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=pages_map,--wrap=pages_unmap
unit_tests += test/unit/prof/test_prof_pprof
test_unit_prof_test_prof_pprof_LDADD = $(UNIT_PROF) -lm
test_unit_prof_test_prof_pprof_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=pages_map,--wrap=pages_unmap

# Two objects that differ in the size of a frame and in nothing else.
prof_plugins = test/unit/prof/plugin-small.so test/unit/prof/plugin-large.so
EXTRA_DIST += test/unit/prof/plugin.c test/unit/prof/plugin_throw.cc
MOSTLYCLEANFILES += $(prof_plugins)
plugin_flags = -O2 -fPIC -fomit-frame-pointer -fasynchronous-unwind-tables \
	-shared
plugin_build = $(AM_V_CC)$(MKDIR_P) test/unit/prof && $(CC) $(plugin_flags)

test/unit/prof/plugin-small.so: test/unit/prof/plugin.c
	$(plugin_build) -DFRAME=256 $(srcdir)/test/unit/prof/plugin.c -o $@
test/unit/prof/plugin-large.so: test/unit/prof/plugin.c
	$(plugin_build) -DFRAME=512 $(srcdir)/test/unit/prof/plugin.c -o $@

unit_tests += test/unit/prof/test_backtrace
test_unit_prof_test_backtrace_LDADD = $(UNIT_PROF)
test_unit_prof_test_backtrace_LDFLAGS = $(AM_LDFLAGS) -export-dynamic
EXTRA_test_unit_prof_test_backtrace_DEPENDENCIES = $(prof_plugins)
test_unit_prof_test_backtrace_CPPFLAGS = $(AM_CPPFLAGS) \
	-DPLUGINS='"$(abs_top_builddir)/test/unit/prof"'

if CXX_OPERATORS
prof_thrower = test/unit/prof/plugin-throw.so
test/unit/prof/plugin-throw.so: test/unit/prof/plugin_throw.cc
	$(AM_V_CXX)$(MKDIR_P) test/unit/prof && $(CXX) $(plugin_flags) \
	    $(srcdir)/test/unit/prof/plugin_throw.cc -o $@
endif
MOSTLYCLEANFILES += $(prof_thrower)
unit_tests += test/unit/prof/test_backtrace_stress
test_unit_prof_test_backtrace_stress_LDADD = $(UNIT_PROF)
EXTRA_test_unit_prof_test_backtrace_stress_DEPENDENCIES = $(prof_plugins) \
	$(prof_thrower)
test_unit_prof_test_backtrace_stress_CPPFLAGS = \
	$(test_unit_prof_test_backtrace_CPPFLAGS)

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
