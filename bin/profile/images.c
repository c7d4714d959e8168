#include "images.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

static struct {
	struct images_options options;
	const char *program_full;
	struct image **list;
	size_t count;
} images;

static const Dwfl_Callbacks callbacks = {
	.find_elf = dwfl_build_id_find_elf,
	.find_debuginfo = dwfl_standard_find_debuginfo,
	.section_address = dwfl_offline_section_address,
};

/*
 * Warns if the file is a script and no program: the interpreter is the program.
 */
static void
program_check(const char *program)
{
	struct stat status;
	char mark[SELFMAG] = "";
	FILE *file = fopen(program, "re");

	if (file == NULL)
		fail("%s: %s", program, strerror(errno));
	if (fstat(fileno(file), &status) == 0 && S_ISDIR(status.st_mode))
		fail("%s: is a directory", program);
	if (fread(mark, 1, SELFMAG, file) < SELFMAG ||
	    memcmp(mark, ELFMAG, SELFMAG) != 0)
		fail("%s: is not a program (ELF); without one, jeprof takes "
		    "that which the profile names", program);
	fclose(file);
}

void
images_begin(const struct images_options *options)
{
	char *full = options->program == NULL ? NULL :
	    realpath(options->program, NULL);

	/* Look for files only on this machine. */
	unsetenv("DEBUGINFOD_URLS");
	images.options = *options;
	if (options->program != NULL)
		program_check(options->program);
	images.program_full = full == NULL ? NULL : intern(full);
	free(full);
}

bool
image_is_allocator(const char *path)
{
	return strncmp(base_name(path), "libjemalloc", 11) == 0;
}

static void
image_segments(struct image *image, Elf *elf)
{
	size_t count = 0;
	GElf_Phdr header;

	if (elf_getphdrnum(elf, &count) != 0)
		return;
	for (size_t i = 0; i < count && image->nsegments < SEGMENTS_MAX; i++) {
		if (gelf_getphdr(elf, (int)i, &header) != NULL &&
		    header.p_type == PT_LOAD)
			image->segments[image->nsegments++] = header;
	}
}

static bool
image_open(struct image *image, const char *file)
{
	if (access(file, R_OK) != 0) {
		trace("%s: %s: %s", image->path, file, strerror(errno));
		return false;
	}
	image->dwfl = dwfl_begin(&callbacks);
	dwfl_report_begin(image->dwfl);
	/* At base 0 the module's addresses are the addresses as linked. */
	image->module = dwfl_report_elf(image->dwfl, base_name(file), file, -1,
	    0, true);
	dwfl_report_end(image->dwfl, NULL, NULL);
	if (image->module == NULL) {
		note("%s: %s", file, dwfl_errmsg(-1));
		return false;
	}
	trace("%s: %s", image->path, file);
	image->file = intern(file);
	GElf_Addr bias;
	Elf *elf = dwfl_module_getelf(image->module, &bias);

	if (elf != NULL)
		image_segments(image, elf);
	return true;
}

/* P/a/b/lib.so, P/b/lib.so, P/lib.so for each prefix. */
static bool
image_open_prefixed(struct image *image, const char *path)
{
	if (images.options.prefixes == NULL || path[0] != '/')
		return false;
	char *list = print("%s", images.options.prefixes);
	char *rest = list, *prefix;
	bool found = false;

	for (const char *tail = path; !found && tail != NULL;
	    tail = strchr(tail + 1, '/')) {
		rest = strcpy(list, images.options.prefixes);
		while (!found && (prefix = strsep(&rest, ",")) != NULL) {
			char *file = print("%s%s", prefix, tail);

			found = image_open(image, file);
			free(file);
		}
	}
	free(list);
	return found;
}

/* Looks for `file` first, if it is not NULL, then for the path of the map. */
static struct image *
image_find(const char *path, const char *file)
{
	for (size_t i = 0; i < images.count; i++) {
		if (images.list[i]->path == path)
			return images.list[i];
	}
	struct image *image = memory(1, sizeof(*image));

	image->path = path;
	if (file != NULL)
		image_open(image, file);
	else if (!image_open_prefixed(image, path) &&
	    !image_open(image, path) && access(path, R_OK) != 0 &&
	    !image_is_allocator(path))
		note("%s: %s: its functions have no names; see --lib_prefix",
		    path, strerror(errno));
	images.list = array_room(images.list, images.count,
	    sizeof(*images.list));
	images.list[images.count++] = image;
	return image;
}

