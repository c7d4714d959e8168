#include "unwind/unwind_objects.h"

#include <link.h>
#include <stdatomic.h>
#include <stddef.h>

#include "os/probe.h"
#include "util/compiler.h"

enum { OBJECTS_MAX = 256 };

/*
 * What glibc's function fills in; see its <dlfcn.h>. Older versions have
 * neither the function nor this type, so declare it here.
 */
struct found {
	unsigned long long flags;
	void *map_start;
	void *map_end;
	void *link_map;
	void *eh_frame;
	unsigned long long reserved[8];
};

WEAK int find_object(void *pc, struct found *found) __asm__("_dl_find_object");

struct table {
	unsigned count;
	struct unwind_object object[OBJECTS_MAX]; /* by address */
	struct unwind_module module[OBJECTS_MAX];
};

static struct {
	_Atomic unsigned current; /* its lowest bit selects the table */
	atomic_flag refreshing;
	bool use_table;
	_Atomic bool refreshed;
} objects = { .refreshing = ATOMIC_FLAG_INIT };

static SPARSE struct table tables[2];

/*
 * Can the C library be asked now? In a static program it allocates memory
 * before its table is ready, and would crash instead of answering. In others it
 * is ready before any code of this library runs.
 */
static bool
can_ask(void)
{
	return find_object != NULL && !objects.use_table &&
	    (atomic_load_explicit(&objects.refreshed, memory_order_relaxed) ||
		!probe_is_static());
}

/* `module` may be NULL. */
static bool
find_in_table(uintptr_t pc, struct unwind_object *object,
    struct unwind_module *module)
{
	unsigned version = atomic_load_explicit(&objects.current,
	    memory_order_acquire);
	const struct table *table = &tables[version % 2];
	unsigned low = 0, high = table->count;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (table->object[middle].end <= pc)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == table->count)
		return false;
	*object = table->object[low];
	if (module != NULL)
		*module = table->module[low];
	atomic_thread_fence(memory_order_acquire);
	/* If the table was rewritten meanwhile, the answer may be wrong. */
	if (atomic_load_explicit(&objects.current, memory_order_relaxed) !=
		version ||
	    !unwind_object_contains(object, pc))
		return false;
	return probe_readable(object->index, object->index + 12);
}

bool
unwind_objects_find(uintptr_t pc, struct unwind_object *object)
{
	struct found found;

	if (!can_ask())
		return find_in_table(pc, object, NULL) ||
		    program_index_find(pc, object);
	if (find_object((void *)pc, &found) != 0 || found.eh_frame == NULL)
		return program_index_find(pc, object);
	object->start = (uintptr_t)found.map_start;
	object->end = (uintptr_t)found.map_end;
	object->index = (uintptr_t)found.eh_frame;
	return true;
}

bool
unwind_objects_name(uintptr_t pc, struct unwind_module *module)
{
	struct unwind_object object;
	const struct link_map *map;
	struct found found;

	if (!can_ask())
		return find_in_table(pc, &object, module);
	if (find_object((void *)pc, &found) != 0 || found.link_map == NULL)
		return false;
	map = found.link_map;
	module->name = map->l_name != NULL ? map->l_name : "";
	module->base = (uintptr_t)map->l_addr;
	return true;
}

bool
unwind_objects_loaded(uintptr_t pc, struct unwind_loaded *loaded)
{
	struct found found;

	if (!can_ask() || find_object((void *)pc, &found) != 0)
		return false;
	loaded->start = (uintptr_t)found.map_start;
	loaded->end = (uintptr_t)found.map_end;
	loaded->handle = found.link_map;
	return true;
}

static void
enter(struct table *table, const struct unwind_object *object,
    const struct unwind_module *module)
{
	unsigned at;

	if (table->count == OBJECTS_MAX)
		return;
	for (at = table->count++;
	     at > 0 && table->object[at - 1].start > object->start; at--) {
		table->object[at] = table->object[at - 1];
		table->module[at] = table->module[at - 1];
	}
	table->object[at] = *object;
	table->module[at] = *module;
}

static int
enter_loaded(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct unwind_object object = { .start = UINTPTR_MAX };
	struct unwind_module module = { info->dlpi_name, info->dlpi_addr };

	(void)size;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + header->p_vaddr;

		if (header->p_type == PT_GNU_EH_FRAME)
			object.index = start;
		if (header->p_type != PT_LOAD)
			continue;
		if (start < object.start)
			object.start = start;
		if (start + header->p_memsz > object.end)
			object.end = start + header->p_memsz;
	}
	if (object.index != 0 && object.start < object.end)
		enter(arg, &object, &module);
	return 0;
}

AT_START void
unwind_objects_refresh(void)
{
	unsigned version;
	struct table *spare;

	atomic_store_explicit(&objects.refreshed, true, memory_order_relaxed);
	if (can_ask())
		return;
	if (atomic_flag_test_and_set_explicit(&objects.refreshing,
		memory_order_acquire))
		return;
	version = atomic_load_explicit(&objects.current, memory_order_relaxed);
	spare = &tables[(version + 1) % 2];
	/*
	 * A thread that has been reading this table since before the last
	 * refresh will see that `current` has changed, and drop its answer.
	 */
	spare->count = 0;
	dl_iterate_phdr(enter_loaded, spare);
	atomic_store_explicit(&objects.current, version + 1,
	    memory_order_release);
	atomic_flag_clear_explicit(&objects.refreshing, memory_order_release);
}

void
unwind_objects_use_table(bool use)
{
	objects.use_table = use;
	unwind_objects_refresh();
}

bool
unwind_objects_ready(void)
{
	return atomic_load_explicit(&objects.refreshed, memory_order_relaxed);
}
