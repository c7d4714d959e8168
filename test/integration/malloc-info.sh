#!/bin/sh
# malloc_info writes well-formed XML in the manner of glibc, whose figures agree
# with each other and with those of mallinfo2.
. "$(dirname "$0")/lib.sh"
python=${PYTHON:-/usr/bin/python3}
need "$python"

cat >script <<'END'
import ctypes, os, sys, threading, time
import xml.etree.ElementTree as tree

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
libc.fopen.restype = ctypes.c_void_p
libc.fclose.argtypes = [ctypes.c_void_p]
# Called with Python's lock held, so that no other thread allocates meanwhile:
# then all figures must agree.
malloc_info = ctypes.PyDLL(None).malloc_info
malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]

def info(name):
    stream = libc.fopen(name, b'w')
    assert malloc_info(0, stream) == 0
    libc.fclose(stream)
    return tree.parse(name.decode()).getroot()

def total(node, kind):
    found = [t for t in node.findall('total') if t.get('type') == kind]
    assert len(found) == 1, (kind, found)
    return int(found[0].get('count')), int(found[0].get('size'))

def space(node, tag, kind):
    found = [t for t in node.findall(tag) if t.get('type') == kind]
    assert len(found) == 1, (tag, kind, found)
    return int(found[0].get('size'))

barrier = threading.Barrier(5)
def work(n):
    kept = [libc.malloc(i * n) for i in range(500)]
    barrier.wait()
    barrier.wait()
    for p in kept:
        libc.free(p)
threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(1, 5)]
for t in threads: t.start()
barrier.wait()

root = info(b'busy.xml')
assert root.tag == 'malloc' and root.get('version') == '1'
heaps = root.findall('heap')
numbers = [int(h.get('nr')) for h in heaps]
assert numbers and numbers == sorted(set(numbers)), numbers
for heap in heaps:
    regions = 0
    for size in heap.find('sizes'):
        assert size.tag == 'size'
        low, high, count = (int(size.get(k)) for k in ('from', 'to', 'count'))
        assert 0 < low <= high and count > 0
        assert low * count <= int(size.get('total')) <= high * count
        regions += count
    assert regions <= total(heap, 'rest')[0]
for node in heaps + [root]:
    total(node, 'fast')
    current, most = space(node, 'system', 'current'), space(node, 'system', 'max')
    assert 0 < current <= most
    assert total(node, 'rest')[1] <= current
    space(node, 'aspace', 'total'), space(node, 'aspace', 'mprotect')
assert sum(space(h, 'aspace', 'total') for h in heaps) == space(root, 'aspace', 'total')
barrier.wait()
for t in threads: t.join()
while len(os.listdir('/proc/self/task')) > 1:
    time.sleep(0.001)   # join() does not wait for its very end

# Large objects: exactly one more, of this size.
before = total(info(b'before.xml'), 'mmap')
p = libc.malloc(5 << 20)
after = total(info(b'after.xml'), 'mmap')
assert after[0] == before[0] + 1, (before, after)
assert 5 << 20 <= after[1] - before[1] <= 6 << 20, (before, after)
libc.free(p)
print(len(heaps), 'heaps')
END
preloaded "$python" script || fail 'malloc_info'
MALLOC_CONF=$(strict narenas:1) preloaded "$python" script >out || fail 'narenas:1'
[ "$(cat out)" = '1 heaps' ] || fail "narenas:1: $(cat out)"
MALLOC_CONF=$(strict tcache:false) preloaded "$python" script || fail 'tcache:false'
exit 0