/*
 * Which of the mapped files is the program? It may have been renamed or moved
 * since. So take the one with that path; if there is none, one with that name;
 * if there is none, the first of all.
 */
static const char *
program_mapping(const struct dump *dump)
{
	if (images.options.program == NULL)
		return NULL;
	for (size_t i = 0; i < dump->nmaps; i++) {
		if (dump->maps[i].path == images.program_full)
			return dump->maps[i].path;
	}
	for (size_t i = 0; i < dump->nmaps; i++) {
		const char *path = dump->maps[i].path;

		if (strcmp(base_name(path),
		    base_name(images.options.program)) == 0)
			return path;
	}
	if (dump->nmaps == 0 || strstr(dump->maps[0].path, ".so") != NULL)
		return NULL;
	return dump->maps[0].path;
}

/*
 * The file may not be the one that the process had mapped, which may have been
 * in a container or have been replaced. Profiles have no build id. But they say
 * where a file's code is and how much of it was mapped, so this is compared.
 */
static void
image_check(struct image *image, const struct mapping *map)
{
	uint64_t size = map->end - map->start;

	if (image->nsegments == 0 || image->checked || map->brief)
		return;
	image->checked = true;
	for (unsigned i = 0; i < image->nsegments; i++) {
		const GElf_Phdr *segment = &image->segments[i];
		uint64_t page = segment->p_align < 4096 ? 4096 :
		    segment->p_align > 65536 ? 65536 : segment->p_align;
		uint64_t start = segment->p_offset & ~(page - 1);
		uint64_t end = (segment->p_offset + segment->p_filesz + page -
		    1) & ~(page - 1);

		if ((segment->p_flags & PF_X) != 0 && map->offset >= start &&
		    map->offset + size <= end)
			return;
	}
	note("%s: not the file that was mapped at 0x%" PRIx64 " (its build is "
	    "another), names may be wrong; see --lib_prefix", image->file,
	    map->start);
}

struct image *
image_of_mapping(struct dump *dump, struct mapping *map)
{
	if (map->image == NULL) {
		const char *program = program_mapping(dump);

		map->image = image_find(map->path,
		    map->path == program ? images.options.program : NULL);
		image_check(map->image, map);
	}
	return map->image;
}

/* The address as linked, by the segment that contains that part of the file. */
uint64_t
image_address(const struct image *image, const struct mapping *map, uint64_t pc)
{
	uint64_t offset = pc - map->start + map->offset;

	for (unsigned i = 0; i < image->nsegments; i++) {
		const GElf_Phdr *segment = &image->segments[i];

		if (offset >= segment->p_offset &&
		    offset < segment->p_offset + segment->p_filesz &&
		    (segment->p_flags & PF_X) != 0)
			return offset - segment->p_offset + segment->p_vaddr;
	}
	return offset;
}

static bool
is_code(const void *of, uint64_t address)
{
	const struct image *image = of;

	for (unsigned i = 0; i < image->nsegments; i++) {
		const GElf_Phdr *segment = &image->segments[i];

		if ((segment->p_flags & PF_X) != 0 &&
		    address - segment->p_vaddr < segment->p_memsz)
			return true;
	}
	return false;
}

struct image *
image_unmapped(const struct dump *dump, uint64_t pc)
{
	const char *added = images.options.added;

	if (added != NULL) {
		struct image *image = image_find(intern(added), added);

		if (is_code(image, pc))
			return image;
	}
	/* Without a map, the program can only be where it was linked to. */
	if (dump->nmaps == 0 && images.options.program != NULL)
		return image_find(intern(images.options.program),
		    images.options.program);
	return NULL;
}

bool
image_unit(struct image *image, uint64_t address, Dwarf_Die *unit,
    Dwarf_Addr *bias)
{
	if (image->units == NULL)
		image->units = units_create(image->module, is_code, image);
	return units_find(image->units, address, unit, bias);
}

/* Makes the table only when it is needed: debug information may be enough. */
const char *
image_symbol(struct image *image, uint64_t address, struct symtab_range *range)
{
	if (image->module == NULL)
		return NULL;
	if (image->symtab == NULL)
		image->symtab = symtab_create(image->module);
	return symtab_find(image->symtab, address, range);
}
