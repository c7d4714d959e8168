# jeheap, the tool that looks into the heap of a process or of a core file; built
# if libelf is there.
EXTRA_DIST += doc/jeheap.1 bin/heap/gdb.py
if JEHEAP
noinst_PROGRAMS += bin/jeheap
endif
bin_jeheap_CPPFLAGS = $(AM_CPPFLAGS) $(JEHEAP_CFLAGS) \
	-I$(top_srcdir)/bin/heap -I$(top_srcdir)/bin/profile
bin_jeheap_LDADD = $(JEHEAP_LIBS) -lm
jeheap_sources = \
	bin/heap/bytes.h \
	bin/heap/cached.c \
	bin/heap/census.c bin/heap/census.h \
	bin/heap/cmd_analyze.c bin/heap/cmd_arenas.c bin/heap/cmd_caches.c \
	bin/heap/cmd_check.c bin/heap/cmd_diff.c bin/heap/cmd_dump.c \
	bin/heap/cmd_examine.c bin/heap/cmd_find.c \
	bin/heap/cmd_fragmentation.c bin/heap/cmd_regions.c \
	bin/heap/cmd_stats.c bin/heap/cmd_who.c \
	bin/heap/core.c bin/heap/core.h \
	bin/heap/core_notes.c bin/heap/core_notes.h \
	bin/heap/guess.c bin/heap/guess.h \
	bin/heap/heap.c bin/heap/heap.h \
	bin/heap/jeheap.c \
	bin/heap/json.c bin/heap/json.h \
	bin/heap/layout.c bin/heap/layout.h \
	bin/heap/live.c bin/heap/live.h \
	bin/heap/modules.c bin/heap/modules.h \
	bin/heap/options.c bin/heap/options.h \
	bin/heap/runs.c \
	bin/heap/selector.c bin/heap/selector.h \
	bin/heap/session.c bin/heap/session.h \
	bin/heap/symbols.c bin/heap/symbols.h \
	bin/heap/target.c bin/heap/target.h \
	bin/heap/words.c bin/heap/words.h \
	bin/profile/names.c bin/profile/names.h \
	bin/profile/rust_names.c bin/profile/rust_names.h \
	bin/profile/tool.c bin/profile/tool.h
bin_jeheap_SOURCES = $(jeheap_sources)
