#!/bin/sh
# Varnish, a cache of web pages whose worker allocates by many threads, in front
# of a small server of ours; both on loopback.
. "$(dirname "$0")/lib.sh"
. "$here/linked.sh"
need curl pgrep python3 varnishd
# Only the worker process of it, in a library, may be linked.
LD_LIBRARY_PATH=$tmp/linked ldd "$(command -v varnishd)" |
	grep -q "$tmp/linked/libjemalloc" || skip 'varnishd is not linked with it'

origin=$(free_port)
cat >origin.py <<'END'
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        body = (self.path * 20000).encode()[:200000]
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.send_header('Cache-Control', 'max-age=600')
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments): pass
http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()
END
python3 origin.py "$origin" &
children="$children $!"
port=$(free_port)
printf 'vcl 4.0;\nbackend default { .host = "127.0.0.1"; .port = "%s"; }\n' \
	"$origin" >test.vcl
mkdir work
# -j none: it may be started by any user, and its files stay here.
get() { curl -s -m 100 -o page.out -w '%{http_code}' "http://127.0.0.1:$port/$1"; }
up() { [ "$(get first)" = 200 ]; }
starts 600 up varnishd -F -j none -n "$tmp/work" -a "127.0.0.1:$port" -T none \
	-f "$tmp/test.vcl" -s malloc,64m -p thread_pool_min=10
check_linked "$server"
i=0
while [ $i -lt 60 ]; do
	[ "$(get "page-$((i % 20))")" = 200 ] || fail "request $i"
	head -c 8 page.out | grep -q '^/page-' || fail "another page $i"
	i=$((i + 1))
done
linked curl -s -m 200 --parallel --parallel-max 10 -o '/dev/null' \
	"http://127.0.0.1:$port/all-[1-100]" || fail 'parallel requests'
curl -s -m 100 -D headers.out -o page.out "http://127.0.0.1:$port/page-1"
grep -qi '^x-varnish: [0-9]* [0-9]' headers.out || fail 'nothing was cached'
[ "$(wc -c <page.out)" -eq 140000 ] || fail "$(wc -c <page.out) bytes"
worker=$(pgrep -P "$server" | head -n 1)
[ -n "$worker" ] || fail 'the server has no worker'
check_linked "$worker"
kill "$server"
wait "$server"
grep -i -e '<jemalloc>' -e 'panic' -e 'died signal' server.log && fail 'see above'
for child in $children; do
	[ "$child" = "$server" ] || kill "$child"
done
children=
exit 0
