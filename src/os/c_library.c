#include "os/c_library.h"

#include <dlfcn.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "os/loaded_symbol.h"
#include "os/system.h"
#include "util/compiler.h"

/*
 * How the files are named: of glibc, up to 2.33 with its functions for threads
 * and for loading in objects of their own, and of musl, whose loader it is.
 */
static const char *const file_names[] = { "libc.so.", "libpthread.so.",
	"libdl.so.", "ld-musl-" };

static struct {
	uintptr_t object[ARRAY_LEN(file_names)];
	_Atomic unsigned count; /* published after the objects */
} c_library;

/* The dynamic section of the object that this code is in; NULL: it has none. */
extern ElfW(Dyn) _DYNAMIC[] HIDDEN WEAK;

/*
 * The loader's list of the objects in the program's namespace. It is read by
 * the loader's record for debuggers, because dl_iterate_phdr() may be replaced,
 * too. Objects that are closed leave the list. But either this is the start of
 * the process, or the loader is about to load us and holds its lock.
 */
static const struct link_map *
first_loaded(void)
{
	const ElfW(Dyn) *entry = system_program().dynamic;

	for (; entry != NULL && entry->d_tag != DT_NULL; entry++)
		if (entry->d_tag == DT_DEBUG && entry->d_un.d_ptr != 0)
			return ((const struct r_debug *)entry->d_un.d_ptr)
			    ->r_map;
	return NULL;
}

static bool
is_c_library(const char *path)
{
	const char *slash = path != NULL ? strrchr(path, '/') : NULL;
	const char *name = slash != NULL ? slash + 1 : path;

	for (unsigned i = 0; name != NULL && i < ARRAY_LEN(file_names); i++)
		if (strncmp(name, file_names[i], strlen(file_names[i])) == 0)
			return true;
	return false;
}

void
c_library_init(void)
{
	const struct link_map *map = first_loaded();
	bool ours = false; /* is this the list that we are in? */
	unsigned count = 0;

	for (; map != NULL; map = map->l_next) {
		uintptr_t object = (uintptr_t)map->l_addr;

		ours |= map->l_ld == _DYNAMIC;
		/*
		 * These libraries begin with their header. It is not asked
		 * whether it can be read: valgrind complains of such
		 * questions.
		 */
		if (count < ARRAY_LEN(c_library.object) &&
		    is_c_library(map->l_name) && object != 0 &&
		    object % system_info.page_size == 0 &&
		    object < (uintptr_t)map->l_ld)
			c_library.object[count++] = object;
	}
	/* Other threads may be in dlopen() already. */
	atomic_store_explicit(&c_library.count, ours ? count : 0,
	    memory_order_release);
}

void *
c_library_find(const char *name)
{
	unsigned count = atomic_load_explicit(&c_library.count,
	    memory_order_acquire);
	uintptr_t found = 0;

	for (unsigned i = 0; i < count && found == 0; i++)
		found = loaded_symbol(c_library.object[i], name);
	return (void *)found;
}

void *
c_library_next(const char *name)
{
	void *(*look_up)(void *, const char *) = c_library_find("dlsym");

	return (look_up != NULL ? look_up : dlsym)(RTLD_NEXT, name);
}
