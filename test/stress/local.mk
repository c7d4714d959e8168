# Stress programs, run with the library preloaded; not linked with it. Tools are
# programs that a test in test/integration runs.

stress_cflags = -O2 -g -pthread -fno-builtin -Wall -Wextra
EXTRA_DIST += test/stress/stress.h

stress_tests += test/stress/atfork-handlers
test_stress_atfork_handlers_SOURCES = test/stress/atfork-handlers.c
test_stress_atfork_handlers_CFLAGS = $(stress_cflags)
stress_tests += test/stress/contents
test_stress_contents_SOURCES = test/stress/contents.c
test_stress_contents_CFLAGS = $(stress_cflags)
stress_tests += test/stress/cross-free
test_stress_cross_free_SOURCES = test/stress/cross-free.c
test_stress_cross_free_CFLAGS = $(stress_cflags)
stress_tests += test/stress/fork-storm
test_stress_fork_storm_SOURCES = test/stress/fork-storm.c
test_stress_fork_storm_CFLAGS = $(stress_cflags)
stress_tests += test/stress/main-leaves
test_stress_main_leaves_SOURCES = test/stress/main-leaves.c
test_stress_main_leaves_CFLAGS = $(stress_cflags)
stress_tests += test/stress/spawn
test_stress_spawn_SOURCES = test/stress/spawn.c
test_stress_spawn_CFLAGS = $(stress_cflags)
stress_tests += test/stress/thread-churn
test_stress_thread_churn_SOURCES = test/stress/thread-churn.c
test_stress_thread_churn_CFLAGS = $(stress_cflags)
stress_tests += test/stress/tls-destructors
test_stress_tls_destructors_SOURCES = test/stress/tls-destructors.c
test_stress_tls_destructors_CFLAGS = $(stress_cflags)
stress_tests += test/stress/glibc
test_stress_glibc_SOURCES = test/stress/glibc.c test/stress/stress.h
test_stress_glibc_CFLAGS = $(stress_cflags)
