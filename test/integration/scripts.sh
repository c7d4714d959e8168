#!/bin/sh
# Every script explains itself, and refuses what it does not know before it does
# anything: a misspelt word must not look like success.
. "$(dirname "$0")/lib.sh"
root=$(cd "$here/../.." && pwd)
build=$(dirname "$lib")/..
status=0
count=0

wrong() {
	echo "FAIL: $*" >&2
	status=1
}

# answers WANTED-STATUS COMMAND...: in an empty folder, where it leaves nothing.
answers() {
	wanted=$1
	shift
	mkdir empty && cd empty || exit 1
	PATH=$path timeout 600 "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	got=$?
	cd .. || exit 1
	[ "$got" = "$wanted" ] ||
		wrong "$*: status $got, not $wanted: $(head -n 3 "$tmp/out" "$tmp/err")"
	rmdir empty 2>/dev/null || {
		wrong "$*: leaves files"
		rm -rf empty
	}
}

# Nothing may be installed or built for an answer.
path=$tmp/denied:$PATH
mkdir denied
for program in apt-get sudo make gcc cc clang autoreconf debootstrap unshare; do
	cat >"denied/$program" <<-END
		#!/bin/sh
		echo "$program \$*" >>"$tmp/called"
		exit 99
	END
	chmod +x "denied/$program"
done
# Python itself: what it is called by may look for it first, and where it looks
# for modules of others takes longer than the scripts, which use none.
if command -v python3 >/dev/null; then
	python=$(python3 -c 'import sys; print(sys.executable)') || exit 1
	printf '#!/bin/sh\nexec "%s" -S "$@"\n' "$python" >denied/python3
	chmod +x denied/python3
fi

# explains COMMAND...: to --help, on standard output
explains() {
	count=$((count + 1))
	answers 0 "$@" --help
	grep -qi '^usage: ' "$tmp/out" || wrong "$* --help: no usage"
	[ ! -s "$tmp/err" ] || wrong "$* --help: $(head -n 1 "$tmp/err")"
	grep -q '^#' "$tmp/out" && wrong "$* --help: prints of its own source"
	answers 0 "$@" -h
}

# refuses STATUS COMMAND...: on standard error, naming the last word
refuses() {
	expected=$1
	shift
	answers "$expected" "$@"
	[ ! -s "$tmp/out" ] || wrong "$*: refused on standard output"
	for word in "$@"; do :; done
	grep -q -e "$word" "$tmp/err" || wrong "$*: does not name $word"
	[ "$(wc -l <"$tmp/err")" -le 2 ] || wrong "$*: says too much"
}

for script in "$root"/scripts/* "$root/autogen.sh" "$root/.ci/run" \
	"$root/test/names/run" "$root/test/names/switches" "$root/test/musl/run" \
	"$root/test/foreign/run"; do
	name=${script##*/}
	case $name in
	*~ | lib.sh | allocators.py | real_programs.py) continue ;;
	# In Python; needs a newer one than some programs that we test do.
	bench | coverage | detect | footprint | lint | mutate | programs | soak) command -v python3 >/dev/null || continue ;;
	esac
	[ -f "$script" ] && [ -x "$script" ] || {
		wrong "$name can't be run"
		continue
	}
	explains "$script"
	case $script in
	*/test/*) ;;
	*)
		ln -sf "$script" link
		answers 0 "$tmp/link" --help
		;;
	esac
	answers 2 "$script" --no-such-option
	[ -s "$tmp/err" ] && [ ! -s "$tmp/out" ] ||
		wrong "$name --no-such-option: says nothing"
	case $script in
	*/test/*) ;;
	# What a shell says to a command that is not there.
	*/scripts/run) refuses 127 "$script" no-such-word ;;
	*) refuses 2 "$script" no-such-word ;;
	esac
done
refuses 2 "$root/scripts/check" lint no-such-step
refuses 2 "$root/scripts/check" all relaese
refuses 2 "$root/scripts/packages" --install run no-such-group
refuses 2 "$root/scripts/check-fresh" 12 14
[ $count -ge 14 ] || wrong "only $count scripts found"


