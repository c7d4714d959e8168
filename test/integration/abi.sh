#!/bin/sh
# Programs made for jemalloc 5.3.0, with the header and the library that Debian
# ships, run with our library in its place: the same output (test/abi/abi.h).
. "$(dirname "$0")/lib.sh"
abi=$here/../abi
need gcc g++ python3
theirs=$(ldconfig -p | sed -n 's/.*libjemalloc\.so\.2 .*=> //p' | head -n 1)
[ -n "$theirs" ] && [ -f /usr/include/jemalloc/jemalloc.h ] ||
	skip 'libjemalloc-dev is not installed'
version=$(sed -n 's/^#define JEMALLOC_VERSION "\(.*\)"/\1/p' \
	/usr/include/jemalloc/jemalloc.h)
case $version in
5.3.0-*) ;;
*) skip "libjemalloc-dev is $version, not 5.3.0" ;;
esac
mkdir ours
cp "$lib" ours/libjemalloc.so.2
status=0

wrong() {
	echo "FAIL: $*" >&2
	status=1
}

# Every macro of their header for programs is one of ours.
header=$(dirname "$lib")/../include/jemalloc/jemalloc.h
for macro in $(sed -n 's/^ *# *define \([A-Z][A-Z_0-9]*\).*/\1/p' \
	/usr/include/jemalloc/jemalloc.h | sort -u) JEMALLOC_NO_DEMANGLE \
	JEMALLOC_COLD JEMALLOC_WARN_ON_USAGE JEMALLOC_HAVE_ATTR_DEPRECATED \
	JEMALLOC_OVERRIDE_PVALLOC LG_SIZEOF_PTR_WIN; do
	grep -q "^ *# *define $macro\>" "$header" || wrong "no macro $macro"
done

build() { # NAME: from NAME.c or NAME.cc
	if [ -f "$abi/$1.cc" ]; then
		g++ -std=c++17 -O1 -o "$1" "$abi/$1.cc" -l:libjemalloc.so.2 -pthread
	else
		gcc -std=gnu11 -O1 -fno-builtin -Wno-alloc-size-larger-than \
			-o "$1" "$abi/$1.c" -l:libjemalloc.so.2 -pthread
	fi >build.log 2>&1 || {
		cat build.log >&2
		fail "$1 does not build"
	}
}

# Large sizes: 5.3.1 does not round them to classes unless it is told to. The
# others have other defaults in a debug build.
conf=disable_large_size_classes:false,abort:false,abort_conf:false,junk:false
both() { # NAME ARGUMENTS...: outputs in theirs.out, ours.out
	program=./$1
	shift
	MALLOC_CONF='' "$program" "$@" >theirs.out 2>theirs.err
	plain=$?
	MALLOC_CONF=$(strict "$conf") LD_LIBRARY_PATH=$tmp/ours \
		"$program" "$@" >ours.out 2>ours.err
	ours=$?
}

# agrees NAME: whether the program NAME prints the same; the rest to agrees.out
agrees() {
	build $1
	LD_LIBRARY_PATH=$tmp/ours ldd ./$1 | grep -q "$tmp/ours/libjemalloc" ||
		fail "$1 is not run with the library"
	both $1
	{
		diff theirs.out ours.out
		head -n 3 ours.err
	} >agrees.out 2>&1
	[ $ours -eq $plain ] && [ ! -s agrees.out ]
}

for name in sizes flags standard ctl arenas operators nothrow hooks background; do
	agrees $name || {
		head -n 30 agrees.out >&2
		wrong "$name: status $ours, not $plain, or another output (<)" \
			"than with $version (>: ours)"
	}
done
# By default a large size is rounded to pages only.
cat >page.c <<'END'
#include <jemalloc/jemalloc.h>
int main(void)
{
	for (size_t size = 14337; size < 10000000; size += size / 7) {
		size_t want = size < 16384 ? 16384 : (size + 4095) / 4096 * 4096;
		if (nallocx(size, 0) != want)
			return 1;
	}
	return 0;
}
END
gcc -o page page.c -l:libjemalloc.so.2 && LD_LIBRARY_PATH=$tmp/ours ./page ||
	wrong 'large sizes are not multiples of a page'

# JSON: every key that 5.3.0 writes, with a value of the same kind. Lists that
# describe sizes have the same number of rows.
build print
both print J
python3 - theirs.out ours.out <<'END' || wrong 'JSON lacks something'
import json, sys
theirs, ours = (json.load(open(name)) for name in sys.argv[1:])
# Dropped in 5.3.1; whether there is heap profiling differs by build; locks
# that only the reference has are not looked for.
DROPPED = {'hpa_sec_bytes_after_flush'}
bad = []
def kind(value):
    if isinstance(value, bool): return 'bool'
    if isinstance(value, (int, float)): return 'number'
    return type(value).__name__
def compare(a, b, path):
    if kind(a) != kind(b):
        bad.append(f'{path}: {kind(b)}, not {kind(a)}')
    elif isinstance(a, dict):
        for key in a:
            if key in DROPPED or key.startswith(('prof', 'lg_prof')): continue
            if path.endswith('.arenas') and key.isdigit(): continue
            if key not in b: bad.append(f'{path}: no {key}')
            else: compare(a[key], b[key], path + '.' + key)
    elif isinstance(a, list) and a:
        if len(a) != len(b): bad.append(f'{path}: {len(b)} rows, not {len(a)}')
        elif b: compare(a[0], b[0], path + '[]')
compare(theirs, ours, 'root')
print('\n'.join(bad[:40]), file=sys.stderr)
sys.exit(bool(bad))
END
# Sections that a letter leaves out.
for letters in Jg Jm Ja Jmda Jx Jb Jl Je Jmdablxegh; do
	both print $letters
	python3 - theirs.out ours.out "$letters" <<'END' || wrong "letters $letters"
import json, sys
theirs, ours = (json.load(open(name))['jemalloc'] for name in sys.argv[1:3])
a, b = set(theirs), set(ours) - {'x', 'system'}	# both not in 5.3.0
if not ours.get('config', {}).get('prof'):
    a -= {'prof'}
if a != b:
    sys.exit(f'{sys.argv[3]}: keys {sorted(b)}, not {sorted(a)}')
END
done
for letters in '' mdablxegh; do
	both print $letters
	for text in '___ Begin jemalloc statistics ___' \
		'--- End jemalloc statistics ---' 'Allocated: '; do
		grep -q -e "$text" theirs.out && ! grep -q -e "$text" ours.out &&
			wrong "letters '$letters': no '$text'"
	done
done

# Symbols and, where both have debug information, types, as libabigail sees
# them. The contract leaves out what is for tests of the reference.
if command -v abidiff >/dev/null; then
	printf '[suppress_variable]\nsymbol_name_regexp = ^je_test_hooks_\n' >less
	abidiff --no-added-syms --suppressions less "$theirs" "$lib" >abidiff.out ||
		wrong "abidiff: $(grep -E '^ *\[[DC]\]|[1-9][0-9]* (Removed|Changed)' abidiff.out)"
	# It would tell if something was gone: the other way round there is.
	abidiff --no-added-syms "$lib" "$theirs" >/dev/null &&
		wrong 'abidiff sees no difference where there is one'
else
	left_out 'abidiff is not installed'
fi
exit $status
