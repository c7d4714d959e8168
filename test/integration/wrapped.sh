#!/bin/sh
# A library before ours replaces malloc and its relatives, and finds ours by
# dlsym(RTLD_NEXT), whose errors allocate: tracers and profilers do so. Others
# replace what this library might call on its own behalf, and allocate there or
# hold a lock. And the room for thread-local data is used up by others before
# ours is opened.
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

# ---- other libraries replace functions of the C library ----

# Threads that wait for each other's locks, so that times are taken.
cat >waits.c <<'END'
#include <pthread.h>
#include <stdlib.h>

static void *_Atomic slot[50];

static void *work(void *argument)
{
	unsigned long random = 12345 + (unsigned long)argument * 7919;

	for (int i = 0; i < 3000; i++) {
		random = random * 6364136223846793005 + 1442695040888963407;
		char *block = malloc(20000 + (random >> 33) % 3000000);

		*block = 1;
		free(__atomic_exchange_n(&slot[(random >> 20) % 50], block,
		    __ATOMIC_ACQ_REL));
	}
	return NULL;
}

int main(void)
{
	pthread_t id[8];

	for (long i = 0; i < 8; i++)
		pthread_create(&id[i], NULL, work, (void *)i);
	for (int i = 0; i < 8; i++)
		pthread_join(id[i], NULL);
	return 0;
}
END
cat >clock.c <<'END'
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static __thread int inside;

int clock_gettime(clockid_t id, struct timespec *to)
{
	if (!inside) {
		inside = 1;
		for (size_t size = 100; size < 1000000; size *= 20)
			free(malloc(size));
		inside = 0;
	}
	return (int)syscall(SYS_clock_gettime, id, to);
}
END
gcc -O1 -fno-builtin -o waits waits.c -pthread || fail waits
gcc -O1 -fPIC -fno-builtin -shared -o clock.so clock.c || fail clock
LD_PRELOAD="$tmp/clock.so $lib" timeout 60 ./waits >out 2>&1 ||
	fail "a clock_gettime that allocates: $(head -n 1 out)"

# These two are needed for options only.
cat >others.c <<'END'
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

extern void *__sbrk(intptr_t);

static __thread int inside;

static void allocate(void)
{
	if (inside)
		return;
	inside = 1;
	for (size_t size = 100; size < 1000000; size *= 20)
		free(malloc(size));
	inside = 0;
}

int sched_getcpu(void)
{
	unsigned cpu = 0;

	allocate();
	syscall(SYS_getcpu, &cpu, NULL, NULL);
	return (int)cpu;
}

void *sbrk(intptr_t by)
{
	allocate();
	return __sbrk(by);
}
END
if gcc -O1 -fPIC -fno-builtin -shared -Wl,-z,defs -o others.so others.c \
    2>error; then
	for conf in percpu_arena:percpu dss:primary; do
		MALLOC_CONF=$(strict "$conf") LD_PRELOAD="$tmp/others.so $lib" \
		    timeout 60 ./waits >out 2>&1 ||
			fail "$conf with wrappers: $(head -n 1 out)"
	done
else
	left_out "no __sbrk here: $(head -n 1 error)"
fi

# The time comes from a file, which is read with stdio at each question.
fake=
for file in /usr/lib/*/faketime/libfaketime.so.1 \
    /usr/lib*/faketime/libfaketime.so.1; do
	[ ! -e "$file" ] || fake=$file
done
if [ -n "$fake" ]; then
	echo '+3d' >fake.rc
	FAKETIME_NO_CACHE=1 FAKETIME_TIMESTAMP_FILE=$tmp/fake.rc \
	    LD_PRELOAD="$fake $lib" timeout 60 ./waits >out 2>&1 ||
		fail "with libfaketime: $(head -n 1 out)"
else
	left_out 'libfaketime is not installed'
fi

# A registry of threads under a lock, and memory that is freed under this lock.
cat >registry.c <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int created;

int pthread_create(pthread_t *id, const pthread_attr_t *attributes,
    void *(*run)(void *), void *argument)
{
	int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *),
	    void *) = dlsym(RTLD_NEXT, "pthread_create");
	int error;

	pthread_mutex_lock(&lock);
	created++;
	error = next(id, attributes, run, argument);
	pthread_mutex_unlock(&lock);
	return error;
}

int registry_count(void (*release)(void))
{
	int count;

	pthread_mutex_lock(&lock);
	release();
	count = created;
	pthread_mutex_unlock(&lock);
	return count;
}
END
cat >threads.c <<'END'
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COUNT = 100000, SIZE = 1000 };

int registry_count(void (*release)(void));

static void *block[COUNT];

static void *sleeper(void *argument)
{
	free(malloc(10));
	pause();
	return argument;
}

static void release(void)
{
	for (int i = 0; i < COUNT; i++)
		free(block[i]);
}

/* 1: a thread that is none of the program's was registered. */
int main(void)
{
	pthread_t id;

	if (pthread_create(&id, NULL, sleeper, NULL) != 0)
		return 2;
	for (int i = 0; i < COUNT; i++)
		block[i] = memset(malloc(SIZE), 1, SIZE);
	return registry_count(release) != 1;
}
END
gcc -O1 -fPIC -shared -o libregistry.so registry.c || fail registry
gcc -O1 -fno-builtin -o threads threads.c -L. -lregistry -Wl,-rpath,"$tmp" \
	-pthread || fail threads
for preload in "$lib" "$lib $tmp/libregistry.so" "$tmp/libregistry.so $lib"; do
	LD_PRELOAD=$preload timeout 60 ./threads >out 2>&1
	status=$?
	[ $status = 0 ] ||
		fail "pthread_create of $preload: status $status: $(cat out)"
done

# It asks on behalf of others, so the next library is that behind itself.
cat >symbols.c <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#define OLDEST "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define OLDEST "GLIBC_2.17"
#endif

void *dlsym(void *handle, const char *name)
{
	void *(*next)(void *, const char *) = dlvsym(RTLD_NEXT, "dlsym",
	    OLDEST);
	char *copy = strcpy(malloc(50000 + strlen(name)), name);
	void *symbol = next(handle, copy);

	free(copy);
	return symbol;
}

int dl_iterate_phdr(int (*call)(struct dl_phdr_info *, size_t, void *),
    void *argument)
{
	int (*next)(int (*)(struct dl_phdr_info *, size_t, void *), void *) =
	    dlvsym(RTLD_NEXT, "dl_iterate_phdr", OLDEST);

	free(malloc(100000));
	return next(call, argument);
}
END
cat >opens.c <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>

int main(void)
{
	void *handle = dlopen("libm.so.6", RTLD_NOW);

	free(malloc(1000));
	return handle == NULL || dlclose(handle) != 0 ||
	    dlopen("no_such_library", RTLD_NOW) != NULL ||
	    dlmopen(LM_ID_BASE, "libm.so.6", RTLD_NOW) == NULL;
}
END
if gcc -O1 -fPIC -fno-builtin -shared -o symbols.so symbols.c 2>error; then
	gcc -O1 -fno-builtin -o opens opens.c || fail opens
	LD_PRELOAD="$tmp/symbols.so $lib" timeout 60 ./opens >out 2>&1
	status=$?
	[ $status = 0 ] || fail "a dlsym before ours: status $status: $(cat out)"
else
	left_out "no dlvsym here: $(head -n 1 error)"
fi

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
