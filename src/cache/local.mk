noinst_LTLIBRARIES += libcache.la
libcache_la_SOURCES = \
	src/cache/cache_bin.h \
	src/cache/exchange.c \
	src/cache/exchange.h \
	src/cache/flight.h \
	src/cache/holding.c \
	src/cache/holding.h \
	src/cache/pace.c \
	src/cache/pace.h \
	src/cache/quarantine.c \
	src/cache/quarantine.h \
	src/cache/sampler.c \
	src/cache/sampler.h \
	src/cache/shrink.c \
	src/cache/shrink.h \
	src/cache/stack.c \
	src/cache/stack.h \
	src/cache/stride.c \
	src/cache/stride.h \
	src/cache/tcache.c \
	src/cache/tcache.h \
	src/cache/tcache_counts.c \
	src/cache/tcache_counts.h \
	src/cache/tcache_guard.c \
	src/cache/tcache_guard.h \
	src/cache/tcache_look.c \
	src/cache/tcache_look.h \
	src/cache/tcache_state.h \
	src/cache/tcache_table.c \
	src/cache/tcache_table.h \
	src/cache/thread.c \
	src/cache/thread.h \
	src/cache/thread_event.c \
	src/cache/thread_event.h
