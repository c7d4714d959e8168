noinst_LTLIBRARIES += libhuge.la
libhuge_la_SOURCES = \
	src/huge/huge_cache.c \
	src/huge/huge_cache.h \
	src/huge/huge_pages.c \
	src/huge/huge_pages.h \
	src/huge/huge_tick.c \
	src/huge/huge_tick.h \
	src/huge/pageslab.c \
	src/huge/pageslab.h
