noinst_LTLIBRARIES += libprof.la
libprof_la_SOURCES = \
	src/prof/prof_dump.c \
	src/prof/prof_dump.h \
	src/prof/prof_table.c \
	src/prof/prof_table.h
