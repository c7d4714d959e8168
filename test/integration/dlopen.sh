#!/bin/sh
# The library is opened late by a program that runs on another malloc: it must
# find room for its thread-local data, serve several threads, leave the
# program's own memory alone, and stand being opened and closed again.
. "$(dirname "$0")/lib.sh"
python=${PYTHON:-/usr/bin/python3}
need "$python"
"$python" -c 'import ctypes' 2>/dev/null || skip "ctypes of $python is not installed"

cat >script.py <<'END'
import ctypes, os, random, sys, threading, time, _ctypes
path, mode = sys.argv[1], sys.argv[2]

def rss():
    # The kernel's own sum, in statm, is not exact.
    try:
        with open('/proc/self/smaps_rollup') as f:
            return int(f.read().split('Rss:')[1].split()[0]) * 1024
    except FileNotFoundError:
        with open('/proc/self/statm') as f:
            return int(f.read().split()[1]) * 4096

def open_lib():
    lib = ctypes.CDLL(path, mode=ctypes.RTLD_LOCAL)
    for name, result, arguments in (
            ('malloc', ctypes.c_void_p, [ctypes.c_size_t]),
            ('calloc', ctypes.c_void_p, [ctypes.c_size_t] * 2),
            ('realloc', ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_size_t]),
            ('malloc_usable_size', ctypes.c_size_t, [ctypes.c_void_p]),
            ('free', None, [ctypes.c_void_p])):
        f = getattr(lib, name)
        f.restype, f.argtypes = result, arguments
    return lib

def work(lib, seed, errors, n=3000):
    rnd, live = random.Random(seed), []
    try:
        for i in range(n):
            size = rnd.choice((1, 24, 100, 1000, 5000, 70000, 3000000))
            p = lib.malloc(size)
            assert p and p % 8 == 0, (size, p)
            assert lib.malloc_usable_size(p) >= size
            ctypes.memset(p, seed + 1, min(size, 5000))
            live.append((p, min(size, 5000)))
            if len(live) > 30:
                p, size = live.pop(rnd.randrange(30))
                assert ctypes.string_at(p, size) == bytes([seed + 1]) * size
                q = lib.realloc(p, size * 2)
                assert ctypes.string_at(q, size) == bytes([seed + 1]) * size
                lib.free(q)
        for p, size in live:
            assert ctypes.string_at(p, size) == bytes([seed + 1]) * size
            lib.free(p)
        p = lib.calloc(1000, 100)
        assert ctypes.string_at(p, 100000) == bytes(100000)
        lib.free(p)
        lib.free(None)
    except Exception as e:
        errors.append(repr(e))

def in_threads(lib, n=3000):
    errors = []
    threads = [threading.Thread(target=work, args=(lib, s, errors, n))
               for s in range(4)]
    for t in threads: t.start()
    work(lib, 9, errors, n)
    for t in threads: t.join()
    assert not errors, errors

if mode == 'once':
    lib = open_lib()
    in_threads(lib)
    # Threads that live when it is opened, not only those made later.
    print('ok')
elif mode == 'early':
    # Threads that were there before the library was opened.
    box, errors, opened = [], [], threading.Event()
    def wait():
        opened.wait()
        work(box[0], 3, errors)
    threads = [threading.Thread(target=wait) for _ in range(4)]
    for t in threads: t.start()
    box.append(open_lib())
    opened.set()
    for t in threads: t.join()
    assert not errors, errors
    print('ok')
elif mode == 'cycles':
    # Else the kernel makes a huge page of small ones, at a time of its own
    # (PR_SET_THP_DISABLE).
    ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)
    # One thread at a time: what several have at once, and so the memory that
    # they need together, depends on chance.
    seen, errors = [], []
    for cycle in range(40):
        lib = open_lib()
        for seed in range(5):
            thread = threading.Thread(target=work,
                                      args=(lib, seed, errors, 200))
            thread.start()
            thread.join()
            while len(os.listdir('/proc/self/task')) > 1:
                time.sleep(0.001)   # join() does not wait for its very end
        _ctypes.dlclose(lib._handle)
        seen.append(rss())
    assert not errors, errors
    grown = (seen[-1] - seen[19]) / 20
    assert grown < 1 << 16, '%d bytes a cycle' % grown
    print('ok')
END
for mode in once early cycles; do
	"$python" script.py "$lib" $mode >out 2>err || {
		status=$?
		tail -n 3 err >&2
		fail "mode $mode: status $status"
	}
	[ "$(cat out)" = ok ] || fail "mode $mode: $(cat out)"
	[ -s err ] && fail "mode $mode says: $(head -n 1 err)"
done
exit 0