# What would be tried is the same each time, and not the same for another seed.
if command -v python3 >/dev/null; then
	# In a folder in which make can't work, a wrong file is told all the same.
	answers 2 "$root/scripts/mutate" --folder 'a b' --files src/none.c
	grep -q src/none.c "$tmp/err" || wrong "scripts/mutate: does not name the file"
	answers 2 "$root/scripts/mutate" --folder 'a b' --files src
	grep -q "'.*a b'" "$tmp/err" || wrong "scripts/mutate: does not name the folder"
	for seed in 1 1 2; do
		answers 0 "$root/scripts/mutate" --list --count 20 --seed $seed
		[ "$(grep -c '^ *[0-9]*  src/' "$tmp/out")" = 20 ] ||
			wrong "scripts/mutate --list: not 20 mistakes"
		mv "$tmp/out" "$tmp/list$seed"
		[ $seed = 1 ] && [ ! -e "$tmp/first" ] && mv "$tmp/list1" "$tmp/first"
	done
	cmp -s "$tmp/first" "$tmp/list1" || wrong "scripts/mutate: a seed chooses anew"
	! cmp -s "$tmp/first" "$tmp/list2" || wrong "scripts/mutate: seeds choose the same"
fi

# A clang-format that breaks lines elsewhere is not used; of what another one
# says, each file is told once.
cat >"$tmp/formatter" <<'END'
#!/bin/sh
case $1 in
--version) echo "Debian clang-format version $NUMBER (3)" ;;
*)
	for line in 3 7; do
		echo "src/a.c:$line:1: error: code should be clang-formatted [-W]" >&2
	done
	exit 1
	;;
esac
END
chmod +x "$tmp/formatter"
CLANG_FORMAT=$tmp/formatter
NUMBER=19.1.7
export CLANG_FORMAT NUMBER
answers 77 "$root/scripts/format" --check
grep -q '^skipped: clang-format is 19.1.7 here' "$tmp/out" ||
	wrong "scripts/format: says nothing about a version: $(cat "$tmp/out")"
NUMBER=14.0.6
answers 1 "$root/scripts/format" --check
[ "$(grep -c '^src/a.c: is not as ' "$tmp/out")" = 1 ] && [ "$(wc -l <"$tmp/out")" = 1 ] ||
	wrong "scripts/format: does not name the file in one line: $(cat "$tmp/out")"
unset CLANG_FORMAT NUMBER

# With nothing asked for, these have nothing to do.
for name in run packages check-fresh export-list test-run; do
	answers 2 "$root/scripts/$name"
done

# What is installed with the library, from the build.
for name in jemalloc-config jemalloc.sh; do
	[ -f "$build/bin/$name" ] || continue
	answers 0 "$build/bin/$name" --help
	grep -qi '^usage: ' "$tmp/out" || wrong "$name --help: no usage"
	answers 2 "$build/bin/$name" --no-such-option
	grep -qi '^usage: ' "$tmp/err" || wrong "$name --no-such-option: no usage"
	answers 2 "$build/bin/$name"
done
[ ! -s called ] || wrong "programs were called: $(sort -u called)"

