noinst_LTLIBRARIES += libextent.la
libextent_la_SOURCES = \
	src/extent/borrow.c \
	src/extent/decay.c \
	src/extent/decay.h \
	src/extent/extent.h \
	src/extent/extent_hooks.c \
	src/extent/extent_hooks.h \
	src/extent/extent_pool.c \
	src/extent/extent_pool.h \
	src/extent/extent_records.c \
	src/extent/extent_records.h \
	src/extent/hooked.c \
	src/extent/huge_cache.c \
	src/extent/huge_cache.h \
	src/extent/huge_pages.c \
	src/extent/huge_pages.h \
	src/extent/huge_tick.c \
	src/extent/inherit.c \
	src/extent/limit.c \
	src/extent/limit.h \
	src/extent/metadata.c \
	src/extent/metadata.h \
	src/extent/page_source.c \
	src/extent/page_source.h \
	src/extent/pagemap.c \
	src/extent/pagemap.h \
	src/extent/packed.c \
	src/extent/pageslab.c \
	src/extent/pageslab.h \
	src/extent/purge.c \
	src/extent/region_blocks.c \
	src/extent/regions.c \
	src/extent/regions.h
