#!/bin/sh
# Python's own tests for child processes: fork, vfork, exec and pipes.
# A test of its own, since it mostly sleeps and can so run beside others.
. "$(dirname "$0")/lib.sh"
python=${PYTHON:-/usr/bin/python3}
need "$python"
"$python" -c 'import test.test_subprocess' 2>/dev/null ||
	skip 'the tests of Python are not installed'
check_bound "$python" -c 'import json'

PYTHONMALLOC=malloc PYTHONDONTWRITEBYTECODE=1
export PYTHONMALLOC PYTHONDONTWRITEBYTECODE
python_passes "$python" test_subprocess
