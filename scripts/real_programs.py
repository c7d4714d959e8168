"""The real programs of scripts/bench and scripts/replay, as far as they are installed."""
import os
import re
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from allocators import note, started

PYTHON = '''
import json, random
random.seed(1)
d = {str(i): [random.random() for _ in range(20)] for i in range(30000)}
for _ in range(3):
    assert json.loads(json.dumps(d)).keys() == d.keys()
words = sorted(str(i * 7919 % 1000003) * (i % 9) for i in range(400000))
del words
'''
PERL = '''
my %h;
for my $round (1 .. 3) {
	for (1 .. 400000) { $h{"k" . $_ * $round} = "v" x ($_ % 97) }
	%h = () if $round % 2;
}
'''
SQL = '''
create table t(a integer primary key, b text, c blob);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 300000)
  insert into t select i, hex(randomblob(i % 40)), randomblob(i % 300) from n;
create index x on t(b);
select count(*), sum(length(c)) from t where b like 'A%';
delete from t where a % 3 = 0;
vacuum;
select count(distinct b) from t;
'''
LUA = '''
for round = 1, 3 do
	local t = {}
	for i = 1, 500000 do t[i] = {x = i, s = "k" .. i} end
	for i = 1, 500000, 2 do t[i] = nil end
	collectgarbage()
end
'''
RUBY = '''
3.times do
  a = (0...300000).map { |i| "x" * (i % 200) }
  h = {}
  a.each_with_index { |s, i| h[i.to_s] = s }
  a = h = nil
  GC.start
end
'''
NODE = '''
const zlib = require('zlib');
let kept = [], sum = 0;
for (let i = 0; i < 60000; i++) {
  const b = Buffer.allocUnsafeSlow(64 + (i * 7919) % 30000).fill(i & 255);
  kept.push(b);
  if (kept.length > 2000) sum += kept.splice((i * 31) % 2000, 1)[0][5];
  if (i % 600 === 0) sum += zlib.deflateSync(Buffer.concat(kept.slice(0, 40)), {level: 1}).length;
}
const o = {};
for (let i = 0; i < 200000; i++) o['k' + i] = {i, s: 'v' + i};
sum += Object.keys(JSON.parse(JSON.stringify(o))).length;
console.log(sum);
'''


def c_source():
    """A big C file of many functions, to keep a compiler busy."""
    out = ['#include <stdio.h>', '#include <stdlib.h>', '#include <string.h>']
    for i in range(200):
        out.append(f'struct s{i} {{ int a[{i % 17 + 1}]; struct s{i} *next; char t[{i % 29 + 1}]; }};\n'
                   f'int f{i}(struct s{i} *p, int n)\n{{\n\tint r = {i};\n\tfor (; p; p = p->next)\n'
                   f'\t\tfor (int i = 0; i < n; i++)\n\t\t\tswitch ((p->a[i % {i % 17 + 1}] + r) % 8) {{')
        for j in range(8):
            out.append(f'\t\t\tcase {j}: r = r * {i * 3 + j} + (int)strlen(p->t) % {j + 2}; break;')
        call = f' + f{i - 1}((struct s{i - 1} *)0, n + {i})' if i else ''
        out.append(f'\t\t\t}}\n\treturn r{call};\n}}')
    return '\n'.join(out) + '\n'


def program(name, command, **more):
    return dict(name=name, command=command, rate=None, stdin=None, **more)


def programs(tmp):
    """The real programs that are installed; says which ones are not."""
    source = os.path.join(tmp, 'big.c')
    python = '/usr/bin/python3' if os.access('/usr/bin/python3', os.X_OK) else 'python3'
    found = []
    for p in (program('python', [python, '-c', PYTHON], env={'PYTHONMALLOC': 'malloc'}),
              program('perl', ['perl', '-e', PERL]),
              program('sqlite', ['sqlite3', ':memory:', SQL]),
              program('lua', ['lua5.4', '-e', LUA]),
              program('ruby', ['ruby', '-e', RUBY]),
              program('gcc', ['gcc', '-O2', '-c', source, '-o', os.path.join(tmp, 'big.o')], source=source),
              program('node', ['node', '-e', NODE]),
              program('redis', ['redis-server'], server=True)):
        needs = [p['command'][0]] + (['redis-benchmark', 'redis-cli'] if p.get('server') else [])
        missing = [n for n in needs if not shutil.which(n)]
        if missing:
            note(f"{p['name']} is left out: {missing[0]} is not installed")
        else:
            found.append(p)
    return found


def libc_path():
    """The C library's file, or nothing."""
    found = re.search(r' (/.*/libc[.-].*)$', open('/proc/self/maps').read(), re.M)
    return found.group(1) if found else ''


def serve(prefixed, tmp, limit):
    """Runs redis-server under `prefixed(command)`, with a load that is not: its status and rates, or None and why."""
    socket = os.path.join(tmp, 'redis.sock')
    client = ['redis-cli', '-s', socket]
    quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if os.path.exists(socket):
        os.unlink(socket)
    command = ['redis-server', '--port', '0', '--unixsocket', socket, '--save', '', '--appendonly', 'no',
               '--dir', tmp, '--daemonize', 'no', '--logfile', os.path.join(tmp, 'redis.log')]
    with open(os.path.join(tmp, 'output'), 'w+', errors='replace') as said, \
            started(prefixed(command), stdin=subprocess.DEVNULL, stdout=said,
                    stderr=subprocess.STDOUT) as server:
        end = time.monotonic() + 10
        while subprocess.call(client + ['ping'], **quiet) != 0:
            if server.poll() is not None or time.monotonic() > end:
                said.seek(0)
                return None, 'the server does not start: ' + (said.read().strip().splitlines() or ['?'])[-1][:200]
            time.sleep(0.05)
        rates = []
        try:
            for load in (['-t', 'set,get,lpush,hset,sadd', '-d', '100', '-n', '120000'],
                         ['-t', 'set', '-d', '3000', '-n', '40000'],
                         ['-t', 'set,lpop', '-d', '20', '-n', '100000']):
                done = subprocess.run(['redis-benchmark', '-s', socket, '--csv', '-c', '20', '-P', '16',
                                       '-r', '50000'] + load, capture_output=True, text=True, timeout=limit)
                rates += [float(r) for r in re.findall(r'^"[^"]*","([0-9.]+)"', done.stdout, re.M)]
            subprocess.call(client + ['shutdown', 'nosave'], timeout=limit, **quiet)
            status = server.wait(limit)
        except subprocess.TimeoutExpired:
            return None, 'takes too long'
    if not rates:
        return None, 'redis-benchmark gives no figures'
    return status, rates
