#!/bin/sh
# 64 MiB of address space (ulimit -v 65536) set before the start are enough to
# start programs and to work; what runs so without the library runs with it.
# shellcheck disable=SC2016,SC3045
. "$(dirname "$0")/lib.sh"
need sh perl sqlite3 awk
(ulimit -v 65536) 2>/dev/null || skip 'ulimit -v does not work here'
for program in sh awk perl sqlite3; do
	check_bound "$program" --version
done

limited() { # COMMAND...
	(
		ulimit -v 65536
		exec "$@"
	)
}
try() { # COMMAND...
	limited "$@" >plain.out 2>plain.err </dev/null || {
		echo "note: $1 does not run in 64 MiB without the library"
		return
	}
	limited env LD_PRELOAD="$lib" "$@" >ours.out 2>ours.err </dev/null || {
		status=$?
		tail -n 3 ours.err >&2
		fail "$*: status $status in 64 MiB of address space"
	}
	cmp plain.out ours.out || fail "$1: another output"
}
try /bin/true
try sh -c 'for i in 1 2 3 4 5; do echo "$i" | cat; done'
try awk 'BEGIN { for (i = 0; i < 60000; i++) a[i] = i "x"; print length(a) }'
try perl -e 'my %h; $h{$_} = "v" x 40 for 1 .. 60000; print scalar(keys %h), "\n"'
try perl -e 'my @a = map { "x" x 1048576 } 1 .. 10; print scalar(@a), "\n"'
try sqlite3 :memory: 'with recursive n(i) as (select 1 union all
	select i+1 from n where i<40000) select count(*), sum(i) from n;'
command -v bash >/dev/null && try bash -c 'for ((i = 0; i < 20000; i++)); do
	a[i]=$i; done; echo ${#a[@]}; (echo sub) | cat'
exit 0
