#include "os/c_library.h"

#include <dlfcn.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/auxv.h>

#include "os/loaded_symbol.h"
#include "os/system.h"
#include "util/compiler.h"

/*
 * How the files are named: of glibc, up to 2.33 with its functions for threads
 * and for loading in objects of their own, and of musl, whose loader it is.
 */
static const char *const file_names[] = { "libc.so.", "libpthread.so.",
	"libdl.so.", "ld-musl-" };

struct objects {
	uintptr_t object[ARRAY_LEN(file_names)];
	unsigned count;
};

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
begins_with(const char *text, const char *beginning)
{
	while (*beginning != '\0' && *text == *beginning) {
		text++;
		beginning++;
	}
	return *beginning == '\0';
}

static bool
is_c_library(const char *path)
{
	const char *name = path;

	for (; path != NULL && *path != '\0'; path++)
		if (*path == '/')
			name = path + 1;
	for (unsigned i = 0; name != NULL && i < ARRAY_LEN(file_names); i++)
		if (begins_with(name, file_names[i]))
			return true;
	return false;
}

static void
add(struct objects *found, uintptr_t object)
{
	if (found->count < ARRAY_LEN(found->object))
		found->object[found->count++] = object;
}

/*
 * Those of the list. False: there are none, or it is not ours, because we were
 * loaded into another namespace.
 */
static bool
find_listed(struct objects *found)
{
	const struct link_map *map = first_loaded();
	bool ours = false;

	for (; map != NULL; map = map->l_next) {
		uintptr_t object = (uintptr_t)map->l_addr;

		ours |= map->l_ld == _DYNAMIC;
		/*
		 * These libraries begin with their header. It is not asked
		 * whether it can be read: valgrind complains of such
		 * questions.
		 */
		if (is_c_library(map->l_name) && object != 0 &&
		    object % system_info.page_size == 0 &&
		    object < (uintptr_t)map->l_ld)
			add(found, object);
	}
	return ours && found->count > 0;
}

/* The C library of our own namespace, by its name or by a function of it. */
static int
add_own(struct dl_phdr_info *info, size_t size, void *context)
{
	uintptr_t header = 0;
	bool is_it = is_c_library(info->dlpi_name), is_ours = false;

	(void)size;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + segment->p_vaddr;

		if (segment->p_type != PT_LOAD)
			continue;
		if (segment->p_offset == 0)
			header = start;
		is_it |= (uintptr_t)getauxval - start < segment->p_memsz;
		is_ours |= (uintptr_t)c_library_init - start < segment->p_memsz;
	}
	if (is_it && !is_ours && header != 0)
		add(context, header);
	return 0;
}

AT_START void
c_library_init(void)
{
	struct objects found = { 0 };

	if (!find_listed(&found)) {
		found.count = 0;
		dl_iterate_phdr(add_own, &found);
	}
	/* Other threads may be in dlopen() already; they find the same. */
	for (unsigned i = 0; i < found.count; i++)
		SET_RELAXED(c_library.object[i], found.object[i]);
	atomic_store_explicit(&c_library.count, found.count,
	    memory_order_release);
}

AT_START void *
c_library_find(const char *name)
{
	unsigned count = atomic_load_explicit(&c_library.count,
	    memory_order_acquire);
	uintptr_t found = 0;

	for (unsigned i = 0; i < count && found == 0; i++)
		found = loaded_symbol(READ_RELAXED(c_library.object[i]), name);
	return (void *)found;
}

void *
c_library_next(const char *name)
{
	void *(*look_up)(void *, const char *) = c_library_find("dlsym");

	return (look_up != NULL ? look_up : dlsym)(RTLD_NEXT, name);
}

void *
c_library_behind(const char *name, const void *own)
{
	void *next = c_library_next(name);

	/* A dlsym() that another library has replaced may answer with ours. */
	if (next == NULL || next == own)
		next = c_library_find(name);
	return next;
}
