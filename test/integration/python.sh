#!/bin/sh
# Python: its own tests for JSON, dictionaries, threads and child processes,
# with all its objects taken from malloc.
. "$(dirname "$0")/lib.sh"
python=${PYTHON:-/usr/bin/python3}
need "$python"
check_bound "$python" -c 'import json'

PYTHONMALLOC=malloc PYTHONDONTWRITEBYTECODE=1
export PYTHONMALLOC PYTHONDONTWRITEBYTECODE
preloaded "$python" -c 'print(open("/proc/self/maps").read())' >maps
grep -q " $lib\$" maps || fail 'the library is not loaded'

cat >script <<'END'
import json, threading, hashlib, subprocess, sys
d = {str(i): [j * 0.5 for j in range(i % 30)] for i in range(20000)}
assert json.loads(json.dumps(d)) == d
digest = hashlib.sha256(json.dumps(d, sort_keys=True).encode()).hexdigest()
results = []
def work(n):
    t = {}
    for i in range(20000):
        t[i % 997] = 'x' * (i * n % 300)
    results.append(sum(map(len, t.values())))
for _ in range(10):
    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for t in threads: t.start()
    for t in threads: t.join()
print(digest, sorted(results))
for n in range(5):
    print(subprocess.check_output([sys.executable, '-c', 'print("y" * 100000)'])[:5])
END
same "$python" script

"$python" -c 'import test.test_json' 2>/dev/null || {
	left_out 'the tests of Python are not installed'
	exit 0
}
set -- test_json test_dict test_list test_threading
[ "${TEST_LONG:-0}" = 0 ] ||
	set -- "$@" test_subprocess test_queue test_gc test_memoryview \
		test_bytes test_re test_set test_fork1 test_pickle test_ctypes
python_passes "$python" -j2 "$@"
