noinst_LTLIBRARIES += libstats.la
libstats_la_SOURCES = \
	src/stats/account.c \
	src/stats/account.h \
	src/stats/arena_stats.c \
	src/stats/arena_stats.h \
	src/stats/emitter.c \
	src/stats/emitter.h \
	src/stats/events.c \
	src/stats/events.h \
	src/stats/figure_rows.h \
	src/stats/figures.c \
	src/stats/figures.h \
	src/stats/locks.c \
	src/stats/locks.h \
	src/stats/report.c \
	src/stats/report.h \
	src/stats/report_json.c \
	src/stats/report_json.h \
	src/stats/report_metrics.c \
	src/stats/report_metrics.h \
	src/stats/report_recent.c \
	src/stats/report_recent.h \
	src/stats/report_sections.c \
	src/stats/report_sections.h \
	src/stats/report_text.c \
	src/stats/report_text.h \
	src/stats/snapshot.c \
	src/stats/snapshot.h
