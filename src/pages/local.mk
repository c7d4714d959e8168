noinst_LTLIBRARIES += libpages.la
libpages_la_SOURCES = \
	src/pages/ageing.c \
	src/pages/ageing.h \
	src/pages/borrow.c \
	src/pages/borrow.h \
	src/pages/decay.c \
	src/pages/decay.h \
	src/pages/growth.c \
	src/pages/growth.h \
	src/pages/guards.c \
	src/pages/guards.h \
	src/pages/hidden.c \
	src/pages/hidden.h \
	src/pages/hooked.c \
	src/pages/hooked.h \
	src/pages/inherit.c \
	src/pages/inherit.h \
	src/pages/mapped.c \
	src/pages/mapped.h \
	src/pages/packed.c \
	src/pages/packed.h \
	src/pages/page_source.c \
	src/pages/page_source.h \
	src/pages/pools.c \
	src/pages/pools.h \
	src/pages/regions.c \
	src/pages/regions.h
