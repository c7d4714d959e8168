noinst_LTLIBRARIES += libutil.la
libutil_la_SOURCES = \
	src/util/bits.h \
	src/util/build.h \
	src/util/compiler.h \
	src/util/format.c \
	src/util/format.h \
	src/util/heap_layout.h \
	src/util/heap_part.h \
	src/util/list.h \
	src/util/pattern.h \
	src/util/real.c \
	src/util/real.h \
	src/util/size_class.c \
	src/util/size_class.h \
	src/util/tree.h \
	src/util/wait.h
