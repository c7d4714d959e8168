# Real programs with the library preloaded, and checks of the file itself. Each
# finds the library in $JEMALLOC_LIB; TEST_LONG=1 makes some of them longer.
EXTRA_DIST += test/integration/lib.sh
integration_tests += test/integration/bad-conf.sh
integration_tests += test/integration/bash.sh
integration_tests += test/integration/dlopen.sh
integration_tests += test/integration/elf.sh
integration_tests += test/integration/gcc.sh
integration_tests += test/integration/git.sh
integration_tests += test/integration/malloc-info.sh
integration_tests += test/integration/node.sh
integration_tests += test/integration/options-manual.py
integration_tests += test/integration/perl.sh
integration_tests += test/integration/python-subprocess.sh
integration_tests += test/integration/python.sh
integration_tests += test/integration/redis.sh
integration_tests += test/integration/small-address-space.sh
integration_tests += test/integration/sqlite.sh
