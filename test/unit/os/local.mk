unit_tests += test/unit/os/test_error_text
test_unit_os_test_error_text_LDADD = $(UNIT_OS)

unit_tests += test/unit/os/test_file
test_unit_os_test_file_LDADD = $(UNIT_OS)

unit_tests += test/unit/os/test_report
test_unit_os_test_report_LDADD = $(UNIT_OS)

unit_tests += test/unit/os/test_message
test_unit_os_test_message_LDADD = $(UNIT_OS)
test_unit_os_test_message_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=getauxval

unit_tests += test/unit/os/test_pages
test_unit_os_test_pages_LDADD = $(UNIT_OS)

unit_tests += test/unit/os/test_clock
test_unit_os_test_clock_LDADD = $(UNIT_OS)
test_unit_os_test_clock_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=loaded_symbol,--wrap=getauxval

unit_tests += test/unit/os/test_node
test_unit_os_test_node_LDADD = $(UNIT_OS)
test_unit_os_test_node_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=loaded_symbol,--wrap=getauxval

unit_tests += test/unit/os/test_loaded_symbol
test_unit_os_test_loaded_symbol_LDADD = $(UNIT_OS)

unit_tests += test/unit/os/test_c_library
test_unit_os_test_c_library_LDADD = $(UNIT_OS)
test_unit_os_test_c_library_LDFLAGS = $(AM_LDFLAGS) -export-dynamic \
	-Wl,--wrap=getauxval,--wrap=dl_iterate_phdr

unit_tests += test/unit/os/test_lock
test_unit_os_test_lock_LDADD = $(UNIT_OS)
test_unit_os_test_lock_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=clock_now_ns

unit_tests += test/unit/os/test_os_thread
test_unit_os_test_os_thread_LDADD = $(UNIT_OS)

unit_tests += test/unit/os/test_system
test_unit_os_test_system_LDADD = $(UNIT_OS)
test_unit_os_test_system_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=file_read_line,--wrap=getauxval

unit_tests += test/unit/os/test_room
test_unit_os_test_room_LDADD = $(UNIT_OS)
test_unit_os_test_room_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=file_read,--wrap=pages_lock_limit_hit

unit_tests += test/unit/os/test_cgroup
test_unit_os_test_cgroup_LDADD = $(UNIT_OS)
test_unit_os_test_cgroup_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=file_read,--wrap=file_read_line

unit_tests += test/unit/os/test_probe
test_unit_os_test_probe_LDADD = $(UNIT_OS)

unit_tests += test/unit/os/test_file_out
test_unit_os_test_file_out_LDADD = $(UNIT_OS)

unit_tests += test/unit/os/test_dss
test_unit_os_test_dss_LDADD = $(UNIT_OS)
test_unit_os_test_dss_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=sbrk
