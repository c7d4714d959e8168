#!/bin/sh
# MALLOC_CONF with mistakes: each bad pair is named in one line, other pairs
# apply, and the program runs to its own end; abort_conf:true aborts.
. "$(dirname "$0")/lib.sh"
need perl

# Debug builds have abort_conf on by default; what is tested is how others go on.
first=
# Runs a program that allocates with MALLOC_CONF=$1; sets $ours, out, err.
run() { # CONF
	MALLOC_CONF=$first$1 LD_PRELOAD=$lib perl -e \
		'my @a = map { "x" x $_ } 1 .. 500; print "ran ", scalar @a, "\n"; exit 7' \
		>out 2>err
	ours=$?
}
runs() { # CONF
	run "$1"
	[ "$ours" -eq 7 ] || fail "status $ours with MALLOC_CONF=$(echo "$1" | head -c 80)"
	[ "$(cat out)" = 'ran 500' ] || fail "another output with MALLOC_CONF=$1"
	if grep -qv '^<jemalloc>: ' err; then
		fail "a line without mark: $(grep -v '^<jemalloc>: ' err | head -n 1)"
	fi
}
names() { # CONF PAIR...: each PAIR is in exactly one line of the messages
	runs "$1"
	shift
	for pair in "$@"; do
		n=$(grep -cF -e "$pair" err)
		[ "$n" -eq 1 ] || {
			cat err >&2
			fail "$n lines name $pair"
		}
	done
}
silent() { # CONF
	runs "$1"
	[ -s err ] && fail "MALLOC_CONF=$1 says: $(head -n 1 err)"
}

silent ''
run 'no_such_key:1'
[ "$ours" -ne 134 ] || first=abort_conf:false,
silent 'dirty_decay_ms:5000'
silent 'narenas:2,tcache:true,muzzy_decay_ms:-1,junk:false'
silent 'abort_conf:true,narenas:1'
names 'no_such_key:1' 'no_such_key:1'
names 'tcache:maybe' 'tcache:maybe'
runs 'prof:true'
if [ ! -s err ]; then # it is built with heap profiles
	silent 'prof:true,prof_holes:true'
	names 'prof:true,prof_holes:true,canary:true' 'prof_holes has no effect'
	names 'lg_prof_sample:12' \
		'lg_prof_sample has no effect without prof:true, unless'
fi
names 'dirty_decay_ms:soon,no_such_key:x,narenas:many' \
	'dirty_decay_ms:soon' 'no_such_key:x' 'narenas:many'
names 'dirty_decay_ms:99999999999999999999999' \
	'dirty_decay_ms:99999999999999999999999'
# shellcheck disable=SC2016
names 'no_such_key:$(id)%s%n;`x`' 'no_such_key:$(id)%s%n;`x`'

# What can't be read as pairs: any message will do, as long as there is one.
# shellcheck disable=SC2258
for conf in narenas narenas: : :1 'narenas 1' ,,, 'narenas:1,,tcache:true' \
	'narenas:1,' "$(printf '\001\377\200:1')" 'Narenas:1' ' narenas:1'; do
	runs "$conf"
	[ -s err ] || fail "nothing is said about MALLOC_CONF=$conf"
done
long=$(head -c 100000 /dev/zero | tr '\0' a)
runs "$long:1"
runs "no_such_key:$long"
runs "$(awk 'BEGIN { for (i = 0; i < 2000; i++) printf "no_such_key%d:%d,", i, i; print "narenas:1" }')"

# A good pair beside a bad one applies.
run 'no_such_key:1,stats_print:true'
grep -q 'jemalloc statistics' err out || fail 'a good pair after a bad one does not apply'
[ "$ours" -eq 7 ] || fail "status $ours with stats_print:true"

run 'abort_conf:true,no_such_key:1,no_such_word:2'
[ "$ours" -eq 134 ] || fail "status $ours, not 134, with abort_conf:true"
grep -q no_such_key:1 err || fail 'abort_conf:true: the first pair is not named'
grep -q no_such_word:2 err || fail 'abort_conf:true: the second pair is not named'
exit 0
