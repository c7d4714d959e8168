unit_tests += test/unit/stats/test_emitter
test_unit_stats_test_emitter_LDADD = $(UNIT_STATS)
test_unit_stats_test_emitter_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=pages_map

unit_tests += test/unit/stats/test_snapshot
test_unit_stats_test_snapshot_LDADD = $(UNIT_STATS)
test_unit_stats_test_snapshot_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=metadata_take

unit_tests += test/unit/stats/test_report_metrics
test_unit_stats_test_report_metrics_LDADD = $(UNIT_STATS)

unit_tests += test/unit/stats/test_report_sections
test_unit_stats_test_report_sections_LDADD = $(UNIT_STATS)
test_unit_stats_test_report_sections_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=conf_source -Wl,--wrap=guards_missing

unit_tests += test/unit/stats/test_arena_stats
test_unit_stats_test_arena_stats_LDADD = $(UNIT_STATS)

unit_tests += test/unit/stats/test_account
test_unit_stats_test_account_LDADD = $(UNIT_STATS)
test_unit_stats_test_account_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=file_read

unit_tests += test/unit/stats/test_locks
test_unit_stats_test_locks_LDADD = $(UNIT_STATS)

unit_tests += test/unit/stats/test_account_parts
test_unit_stats_test_account_parts_LDADD = $(UNIT_STATS)
test_unit_stats_test_account_parts_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=file_read
