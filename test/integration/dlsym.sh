#!/bin/sh
# Who looks up malloc and free in the C library itself, by its handle, gets those
# that the process uses. All other answers of dlsym are those of the C library.
. "$(dirname "$0")/lib.sh"
need gcc nm
chosen dlopen || skip 'built without a dlsym of its own'
folder=$(dirname "$lib")
status=0

wrong() {
	echo "FAIL: $*" >&2
	status=1
}

# says EXPECTED WHAT COMMAND...
says() {
	expected=$1 what=$2
	shift 2
	said=$(timeout 60 "$@" 2>&1) || said="$said (status $?)"
	[ "$said" = "$expected" ] || wrong "$what: '$said', not '$expected'"
}

# compile NAME FLAG...
compile() {
	name=$1
	shift
	gcc -O1 -fno-builtin -o "$name" "$@" 2>build.log ||
		fail "$name does not build: $(head -n 3 build.log)"
}

cat >main.c <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Which functions of these names are others, by a handle; -NAME: none. */
static int names(void *handle, char **name)
{
	for (; *name != NULL; name++) {
		void *found = dlsym(handle, *name);

		if (found != dlsym(RTLD_DEFAULT, *name))
			printf("%s%s ", found == NULL ? "-" : "", *name);
	}
	return 0;
}

/* Objects that the C library's functions took from malloc. */
static int objects(void *handle)
{
	void (*give)(void *) = dlsym(handle, "free");
	void *(*grow)(void *, size_t) = dlsym(handle, "realloc");
	char *(*copy)(const char *) = dlsym(handle, "strdup");
	size_t (*usable)(void *) = dlsym(handle, "malloc_usable_size");
	char *text, *line = NULL;
	size_t room = 0;
	FILE *file = fopen("/proc/self/maps", "r");

	for (int i = 0; i < 1000; i++) {
		text = grow(copy("some text"), 100 + i);
		if (strcmp(text, "some text") != 0 || usable(text) < 100 + (size_t)i)
			return 1;
		give(text);
	}
	if (asprintf(&text, "%1000d", 1) != 1000 || getline(&line, &room, file) < 0)
		return 1;
	give(text);
	give(line);
	fclose(file);
	return 0;
}

#ifdef OWN
static char memory[1 << 20];
static size_t used;
void *malloc(size_t n)
{
	char *p = memory + used;

	used += (n + 31) / 16 * 16;
	return p + 16;
}
void *calloc(size_t n, size_t m) { return malloc(n * m); }
void *realloc(void *p, size_t n) { (void)p; return malloc(n); }
void free(void *p) { (void)p; }
#endif

int main(int argc, char **argv)
{
	const char *file = getenv("FILE_OF_HANDLE");
	void *handle = dlopen(file != NULL ? file : "libc.so.6", RTLD_NOW);

	setvbuf(stdout, NULL, _IOLBF, 1000);
	if (argc > 1)
		return names(handle, argv + 1);
	if (objects(handle) != 0)
		return 1;
	if (dlsym(handle, "no_such_function") != NULL)
		return 2;
	puts(dlerror());
	return 0;
}
C
compile main main.c -ldl

# All that both libraries have, but for what finds them. New programs can't find
# cfree, which glibc keeps for old ones.
libc=$(ldd main | sed -n 's/.*libc\.so\.6 => \([^ ]*\).*/\1/p')
exported() {
	nm -D --defined-only "$1" | sed 's/.* //; s/@.*//' | sort -u
}
exported "$lib" >ours
exported "$libc" >theirs
both=$(comm -12 ours theirs | grep -v '^dl[a-z]*$\|^cfree$')
case $(echo $both) in
*aligned_alloc*calloc*free*malloc*realloc*) ;;
*) fail "what both have is not the malloc family: $both" ;;
esac
# shellcheck disable=SC2086
{
	says '' 'by the handle' env LD_PRELOAD="$lib" ./main $both
	kept=$(MALLOC_CONF=$(strict deepbind:true) LD_PRELOAD=$lib ./main $both |
		tr ' ' '\n' | grep -c '^[^-]')
	[ "$kept" -ge 15 ] || wrong "deepbind:true leaves $kept names to glibc"
}
without=$(./main)
[ "$without" = "$libc: undefined symbol: no_such_function" ] ||
	fail "without the library: $without"
