noinst_LTLIBRARIES += libos.la
libos_la_SOURCES = \
	src/os/c_library.c \
	src/os/c_library.h \
	src/os/cgroup.c \
	src/os/cgroup.h \
	src/os/clock.c \
	src/os/clock.h \
	src/os/dss.c \
	src/os/dss.h \
	src/os/error_text.c \
	src/os/error_text.h \
	src/os/file.c \
	src/os/file.h \
	src/os/file_out.c \
	src/os/file_out.h \
	src/os/interrupted.h \
	src/os/loaded_symbol.c \
	src/os/loaded_symbol.h \
	src/os/lock.c \
	src/os/lock.h \
	src/os/lock_order.h \
	src/os/message.c \
	src/os/message.h \
	src/os/os_thread.c \
	src/os/os_thread.h \
	src/os/pages.c \
	src/os/pages.h \
	src/os/probe.c \
	src/os/probe.h \
	src/os/registers.h \
	src/os/syscalls.h \
	src/os/system.c \
	src/os/system.h \
	src/os/usdt.h \
	src/os/write_signals.c \
	src/os/write_signals.h
