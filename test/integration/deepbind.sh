#!/bin/sh
# Modules opened with RTLD_DEEPBIND: they and the program hand each other objects
# in both directions, so they have to use the same malloc, by default. Who is
# opened from where, and what goes wrong, stays as the C library has it.
. "$(dirname "$0")/lib.sh"
need gcc g++
folder=$(dirname "$lib")
chosen dlopen || skip 'built without a dlopen of its own'
status=0

wrong() {
	echo "FAIL: $*" >&2
	status=1
}

cat >module.cc <<'END'
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
extern "C" {
int who() { return 2; }
int which() { return who(); }
void *(*module_malloc())(std::size_t) { return std::malloc; }
char *give(const char *text) { return strdup(text); }
void take(void *p) { std::free(p); }
void *grow(void *p, std::size_t n) { return std::realloc(p, n); }
std::string *make(std::size_t n) { return new std::string(n, 'x'); }
void drop(std::string *s) { delete s; }
}
static char *early = give("an object that a constructor took");
END
cat >main.cc <<'END'
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <string>
#include <thread>
#include <vector>
extern "C" int who() { return 1; }
static void *module;
template <typename F> static F *get(const char *name)
{
	F *f = (F *)dlsym(module, name);
	if (f == nullptr) std::printf("no %s\n", name), std::exit(1);
	return f;
}
static void mix()
{
	auto give = get<char *(const char *)>("give");
	auto take = get<void(void *)>("take");
	auto grow = get<void *(void *, std::size_t)>("grow");
	auto make = get<std::string *(std::size_t)>("make");
	auto drop = get<void(std::string *)>("drop");
	for (std::size_t n = 1; n < 2000000; n += n / 3 + 1) {
		std::free(give(std::string(n, 'a').c_str()));
		take(std::malloc(n));
		std::free(grow(std::malloc(n), 2 * n));
		take(std::realloc(give(std::string(n, 'b').c_str()), 3 * n));
		std::string *s = make(n);
		*s += std::string(n, 'y');
		delete s;
		drop(new std::string(n, 'z'));
	}
}
int main(int argc, char **argv)
{
	const char *how = argv[1];
	int mode = RTLD_NOW | RTLD_DEEPBIND;
	if (std::strcmp(how, "missing") == 0) {
		void *p = dlopen("./there-is-none.so", mode);
		std::printf("%d %s\n", p == nullptr, dlerror());
		std::printf("%d\n", dlerror() == nullptr);
		return 0;
	}
	if (std::strcmp(how, "late") == 0) {
		// The library is not the process's malloc.
		void *ours = dlopen(argv[2], RTLD_NOW | RTLD_LOCAL);
		auto open = (void *(*)(const char *, int))dlsym(ours, "dlopen");
		module = open("./module.so", mode);
	} else if (std::strcmp(how, "base") == 0)
		module = dlmopen(LM_ID_BASE, "./module.so", mode);
	else if (std::strcmp(how, "new") == 0)
		module = dlmopen(LM_ID_NEWLM, "./module.so", mode);
	else
		module = dlopen("./module.so", mode);
	if (module == nullptr)
		return std::printf("%s\n", dlerror()), 1;
	using allocate = void *(std::size_t);
	bool same = get<allocate *()>("module_malloc")() == (allocate *)std::malloc;
	std::printf("malloc %s, who %d\n", same ? "same" : "other",
	    get<int()>("which")());
	if (!same)
		return 0;
	std::vector<std::thread> threads;
	for (int i = 0; i < 4; i++)
		threads.emplace_back(mix);
	mix();
	for (auto &thread : threads)
		thread.join();
	dlclose(module);
	return 0;
}
END
g++ -O1 -fno-builtin -shared -fPIC -o module.so module.cc || fail 'no module'
g++ -O1 -fno-builtin -rdynamic -o program main.cc -pthread -ldl ||
	fail 'no program'
g++ -O1 -fno-builtin -rdynamic -o linked main.cc "$lib" -pthread -ldl ||
	fail 'no linked program'

says() { # EXPECTED COMMAND...
	expected=$1
	shift
	"$@" >out 2>err || wrong "$*: status $?: $(head -n 1 err)"
	[ "$(cat out)" = "$expected" ] ||
		wrong "$*: says '$(cat out)', not '$expected'"
	[ -s err ] && wrong "$*: $(head -n 1 err)"
	return 0
}

# So it is without the library: the module has a malloc and a `who` of its own.
says 'malloc same, who 2' ./program open
says 'malloc same, who 1' preloaded ./program open
says 'malloc same, who 1' preloaded ./program base
says 'malloc same, who 1' env LD_LIBRARY_PATH="$folder" ./linked open
says 'malloc other, who 2' preloaded env MALLOC_CONF="$(strict deepbind:true)" \
	./program open
# Elsewhere there is another malloc, and the flag is the program's business.
says 'malloc other, who 2' preloaded ./program new
says 'malloc same, who 2' ./program late "$lib"

# Errors are the C library's.
same ./program missing

# One that opens modules before the library was ever called.
cat >early.c <<'END'
#include <dlfcn.h>
#include <stdlib.h>
__attribute__((constructor)) static void early(void)
{
	void *module = dlopen("./module.so", RTLD_NOW | RTLD_DEEPBIND);
	void *(*(*own)(void))(size_t) = (void *(*(*)(void))(size_t))
	    dlsym(module, "module_malloc");
	if (own() != malloc)
		abort();
}
END
gcc -shared -fPIC -fno-builtin -o early.so early.c -ldl
says 'malloc same, who 1' env LD_PRELOAD="$lib $tmp/early.so" ./program open

# The caller's run path counts, and no other's.
mkdir -p there/below
cp module.so there/below/by-run-path.so
cat >opener.c <<'END'
#include <dlfcn.h>
int opener(int mode) { return dlopen("by-run-path.so", mode) != 0; }
END
cat >asks.c <<'END'
#include <dlfcn.h>
#include <stdio.h>
int opener(int);
int main(void)
{
	printf("%d %d %d\n", opener(RTLD_NOW), opener(RTLD_NOW | RTLD_DEEPBIND),
	    dlopen("by-run-path.so", RTLD_NOW | RTLD_NOLOAD) != 0);
	printf("%d\n", dlopen("./by-run-path.so", RTLD_NOW) == 0);
	return 0;
}
END
gcc -O1 -shared -fPIC -o there/libopener.so opener.c -ldl \
	-Wl,--enable-new-dtags,-rpath,'$ORIGIN/below'
gcc -O1 -o asks asks.c there/libopener.so -ldl \
	-Wl,--enable-new-dtags,-rpath,"$tmp/there"
same ./asks
grep -q '^1 1 ' ours.out || fail "run paths don't work here: $(cat ours.out)"

# A static program has the C library's own.
archive=$folder/libjemalloc.a
if [ -f "$archive" ]; then
	cat >static.c <<'END'
#include <dlfcn.h>
#include <stdlib.h>
int main(void)
{
	free(malloc(10));
	return dlopen("/nothing", RTLD_NOW | RTLD_DEEPBIND) != 0;
}
END
	gcc -static -o static static.c "$archive" -pthread >link.log 2>&1 &&
		{ ./static || wrong "static: status $?"; } ||
		echo "not tried: static programs: $(tail -n 1 link.log)"
fi
exit $status
