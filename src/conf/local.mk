noinst_LTLIBRARIES += libconf.la
libconf_la_SOURCES = \
	src/conf/advice.c \
	src/conf/advice.h \
	src/conf/conf.c \
	src/conf/conf.h \
	src/conf/option_fields.h \
	src/conf/option_setters.c \
	src/conf/option_setters.h \
	src/conf/options.c \
	src/conf/options.h \
	src/conf/safety.c \
	src/conf/safety.h \
	src/conf/value.c \
	src/conf/value.h
