unit_tests += test/unit/ctl/test_ctl
test_unit_ctl_test_ctl_LDADD = $(UNIT_CTL)

unit_tests += test/unit/ctl/test_ctl_tree
test_unit_ctl_test_ctl_tree_LDADD = $(UNIT_CTL)
test_unit_ctl_test_ctl_tree_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=arena_table_owner