says "$without" 'objects and errors' env LD_PRELOAD="$lib" ./main
compile linked main.c -Wl,--no-as-needed "$lib" -ldl
says "$without" 'linked' env LD_LIBRARY_PATH="$folder" ./linked

# A program with a malloc of its own gets ours, not its own.
compile own -DOWN main.c -ldl
says 'free malloc ' 'own malloc' env LD_PRELOAD="$lib" ./own free malloc

# Wrappers of malloc, which look up the functions behind it: by the handle alone,
# or by several ways; some under a lock of their own.
cat >wrap.c <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

static char pool[1 << 16]; /* what is asked for before they are found */
static size_t used;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *libc;
static void *(*take)(size_t);
static void (*give)(void *);
static size_t (*usable)(void *);

__attribute__((constructor)) static void start(void)
{
	libc = dlopen("libc.so.6", RTLD_LAZY);
}

static void find_all(void)
{
	pthread_mutex_lock(&lock);
	if (take == NULL) {
		usable = dlsym(libc, "malloc_usable_size");
		give = dlsym(HANDLE, "free");
		take = dlsym(HANDLE, "malloc");
	}
	pthread_mutex_unlock(&lock);
}

void *malloc(size_t n)
{
	char *p = pool + used + 16;

	if (libc == NULL) {
		used += n / 16 * 16 + 32;
		return p;
	}
	find_all();
	return take(n);
}

void free(void *p)
{
	if ((char *)p >= pool && (char *)p < pool + sizeof(pool))
		return;
	find_all();
	give(p);
}

size_t malloc_usable_size(void *p)
{
	find_all();
	return usable(p);
}
C
cat >user.c <<'C'
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
int main(void)
{
	for (int i = 1; i < 1000; i++) {
		char *p = malloc(i), *text = strdup("text");

		if (malloc_usable_size(p) < (size_t)i)
			return 1;
		free(text);
		free(p);
	}
	return 0;
}
C
compile user user.c
compile wrap.so -DHANDLE=libc -fPIC -shared wrap.c -ldl
says 'free malloc ' 'a handle of another library' env FILE_OF_HANDLE=./wrap.so \
	LD_PRELOAD="$lib" ./main free calloc malloc
for handle in libc RTLD_NEXT; do
	compile wrap.so "-DHANDLE=$handle" -fPIC -shared wrap.c -ldl
	compile user-$handle "-DHANDLE=$handle" wrap.c user.c -ldl
	says '' "a wrapper, $handle" env LD_PRELOAD="./wrap.so $lib" ./user
	says '' "a wrapper in the program, $handle" env LD_PRELOAD="$lib" \
		./user-$handle
done

# Only malloc is replaced, by that of the C library itself: its objects come to
# our realloc and free.
cat >only.c <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
static void *(*take)(size_t);
void *malloc(size_t n)
{
	if (take == NULL)
		take = dlvsym(RTLD_NEXT, "malloc", VERSION);
	return take(n);
}
int main(void)
{
	for (int i = 0; i < 100; i++)
		free(realloc(strdup("text"), 100));
	return 0;
}
C
version=$(nm -D "$libc" | sed -n 's/.* malloc@@*//p' | head -n 1)
compile only "-DVERSION=\"$version\"" only.c -ldl
says '' 'only malloc is replaced' env LD_PRELOAD="$lib" ./only

# RTLD_NEXT begins behind the caller, RTLD_DEFAULT in its namespace.
cat >place.c <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
int which(void) { return PLACE; }
void *next_which(void) { return dlsym(RTLD_NEXT, "which"); }
void *next_free(void) { return dlsym(RTLD_NEXT, "free"); }
C
cat >places.c <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		void *handle = dlopen(argv[i], RTLD_NOW | RTLD_GLOBAL);
		void *(*next)(void) = dlsym(handle, "next_which");
		int (*which)(void) = next();

		printf("%d %d ", ((int (*)(void))dlsym(handle, "which"))(),
		    which != NULL ? which() : 0);
	}
	return 0;
}
C
for i in 1 2 3; do
	compile place$i.so -DPLACE=$i -fPIC -shared place.c
