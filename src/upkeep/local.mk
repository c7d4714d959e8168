noinst_LTLIBRARIES += libupkeep.la
libupkeep_la_SOURCES = \
	src/upkeep/background.c \
	src/upkeep/background.h \
	src/upkeep/due.c \
	src/upkeep/due.h \
	src/upkeep/idle.c \
	src/upkeep/idle.h \
	src/upkeep/sweep.c \
	src/upkeep/sweep.h \
	src/upkeep/trim.c \
	src/upkeep/trim.h
