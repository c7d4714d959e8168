noinst_LTLIBRARIES += libapi.la
libapi_la_SOURCES = \
	src/api/aside.c \
	src/api/aside.h \
	src/api/batch.c \
	src/api/batch.h \
	src/api/boot.c \
	src/api/boot.h \
	src/api/checked.c \
	src/api/checked.h \
	src/api/checked_quick.c \
	src/api/checked_quick.h \
	src/api/checked_small.h \
	src/api/fast.h \
	src/api/foreign.c \
	src/api/foreign.h \
	src/api/fork.c \
	src/api/fork.h \
	src/api/glibc.c \
	src/api/malloc.c \
	src/api/mallctl.c \
	src/api/mallocx.c \
	src/api/prof_signal.c \
	src/api/prof_signal.h \
	src/api/inspect.c \
	src/api/inspect.h \
	src/api/release.c \
	src/api/release.h \
	src/api/request.c \
	src/api/request.h \
	src/api/sampled.c \
	src/api/sampled.h \
	src/api/resize.c \
	src/api/resize.h \
	src/api/stats_print.c

# The new-handler and operators of the program may throw: an exception must be
# able to pass through these functions.
noinst_LTLIBRARIES += liboperators.la
liboperators_la_SOURCES = \
	src/api/operator_array.c \
	src/api/operator_more.c \
	src/api/operator_plain.c \
	src/api/operators.c \
	src/api/operators.h \
	src/api/operators_runtime.c \
	src/api/operators_runtime.h
liboperators_la_CFLAGS = $(AM_CFLAGS) -fexceptions

# Left out if our malloc is not to be the process's malloc.
if DLOPEN
noinst_LTLIBRARIES += libdlopen.la
libdlopen_la_SOURCES = src/api/asan_options.c src/api/dlopen.c src/api/dlsym.c
else
EXTRA_DIST += src/api/asan_options.c src/api/dlopen.c src/api/dlsym.c
endif
