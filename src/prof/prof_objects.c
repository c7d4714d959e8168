#include "prof/prof_objects.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "extent/metadata.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/pages.h"
#include "os/probe.h"
#include "os/system.h"
#include "unwind/unwind_objects.h"
#include "util/bits.h"
#include "util/compiler.h"

#define OBJECTS_MAX 512

struct object {
	struct unwind_loaded loaded; /* what it was when it was entered */
	struct prof_mapping mapping; /* its code; the name is behind this */
	size_t size;                 /* bytes, with the name */
	bool closed;
};

static struct {
	struct lock lock; /* protects all of it */
	unsigned count;
	bool incomplete;
	struct object *object[OBJECTS_MAX]; /* closed ones in their order */
} objects SPARSE;

AT_START void
prof_objects_init(void)
{
	lock_init_zeroed(&objects.lock, LOCK_PROF_OBJECTS);
}

struct lock *
prof_objects_lock(void)
{
	return &objects.lock;
}

static void
remove_locked(unsigned i)
{
	LOCK_ASSERT_HELD(&objects.lock);
	memmove(&objects.object[i], &objects.object[i + 1],
	    (objects.count - i - 1) * sizeof(objects.object[0]));
	objects.count--;
}

/* --- entering ------------------------------------------------------------- */

static bool
is_still(const struct unwind_loaded *now, const struct unwind_loaded *before)
{
	return now->start == before->start && now->end == before->end &&
	    now->handle == before->handle;
}

/* Moves an object behind all that were closed before. */
static void
close_locked(unsigned i)
{
	struct object *object = objects.object[i];

	LOCK_ASSERT_HELD(&objects.lock);
	remove_locked(i);
	object->closed = true;
	objects.object[objects.count++] = object;
}

/*
 * The object that is loaded at `pc`, if it was entered; or NULL. An object that
 * was there before is closed.
 */
static const struct object *
find_locked(uintptr_t pc, const struct unwind_loaded *loaded)
{
	LOCK_ASSERT_HELD(&objects.lock);
	for (unsigned i = 0; i < objects.count; i++) {
		const struct object *object = objects.object[i];

		if (object->closed ||
		    !prof_mapping_contains(&object->mapping, pc))
			continue;
		if (is_still(loaded, &object->loaded))
			return object;
		close_locked(i);
		return NULL;
	}
	return NULL;
}

/* The first page has the headers, and usually the build id. */
static bool
copy_head(const void *context, uint64_t offset, void *to, size_t size)
{
	const struct unwind_loaded *loaded = context;
	size_t page = system_info.page_size;

	if (offset > page || size > page - offset)
		return false;
	memcpy(to, (const char *)loaded->start + offset, size);
	return true;
}

/*
 * A record with the name of a file. A relative path is made a whole one, since
 * the profile will be read elsewhere.
 */
static struct object *
object_name(const char *name)
{
	bool is_relative = name[0] != '/' && strchr(name, '/') != NULL;
	size_t length = strlen(name), folder = 0;
	size_t size = sizeof(struct object) + length + 1 +
	    (is_relative ? PATH_MAX : 0);
	struct object *object = metadata_take_piece(size);
	struct stat status;
	char *path;

	if (object == NULL)
		return NULL;
	path = (char *)(object + 1);
	if (is_relative) {
		ssize_t found = file_link("/proc/self/cwd", path, PATH_MAX);

		if (found > 0) {
			folder = (size_t)found;
			path[folder++] = '/';
		}
		if (name[0] == '.' && name[1] == '/')
			name += 2, length -= 2;
	}
	memcpy(path + folder, name, length + 1);
	*object = (struct object){ .size = size,
		.mapping = { .name = path, .name_length = folder + length } };
	if (file_status(path, 0, &status)) {
		object->mapping.device = status.st_dev;
		object->mapping.inode = status.st_ino;
	}
	return object;
}

/*
 * Its code is on this thread's stack, so it stays loaded. But a program may
 * protect or unmap the headers of its own libraries. Then all of it counts as
 * code.
 */
static struct object *
object_make(const struct unwind_loaded *loaded, uintptr_t pc)
{
	struct unwind_module module;
	struct object *object;

	if (!unwind_objects_name(pc, &module))
		return NULL;
	object = object_name(module.name);
	if (object == NULL)
		return NULL;
	object->loaded = *loaded;
	object->mapping.start = loaded->start;
	object->mapping.end = loaded->end;
	if (probe_readable(loaded->start, loaded->start + 1)) {
		prof_elf_find_code(&object->mapping, copy_head, loaded,
		    loaded->start, pc);
		prof_elf_read_id(&object->mapping, copy_head, loaded);
	}
	return object;
}

/* Are these the same part of the same file at the same place? */
static bool
are_same(const struct prof_mapping *a, const struct prof_mapping *b)
{
	return a->start == b->start && a->end == b->end &&
	    a->offset == b->offset && a->name_length == b->name_length &&
	    a->id_length == b->id_length &&
	    memcmp(a->id, b->id, a->id_length) == 0 &&
	    (a->id_length != 0 ||
		(a->device == b->device && a->inode == b->inode)) &&
	    memcmp(a->name, b->name, a->name_length) == 0;
}

