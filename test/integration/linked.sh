# Helpers for programs that Debian links with libjemalloc.so.2: they get ours as
# it would be installed, by LD_LIBRARY_PATH instead of preloading.
# shellcheck shell=sh
mkdir "$tmp/linked"
cp "$lib" "$tmp/linked/libjemalloc.so.2"

# Skips the test unless PROGRAM asks for libjemalloc.so.2.
need_linked() { # PROGRAM
	need "$1"
	LD_LIBRARY_PATH=$tmp/linked ldd "$(command -v "$1")" 2>/dev/null |
		grep -q "libjemalloc.so.2 => $tmp/linked/" ||
		skip "$1 is not linked with libjemalloc.so.2"
}

linked() { # COMMAND...: runs it with our library in the place of theirs
	env LD_LIBRARY_PATH="$tmp/linked" "$@"
}

background_linked() { # COMMAND...: in the background; sets $child
	env LD_LIBRARY_PATH="$tmp/linked" "$@" &
	child=$!
	children="$children $child"
}

background_own() { # COMMAND...: with Debian's library; sets $child
	"$@" &
	child=$!
	children="$children $child"
}

# starts TRIES UP SERVER...: starts it, with the library, and waits until UP
# succeeds; sets $server. One that does not come up even with Debian's library
# is no test of ours; one that comes up with that alone has failed.
starts() {
	tries=$1 up=$2
	shift 2
	comes_up background_linked "$@" && return
	why=$(tail -n 1 server.log)
	comes_up background_own "$@" && fail "$1 comes up with its own library alone: $why"
	skip "$1 does not come up here, with its own library either: $why"
}

comes_up() { # BACKGROUND SERVER...
	"$@" >server.log 2>&1 </dev/null
	server=$child
	left=$tries
	until "$up"; do
		left=$((left - 1))
		if [ $left -eq 0 ] || ! kill -0 "$server" 2>/dev/null; then
			kill "$server" 2>/dev/null
			wait "$server" 2>/dev/null
			return 1
		fi
		sleep 0.2
	done
}

check_linked() { # PID: it has our library, and no other of the name
	grep -q "$tmp/linked/libjemalloc.so.2" "/proc/$1/maps" ||
		fail "process $1 does not have the library"
	grep 'libjemalloc' "/proc/$1/maps" | grep -qv "$tmp/linked/" &&
		fail "process $1 has another library of the name too"
	return 0
}

# A TCP and UDP port of the loopback interface that nobody uses now.
free_port() {
	python3 "$here/free_port.py"
}

# Waits up to 5 minutes for COMMAND to succeed, while process PID lives.
wait_for() { # PID COMMAND...
	server=$1
	shift
	tries=0
	until "$@" >wait.out 2>&1; do
		tries=$((tries + 1))
		kill -0 "$server" 2>/dev/null || {
			tail -n 20 server.log wait.out >&2
			fail 'the server has ended'
		}
		[ $tries -lt 3000 ] || {
			tail -n 20 server.log wait.out >&2
			fail "the server does not answer: $*"
		}
		sleep 0.1
	done
}

# Ends process PID politely, and waits until it is gone.
finish() { # PID
	kill "$1"
	tries=0
	while kill -0 "$1" 2>/dev/null && [ $tries -lt 3000 ]; do
		tries=$((tries + 1))
		sleep 0.1
	done
	[ $tries -lt 3000 ] || {
		kill -9 "$1"
		fail 'the server does not end'
	}
	wait "$1" 2>/dev/null
	status=$?
	[ $status -eq 0 ] || [ $status -eq 143 ] || {
		tail -n 20 server.log >&2
		fail "the server ended with status $status"
	}
	children=
}
