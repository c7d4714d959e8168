noinst_LTLIBRARIES += libctl.la
libctl_la_SOURCES = \
	src/ctl/ctl.c \
	src/ctl/ctl.h \
	src/ctl/ctl_arena.c \
	src/ctl/ctl_arena.h \
	src/ctl/ctl_experimental.c \
	src/ctl/ctl_experimental.h \
	src/ctl/ctl_opt.c \
	src/ctl/ctl_opt.h \
	src/ctl/ctl_prof.c \
	src/ctl/ctl_prof.h \
	src/ctl/ctl_stats.c \
	src/ctl/ctl_stats.h \
	src/ctl/ctl_thread.c \
	src/ctl/ctl_thread.h \
	src/ctl/ctl_tree.c \
	src/ctl/ctl_tree.h
