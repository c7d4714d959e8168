"""How the comparing scripts name malloc libraries, find peers, and build programs."""
import contextlib
import glob
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
NAME = os.path.basename(sys.argv[0])
PEERS = (('jemalloc', 'libjemalloc.so.2'), ('mimalloc', 'libmimalloc.so.*'),
         ('tcmalloc', 'libtcmalloc_minimal.so.4'),
         ('tbbmalloc', 'libtbbmalloc_proxy.so.2'))


def die(text):
    print(NAME + ': ' + text, file=sys.stderr)
    sys.exit(2)


def note(text):
    print('note: ' + text, file=sys.stderr, flush=True)


def compile_c(source, target, *flags):
    sources = [source] if isinstance(source, str) else source
    cc = shlex.split(os.environ.get('CC', 'cc'))
    if not shutil.which(cc[0]):
        die(f'a C compiler is needed, and {cc[0]} is not installed')
    done = subprocess.run(cc + ['-O2', '-pthread', *flags, '-o', target, *sources], capture_output=True, text=True)
    if done.returncode != 0:
        die(f'{sources[0]} does not compile: {(done.stderr.strip().splitlines() or ["?"])[0]}')


def read_library(text):
    """NAME=LIB or NAME=env:K=V,...@LIB."""
    name, equals, lib = text.partition('=')
    env = {}
    if not equals or not name:
        die(f'{text}: want NAME=LIB')
    if lib.startswith('env:'):
        pairs, at, lib = lib[4:].rpartition('@')
        if not at:
            die(f'{text}: want NAME=env:KEY=VALUE@LIB')
        for pair in re.split(r',(?=[A-Za-z_]+=)', pairs):
            key, equals, value = pair.partition('=')
            if not equals:
                die(f'{text}: want KEY=VALUE, not {pair}')
            env[key] = value
    return dict(name=name, lib=os.path.abspath(lib) if lib else '', env=env)


def peers():
    found = [dict(name='glibc', lib='', env={})]
    places = sorted(glob.glob('/usr/lib/*-linux-gnu*')) + ['/usr/lib64', '/usr/lib']
    for name, pattern in PEERS:
        paths = [p for place in places for p in sorted(glob.glob(os.path.join(place, pattern)))]
        if paths:
            found.append(dict(name=name, lib=paths[0], env={}))
        else:
            note(f'{name} is left out: no {pattern} is installed')
    return found


def libraries(args):
    texts = args.libs
    if not texts:
        ours = os.path.join(ROOT, 'build', 'lib', 'libjemalloc.so.2')
        if not os.path.exists(ours):
            die('name a library, as in ours=PATH/libjemalloc.so.2')
        texts = ['ours=' + ours]
    found = [read_library(t) for t in texts]
    for peer in peers() if args.peers else []:
        if any((f['lib'], f['env']) == (peer['lib'], peer['env']) for f in found):
            continue
        if any(f['name'] == peer['name'] for f in found):
            peer['name'] += '-peer'
        found.append(peer)
    names = [f['name'] for f in found]
    for f in found:
        if names.count(f['name']) > 1:
            die(f"two libraries are named {f['name']}")
        if f['lib'] and not os.path.isfile(f['lib']):
            die(f"{f['name']}: {f['lib']}: no such file")
        if f['lib']:
            env = dict(os.environ, LD_PRELOAD=f['lib'], **f['env'])
            done = subprocess.run(['/bin/sh', '-c', ':'], env=env, capture_output=True, text=True)
            if 'cannot be preloaded' in done.stderr:
                die(f"{f['name']}: {f['lib']}: not a library that can be preloaded")
            if done.returncode != 0:
                die(f"{f['name']}: {f['lib']}: even an empty shell script fails with it")
    return found


# Of processes that run; other threads may have started them.
groups = set()


def kill_group(leader):
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        pass


@contextlib.contextmanager
def started(command, **arguments):
    """A process that leads a group of its own. Nothing of it is left afterwards."""
    process = subprocess.Popen(command, start_new_session=True, **arguments)
    groups.add(process.pid)
    try:
        yield process
    finally:
        kill_group(process.pid)
        groups.discard(process.pid)
        process.wait()


def run_main(main):
    # Who is ended cleans up as after Ctrl-C.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(1)
    finally:
        for leader in list(groups):
            kill_group(leader)
