noinst_LTLIBRARIES += libheap.la
libheap_la_SOURCES = \
	src/heap/cached.c \
	src/heap/cached.h \
	src/heap/descriptor.c \
	src/heap/descriptor.h \
	src/heap/walk.c \
	src/heap/walk.h
