#!/bin/sh
# Programs under a sanitizer or valgrind, with the library preloaded or linked:
# objects are the checker's, so it finds in them what it finds without the
# library, a program without fault ends well, and one line says what happens.
. "$(dirname "$0")/lib.sh"
need gcc g++ strip
chosen dlopen || skip 'built without a malloc that is the process'\''s'
folder=$(dirname "$lib")
status=0
tried=0

wrong() {
	echo "FAIL: $*" >&2
	status=1
}

# Names in stacks take time to find.
ASAN_OPTIONS=symbolize=0 TSAN_OPTIONS=symbolize=0
MSAN_OPTIONS=symbolize=0 LSAN_OPTIONS=symbolize=0
export ASAN_OPTIONS TSAN_OPTIONS MSAN_OPTIONS LSAN_OPTIONS

# With random addresses a sanitizer may find no room for its shadow.
fixed=
! setarch "$(uname -m)" -R true 2>/dev/null || fixed="setarch $(uname -m) -R"

cat >faults.c <<'END'
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int shared;
static void *run(void *p) { shared++; return p; }
static int each_form(void)
{
	char *p, *line = NULL;
	size_t n = 0;
	void *q = NULL;
	FILE *f = fopen("faults.c", "r");
	if (f == NULL || getline(&line, &n, f) < 0) return 1;
	fclose(f);
	free(line);
	if (posix_memalign(&q, 256, 100) || (size_t)q % 256) return 2;
	q = realloc(q, 5000);
	if (malloc_usable_size(q) < 5000) return 3;
	free(q);
	free(aligned_alloc(64, 128));
	free(memalign(64, 10));
	q = valloc(10);
	if ((size_t)q % 4096) return 4;
	free(q);
	free(reallocarray(NULL, 7, 9));
	p = calloc(100, 10);
	for (int i = 0; i < 1000; i++) if (p[i]) return 5;
	free(p);
	free(strdup("text"));
	free(realloc(NULL, 3));
	free(NULL);
	return 0;
}
int main(int argc, char **argv)
{
	char what = argc > 1 ? argv[1][0] : 0;
	int wrong = each_form();
	pthread_t threads[2];
	if (wrong) return 40 + wrong;
	for (int i = 0; i < 2; i++) {
		pthread_create(&threads[i], NULL, run, NULL);
		if (what != 'r') pthread_join(threads[i], NULL);
	}
	for (int i = 0; i < 2 && what == 'r'; i++)
		pthread_join(threads[i], NULL);
	if (what == 'o' || what == 'b') { char *volatile p = malloc(10); p[10] = 1; free(p); }
	if (what == 'u') {
		int *volatile p = malloc(40);
		if (p[3] == 7) puts("seven");
		free(p);
	}
	if (what == 'l' || what == 'b') { void *volatile p = malloc(1234); p = NULL; }
	puts("end");
	return 0;
}
END
# Objects of one family that go back by another, or by a size.
cat >mixed.c <<'END'
#include <jemalloc/jemalloc.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
void free_sized(void *, size_t);
int main(int argc, char **argv)
{
	char what = argc > 1 ? argv[1][0] : 0, *p;
	unsigned arena = 0, cache = 0;
	size_t n = sizeof(arena), got = 0;
	void *objects[10];
	struct { void **to; size_t count, size; int flags; } batch =
	    { objects, 10, 40, 0 };
	free(mallocx(100, 0));
	dallocx(malloc(50), 0);
	sdallocx(malloc(50), 50, 0);
	free_sized(malloc(50), 50);
	p = mallocx(300, MALLOCX_ALIGN(256) | MALLOCX_ZERO);
	if ((size_t)p % 256) return 41;
	for (int i = 0; i < 300; i++) if (p[i]) return 42;
	memset(p, 7, 300);
	if (sallocx(p, 0) < 300 || xallocx(p, 300, 0, 0) < 300) return 43;
	p = rallocx(p, 9000, MALLOCX_ALIGN(512));
	if ((size_t)p % 512 || p[299] != 7) return 44;
	p = realloc(p, 20);
	if (p[19] != 7 || malloc_usable_size(p) < 20) return 45;
	sdallocx(p, nallocx(20, 0), 0);
	if (mallctl("arenas.create", &arena, &n, NULL, 0)) return 46;
	free(mallocx(64, MALLOCX_ARENA(arena)));
	if (mallctl("tcache.create", &cache, &n, NULL, 0)) return 47;
	dallocx(mallocx(64, MALLOCX_TCACHE(cache)), MALLOCX_TCACHE(cache));
	n = sizeof(got);
	if (mallctl("experimental.batch_alloc", &got, &n, &batch, sizeof(batch)) ||
	    got != 10) return 48;
	while (got > 0) free(objects[--got]);
	if (what == 'o' || what == 'b') { char *volatile q = mallocx(10, 0); q[10] = 1; free(q); }
	if (what == 'l' || what == 'b') { void *volatile q = mallocx(1234, 0); q = NULL; }
	puts("end");
	return 0;
}
END
cat >deep.cc <<'END'
__attribute__((noinline)) char *which_took_it(unsigned long n)
{
	char *p = new char[n];
	p[0] = 1;
	return p;
}
int main()
{
	char *volatile p = which_took_it(10);
	p[10] = 1;
	return 0;
}
END

run() { # NAME COMMAND...: sets $code; NAME.out, NAME.err
	name=$1
	shift
	# shellcheck disable=SC2086
	$fixed "$@" >"$name.out" 2>"$name.err" </dev/null
	code=$?
}

