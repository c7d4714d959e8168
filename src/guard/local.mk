noinst_LTLIBRARIES += libguard.la
libguard_la_SOURCES = \
	src/guard/guard.c \
	src/guard/guard.h \
	src/guard/guard_fault.c \
	src/guard/guard_fault.h \
	src/guard/guard_pool.c \
	src/guard/guard_pool.h \
	src/guard/guard_report.c \
	src/guard/guard_report.h
