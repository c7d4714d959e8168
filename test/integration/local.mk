# Executables that find the library in $JEMALLOC_LIB.
