# jeprof, the tool that reads heap profiles; built if its libraries are there.
EXTRA_DIST += doc/jeprof.1
if JEPROF
noinst_PROGRAMS += bin/jeprof
endif
bin_jeprof_CPPFLAGS = $(AM_CPPFLAGS) $(JEPROF_CFLAGS) \
	-I$(top_srcdir)/bin/profile
bin_jeprof_LDADD = $(JEPROF_LIBS) -lm
bin_jeprof_SOURCES = \
	bin/profile/dump.c bin/profile/dump.h \
	bin/profile/images.c bin/profile/images.h \
	bin/profile/jeprof.c \
	bin/profile/names.c bin/profile/names.h \
	bin/profile/options.c bin/profile/options.h \
	bin/profile/process.c bin/profile/process.h \
	bin/profile/report.c bin/profile/report.h \
	bin/profile/report_callgrind.c bin/profile/report_edges.c \
	bin/profile/report_flame.c bin/profile/report_graph.c \
	bin/profile/report_raw.c \
	bin/profile/report_text.c \
	bin/profile/scopes.c bin/profile/scopes.h \
	bin/profile/stacks.c bin/profile/stacks.h \
	bin/profile/symbols.c bin/profile/symbols.h \
	bin/profile/symtab.c bin/profile/symtab.h \
	bin/profile/tool.c bin/profile/tool.h
