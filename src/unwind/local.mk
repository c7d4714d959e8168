noinst_LTLIBRARIES += libunwind.la
libunwind_la_SOURCES = \
	src/unwind/backtrace.c \
	src/unwind/backtrace.h \
	src/unwind/cfi.c \
	src/unwind/cfi.h \
	src/unwind/cfi_index.c \
	src/unwind/cfi_index.h \
	src/unwind/cfi_table.h \
	src/unwind/program_index.c \
	src/unwind/program_index.h \
	src/unwind/cfi_expression.c \
	src/unwind/cfi_expression.h \
	src/unwind/cfi_reader.h \
	src/unwind/loader.c \
	src/unwind/loader.h \
	src/unwind/unwind_objects.c \
	src/unwind/unwind_objects.h \
	src/unwind/unwind_row.c \
	src/unwind/unwind_row.h \
	src/unwind/unwind_stack.c \
	src/unwind/unwind_stack.h