done
compile places -Wl,--no-as-needed places.c ./place1.so ./place2.so ./place3.so -ldl
places='./place1.so ./place2.so ./place3.so'
# shellcheck disable=SC2086
{
	says '1 2 2 3 3 0 ' 'RTLD_NEXT, plain' ./places $places
	says '1 2 2 3 3 0 ' 'RTLD_NEXT' env LD_PRELOAD="$lib" ./places $places
}

# A dlsym of another library, before and behind ours, and one that is called
# before this library has started.
cat >wrapper.c <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static void *(*next)(void *, const char *);
void *dlsym(void *handle, const char *name)
{
	if (next == NULL)
		next = dlvsym(RTLD_NEXT, "dlsym", VERSION);
	if (strcmp(name, "wrapped") == 0)
		return stdout;
	return next(handle, name);
}
C
cat >wrapped.c <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void)
{
	void *libc = dlopen("libc.so.6", RTLD_NOW);

	((void (*)(void *))dlsym(libc, "free"))(strdup("text"));
	return dlsym(RTLD_DEFAULT, "wrapped") != stdout;
}
C
version=$(nm -D "$libc" | sed -n 's/.* dlsym@@*//p' | sort | head -n 1)
if [ -n "$version" ]; then
	compile wrapper.so -fPIC -shared "-DVERSION=\"$version\"" wrapper.c -ldl
	compile wrapped wrapped.c -ldl
	says '' 'a wrapper behind ours' env LD_PRELOAD="$lib ./wrapper.so" ./wrapped
else
	left_out 'this glibc has dlsym in another library'
fi

cat >early.c <<'C'
#include <dlfcn.h>
#include <stdlib.h>
static void (*give)(void *);
__attribute__((constructor)) static void start(void)
{
	give = dlsym(dlopen("libc.so.6", RTLD_NOW), "free");
	give(malloc(100));
}
C
compile early.so -fPIC -shared early.c -ldl
says '' 'before the start' env LD_PRELOAD="$lib ./early.so" ./main free malloc

# In a namespace of its own, with a C library of its own.
cat >space.c <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>
int run(void)
{
	void *libc = dlopen("libc.so.6", RTLD_NOW);

	((void (*)(void *))dlsym(libc, "free"))(strdup("text"));
	return dlsym(libc, "free") == dlsym(RTLD_DEFAULT, "free");
}
C
cat >spaces.c <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
int main(void)
{
	void *handle = dlmopen(LM_ID_NEWLM, "./space.so", RTLD_NOW);

	if (handle == NULL)
		return puts(dlerror()), 1;
	return ((int (*)(void))dlsym(handle, "run"))() != 1;
}
C
compile space.so -fPIC -shared -Wl,--no-as-needed space.c "$lib" -ldl
compile spaces spaces.c -ldl
says '' 'another namespace' env LD_LIBRARY_PATH="$folder" ./spaces
says '' 'another namespace, preloaded' env LD_LIBRARY_PATH="$folder" LD_PRELOAD="$lib" ./spaces

# A C library of another name.
cp "$libc" odd.so
says "./odd.so${without#"$libc"}" 'a C library with another name' env LD_PRELOAD="$lib ./odd.so" ./main

cat >free.py <<'PY'
import ctypes
libc = ctypes.CDLL("libc.so.6")
libc.strdup.restype = ctypes.c_void_p
for size in range(1, 3000, 7):
    libc.free(ctypes.c_void_p(libc.strdup(b"x" * size)))
PY
if python3 -c 'import ctypes' 2>/dev/null; then
	says '' ctypes env LD_PRELOAD="$lib" python3 free.py
else
	left_out 'python3 has no ctypes'
fi
exit $status
