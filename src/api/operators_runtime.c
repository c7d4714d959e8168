#include "api/operators_runtime.h"

#include <dlfcn.h>
#include <stddef.h>

#include "os/c_library.h"

struct search {
	const char *name;
	const void *own;
	Dl_info caller; /* its file and its function; NULL: not known */
};

/* The C library's function, whoever wraps it, or NULL. */
static void *
of_c_library(const char *name)
{
	void *function = c_library_find(name);

	return function != NULL ? function : c_library_next(name);
}

static void
look_at_caller(Dl_info *info, const void *caller)
{
	int (*look)(const void *, Dl_info *) = of_c_library("dladdr");

	if (look == NULL || look(caller, info) == 0)
		*info = (Dl_info){ 0 };
}

/*
 * What is found, unless it would call itself: by us, or as a function that
 * wraps ours and has called it just now.
 */
static void *
unless_own(const struct search *search, void *found)
{
	return found == search->own || found == search->caller.dli_saddr
	    ? NULL
	    : found;
}

static void *
find_in_global(const struct search *search)
{
	void *found = c_library_next(search->name);

	/*
	 * If the program opened us by dlopen, the C++ library may be before us.
	 */
	if (found == NULL)
		found = dlsym(RTLD_DEFAULT, search->name);
	return unless_own(search, found);
}

/*
 * Looks in a file that is loaded, and in those that it needs.
 *
 * Memory is out meanwhile. The loader takes none for a file that it finds by
 * the name in its list; elsewhere the look-up may fail, and does no more. The
 * handle is closed again, so that the program can unload the file. The function
 * stays where it is nevertheless: who calls us needs it.
 */
static void *
find_in(const struct search *search, const char *file)
{
	void *(*open_object)(const char *, int) = of_c_library("dlopen");
	int (*close_object)(void *) = of_c_library("dlclose");
	void *(*look_up)(void *, const char *) = of_c_library("dlsym");
	void *handle, *found;

	if (open_object == NULL || close_object == NULL || look_up == NULL)
		return NULL;
	handle = open_object(file, RTLD_LAZY | RTLD_NOLOAD);
	if (handle == NULL)
		return NULL;
	found = look_up(handle, search->name);
	close_object(handle);
	return unless_own(search, found);
}

/* The caller's own library may have a C++ library of its own. */
static void *
find_in_caller(const struct search *search)
{
	const char *file = search->caller.dli_fname;

	/* An empty name would be the program's. */
	return file == NULL || file[0] == '\0' ? NULL : find_in(search, file);
}

/* Who calls may be no C++ library: one that wraps an operator, for example. */
static void *
find_by_name(const struct search *search)
{
	static const char *const files[] = { "libstdc++.so.6", "libc++.so.1",
		"libc++abi.so.1" };
	void *found = NULL;

	for (size_t i = 0; i < ARRAY_LEN(files) && found == NULL; i++)
		found = find_in(search, files[i]);
	return found;
}

void *
operators_runtime_near(const char *name, const void *own, const void *caller)
{
	struct search search = { .name = name, .own = own };

	look_at_caller(&search.caller, caller);
	return find_in_caller(&search);
}

void *
operators_runtime(const char *name, const void *own, const void *caller)
{
	struct search search = { .name = name, .own = own };
	void *found;

	look_at_caller(&search.caller, caller);
	found = find_in_global(&search);
	if (found == NULL)
		found = find_in_caller(&search);
	return found != NULL ? found : find_by_name(&search);
}
