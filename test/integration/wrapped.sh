#!/bin/sh
# A library before ours replaces malloc and its relatives, and finds ours by
# dlsym(RTLD_NEXT), whose errors allocate: tracers and profilers do so. And the
# room for thread-local data is used up by others before ours is opened.
. "$(dirname "$0")/lib.sh"
need gcc

cat >wrapper.c <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *(*next_malloc)(size_t), *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t);
static void (*next_free)(void *);
static _Atomic unsigned long count;

/* Fails for a name that is not there: the text of the error is allocated. */
static void find(void *function, const char *name)
{
	void *symbol = dlsym(RTLD_NEXT, name);

	dlsym(RTLD_NEXT, "no_such_function");
	dlerror();
	memcpy(function, &symbol, sizeof(symbol));
}

static char early[4096];
static size_t used;

static void *early_take(size_t size)
{
	void *block = early + used;

	used += (size + 15) & ~(size_t)15;
	if (used > sizeof(early))
		_exit(99);
	return block;
}

static volatile int finding;	/* dlsym is said to call nobody */

static int ready(void)
{
	if (next_free != NULL)
		return 1;
	if (finding)
		return 0;
	finding = 1;
	find(&next_malloc, "malloc");
	find(&next_calloc, "calloc");
	find(&next_realloc, "realloc");
	find(&next_free, "free");
	finding = 0;
	return 1;
}

void *malloc(size_t size)
{
	count++;
	return ready() ? next_malloc(size) : early_take(size);
}

void *calloc(size_t n, size_t size)
{
	count++;
	return ready() ? next_calloc(n, size) : early_take(n * size);
}

static int is_early(void *block)
{
	return (char *)block >= early && (char *)block < early + sizeof(early);
}

void *realloc(void *block, size_t size)
{
	if (!is_early(block))
		return ready() ? next_realloc(block, size) : early_take(size);
	return memcpy(malloc(size), block, size);
}

void free(void *block)
{
	if (!is_early(block) && ready())
		next_free(block);
}

unsigned long wrapper_count(void)
{
	return count;
}
END
cat >program.c <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The pointers of one go to the other: both have to be the same allocator. */
static void *work(void *argument)
{
	for (size_t i = 1; i < 3000; i++) {
		char *block = malloc(i * 7), *twin = strdup("something");

		memset(block, 1, i * 7);
		block = realloc(block, i * 9);
		if (block[i * 7 - 1] != 1)
			abort();
		free(twin);
		free(block);
		free(aligned_alloc(64, i * 64));
	}
	return argument;
}

int main(void)
{
	pthread_t id[4];
	unsigned long (*count)(void) = (unsigned long (*)(void))
	    dlsym(RTLD_DEFAULT, "wrapper_count");

	dlsym(RTLD_DEFAULT, "no_such_function");
	if (dlerror() == NULL)
		return 1;
	for (int i = 0; i < 4; i++)
		pthread_create(&id[i], NULL, work, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(id[i], NULL);
	if (count == NULL || count() < 10000)
		return 2;
	return dlsym(RTLD_DEFAULT, "mallocx") == NULL ? 3 : 0;
}
END
gcc -O1 -fPIC -fno-builtin -shared -o wrapper.so wrapper.c || fail wrapper
gcc -O1 -fno-builtin -o program program.c -pthread || fail program
LD_PRELOAD="$tmp/wrapper.so $lib" ./program >ours.out 2>&1
status=$?
[ $status = 0 ] && [ ! -s ours.out ] ||
	fail "wrapped: status $status: $(head -n 1 ours.out)"

# ---- other libraries have the room for thread-local data ----

cat >plugin.c <<'END'
static __thread char mine[SIZE] __attribute__((tls_model("initial-exec")));
char *plugin(void) { return mine; }
END
cat >host.c <<'END'
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *(*take)(size_t);
static void (*give)(void *);

static void *work(void *argument)
{
	for (size_t i = 1; i < 2000; i++) {
		char *block = take(i * 11);

		memset(block, 1, i * 11);
		give(block);
	}
	return argument;
}

/* host LIBRARY PLUGIN...: how many could be opened, then the library. */
int main(int argc, char **argv)
{
	int opened = 0;
	void *library;
	pthread_t id;

	for (int i = 2; i < argc; i++)
		opened += dlopen(argv[i], RTLD_NOW) != NULL;
	library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
	if (library == NULL) {
		printf("%d %s\n", opened, dlerror());
		return 0;
	}
	*(void **)&take = dlsym(library, "malloc");
	*(void **)&give = dlsym(library, "free");
	work(NULL);
	pthread_create(&id, NULL, work, NULL);
	pthread_join(id, NULL);
	printf("%d works\n", opened);
	return 0;
}
END
gcc -O1 -fno-builtin -o host host.c -pthread || fail host
plugins=
for size in 1 2 3 4 5 6 7 8; do
	gcc -O1 -fPIC -shared -DSIZE=$((size * 16)) -o plugin$size.so plugin.c ||
		fail plugin
	plugins="$plugins ./plugin$size.so"
done
# shellcheck disable=SC2086
for list in '' './plugin8.so' "$plugins"; do
	./host "$lib" $list >out 2>&1 || fail "host: status $?: $(cat out)"
	case $(cat out) in
	*' works' | *'cannot allocate memory in static TLS block'*) ;;
	*) fail "host with$list: $(cat out)" ;;
	esac
	[ -n "$list" ] || grep -q works out || fail "host alone: $(cat out)"
done
exit 0
