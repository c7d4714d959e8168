# Benchmark programs: `make bench-programs` builds them, scripts/bench runs
# them, and scripts/footprint those about memory at rest.
# They are not linked with the library: it is preloaded.

bench_programs = \
	test/bench/aligned \
	test/bench/batches \
	test/bench/churn \
	test/bench/crowd \
	test/bench/growth \
	test/bench/handover \
	test/bench/idle \
	test/bench/large \
	test/bench/lifetimes \
	test/bench/mappings \
	test/bench/pairs \
	test/bench/pauses \
	test/bench/phases \
	test/bench/pieces \
	test/bench/pipeline \
	test/bench/queue \
	test/bench/sessions \
	test/bench/sleepers \
	test/bench/trade \
	test/bench/zeroed

EXTRA_PROGRAMS += $(bench_programs)
EXTRA_DIST += scripts/bench test/bench/measure.c test/bench/suite.list \
	scripts/footprint test/bench/footprint.list scripts/replay \
	scripts/real_programs.py test/bench/record.c test/bench/replay.c \
	test/bench/trace.h

bench_cflags = -O2 -pthread -Wall -Wextra $(JE_WERROR)

test_bench_aligned_SOURCES = test/bench/aligned.c test/bench/bench.h
test_bench_aligned_CFLAGS = $(bench_cflags)
test_bench_batches_SOURCES = test/bench/batches.c test/bench/bench.h
test_bench_batches_CFLAGS = $(bench_cflags)
test_bench_churn_SOURCES = test/bench/churn.c test/bench/bench.h
test_bench_churn_CFLAGS = $(bench_cflags)
test_bench_crowd_SOURCES = test/bench/crowd.c test/bench/bench.h
test_bench_crowd_CFLAGS = $(bench_cflags)
test_bench_growth_SOURCES = test/bench/growth.c test/bench/bench.h
test_bench_growth_CFLAGS = $(bench_cflags)
test_bench_handover_SOURCES = test/bench/handover.c test/bench/bench.h
test_bench_handover_CFLAGS = $(bench_cflags)
test_bench_idle_SOURCES = test/bench/idle.c test/bench/bench.h \
	test/bench/watch.h
test_bench_idle_CFLAGS = $(bench_cflags)
test_bench_large_SOURCES = test/bench/large.c test/bench/bench.h
test_bench_large_CFLAGS = $(bench_cflags)
test_bench_lifetimes_SOURCES = test/bench/lifetimes.c test/bench/bench.h
test_bench_lifetimes_CFLAGS = $(bench_cflags)
test_bench_mappings_SOURCES = test/bench/mappings.c test/bench/bench.h \
	test/bench/watch.h
test_bench_mappings_CFLAGS = $(bench_cflags)
test_bench_pairs_SOURCES = test/bench/pairs.c test/bench/bench.h
test_bench_pairs_CFLAGS = $(bench_cflags)
test_bench_pauses_SOURCES = test/bench/pauses.c test/bench/bench.h
test_bench_pauses_CFLAGS = $(bench_cflags)
test_bench_phases_SOURCES = test/bench/phases.c test/bench/bench.h
test_bench_phases_CFLAGS = $(bench_cflags)
test_bench_pieces_SOURCES = test/bench/pieces.c test/bench/bench.h
test_bench_pieces_CFLAGS = $(bench_cflags)
test_bench_pipeline_SOURCES = test/bench/pipeline.c test/bench/bench.h
test_bench_pipeline_CFLAGS = $(bench_cflags)
test_bench_queue_SOURCES = test/bench/queue.c test/bench/bench.h \
	test/bench/watch.h
test_bench_queue_CFLAGS = $(bench_cflags)
test_bench_sessions_SOURCES = test/bench/sessions.c test/bench/bench.h
test_bench_sessions_CFLAGS = $(bench_cflags)
test_bench_sleepers_SOURCES = test/bench/sleepers.c test/bench/bench.h \
	test/bench/watch.h
test_bench_sleepers_CFLAGS = $(bench_cflags)
test_bench_trade_SOURCES = test/bench/trade.c test/bench/bench.h
test_bench_trade_CFLAGS = $(bench_cflags)
test_bench_zeroed_SOURCES = test/bench/zeroed.c test/bench/bench.h
test_bench_zeroed_CFLAGS = $(bench_cflags)

.PHONY: bench-programs
bench-programs: $(bench_programs)
