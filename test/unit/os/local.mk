unit_tests += test/unit/os/test_file
test_unit_os_test_file_LDADD = $(UNIT_OS)

unit_tests += test/unit/os/test_message
test_unit_os_test_message_LDADD = $(UNIT_OS)
test_unit_os_test_message_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=getauxval

unit_tests += test/unit/os/test_pages
test_unit_os_test_pages_LDADD = $(UNIT_OS)
