#!/bin/sh
# redis: server and load generator both under the library; contents, memory
# figures and background saving (a fork under load) are checked.
. "$(dirname "$0")/lib.sh"
need redis-server redis-benchmark redis-cli
check_bound redis-server --version

socket=$tmp/redis.sock
background redis-server --port 0 --unixsocket "$socket" --save '' \
	--appendonly no --dir "$tmp" --daemonize no --maxclients 100 \
	>server.log 2>&1
server=$child
tries=0
until [ "$(redis-cli -s "$socket" ping 2>/dev/null)" = PONG ]; do
	tries=$((tries + 1))
	kill -0 "$server" 2>/dev/null || {
		cat server.log >&2
		fail 'the server has ended'
	}
	[ $tries -lt 3000 ] || fail 'the server does not answer'
	sleep 0.1
done
check_loaded "$server"

load() { # ARGUMENTS...
	preloaded redis-benchmark -s "$socket" -q -c 20 -P 8 -r 20000 "$@" \
		>load.out 2>&1 || {
		tail -n 5 load.out >&2
		fail "redis-benchmark $*"
	}
	grep -q 'requests per second' load.out || fail 'no result of the load'
}
load -n 60000 -d 100 -t set,get,incr,lpush,hset,sadd,zadd,spop
load -n 10000 -d 5000 -t set,get
redis-cli -s "$socket" bgsave >/dev/null
load -n 40000 -d 300 -t set,lpush,hset
load -n 40000 -d 20 -t set
redis-cli -s "$socket" config set lazyfree-lazy-user-del yes >/dev/null

i=0
while [ $i -lt 2000 ]; do
	echo "SET check:$i value-$i-$((i * i))"
	i=$((i + 1))
done | redis-cli -s "$socket" --pipe >/dev/null || fail 'redis-cli --pipe'
for i in 0 1 77 1999; do
	[ "$(redis-cli -s "$socket" get "check:$i")" = "value-$i-$((i * i))" ] ||
		fail "key check:$i has another value"
done
[ "$(redis-cli -s "$socket" memory purge)" = OK ] || echo 'note: no purge'
redis-cli -s "$socket" memory malloc-stats >malloc-stats.out
redis-cli -s "$socket" flushall async >/dev/null
tries=0
while redis-cli -s "$socket" info persistence |
	grep -q 'rdb_bgsave_in_progress:1'; do
	tries=$((tries + 1))
	[ $tries -lt 3000 ] || fail 'the background save does not end'
	sleep 0.1
done
redis-cli -s "$socket" info persistence | grep -q 'rdb_last_bgsave_status:ok' ||
	fail 'the background save failed'
[ "$(redis-cli -s "$socket" dbsize)" = 0 ] || fail 'flushall left keys'
redis-cli -s "$socket" shutdown nosave >/dev/null 2>&1
wait "$server" || {
	tail -n 20 server.log >&2
	fail "the server ended with status $?"
}
children=
