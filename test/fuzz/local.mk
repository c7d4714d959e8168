# Fuzz targets. `make check` replays them on their corpus and on random inputs,
# without libFuzzer; `make fuzz` lets libFuzzer look for more.
EXTRA_DIST += test/fuzz/conf.dict test/fuzz/corpus/calls/random1 \
	test/fuzz/corpus/cfi/expressions test/fuzz/corpus/cfi/personality \
	test/fuzz/corpus/cfi/plain \
	test/fuzz/corpus/conf/bad test/fuzz/corpus/conf/good \
	test/fuzz/corpus/mallctl/name test/fuzz/corpus/mallctl/numbers \
	test/fuzz/corpus/mallctl/path

unit_tests += test/unit/conf/replay-conf
test_unit_conf_replay_conf_SOURCES = test/fuzz/fuzz_conf.c test/fuzz/replay.c
test_unit_conf_replay_conf_LDADD = $(UNIT_CONF)
unit_tests += test/unit/unwind/replay-cfi
test_unit_unwind_replay_cfi_SOURCES = test/fuzz/fuzz_cfi.c test/fuzz/replay.c
test_unit_unwind_replay_cfi_LDADD = $(UNIT_UNWIND)
unit_tests += test/unit/ctl/replay-mallctl
test_unit_ctl_replay_mallctl_SOURCES = test/fuzz/fuzz_mallctl.c \
	test/fuzz/replay.c
test_unit_ctl_replay_mallctl_LDADD = $(UNIT_CTL)
stress_tests += test/stress/replay-calls
test_stress_replay_calls_SOURCES = test/fuzz/fuzz_calls.c test/fuzz/replay.c
test_stress_replay_calls_CFLAGS = $(stress_cflags)

# In a build by clang, configured with --enable-debug --enable-asan
# --enable-ubsan --with-jemalloc-prefix=je_
# CFLAGS='-fsanitize=fuzzer-no-link -fno-sanitize=alignment'
# (free looks for a cache at an odd address, on purpose, where there is none).
fuzz_link = $(AM_LDFLAGS) -fsanitize=fuzzer
EXTRA_PROGRAMS += test/fuzz/cfi test/fuzz/conf test/fuzz/mallctl \
	test/fuzz/calls
test_fuzz_cfi_SOURCES = test/fuzz/fuzz_cfi.c
test_fuzz_cfi_LDADD = $(UNIT_UNWIND)
test_fuzz_cfi_LDFLAGS = $(fuzz_link)
test_fuzz_conf_SOURCES = test/fuzz/fuzz_conf.c
test_fuzz_conf_LDADD = $(UNIT_CONF)
test_fuzz_conf_LDFLAGS = $(fuzz_link)
test_fuzz_mallctl_SOURCES = test/fuzz/fuzz_mallctl.c
test_fuzz_mallctl_LDADD = $(UNIT_CTL)
test_fuzz_mallctl_LDFLAGS = $(fuzz_link)
test_fuzz_calls_SOURCES = test/fuzz/fuzz_calls.c
test_fuzz_calls_CPPFLAGS = $(AM_CPPFLAGS) -DCALLS_PREFIX='"$(JE_PREFIX)"'
test_fuzz_calls_LDFLAGS = $(fuzz_link) -export-dynamic \
	-Wl,--undefined=$(JE_PREFIX)malloc
test_fuzz_calls_LDADD = $(static_lib)
EXTRA_test_fuzz_calls_DEPENDENCIES = $(static_lib)

# make fuzz [FUZZ_SECONDS=N]: each target for so long; what is new is in
# fuzz-TARGET/, and an input that failed in crash-*.
FUZZ_SECONDS = 60
fuzz: test/fuzz/cfi$(EXEEXT) test/fuzz/conf$(EXEEXT) \
    test/fuzz/mallctl$(EXEEXT) test/fuzz/calls$(EXEEXT)
	@test -n '$(JE_PREFIX)' || { echo 'see test/fuzz/local.mk for' \
	    'what configure needs for this'; exit 1; }
	for target in cfi conf mallctl calls; do \
	    mkdir -p fuzz-$$target || exit 1; \
	    dictionary=; \
	    test $$target != conf || \
		dictionary=-dict=$(top_srcdir)/test/fuzz/conf.dict; \
	    test/fuzz/$$target $$dictionary -max_len=2000 \
		-max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 \
		fuzz-$$target $(top_srcdir)/test/fuzz/corpus/$$target || exit 1; \
	done
.PHONY: fuzz

# jeheap's own code on core files with changed words; jeheap.py runs some
# hundred cases, and any number can be run by hand.
if JEHEAP
stress_tools += test/fuzz/jeheap-mutants
endif
test_fuzz_jeheap_mutants_SOURCES = test/fuzz/jeheap_mutants.c \
	test/fuzz/mutants.h $(jeheap_sources)
test_fuzz_jeheap_mutants_CPPFLAGS = $(bin_jeheap_CPPFLAGS) \
	-DJEHEAP_MAIN=jeheap_main
test_fuzz_jeheap_mutants_LDADD = $(bin_jeheap_LDADD)

# The same for jeprof, on profiles and the program that they are of;
# jeprof-formats.py runs some hundred cases.
if JEPROF
stress_tools += test/fuzz/jeprof-mutants
endif
test_fuzz_jeprof_mutants_SOURCES = test/fuzz/jeprof_mutants.c \
	test/fuzz/mutants.h $(jeprof_sources)
test_fuzz_jeprof_mutants_CPPFLAGS = $(bin_jeprof_CPPFLAGS) \
	-DJEPROF_MAIN=jeprof_main
test_fuzz_jeprof_mutants_LDADD = $(bin_jeprof_LDADD)
