# These programs have the library's malloc, where a sanitizer has its own.
if !SANITIZE
unit_tests += test/unit/api/test_boot
unit_tests += test/unit/api/test_fork
unit_tests += test/unit/api/test_prof_signal
unit_tests += test/unit/api/test_checked
unit_tests += test/unit/api/test_inspect
unit_tests += test/unit/api/test_request
unit_tests += test/unit/api/test_resize
unit_tests += test/unit/api/test_sampled
endif
EXTRA_DIST += test/unit/api/modes.h
test_unit_api_test_boot_LDADD = $(UNIT_API)
test_unit_api_test_boot_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=file_read_line
test_unit_api_test_prof_signal_LDADD = $(UNIT_API)
test_unit_api_test_fork_LDADD = $(UNIT_API)
test_unit_api_test_fork_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=lock_init \
	-Wl,--wrap=lock_init_zeroed
test_unit_api_test_request_LDADD = $(UNIT_API)
test_unit_api_test_request_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=page_source_take \
	-Wl,--wrap=room_is_too_large,--wrap=room_lack
test_unit_api_test_resize_LDADD = $(UNIT_API)
test_unit_api_test_resize_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=page_source_extend
test_unit_api_test_checked_LDADD = $(UNIT_API)
test_unit_api_test_checked_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=safety_report
test_unit_api_test_inspect_LDADD = $(UNIT_API)
test_unit_api_test_inspect_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=safety_report
test_unit_api_test_sampled_LDADD = $(UNIT_API)
