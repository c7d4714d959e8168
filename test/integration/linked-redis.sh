#!/bin/sh
# redis-server as Debian links it: it finds a jemalloc, and what it asks of it by
# mallctl has answers.
. "$(dirname "$0")/lib.sh"
. "$here/linked.sh"
need redis-benchmark redis-cli
need_linked redis-server

socket=$tmp/redis.sock
background_linked redis-server --port 0 --unixsocket "$socket" --save '' \
	--appendonly no --dir "$tmp" --daemonize no --maxclients 100 \
	>server.log 2>&1
server=$child
ask() { redis-cli -s "$socket" "$@"; }
wait_for "$server" ask ping
check_linked "$server"

# The header that Redis was built with gives the number.
ask info memory | grep -q 'mem_allocator:jemalloc-5\.3\.' ||
	fail "INFO memory: $(ask info memory | grep mem_allocator)"
figure() { # NAME: a number of INFO memory
	ask info memory | tr -d '\r' | sed -n "s/^$1://p"
}
linked redis-benchmark -s "$socket" -q -c 20 -P 8 -r 20000 -n 60000 -d 300 \
	-t set,lpush,hset >load.out 2>&1 || fail 'redis-benchmark'
# Its figures are refreshed ten times a second, if it has its turn. What Redis
# counts itself is a part of what the library counts.
figures_fit() {
	ask info memory | tr -d '\r' >info
	of() { sed -n "s/^$1://p" info; }
	allocated=$(of allocator_allocated)
	active=$(of allocator_active)
	resident=$(of allocator_resident)
	used=$(of used_memory)
	echo "allocated $allocated, active $active, resident $resident, used $used"
	[ "${allocated:-0}" -gt 5000000 ] && [ "$active" -ge "$allocated" ] &&
		[ "$resident" -ge "$active" ] &&
		[ "$allocated" -ge $((used * 9 / 10)) ]
}
wait_for "$server" figures_fit
for name in allocator_frag_ratio allocator_rss_ratio mem_fragmentation_ratio; do
	figure $name | grep -q '^[0-9.]*$' || fail "$name is $(figure $name)"
done

ask memory stats >stats.out
for name in allocator.allocated allocator.active allocator.resident; do
	grep -q "$name" stats.out || fail "MEMORY STATS has no $name"
done
ask memory malloc-stats >malloc-stats.out
grep -q 'Begin jemalloc statistics' malloc-stats.out ||
	fail "MEMORY MALLOC-STATS: $(head -n 1 malloc-stats.out)"
grep -q 'Allocated: ' malloc-stats.out || fail 'no figures in MALLOC-STATS'
[ -n "$(ask memory doctor)" ] || fail 'MEMORY DOCTOR says nothing'

ask flushall >/dev/null
[ "$(ask memory purge)" = OK ] || fail "MEMORY PURGE: $(ask memory purge)"
less_is_resident() {
	echo "resident was $resident, and is $(figure allocator_resident)"
	[ "$(figure allocator_resident)" -lt "$resident" ]
}
wait_for "$server" less_is_resident

# Debian's build has no defragmentation: any answer but silence will do.
[ -n "$(ask config set activedefrag yes 2>&1)" ] || fail 'no answer'
[ "$(ask ping)" = PONG ] || fail 'the server is gone'
ask config get jemalloc-bg-thread | grep -q yes || echo 'note: no jemalloc-bg-thread'
ask config set jemalloc-bg-thread no >/dev/null
ask shutdown nosave >/dev/null 2>&1
wait "$server" || {
	tail -n 20 server.log >&2
	fail "the server ended with status $?"
}
children=
exit 0
