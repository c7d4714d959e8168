#!/bin/sh
# Programs that replace forms of operator new and delete: each single one, and
# all sets of the common ones. The default forms call what C++ says, so that
# the program prints the same as with its C++ library's own: preloaded, linked
# with the shared library, and with the archives, dynamic and static.
. "$(dirname "$0")/lib.sh"
need g++ readelf strip
source=$here/../operators
folder=$(dirname "$lib")
status=0

wrong() {
	echo "FAIL: $*" >&2
	status=1
}

g++ -std=c++17 -O1 -fPIC -fno-builtin -c -o main.o "$source/main.cc" ||
	fail 'the program does not build'
form=0
while [ $form -lt 20 ]; do
	g++ -std=c++17 -fPIC -DFORM=$form -c -o f$form.o \
		"$source/form.cc" || fail "form $form does not build"
	g++ -shared -nostdlib -o f$form.so f$form.o ||
		fail "form $form does not link"
	form=$((form + 1))
done
# Where only the forms matter, not how they are linked: a linker that takes no
# time, if it is there.
quick=-fuse-ld=gold
echo 'int main() { return 0; }' >empty.cc
g++ $quick -o empty empty.cc 2>/dev/null || quick=

# agrees WHAT PROGRAM PLAIN-PROGRAM PRELOADED PRELOADED-TO-PLAIN MODES: whether
# the two programs print the same, in all modes one after the other.
agrees() {
	what=$1 program=$2 plain=$3 preload=$4 preload_plain=$5 modes=$6
	LD_PRELOAD=$preload_plain $plain $modes >plain.out 2>&1 ||
		fail "$what: fails without the library"
	LD_PRELOAD=$preload LD_LIBRARY_PATH=$folder $program $modes \
		>ours.out 2>&1 || wrong "$what: fails: $(tail -n 1 ours.out)"
	cmp -s plain.out ours.out || {
		diff plain.out ours.out | head -n 5 >&2
		wrong "$what, $modes: another way (<: C++, >: ours)"
	}
	# Replaced, but never called: this test would see nothing.
	case $what in
	*[0-9]*) grep -q ' [0-9]' ours.out ||
		wrong "$what: none is called" ;;
	esac
}

