#!/bin/sh
# BIND's named, which uses mallocx and explicit arenas: it answers for a zone of
# ours, on loopback, and reloads it.
. "$(dirname "$0")/lib.sh"
. "$here/linked.sh"
need dig python3
need_linked named

port=$(free_port)
{
	echo '$TTL 60'
	echo '@ IN SOA ns.test. admin.test. ( 1 3600 600 86400 60 )'
	echo ' IN NS ns.test.'
	echo 'ns IN A 127.0.0.1'
	i=0
	while [ $i -lt 2000 ]; do
		echo "h$i IN A 10.0.$((i / 250)).$((i % 250))"
		echo "h$i IN TXT \"host number $i\""
		i=$((i + 1))
	done
} >test.zone
cat >named.conf <<END
options {
	directory "$tmp";
	listen-on port $port { 127.0.0.1; };
	listen-on-v6 { none; };
	pid-file "$tmp/named.pid";
	session-keyfile "$tmp/session.key";
	managed-keys-directory "$tmp";
	recursion no;
	dnssec-validation no;
	empty-zones-enable no;
	notify no;
	statistics-file "$tmp/named.stats";
};
controls { };
zone "test" { type primary; file "test.zone"; };
END
background_linked named -g -4 -c "$tmp/named.conf" -n 2 -p "$port" >server.log 2>&1
server=$child
ask() { # NAME TYPE [OPTIONS]
	linked dig +tries=3 +time=20 +short -p "$port" @127.0.0.1 "$@"
}
answers() { [ "$(ask "h$1.test" A)" = "10.0.$(($1 / 250)).$(($1 % 250))" ]; }
wait_for "$server" answers 7
check_linked "$server"

[ "$(ask h1999.test TXT)" = '"host number 1999"' ] || fail 'another TXT record'
i=0
while [ $i -lt 60 ]; do
	echo "h$((i * 31)).test A"
	echo "missing$i.test A"
	i=$((i + 1))
done >queries
linked dig +tries=3 +time=20 +short -p "$port" @127.0.0.1 -f queries >answers.out
[ "$(wc -l <answers.out)" -eq 60 ] || fail "$(wc -l <answers.out) answers, not 60"
# Whole zone over TCP: 4002 records and the SOA once more.
linked dig -p "$port" @127.0.0.1 test AXFR +noall +answer >axfr.out
[ "$(wc -l <axfr.out)" -eq 4004 ] || fail "$(wc -l <axfr.out) records, not 4004"
for serial in 2 3 4; do
	sed "s/( [0-9]* 3600/( $serial 3600/" test.zone >new.zone
	mv new.zone test.zone
	kill -HUP "$server"
	reloaded() { ask test SOA | grep -q " $serial 3600"; }
	wait_for "$server" reloaded
done
answers 1500 || fail 'no answer after the last reload'
finish "$server"
grep -i -e 'assertion failure' -e '<jemalloc>' server.log && fail 'see above'
exit 0
