noinst_LTLIBRARIES += libextent.la
libextent_la_SOURCES = \
	src/extent/extent.h \
	src/extent/extent_hooks.c \
	src/extent/extent_hooks.h \
	src/extent/extent_pool.c \
	src/extent/extent_pool.h \
	src/extent/extent_records.c \
	src/extent/extent_records.h \
	src/extent/limit.c \
	src/extent/limit.h \
	src/extent/metadata.c \
	src/extent/metadata.h \
	src/extent/pagemap.c \
	src/extent/pagemap.h \
	src/extent/spare_records.c \
	src/extent/spare_records.h
