#!/bin/sh
# Programs that are built with what `make install` has put somewhere: by CMake
# and by pkg-config, in C and C++, with the shared and with the static library.
. "$(dirname "$0")/lib.sh"
need make
build=${lib%/lib/*}
[ -f "$build/Makefile" ] || fail "there is no Makefile in $build"

# `make check` may be its parent: this one is on its own.
env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s -C "$build" install DESTDIR="$tmp/inst" >install.log 2>&1 ||
	fail "make install: $(tail -n 3 install.log)"
for folder in "a b" "a'b" 'a"b'; do
	! env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s -C "$build" install DESTDIR="$tmp/$folder" >quoted.log 2>&1 ||
		fail "make install into $folder: accepted"
	grep -q "DESTDIR can't have" quoted.log || fail "make install into $folder: $(tail -n 1 quoted.log)"
done
config=$(find "$tmp/inst" -name jemallocConfig.cmake)
[ -n "$config" ] || fail 'make install brings no jemallocConfig.cmake'
libdir=${config%/cmake/jemalloc/jemallocConfig.cmake}

# Says whose malloc it has: only ours answers, and only its objects are counted.
cat >program.c <<'END'
#include <jemalloc/jemalloc.h>
#include <stdio.h>
#include <stdlib.h>
int main(void)
{
	const char *version;
	size_t size = sizeof(version);
	uint64_t before, after, length = sizeof(before);
	void *object;
	if (mallctl("version", &version, &size, NULL, 0) != 0 ||
	    mallctl("thread.allocated", &before, &length, NULL, 0) != 0)
		return 1;
	object = malloc(1000);
	if (mallctl("thread.allocated", &after, &length, NULL, 0) != 0)
		return 1;
	free(object);
	puts(after - before == 1024 ? "ours" : "not ours");
	return after - before != 1024;
}
END
sed 's/malloc(1000)/new char[1000]/; s/free(object)/delete[] (char *)object/' \
	program.c >program.cc
echo 'int in_module(void); int in_module(void) { return 1; }' >module.c

says_ours() { # PROGRAM
	[ "$(LD_LIBRARY_PATH=$libdir "./$1")" = ours ] || fail "$1: whose malloc is it?"
}

# ---- pkg-config ----
need pkg-config
PKG_CONFIG_PATH=$libdir/pkgconfig
PKG_CONFIG_SYSROOT_DIR=$tmp/inst
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
for language in c cc; do
	compiler=cc
	[ $language = c ] || compiler=c++
	if ! command -v $compiler >/dev/null; then
		left_out "$compiler is not installed"
		continue
	fi
	# Words, not one.
	# shellcheck disable=SC2046
	$compiler -o shared-$language program.$language $(pkg-config --cflags --libs jemalloc) ||
		fail "pkg-config, $language"
	says_ours shared-$language
	[ -e "$libdir/libjemalloc.a" ] || continue
	# shellcheck disable=SC2046
	$compiler -o static-$language program.$language $(pkg-config --cflags jemalloc) \
		"$libdir/libjemalloc.a" $(pkg-config --libs-only-other --static jemalloc) -ldl ||
		fail "pkg-config, static, $language"
	says_ours static-$language
done

# By hand, with a run path: no variable is needed then.
cc -o by-hand program.c -I"$libdir/../include" -L"$libdir" -Wl,-rpath,"$libdir" -ljemalloc ||
	fail 'with -rpath'
[ "$(./by-hand)" = ours ] || fail 'with -rpath: whose malloc is it?'

# ---- CMake ----
if ! command -v cmake >/dev/null; then
	left_out 'cmake is not installed'
	exit 0
fi
cat >CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.13...3.25)
project(consumer C CXX)
find_package(jemalloc 5.3 REQUIRED)
find_package(jemalloc REQUIRED) # twice does no harm
add_executable(with-cmake program.c)
target_link_libraries(with-cmake jemalloc::jemalloc)
add_executable(with-cmake-cxx program.cc)
target_link_libraries(with-cmake-cxx jemalloc::jemalloc)
if(TARGET jemalloc::jemalloc_static)
  add_executable(with-cmake-static program.c)
  target_link_libraries(with-cmake-static jemalloc::jemalloc_static)
  add_library(with-cmake-pic MODULE module.c program.c)
  target_link_libraries(with-cmake-pic jemalloc::jemalloc_pic)
endif()
END
by_cmake() { # FOLDER ARGUMENT...
	folder=$1
	shift
	cmake -S . -B "$folder" "$@" >"$folder.log" 2>&1
}
by_cmake built -DCMAKE_PREFIX_PATH="$libdir/.." || fail "cmake: $(cat built.log)"
cmake --build built >built.log 2>&1 || fail "cmake --build: $(cat built.log)"
for program in built/with-cmake*; do
	[ ! -x "$program" ] || [ "$program" = built/with-cmake-pic ] || says_ours "$program"
done
readelf -d built/with-cmake | grep -q 'NEEDED.*\[libjemalloc.so.2\]' ||
	fail 'CMake: the library is not linked by its name'
sed -i 's/jemalloc 5\.3 REQUIRED/jemalloc 6 REQUIRED/' CMakeLists.txt
by_cmake newer -DCMAKE_PREFIX_PATH="$libdir/.." && fail 'version 6 was found'
grep -q 'version: 5\.' newer.log || fail "version 6: $(cat newer.log)"
for wanted in 4...6 5.0...5.3.1 5.3...\<6; do
	sed -i "s/jemalloc [0-9.<]* REQUIRED/jemalloc $wanted REQUIRED/" CMakeLists.txt
	by_cmake "range-$wanted" -DCMAKE_PREFIX_PATH="$libdir/.." || fail "version $wanted"
done
for wanted in 5.0...5.2 '5.0...<5.3.1' 6...7; do
	sed -i "s/jemalloc [0-9.<]* REQUIRED/jemalloc $wanted REQUIRED/" CMakeLists.txt
	by_cmake "range-$wanted" -DCMAKE_PREFIX_PATH="$libdir/.." && fail "version $wanted was found"
done
sed -i 's/jemalloc [0-9.<]* REQUIRED/jemalloc 5.3 REQUIRED COMPONENTS engine/' CMakeLists.txt
by_cmake component -DCMAKE_PREFIX_PATH="$libdir/.." && fail 'a component was found'
sed -i 's/ COMPONENTS engine//; s/jemalloc 5.3 REQUIRED/jemalloc 6 REQUIRED/' CMakeLists.txt
rm -r "$tmp/inst/"*/*/include 2>/dev/null || rm -r "$libdir/../include"
sed -i 's/jemalloc 6 REQUIRED/jemalloc REQUIRED/' CMakeLists.txt
by_cmake headless -DCMAKE_PREFIX_PATH="$libdir/.." && fail 'found without its header'
grep -q 'no jemalloc/jemalloc.h beside' headless.log || fail "no header: $(cat headless.log)"
exit 0
