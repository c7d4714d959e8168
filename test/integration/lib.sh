# Helpers of the integration tests; read in by each of them with
#   . "$(dirname "$0")/lib.sh"
# Afterwards:
#   $lib      the library under test, an absolute path
#   $here     the folder of the test, an absolute path
#   $tmp      a fresh folder, the current one, removed at the end
# and it is proven that the dynamic loader takes malloc from the library.
# Programs started with `background` are ended at the end, by their number.
# `skip TEXT` is that of scripts/lib.sh: the one way to skip a test.
# shellcheck shell=sh
. "$(dirname "$0")/../../scripts/lib.sh"

set -u
LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL PATH
unset MALLOC_CONF LD_PRELOAD

fail() { # TEXT...: the test has failed
	echo "FAIL: $*" >&2
	exit 1
}

left_out() { # TEXT...: so a part of the test is, for want of that
	echo "skipped: $*"
}

skip_as() { # LOG STATUS: as the tool skipped that wrote LOG, if it did
	[ "$2" -ne 77 ] || skip "$(sed -n 's/^skipped: //p' "$1" | head -n 1)"
}

lib=${JEMALLOC_LIB:-}
[ -n "$lib" ] || fail 'JEMALLOC_LIB does not name the library'
[ -f "$lib" ] || fail "there is no $lib"
lib=$(readlink -f "$lib")

here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d "${TMPDIR:-/tmp}/jemalloc-test.XXXXXX") || fail 'no mktemp'
children=
clean_up() {
	status=$?
	for child in $children; do
		kill "$child" 2>/dev/null && wait "$child" 2>/dev/null
	done
	cd / && rm -rf "$tmp"
	exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP
cd "$tmp" || fail "no $tmp"

# The Makefile says by JEMALLOC_BUILT what configure chose. By hand: all.
chosen() { # PART: jeprof, dlopen
	[ -n "${JEMALLOC_BUILT+set}" ] || return 0
	case " $JEMALLOC_BUILT " in
	*" $1 "*) ;;
	*) return 1 ;;
	esac
}

built() { # FILE...: what `make check` builds before
	for file in "$@"; do
		[ -x "$file" ] || fail "$file is not built"
	done
}

need() { # PROGRAM...: skips the test if one of them is not installed
	for program in "$@"; do
		command -v "$program" >/dev/null 2>&1 ||
			skip "$program is not installed"
	done
}

# Options for a program. One that the library does not take would test nothing:
# so it ends the program, but if CONF says otherwise.
strict() { # CONF: prints what MALLOC_CONF is to be
	case $1 in
	*abort_conf:*) printf '%s\n' "$1" ;;
	'') echo abort_conf:true ;;
	*) printf '%s\n' "abort_conf:true,$1" ;;
	esac
}

preloaded() { # COMMAND...: runs it with the library
	env LD_PRELOAD="$lib" "$@"
}

# Python's own tests, with the library. Some of them have limits of time that a
# busy machine does not keep: so they have three tries, and what is broken fails
# in all of them.
python_passes() { # PYTHON ARGUMENT...: ends the whole test
	program=$1
	shift
	for try in 1 2 3; do
		preloaded "$program" -m test "$@" >tests.out 2>&1 && exit 0
		echo "try $try: $(grep '^\(FAIL\|ERROR\):' tests.out | tr '\n' ' ')"
	done
	"$program" -m test "$@" >plain.out 2>&1 || {
		tail -n 3 plain.out
		skip 'the tests of Python fail here without the library too'
	}
	tail -n 30 tests.out >&2
	fail 'tests of Python fail with the library'
}

background() { # COMMAND...: with the library, in the background; sets $child
	env LD_PRELOAD="$lib" "$@" &
	child=$!
	children="$children $child"
}

# Is the library in the memory of process PID, and another one of its kind not?
check_loaded() { # PID
	grep -q " $lib\$" "/proc/$1/maps" ||
		fail "process $1 does not have the library loaded"
}

# Does the dynamic loader give COMMAND our malloc? (The loader is asked, so it
# holds for any program, and for the processes that it starts too.) With $symbol
# set, another function of ours.
symbol=malloc
check_bound() { # COMMAND...
	rm -f "$tmp"/bound.*
	env LD_PRELOAD="$lib" LD_DEBUG=bindings LD_DEBUG_OUTPUT="$tmp/bound" \
		"$@" >"$tmp/bound-out" 2>&1 </dev/null
	cat "$tmp"/bound.* 2>/dev/null |
		grep -q "to $lib .*symbol .$symbol'" ||
		fail "$symbol of $1 is not bound to the library"
	rm -f "$tmp"/bound.* "$tmp/bound-out"
}

check_bound /bin/true

# Runs COMMAND without and with the library: standard output and exit status
# must be the same, and nothing may be said on standard error that was not.
same() { # COMMAND...
	"$@" >"$tmp/plain.out" 2>"$tmp/plain.err" </dev/null
	plain=$?
	preloaded "$@" >"$tmp/ours.out" 2>"$tmp/ours.err" </dev/null
	ours=$?
	compare "$1" || exit 1
}

compare() { # NAME: what `same` has collected
	if [ "$plain" -ne "$ours" ]; then
		tail -n 5 "$tmp/ours.err" >&2
		fail "$1: exit status $ours, not $plain"
	fi
	cmp "$tmp/plain.out" "$tmp/ours.out" >&2 ||
		fail "$1: another output than without the library"
	cmp "$tmp/plain.err" "$tmp/ours.err" >&2 || {
		tail -n 5 "$tmp/ours.err" >&2
		fail "$1: other messages than without the library"
	}
}
