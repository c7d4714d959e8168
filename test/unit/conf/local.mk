unit_tests += test/unit/conf/test_advice
test_unit_conf_test_advice_LDADD = $(UNIT_CONF)

unit_tests += test/unit/conf/test_conf
test_unit_conf_test_conf_LDADD = $(UNIT_CONF)
test_unit_conf_test_conf_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=file_link,--wrap=message_privileged

unit_tests += test/unit/conf/test_manual
test_unit_conf_test_manual_LDADD = $(UNIT_CONF)
EXTRA_DIST += doc/OPTIONS.md

unit_tests += test/unit/conf/test_options
test_unit_conf_test_options_LDADD = $(UNIT_CONF)

unit_tests += test/unit/conf/test_value
test_unit_conf_test_value_LDADD = $(UNIT_CONF)


unit_tests += test/unit/conf/test_safety
test_unit_conf_test_safety_LDADD = $(UNIT_CONF)
