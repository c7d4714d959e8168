# No sources yet.
noinst_LTLIBRARIES += libarena.la
libarena_la_SOURCES =
