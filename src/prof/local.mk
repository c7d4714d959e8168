noinst_LTLIBRARIES += libprof.la
libprof_la_SOURCES = \
	src/prof/prof.c \
	src/prof/prof.h \
	src/prof/prof_live.c \
	src/prof/prof_live.h \
	src/prof/prof_output.c \
	src/prof/prof_output.h \
	src/prof/prof_sample.h \
	src/prof/prof_holes.c \
	src/prof/prof_holes.h \
	src/prof/prof_kept.c \
	src/prof/prof_kept.h \
	src/prof/prof_names.c \
	src/prof/prof_names.h \
	src/prof/prof_hooks.c \
	src/prof/prof_hooks.h \
	src/prof/prof_log.c \
	src/prof/prof_log.h \
	src/prof/prof_recent.c \
	src/prof/prof_recent.h \
	src/prof/prof_stats.c \
	src/prof/prof_stats.h \
	src/prof/prof_trace.c \
	src/prof/prof_trace.h \
	src/prof/prof_watch.c \
	src/prof/prof_watch.h \
	src/prof/prof_dump.c \
	src/prof/prof_dump.h \
	src/prof/prof_loaded.c \
	src/prof/prof_loaded.h \
	src/prof/prof_elf.c \
	src/prof/prof_elf.h \
	src/prof/prof_mappings.c \
	src/prof/prof_mappings.h \
	src/prof/prof_objects.c \
	src/prof/prof_objects.h \
	src/prof/prof_pprof.c \
	src/prof/prof_pprof.h \
	src/prof/prof_proto.c \
	src/prof/prof_proto.h \
	src/prof/prof_table.c \
	src/prof/prof_table.h \
	src/prof/prof_write.h
if PROF_GZIP
libprof_la_SOURCES += src/prof/prof_gzip.c src/prof/prof_gzip.h
else
EXTRA_DIST += src/prof/prof_gzip.c src/prof/prof_gzip.h
endif
