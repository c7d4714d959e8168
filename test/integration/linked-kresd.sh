#!/bin/sh
# Knot Resolver: LuaJIT and C in one process; it answers for static names of
# ours, and asks nobody.
. "$(dirname "$0")/lib.sh"
. "$here/linked.sh"
need dig python3 kresd
LD_LIBRARY_PATH=$tmp/linked ldd "$(command -v kresd)" |
	grep -q "$tmp/linked/libjemalloc" || skip 'kresd is not linked with it'
port=$(free_port)
cat >kresd.conf <<END
net.listen('127.0.0.1', $port)
trust_anchors.remove('.')
modules.unload('ta_update')
modules.unload('ta_signal_query')
modules.unload('priming')
modules.unload('detect_time_skew')
modules.load('hints > iterate')
hints.root({ ['h.hosts.'] = '127.0.0.1' })
for i = 0, 999 do
	hints['h' .. i .. '.hosts.'] = '10.1.' .. math.floor(i / 250) .. '.' .. (i % 250)
end
cache.open(10 * MB, 'lmdb://$tmp/cache')
END
answer() { dig +tries=3 +time=10 +short -p "$port" @127.0.0.1 "h$1.hosts" A; }
up() { [ "$(answer 7)" = 10.1.0.7 ]; }
starts 600 up kresd -n -q -c "$tmp/kresd.conf" "$tmp"
check_linked "$server"
for i in 0 100 333 999; do
	[ "$(answer $i)" = "10.1.$((i / 250)).$((i % 250))" ] || fail "h$i.hosts"
done
finish "$server"
grep '<jemalloc>' server.log && fail 'see above'
exit 0
