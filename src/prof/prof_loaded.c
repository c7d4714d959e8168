#include "prof/prof_loaded.h"

#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>

#include "os/pages.h"
#include "os/system.h"
#include "util/bits.h"
#include "util/format.h"

#define SIZE_FIRST ((size_t)64 << 10)
#define SIZE_MOST  ((size_t)256 << 20)
#define LINE_SIZE  128

struct segment {
	uintptr_t start;
	uintptr_t end;
	uint64_t offset;
	unsigned flags;
	const char *name;
};

/* Segments grow from the front of the memory, their names from its end. */
struct list {
	struct segment *segment;
	size_t count;
	size_t size; /* bytes of the memory */
	char *names;
	bool full;
};

const char *
prof_loaded_program(void)
{
	const char *name = (const char *)getauxval(AT_EXECFN);

	return name == NULL ? "" : name;
}

/* The name that /proc has for an object. */
static const char *
name_of(const struct dl_phdr_info *info)
{
	if (info->dlpi_addr != 0 &&
	    info->dlpi_addr == getauxval(AT_SYSINFO_EHDR))
		return "[vdso]";
	return info->dlpi_name == NULL || info->dlpi_name[0] == '\0'
	    ? prof_loaded_program()
	    : info->dlpi_name;
}

/* The loader may free the name as soon as it has its lock back. NULL: full. */
static const char *
keep_name(struct list *list, const char *name)
{
	size_t length = strlen(name) + 1;
	char *end = (char *)&list->segment[list->count];

	if ((size_t)(list->names - end) < length) {
		list->full = true;
		return NULL;
	}
	list->names -= length;
	return memcpy(list->names, name, length);
}

static void
enter(struct list *list, const struct segment *segment)
{
	size_t at = list->count;

	if ((size_t)(list->names - (char *)&list->segment[at]) <
	    sizeof(*segment)) {
		list->full = true;
		return;
	}
	for (; at > 0 && list->segment[at - 1].start > segment->start; at--)
		list->segment[at] = list->segment[at - 1];
	list->segment[at] = *segment;
	list->count++;
}

static int
enter_loaded(struct dl_phdr_info *info, size_t size, void *context)
{
	size_t page = system_info.page_size;
	struct list *list = context;
	const char *name = keep_name(list, name_of(info));

	(void)size;
	for (unsigned i = 0; name != NULL && i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + header->p_vaddr;

		if (header->p_type != PT_LOAD || header->p_filesz == 0)
			continue;
		enter(list,
		    &(struct segment){ .start = round_down(start, page),
			.end = round_up(start + header->p_filesz, page),
			.offset = round_down(header->p_offset, page),
			.flags = header->p_flags,
			.name = name });
	}
	return list->full;
}

static bool
take(struct list *list)
{
	for (size_t size = SIZE_FIRST; size <= SIZE_MOST; size *= 2) {
		char *memory;

		size = round_up(size, system_info.page_size);
		memory = pages_map(size, system_info.page_size);
		if (memory == NULL)
			return false;
		*list = (struct list){ .segment = (struct segment *)memory,
			.size = size,
			.names = memory + size };
		dl_iterate_phdr(enter_loaded, list);
		if (!list->full)
			return true;
		pages_unmap(memory, size);
	}
	return false;
}

bool
prof_loaded_list(prof_write_function *put, void *context)
{
	char line[LINE_SIZE];
	struct list list;

	if (!take(&list))
		return false;
	for (size_t i = 0; i < list.count; i++) {
		const struct segment *segment = &list.segment[i];
		size_t length = format_text(line, sizeof(line),
		    "%zx-%zx %c%c%cp %08llx 00:00 0 ", (size_t)segment->start,
		    (size_t)segment->end, segment->flags & PF_R ? 'r' : '-',
		    segment->flags & PF_W ? 'w' : '-',
		    segment->flags & PF_X ? 'x' : '-',
		    (unsigned long long)segment->offset);

		put(context, line, length);
		put(context, segment->name, strlen(segment->name));
		put(context, "\n", 1);
	}
	pages_unmap(list.segment, list.size);
	return true;
}