# What the checker says of a fault.
said() { # FILE FAULT
	case $2 in
	overflow) grep -Eq 'heap-buffer-overflow|Invalid write of size 1' "$1" ;;
	leak) grep -Eq '1234 byte|1,234 bytes in 1 blocks are definitely' "$1" ;;
	race) grep -q 'data race' "$1" ;;
	uninitialised) grep -q 'use-of-uninitialized-value' "$1" ;;
	esac
}

# As without the library, but for LINES lines of ours?
like_plain() { # LINES PROGRAM [FAULT]
	lines=$1
	shift
	about="$label${2+: $2}"
	run plain "./$1" ${2+"$2"}
	plain=$code
	if [ $# = 1 ] && [ $plain != 0 ] || [ $# = 2 ] && ! said plain.err "$2"; then
		left_out "$about: does not work here: $(head -n 1 plain.err)"
		return
	fi
	tried=$((tried + 1))
	run ours env LD_PRELOAD="$lib" "./$1" ${2+"$2"}
	[ $code = $plain ] || wrong "$about: status $code, not $plain"
	cmp -s plain.out ours.out || wrong "$about: another output"
	[ "$(grep -c '^<jemalloc>' ours.err)" = "$lines" ] ||
		wrong "$about: $(grep -c '^<jemalloc>' ours.err) lines, not $lines"
	[ $# = 1 ] || said ours.err "$2" || wrong "$about: not found"
	[ "$lines" = 0 ] || grep -q "^<jemalloc>: .*Sanitizer is in this process" \
		ours.err || wrong "$about: it does not say who is there"
}

build() { # PROGRAM COMPILER ARGUMENTS...: false if it can't be built here
	program=$1
	shift
	"$@" -g -O0 -fno-builtin -o "$program" -pthread >build.log 2>&1 && return
	left_out "$*: $(head -n 1 build.log)"
	return 1
}

try() { # LINES FAULTS COMPILER FLAGS...
	lines=$1
	faults=$2
	shift 2
	label="$*"
	build preloaded "$@" faults.c || return 0
	like_plain "$lines" preloaded
	for fault in $faults; do
		like_plain "$lines" preloaded "$fault"
	done
}

# A malloc of its own that comes after ours in the order of look-ups.
try 1 'overflow leak' gcc -fsanitize=address
try 1 leak gcc -fsanitize=leak
try 1 race gcc -fsanitize=thread
# One in the program that does not tell what it is.
try 0 'overflow leak' gcc -fsanitize=address -static-libasan
# No malloc of its own.
try 0 '' gcc -fsanitize=undefined
if command -v clang >/dev/null; then
	try 1 'overflow leak' clang -fsanitize=address
	try 1 leak clang -fsanitize=leak
	try 1 race clang -fsanitize=thread
	try 1 'uninitialised' clang -fsanitize=memory
	try 0 '' clang -fsanitize=undefined
else
	left_out 'clang is not installed'
fi

# A report says who took an object by an operator of ours.
if build deep g++ -fsanitize=address deep.cc; then
	run plain env ASAN_OPTIONS= ./deep
	run ours env ASAN_OPTIONS= LD_PRELOAD="$lib" ./deep
	! grep -q which_took_it plain.err || grep -q which_took_it ours.err ||
		wrong 'the stack of an object ends at operator new'
fi

# Linked, with calls that only this library has.
linked_ok() { # PROGRAM
	run mixed "./$1"
	[ $code = 0 ] && [ "$(cat mixed.out)" = end ] ||
		wrong "$1: status $code: $(tail -n 1 mixed.err)"
	for fault in overflow leak; do
		run mixed "./$1" $fault
		said mixed.err $fault || wrong "$1: $fault not found"
	done
}
includes="-I${top_builddir:-.}/include -I$here/../../include"
for place in include "$folder/../include" "$here/../../include"; do
	[ ! -f "$place/jemalloc/jemalloc.h" ] || includes="-I$place $includes"
done
# shellcheck disable=SC2086
if build linked gcc -fsanitize=address $includes mixed.c "$lib" \
	-Wl,-rpath,"$folder"; then
	linked_ok linked
fi

# Memcheck replaces malloc wherever it is, so this needs no line.
if command -v valgrind >/dev/null; then
	# It goes on after a fault, so it is run once for all.
	memcheck() { # FAULT COMMAND...: sets $code
		fault=$1
		shift
		run checked valgrind -q --leak-check=full --error-exitcode=9 \
			--trace-children=yes "$@" ${fault:+$fault}
	}
	# Some valgrinds can't read what clang says for debuggers, and end.
	bare=$tmp/libjemalloc.so.2
	strip -g -o "$bare" "$lib" || fail 'no copy of the library'
	build plainly gcc faults.c || fail 'no program'
	memcheck '' env LD_PRELOAD="$bare" ./plainly
	[ $code = 0 ] && [ ! -s checked.err ] ||
		wrong "valgrind: $(head -n 1 checked.err)"
	memcheck both env LD_PRELOAD="$bare" ./plainly
	for fault in overflow leak; do
		said checked.err $fault || wrong "valgrind: no $fault"
	done
	# shellcheck disable=SC2086
	build linked gcc $includes mixed.c "$bare" -Wl,-rpath,"$tmp" ||
		fail 'no linked program'
	memcheck '' ./linked
	[ $code = 0 ] || wrong "valgrind: linked: $(head -n 1 checked.err)"
	memcheck both ./linked
	for fault in overflow leak; do
		said checked.err $fault || wrong "valgrind: linked: no $fault"
	done
else
	left_out 'valgrind is not installed'
fi
[ $tried != 0 ] || skip 'no sanitizer works here'
exit $status
