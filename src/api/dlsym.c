/*
 * dlsym, which gives our malloc and free also to whoever asks the C library's
 * handle for them.
 *
 * Programs that call C functions by their names (python's ctypes, .NET, Julia,
 * JNA) open libc.so.6 and look up free() in it. They give it objects that other
 * functions have from malloc, which is ours. So where the answer is the C
 * library's own function, it becomes ours, unless opt.deepbind leaves the C
 * library's functions to those who want them. It is not asked whether the
 * process has another malloc: a wrapper that looks up one function here has the
 * others by RTLD_NEXT, so they are ours. And nothing of the program may be
 * called: it may hold a lock, or be about to find out what its malloc calls.
 *
 * The C library finds its caller by the return address: RTLD_NEXT begins behind
 * the caller. So we jump to its function and don't call it, where this matters.
 */
#include <dlfcn.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "api/boot.h"
#include "conf/options.h"
#include "os/c_library.h"
#include "os/loaded_symbol.h"
#include "util/compiler.h"

/* The header of the object that this code is in. */
extern const ElfW(Ehdr) __ehdr_start HIDDEN;

/* What glibc's malloc exports, by the ends of the names. */
static const char names[][20] = { "malloc", "calloc", "realloc", "free",
	"memalign", "valloc", "pvalloc", "mallinfo", "mallopt", "mallinfo2",
	"aligned_alloc", "posix_memalign", "reallocarray", "malloc_usable_size",
	"malloc_trim", "malloc_stats", "malloc_info" };

static bool
is_of_malloc(const char *name)
{
	static const char second_names[] = "__libc_";

	if (strncmp(name, second_names, sizeof(second_names) - 1) == 0)
		name += sizeof(second_names) - 1;
	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		if (*name == *names[i] && strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* Our function, if `found` is the C library's. */
static void *
instead_of(void *found, const char *name)
{
	uintptr_t own;

	if (found == NULL || found != c_library_find(name) || !boot_ready() ||
	    opt.deepbind)
		return found;
	own = loaded_symbol((uintptr_t)&__ehdr_start, name);
	return own != 0 ? (void *)own : found;
}

static void *own_dlsym(void *handle, const char *name) ALIAS_OF(dlsym);

typedef void *look_up(void *handle, const char *name);

/*
 * The one behind ours. It is kept: some programs look up thousands of symbols
 * when they start. NULL: none is known.
 */
static look_up *
behind(void)
{
	static look_up *known;
	look_up *next = READ_RELAXED(known);

	if (next == NULL) {
		/*
		 * A sanitizer asks before it has started: then nothing but this
		 * may run.
		 */
		if (c_library_find("dlsym") == NULL)
			c_library_init();
		/* Without it c_library_next() would come back to us. */
		if (c_library_find("dlsym") == NULL)
			return NULL;
		next = c_library_behind("dlsym", (const void *)own_dlsym);
		SET_RELAXED(known, next);
	}
	return next;
}

/**
 * Looks up a symbol, as dlsym of the C library does, see above.
 * Contract:  POSIX
 */
EXPORT JUMPS_AT_END void *
dlsym(void *handle, const char *name)
{
	look_up *next = behind();

	if (next == NULL)
		return NULL;
	if (handle != RTLD_DEFAULT && handle != RTLD_NEXT && is_of_malloc(name))
		return instead_of(next(handle, name), name);
	JUMP return next(handle, name);
}