# jemalloc.sh preloads the library beside it, or says what is missing.
wrapper=$build/bin/jemalloc.sh
if [ -f "$wrapper" ] && [ -f "$build/lib/libjemalloc.so.2" ]; then
	LD_PRELOAD=$lib answers 0 "$wrapper" sh -c 'echo "$LD_PRELOAD"'
	[ "$(cat "$tmp/out")" = "$(cd "$build" && pwd -P)/lib/libjemalloc.so.2:$lib" ] ||
		wrong "jemalloc.sh preloads $(cat "$tmp/out")"
	mkdir alone alone/bin
	sed 's/^libdir=.*/libdir=\/none/' "$wrapper" >alone/bin/jemalloc.sh
	# The dynamic loader splits a list at these, and puts something for $LIB.
	for name in "with blank" with:colon 'with$LIB'; do
		mkdir -p "$name/bin" "$name/lib"
		cp alone/bin/jemalloc.sh "$name/bin"
		: >"$name/lib/libjemalloc.so.2"
	done
	for name in alone "with blank" with:colon 'with$LIB'; do
		chmod +x "$name/bin/jemalloc.sh"
		answers 1 "$tmp/$name/bin/jemalloc.sh" echo started
		[ ! -s "$tmp/out" ] || wrong "$name/bin/jemalloc.sh: starts the program"
		grep -q '^jemalloc.sh: .*libjemalloc.so.2' "$tmp/err" ||
			wrong "$name/bin/jemalloc.sh: $(cat "$tmp/err")"
	done

	# However the script is called, the library is the one beside the real
	# script, in a folder that was moved as a whole.
	mkdir -p moved/bin moved/lib links/bin links/lib other
	cp alone/bin/jemalloc.sh moved/bin
	for name in moved links other; do
		cp "$lib" "$name/libjemalloc.so.2"
		[ ! -d "$name/lib" ] || mv "$name/libjemalloc.so.2" "$name/lib"
	done
	ln -s ../../moved/bin/jemalloc.sh links/bin/jemalloc.sh
	ln -s ../links/bin/jemalloc.sh other/wrapped
	at=$(pwd -P)
	# preloads FOLDER COMMAND...: the library $taken, when called in the folder
	preloads() {
		got=$(cd "$1" && shift && "$@" sh -c 'echo "$LD_PRELOAD"' 2>&1)
		[ "$got" = "$at/$taken/libjemalloc.so.2" ] ||
			wrong "in $*: preloads $got"
	}
	taken=moved/lib
	preloads . moved/bin/jemalloc.sh
	preloads . ./moved/bin/jemalloc.sh
	preloads . "$at/moved/bin/jemalloc.sh"
	preloads . links/bin/jemalloc.sh
	preloads . other/wrapped
	preloads . env CDPATH="$at:$at/links" moved/bin/jemalloc.sh
	preloads moved env CDPATH="$at/links:." bin/jemalloc.sh
	preloads moved sh bin/jemalloc.sh
	preloads moved/bin sh jemalloc.sh
	preloads moved/bin sh ./jemalloc.sh
	preloads links/bin env PATH="$at/other:$PATH" sh jemalloc.sh
	preloads . env PATH="$at/moved/bin:$PATH" jemalloc.sh
	preloads . env PATH="moved/bin:$PATH" jemalloc.sh
	preloads . env PATH="$at/other:$PATH" wrapped
	preloads moved/bin env PATH=":$PATH" jemalloc.sh
	if command -v bash >/dev/null; then
		preloads . env PATH="$at/moved/bin:$PATH" bash jemalloc.sh
	fi
	# One that is installed takes the library from where that was installed.
	sed "s,^bindir=.*,bindir=$at/moved/bin,
		s,^libdir=.*,libdir=$at/other," "$wrapper" >moved/bin/jemalloc.sh
	taken=other
	preloads . "$at/moved/bin/jemalloc.sh"
	preloads . other/wrapped
fi

# The plan says what would be done, and does none of it.
rm -f called
answers 0 "$root/scripts/check" --plan lint
grep -q '^1 steps*: lint$' "$tmp/out" || wrong "scripts/check --plan: $(cat "$tmp/out")"
[ ! -s called ] || wrong "scripts/check --plan calls $(sort -u called)"
answers 2 "$root/scripts/check" --plan --minutes soon lint
answers 0 "$root/scripts/check" --plan --minutes 5 lint

# Nothing of a test is left: neither when its run is told to end, nor when it ends
# and forgets what it has started.
mkdir -p test/unit
cat >test/unit/forgets <<'END'
#!/bin/sh
sleep 3600 &
echo $! >"$0.left"
[ "$1" = end ] && exit 5
sleep 3600
END
chmod +x test/unit/forgets
is_gone() { # PID, within a minute; nobody may be there to bury it
	tries=600
	while grep -q '^State:.[^ZX]' "/proc/$1/status" 2>/dev/null; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.1
	done
}
sh "$root/scripts/test-run" test/unit/forgets end
[ $? -eq 5 ] || wrong 'scripts/test-run: another status than that of the test'
is_gone "$(cat test/unit/forgets.left)" ||
	wrong 'scripts/test-run: what a test forgets is left'
rm test/unit/forgets.left
sh "$root/scripts/test-run" test/unit/forgets wait &
run=$!
until [ -s test/unit/forgets.left ]; do
	kill -0 "$run" || fail 'scripts/test-run has ended'
	sleep 0.1
done
kill "$run"
wait "$run"
[ $? -eq 143 ] || wrong "scripts/test-run: status $? when it is told to end"
is_gone "$(cat test/unit/forgets.left)" ||
	wrong 'scripts/test-run: a run that is told to end leaves its test'
exit $status
