unit_tests += test/unit/upkeep/test_background
test_unit_upkeep_test_background_LDADD = $(UNIT_UPKEEP)
test_unit_upkeep_test_background_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=os_thread_sleep,--wrap=os_thread_wake \
	-Wl,--wrap=os_thread_start,--wrap=os_thread_join \
	-Wl,--wrap=clock_now_ns,--wrap=clock_coarse_ns \
	-Wl,--wrap=trim_start,--wrap=trim_stop,--wrap=trim_idle \
	-Wl,--wrap=trim_barrier,--wrap=trim_is_possible

unit_tests += test/unit/upkeep/test_sweep
test_unit_upkeep_test_sweep_LDADD = $(UNIT_UPKEEP)
test_unit_upkeep_test_sweep_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=trim_silent

unit_tests += test/unit/upkeep/test_trim
test_unit_upkeep_test_trim_LDADD = $(UNIT_UPKEEP)
test_unit_upkeep_test_trim_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=os_thread_barrier,--wrap=clock_now_ns

unit_tests += test/unit/upkeep/test_trim_steps
test_unit_upkeep_test_trim_steps_LDADD = $(UNIT_UPKEEP)
test_unit_upkeep_test_trim_steps_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=os_thread_barrier,--wrap=os_thread_barrier_init

unit_tests += test/unit/upkeep/test_idle
test_unit_upkeep_test_idle_LDADD = $(UNIT_UPKEEP)
test_unit_upkeep_test_idle_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=os_thread_sleep,--wrap=os_thread_wake \
	-Wl,--wrap=os_thread_start,--wrap=os_thread_join \
	-Wl,--wrap=os_process_id,--wrap=loader_calls_us \
	-Wl,--wrap=clock_now_ns,--wrap=clock_coarse_ns \
	-Wl,--wrap=clock_thread_ns \
	-Wl,--wrap=thread_living \
	-Wl,--wrap=trim_patient,--wrap=trim_patient_stop

unit_tests += test/unit/upkeep/test_due
test_unit_upkeep_test_due_LDADD = $(UNIT_UPKEEP)
test_unit_upkeep_test_due_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=clock_now_ns
