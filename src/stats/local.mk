noinst_LTLIBRARIES += libstats.la
libstats_la_SOURCES = \
	src/stats/events.c \
	src/stats/events.h \
	src/stats/snapshot.c \
	src/stats/snapshot.h
