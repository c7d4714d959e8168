# No sources yet.
noinst_LTLIBRARIES += libapi.la
libapi_la_SOURCES =

# Exceptions of the new-handler pass through these.
noinst_LTLIBRARIES += liboperators.la
liboperators_la_SOURCES =
