# These programs have the library's malloc, where a sanitizer has its own.
if !SANITIZE
unit_tests += test/unit/api/test_boot
unit_tests += test/unit/api/test_fork
unit_tests += test/unit/api/test_prof_signal
endif
test_unit_api_test_boot_LDADD = $(UNIT_API)
test_unit_api_test_boot_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=file_read
test_unit_api_test_prof_signal_LDADD = $(UNIT_API)
test_unit_api_test_fork_LDADD = $(UNIT_API)
test_unit_api_test_fork_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=lock_init
