#!/bin/sh
# A C program, and python, open C++ libraries while they run. Only those that
# open a C++ run-time library can see it then, but operator new calls the
# new-handler, throws and gives NULL as without the library.
. "$(dirname "$0")/lib.sh"
need g++
source=$here/../operators
folder=$(dirname "$lib")
status=0
compiler=g++

wrong() {
	echo "FAIL: $*" >&2
	status=1
}

# build NAME FLAG...: NAME.so, main.cc as a library
build() {
	name=$1
	shift
	$compiler -std=c++17 -O1 -fPIC -fno-builtin -Dmain=run -shared \
		-o "$name.so" -x c++ main.cc -x none "$@" 2>build.log
}

# without WHAT COMMAND...: what it prints without our library
without() {
	what=$1
	shift
	timeout 60 "$@" >plain.out 2>&1 ||
		fail "$what: fails without the library: $(tail -n 1 plain.out)"
	grep -q 'still open' plain.out && stays=yes || stays=
}

# with WHAT COMMAND...: whether it prints the same with it
with() {
	what=$1
	shift
	LD_LIBRARY_PATH=$folder timeout 60 "$@" >ours.out 2>&1 ||
		wrong "$what: fails: $(tail -n 1 ours.out)"
	cmp -s plain.out ours.out || {
		diff plain.out ours.out | head -n 5 >&2
		wrong "$what: another way (<: C++, >: ours)"
	}
	[ -z "$stays" ] || echo "$what: a module stays open without us, too"
}

# same WHAT COMMAND...
same() {
	without "$@"
	what=$1
	shift
	with "$what" env LD_PRELOAD="$lib" "$@"
}

cp "$source/main.cc" .
gcc -o opener "$source/opener.c" -ldl || fail 'the opener does not build'
build shared || fail 'the module does not build'
modes=take,huge,alone
modules="./shared.so"
for scope in local global; do
	same "$scope" ./opener $scope ./shared.so $modes
	gcc -Wl,--no-as-needed -o linked "$source/opener.c" "$lib" -ldl
	# The system may have a library of this name, or none.
	with "$scope, linked" ./linked $scope ./shared.so $modes
done

# A module with a C++ library of its own, in it or beside it: the exceptions of
# another one are foreign to it.
if build inside -static-libstdc++ -static-libgcc; then
	same 'a C++ library inside' ./opener local ./inside.so $modes
	modules="$modules ./inside.so"
else
	left_out 'libstdc++.a is not installed'
fi
compiler=gcc # links no libstdc++
if build other -Wl,--no-as-needed -l:libc++.so.1 \
	-l:libc++abi.so.1; then
	same 'libc++' ./opener local ./other.so $modes
	modules="$modules ./other.so"
else
	left_out 'libc++ is not installed'
fi
compiler=g++
for first in $modules; do
	for second in $modules; do
		[ "$first" = "$second" ] && continue
		same "$first and $second" \
			./opener local "$first,$second" $modes
	done
done

# Memory is really out: also for whom looks for the C++ library.
cat >main.cc <<'CC'
#include <cstdio>
#include <cstdlib>
#include <new>
#include <sys/resource.h>
static int handled;
static void handler() {
	if (++handled % 4 == 0)
		std::set_new_handler(nullptr);
}
int main(int, char **) {
	struct rlimit limit = { 512 << 20, 512 << 20 };
	setvbuf(stdout, nullptr, _IONBF, 0);
	if (setrlimit(RLIMIT_AS, &limit) != 0)
		return 1;
	void **list = nullptr;
	int thrown = 0, null = 0;
	for (std::size_t size = 1 << 20; size >= 16; size /= 4) {
		try {
			for (;;) {
				void **next = (void **)::operator new(size);
				*next = list;
				list = next;
			}
		} catch (const std::bad_alloc &) {
			thrown++;
		}
	}
	std::set_new_handler(handler);
	try {
		while (*(void **volatile *)&list = (void **)::operator new[](1 << 20))
			;
	} catch (const std::bad_alloc &) {
		thrown++;
	}
	std::set_new_handler(handler);
	null += ::operator new(1 << 20, std::nothrow) == nullptr;
	null += ::operator new(1 << 20, std::align_val_t(4096), std::nothrow) ==
	    nullptr;
	std::printf("%d thrown, %d null, %d handled\n", thrown, null, handled);
	return 0;
}
CC
build out || fail 'the module that takes all memory does not build'
for scope in local global; do
	same "memory is out, $scope" ./opener $scope ./out.so -
done

cat >open.py <<'PY'
import ctypes, sys
modes = [b'python'] + [mode.encode() for mode in sys.argv[2].split(',')]
run = ctypes.CDLL(sys.argv[1])._Z3runiPPc
sys.exit(run(len(modes), (ctypes.c_char_p * len(modes))(*modes)))
PY
if python3 -c 'import ctypes' 2>/dev/null; then
	same python python3 open.py ./shared.so $modes
else
	left_out 'python3 has no ctypes'
fi
exit $status