/* Makes room for one more. The result is what was forgotten for it, or NULL. */
static struct object *
make_room_locked(void)
{
	struct object *oldest;

	LOCK_ASSERT_HELD(&objects.lock);
	for (unsigned i = 0; objects.count == OBJECTS_MAX && i < OBJECTS_MAX;
	     i++) {
		oldest = objects.object[i];
		if (!oldest->closed)
			continue;
		remove_locked(i);
		objects.incomplete = true;
		return oldest;
	}
	return NULL;
}

/* Enters an object. The result is a record to be freed, or NULL. */
static struct object *
enter_locked(struct object *fresh)
{
	struct object *forgotten;

	LOCK_ASSERT_HELD(&objects.lock);
	for (unsigned i = 0; i < objects.count; i++) {
		struct object *object = objects.object[i];

		if (!are_same(&object->mapping, &fresh->mapping))
			continue;
		/* It was opened again, or another thread was faster. */
		object->closed = false;
		object->loaded = fresh->loaded;
		return fresh;
	}
	forgotten = make_room_locked();
	if (objects.count == OBJECTS_MAX) {
		objects.incomplete = true;
		return fresh;
	}
	objects.object[objects.count++] = fresh;
	return forgotten;
}

static void
enter(const struct unwind_loaded *loaded, uintptr_t pc)
{
	struct object *object = object_make(loaded, pc);

	lock_acquire(&objects.lock);
	if (object == NULL)
		objects.incomplete = true;
	else
		object = enter_locked(object);
	lock_release(&objects.lock);
	if (object != NULL)
		metadata_give_piece(object, object->size);
}

void
prof_objects_note(void *const *pcs, unsigned depth)
{
	const struct prof_mapping none = { 0 }, *known = &none;
	struct unwind_loaded loaded;

	lock_acquire(&objects.lock);
	for (unsigned i = 0; i < depth; i++) {
		/* A call may be the last instruction of a function. */
		uintptr_t pc = (uintptr_t)pcs[i] - 1;
		const struct object *object;

		if (prof_mapping_contains(known, pc) ||
		    !unwind_objects_loaded(pc, &loaded))
			continue;
		object = find_locked(pc, &loaded);
		if (object != NULL) {
			known = &object->mapping;
			continue;
		}
		lock_release(&objects.lock);
		enter(&loaded, pc);
		known = &none;
		lock_acquire(&objects.lock);
	}
	lock_release(&objects.lock);
}

/* --- closed ones ---------------------------------------------------------- */

void
prof_objects_settle(void)
{
	struct unwind_loaded now;
	unsigned left, i = 0;

	lock_acquire(&objects.lock);
	for (left = objects.count; left > 0; left--) {
		const struct object *object = objects.object[i];

		if (object->closed ||
		    (unwind_objects_loaded(object->loaded.start, &now) &&
			is_still(&now, &object->loaded)))
			i++;
		else
			close_locked(i);
	}
	lock_release(&objects.lock);
}

void
prof_objects_forget(void)
{
	struct object *object;

	do {
		lock_acquire(&objects.lock);
		objects.incomplete = false;
		object = NULL;
		if (objects.count > 0)
			object = objects.object[--objects.count];
		lock_release(&objects.lock);
		if (object != NULL)
			metadata_give_piece(object, object->size);
	} while (object != NULL);
}

/* Copies those that are closed, or those that are not. */
static size_t
copy_some_locked(struct prof_mapping *to, char **names, bool closed)
{
	size_t count = 0;

	LOCK_ASSERT_HELD(&objects.lock);
	for (unsigned i = 0; i < objects.count; i++) {
		const struct prof_mapping *from = &objects.object[i]->mapping;

		if (objects.object[i]->closed != closed)
			continue;
		to[count] = *from;
		to[count++].name = memcpy(*names, from->name,
		    from->name_length);
		*names += from->name_length;
	}
	return count;
}

/* Copies all if they fit into `size` bytes. Returns how many are needed. */
static size_t
copy_locked(struct prof_closed *closed, char *memory, size_t size)
{
	size_t needed = objects.count * sizeof(*closed->item);
	char *names;

	LOCK_ASSERT_HELD(&objects.lock);
	*closed = (struct prof_closed){ .incomplete = objects.incomplete };
	if (objects.count == 0)
		return 0;
	for (unsigned i = 0; i < objects.count; i++)
		needed += objects.object[i]->mapping.name_length;
	if (needed > size)
		return needed;
	closed->item = (struct prof_mapping *)memory;
	closed->size = size;
	names = memory + objects.count * sizeof(*closed->item);
	closed->count = copy_some_locked(closed->item, &names, true);
	closed->nloaded = copy_some_locked(closed->item + closed->count, &names,
	    false);
	return 0;
}

bool
prof_closed_take(struct prof_closed *closed)
{
	size_t size = 0, needed;
	char *memory = NULL;

	for (;;) {
		lock_acquire(&objects.lock);
		needed = copy_locked(closed, memory, size);
		lock_release(&objects.lock);
		if (memory != NULL && closed->size == 0)
			pages_unmap(memory, size);
		if (needed == 0)
			return true;
		size = round_up(needed, system_info.page_size);
		memory = pages_map(size, system_info.page_size);
		if (memory == NULL) {
			*closed = (struct prof_closed){ .incomplete = true };
			return false;
		}
	}
}

void
prof_closed_end(struct prof_closed *closed)
{
	if (closed->size != 0)
		pages_unmap(closed->item, closed->size);
}
