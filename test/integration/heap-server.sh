#!/bin/sh
# The example of a service that offers its heap profile over HTTP: each page,
# asked for by curl, and what its profiles say.
. "$(dirname "$0")/lib.sh"
need curl
server=${lib%/lib/*}/test/example/heap-server
JEPROF=${lib%/lib/*}/bin/jeprof
no_proxy=127.0.0.1
export JEPROF no_proxy
chosen jeprof || skip 'libdw-dev or libpcre2-dev is not installed,' \
	'so jeprof was not to be built'
built "$server" "$JEPROF"
TMPDIR=$tmp
export TMPDIR

start() { # CONF: starts a server; sets $url
	: >address
	MALLOC_CONF=$(strict "$1") LD_PRELOAD=${preload-$lib} "$server" >address &
	child=$!
	children="$children $child"
	tries=0
	until grep -q / address; do
		tries=$((tries + 1))
		[ $tries -lt 3000 ] || fail 'the server does not listen'
		sleep 0.1
	done
	url=$(sed 's,/$,,' address)
}

end() { # NAME: ends the last one
	kill "$child"
	wait "$child" || fail "the end of $1"
	children=
}

get() { # PAGE [ARGUMENTS]: its text
	page=$1
	shift
	curl -sS --fail --max-time 600 "$@" "$url$page" || fail "GET $page"
}

says() { # PAGE TEXT
	[ "$(get "$1")" = "$2" ] || fail "$1 does not say $2"
}

status() { # PAGE NUMBER
	got=$(curl -s -o /dev/null -w '%{http_code}' "$url$1")
	[ "$got" = "$2" ] || fail "$1: status $got, not $2"
}

leaked() { # FILE: bytes that the leaking function has, as the dump says
	"$JEPROF" --text --show_bytes "$server" "$1" 2>/dev/null |
		awk '$6 == "history_remember" { print $1; n++ }
			END { if (!n) print 0 }'
}

# The fewest samples are 5,000: then it is eight standard errors, and missed by
# chance less than once in 10^14 (Chernoff).
within() { # BYTES WANTED: 12 %
	awk "BEGIN { exit !($1 > 0.88 * $2 && $1 < 1.12 * $2) }" ||
		fail "$1 bytes leaked, not about $2"
}

# --- without a profile ---
start prof:false
says '/work?sessions=5' '5 sessions'
status /flamegraph 503
status '/heap_profile?trigger_dump=true' 503
[ "$(curl -s -o /dev/null -w '%{http_code}' "$url/heap_profile?active=true")" \
	!= 503 ] || skip 'built without heap profiles'
says '/heap_profile?active=true' active=true
says '/work?sessions=100000' '100000 sessions'
get '/heap_profile?trigger_dump=true' -o late.heap
[ "$(leaked late.heap)" -gt 50000000 ] || fail 'a profile turned on later'
end 'a server'
preload='' start prof:true
status /heap_profile 503
status '/heap_profile?active=true' 503
end 'a server without the library'

# --- with one ---
start prof:true,lg_prof_sample:12,prof_final:true,prof_prefix:"$tmp"/final
check_loaded "$child"
says /heap_profile active=true
says '/work?sessions=20000' '20000 sessions'
get '/heap_profile?trigger_dump=true' -o first.heap
within "$(leaked first.heap)" 20480000
says '/heap_profile?active=false' active=false
says /heap_profile active=false
says '/work?sessions=20000' '20000 sessions'
get /pprof/heap -o paused.heap
[ "$(leaked first.heap)" = "$(leaked paused.heap)" ] ||
	fail 'a pause is no pause'
says '/heap_profile?active=true' active=true
says '/work?sessions=40000' '40000 sessions'
get /pprof/heap -o second.heap
within "$(leaked second.heap)" 61440000
"$JEPROF" --text --show_bytes --base=first.heap "$server" second.heap \
	>growth 2>/dev/null || fail 'the growth'
within "$(awk '$6 == "history_remember" { print $1 }' growth)" 40960000

get /flamegraph -o flames.svg
grep -q '<title>history_remember: ' flames.svg ||
	fail 'the leak is not in the flame graph'
status / 200
status /nothing 404
status '/heap_profile?active=perhaps' 400
curl -s -X DELETE -o /dev/null -w '%{http_code}' "$url/" | grep -q 400 ||
	fail 'an unknown method'

# --- what remote analysers ask for ---
get /pprof/cmdline | tr '\0' '\n' | head -n 1 | grep -qxF "$server" ||
	fail 'the command line'
says /pprof/symbol 'num_symbols: 1'
grep '^@' second.heap | tr ' ' '\n' | grep '^0x' | sort -u >pcs
get /pprof/symbol --data "$(tr '\n' + <pcs | sed 's/+$//')" >names
cut -d ' ' -f 1 names | cmp - pcs || fail 'addresses that are named'
grep -q ' session_run$' names || fail 'no name of a function'
if JEPROF_TMPDIR=$tmp "$JEPROF" --text --show_bytes "$url/pprof/heap" \
	>remote 2>remote.err; then
	within "$(awk '$6 == "history_remember" { print $1 }' remote)" 61440000
elif ! grep -q 'built without libcurl' remote.err; then
	cat remote.err >&2
	fail 'remote analysis'
fi

# --- many at once ---
jobs=
for page in flamegraph pprof/heap work?sessions=1000 flamegraph pprof/heap \
	'heap_profile?trigger_dump=true' heap_profile?active=true; do
	curl -sS --fail --max-time 600 -o /dev/null "$url/$page" &
	jobs="$jobs $!"
done
for job in $jobs; do
	wait "$job" || fail 'one of several requests'
done

# --- at the end it writes the last dump, and leaves nothing else ---
pid=$child
end 'the server'
[ -f "final.$pid.0.f.heap" ] || fail 'no final dump'
[ "$(leaked "final.$pid.0.f.heap")" -gt 50000000 ] || fail 'what it says'
for left in heap.*; do
	[ ! -e "$left" ] || fail "$left is left"
done
