noinst_LTLIBRARIES += libarena.la
libarena_la_SOURCES = \
	src/arena/arena.c \
	src/arena/arena.h \
	src/arena/arena_table.c \
	src/arena/arena_table.h \
	src/arena/bin.c \
	src/arena/bin.h \
	src/arena/canary.c \
	src/arena/canary.h \
	src/arena/large.c \
	src/arena/large.h \
	src/arena/ledger.c \
	src/arena/ledger.h \
	src/arena/slab.c \
	src/arena/slab.h \
	src/arena/wipe.c \
	src/arena/wipe.h
