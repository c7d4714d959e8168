noinst_LTLIBRARIES += libconf.la
libconf_la_SOURCES = \
	src/conf/conf.h \
	src/conf/options.h
