# Two objects that differ in the size of a frame and in nothing else.
unwind_plugins = test/unit/unwind/plugin-small.so \
	test/unit/unwind/plugin-large.so
EXTRA_DIST += test/unit/unwind/plugin.c test/unit/unwind/plugin_throw.cc
MOSTLYCLEANFILES += $(unwind_plugins)
plugin_flags = -O2 -fPIC -fomit-frame-pointer -fasynchronous-unwind-tables \
	-shared
plugin_build = $(AM_V_CC)$(MKDIR_P) test/unit/unwind && $(CC) $(plugin_flags)

test/unit/unwind/plugin-small.so: test/unit/unwind/plugin.c
	$(plugin_build) -DFRAME=256 $(srcdir)/test/unit/unwind/plugin.c -o $@
test/unit/unwind/plugin-large.so: test/unit/unwind/plugin.c
	$(plugin_build) -DFRAME=512 $(srcdir)/test/unit/unwind/plugin.c -o $@

unit_tests += test/unit/unwind/test_backtrace
test_unit_unwind_test_backtrace_LDADD = $(UNIT_UNWIND)
test_unit_unwind_test_backtrace_LDFLAGS = $(AM_LDFLAGS) -export-dynamic
EXTRA_test_unit_unwind_test_backtrace_DEPENDENCIES = $(unwind_plugins)
test_unit_unwind_test_backtrace_CPPFLAGS = $(AM_CPPFLAGS) \
	-DPLUGINS='"$(abs_top_builddir)/test/unit/unwind"'

if CXX_OPERATORS
unwind_thrower = test/unit/unwind/plugin-throw.so
test/unit/unwind/plugin-throw.so: test/unit/unwind/plugin_throw.cc
	$(AM_V_CXX)$(MKDIR_P) test/unit/unwind && $(CXX) $(plugin_flags) \
	    $(srcdir)/test/unit/unwind/plugin_throw.cc -o $@
endif
MOSTLYCLEANFILES += $(unwind_thrower)
unit_tests += test/unit/unwind/test_backtrace_stress
test_unit_unwind_test_backtrace_stress_LDADD = $(UNIT_UNWIND)
EXTRA_test_unit_unwind_test_backtrace_stress_DEPENDENCIES = $(unwind_plugins) \
	$(unwind_thrower)
test_unit_unwind_test_backtrace_stress_CPPFLAGS = \
	$(test_unit_unwind_test_backtrace_CPPFLAGS)

EXTRA_DIST += test/unit/unwind/frame_info.h
unit_tests += test/unit/unwind/test_cfi
test_unit_unwind_test_cfi_LDADD = $(UNIT_UNWIND)

unit_tests += test/unit/unwind/test_cfi_index
test_unit_unwind_test_cfi_index_LDADD = $(UNIT_UNWIND)

unit_tests += test/unit/unwind/test_cfi_expression
test_unit_unwind_test_cfi_expression_LDADD = $(UNIT_UNWIND)

unit_tests += test/unit/unwind/test_backtrace_rules
test_unit_unwind_test_backtrace_rules_LDADD = $(UNIT_UNWIND)
test_unit_unwind_test_backtrace_rules_LDFLAGS = $(AM_LDFLAGS) -export-dynamic

unit_tests += test/unit/unwind/test_unwind_stack
test_unit_unwind_test_unwind_stack_LDADD = $(UNIT_UNWIND)
test_unit_unwind_test_unwind_stack_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=probe_readable

unit_tests += test/unit/unwind/test_loader
test_unit_unwind_test_loader_LDADD = $(UNIT_UNWIND)