# Sets that libraries before ours replace, which is the same to whom calls them.
sets() { # MODES FORM...: all sets of these
	modes=$1
	shift
	set=0
	while [ $set -lt $((1 << $#)) ]; do
		forms='' bit=0
		for form; do
			[ $((set >> bit & 1)) -eq 0 ] ||
				forms="$forms $tmp/f$form.so"
			bit=$((bit + 1))
		done
		agrees "set of$(echo "$forms" | sed "s|$tmp/||g")" \
			./program ./program "$forms $lib" "$forms" "$modes"
		set=$((set + 1))
	done
}
g++ -rdynamic -o program main.o || fail 'the program does not link'
if [ "${TEST_LONG:-0}" != 0 ]; then
	sets 'take throw huge alone' 0 1 2 3 4 5 6 7
	sets 'take throw huge alone' 10 11 12 13 15 17
else
	# The longest ways: nothrow array, array, plain; sized array, array, plain.
	sets take 0 1 2 3 5 7
	sets take 10 11 12 13
fi

# In the program itself: no form, each single one, all that make an allocator
# of the program's own, the plain ones, all.
archive=$folder/libjemalloc.a
g++ -static -o empty empty.cc 2>/dev/null && static=yes || static=
# What is in it for debuggers is most of a linker's work.
[ ! -f "$archive" ] || strip -g -o whole.a "$archive" || fail 'no copy'
[ -f "$archive" ] && archive=./whole.a || { archive='' static=''; }
# Where a program lies at a fixed place, the address of a function that it takes
# is that of a stub of its own.
cat >taken.cc <<'END'
#include <cstdlib>
#include <new>
bool taken()
{
	void *(*volatile take)(std::size_t) = std::malloc;
	void (*volatile give)(void *) = std::free;
#ifdef OPERATORS
	void (*volatile remove)(void *) = ::operator delete;
	remove(nullptr);
#endif
	give(take(1));
	return true;
}
static bool done = taken();
END
g++ -fno-pie -O1 -fno-builtin -DOPERATORS -c -o taken-all.o taken.cc
g++ -fno-pie -O1 -fno-builtin -c -o taken.o taken.cc
for forms in '' 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 \
	'0 2' '0 1 2 3' '2 3 6' '10 12' '0 2 10 12' '4 5 8 9' '1 3 7' \
	'0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19'; do
	objects=main.o
	for form in $forms; do objects="$objects f$form.o"; done
	modes='take throw huge alone'
	case " $forms " in *' 0 2 10 12 '*) modes="$modes pool" ;; esac
	g++ $quick -o plain $objects || fail "does not link: $forms"
	agrees "program with: $forms, preloaded" ./plain ./plain "$lib" '' \
		"$modes"
	case ${TEST_LONG:-0}$forms in
	0[0-9] | 01[0-9]) linker=$quick ;;
	*) linker='' ;;
	esac
	g++ $linker -no-pie -o fixed $objects taken-all.o ||
		fail "does not link: $forms"
	agrees "fixed program with: $forms, preloaded" ./fixed ./fixed \
		"$lib" '' take
	# Linking takes its time.
	case ${TEST_LONG:-0}$forms in
	0[45679] | 011 | 013 | 017 | 018 | 019) continue ;;
	esac
	# The same look-ups as preloaded: the sets do.
	case ${TEST_LONG:-0}$forms in
	0[0-9] | 01[0-9]) ;;
	*)
		g++ -o linked $objects "$lib" || fail "does not link: $forms"
		agrees "program with: $forms, linked" \
			./linked ./plain '' '' "$modes"
		;;
	esac
	[ -z "$archive" ] && continue
	g++ -o archived $objects "$archive" -ldl -pthread ||
		fail "does not link: $forms"
	agrees "program with: $forms, archive" ./archived ./plain '' '' \
		"$modes"
	[ -z "$static" ] && continue
	g++ -static -o archived $objects "$archive" -pthread 2>link.log ||
		fail "does not link: $forms: $(tail -n 2 link.log)"
	agrees "program with: $forms, static" ./archived ./plain '' '' \
		"$modes"
done
[ -n "$static" ] || echo 'not tried: static programs'

# The library must be the one whose operators are called where none is replaced:
# then, and only then, a wrong size is found.
g++ -no-pie -rdynamic -o fixed main.o taken.o
readelf --dyn-syms -W fixed | grep -q '[1-9a-f][0-9a-f]*  *0 FUNC.*UND free' ||
	echo 'not tried: stubs'
for program in ./program ./fixed; do
	preloaded $program wrong >out 2>&1 && wrong "$program: size not looked at"
	grep -q 'size-mismatch' out || wrong "$program: $(head -n 1 out)"
	LD_PRELOAD="$tmp/f2.so $lib" $program wrong >out 2>&1 ||
		wrong "$program: a size is looked at, delete is not ours"
done

# A program with a malloc of its own, and no operators: delete frees by that.
cat >own.cc <<'END'
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
static char pool[1 << 22];
static std::size_t at;
static int given;
extern "C" {
void *malloc(std::size_t n) { at += (n + 31) & ~15ul; return pool + at - ((n + 15) & ~15ul); }
void *calloc(std::size_t n, std::size_t m) { return std::memset(malloc(n * m), 0, n * m); }
void *realloc(void *p, std::size_t n) { void *q = malloc(n); return p ? std::memmove(q, p, n) : q; }
void free(void *p) { if (p >= pool && p < pool + sizeof(pool)) given++; else if (p) abort(); }
}
int main()
{
	std::size_t volatile size = 40;
	int before = given;
	::operator delete(::operator new(size), size);
	::operator delete[](::operator new[](size), size);
	::operator delete[](::operator new[](size, std::nothrow));
	before = given - before;
	std::printf("%d\n", before);
	return before != 3;
}
END
for flags in -pie -no-pie; do
	g++ -O1 -fPIC -fno-builtin $flags -rdynamic -o own own.cc ||
		fail 'own.cc does not build'
	preloaded ./own >out 2>&1 || wrong "own malloc $flags: $(tail -n 1 out)"
done
exit $status
