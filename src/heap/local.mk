noinst_LTLIBRARIES += libheap.la
libheap_la_SOURCES = \
	src/heap/descriptor.c \
	src/heap/descriptor.h
