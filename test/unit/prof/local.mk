unit_tests += test/unit/prof/test_prof_table
test_unit_prof_test_prof_table_LDADD = $(UNIT_PROF)
test_unit_prof_test_prof_table_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=metadata_take_piece,--wrap=metadata_give_piece

unit_tests += test/unit/prof/test_prof_dump
test_unit_prof_test_prof_dump_LDADD = $(UNIT_PROF) -lm

# Two objects that differ in the size of a frame and in nothing else.
prof_plugins = test/unit/prof/plugin-small.so test/unit/prof/plugin-large.so
EXTRA_DIST += test/unit/prof/plugin.c
MOSTLYCLEANFILES += $(prof_plugins)
plugin_build = $(AM_V_CC)$(MKDIR_P) test/unit/prof && $(CC) -O2 -fPIC \
	-fomit-frame-pointer -fasynchronous-unwind-tables -shared

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
