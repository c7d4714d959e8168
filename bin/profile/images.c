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
		     "that which the profile names",
		    program);
	fclose(file);
}

void
images_begin(const struct images_options *options)
{
	char *full = options->program == NULL
	    ? NULL
	    : realpath(options->program, NULL);

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

/* Does the file say where its code is, but not what it is? */
static bool
code_is_left_out(Elf *elf)
{
	bool left_out = false;
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	while ((section = elf_nextscn(elf, section)) != NULL) {
		if (gelf_getshdr(section, &header) == NULL ||
		    (header.sh_flags & SHF_EXECINSTR) == 0)
			continue;
		if (header.sh_type != SHT_NOBITS)
			return false;
		left_out = true;
	}
	return left_out;
}

static void
image_segments(struct image *image, Elf *elf)
{
	size_t count = 0;
	GElf_Phdr header;

	if (elf_getphdrnum(elf, &count) != 0)
		return;
	image->code_is_left_out = code_is_left_out(elf);
	for (size_t i = 0; i < count && image->nsegments < SEGMENTS_MAX; i++) {
		if (gelf_getphdr(elf, (int)i, &header) != NULL &&
		    header.p_type == PT_LOAD)
			image->segments[image->nsegments++] = header;
	}
}

/* The build id of a file, in hex; or NULL. */
static const char *
module_build_id(Dwfl_Module *module)
{
	const unsigned char *bits;
	GElf_Addr address;
	int length = dwfl_module_build_id(module, &bits, &address);
	char text[2 * 64 + 1] = "";

	for (int i = 0; i < length && i < 64; i++)
		sprintf(text + 2 * i, "%02x", bits[i]);
	return length <= 0 ? NULL : intern(text);
}

/* True: the file has another build id than the profile. */
static bool
image_differs(const struct image *image)
{
	const char *is = module_build_id(image->module);

	if (image->build_id == NULL)
		return false;
	/* Some writers cut it, or fill it with zeros. */
	return is == NULL ||
	    (strncmp(is, image->build_id, strlen(is)) != 0 &&
		strncmp(is, image->build_id, strlen(image->build_id)) != 0);
}

static void
image_close(struct image *image)
{
	dwfl_end(image->dwfl);
	image->dwfl = NULL;
	image->module = NULL;
	image->file = NULL;
	image->nsegments = 0;
}

/* The table of sections lies at the end, and without it there are no names. */
static void
truncation_check(const char *file, Elf *elf)
{
	GElf_Ehdr header;
	size_t size = 0;

	if (elf_rawfile(elf, &size) == NULL ||
	    gelf_getehdr(elf, &header) == NULL ||
	    (header.e_shoff < size &&
		size - header.e_shoff >=
		    (size_t)header.e_shnum * header.e_shentsize))
		return;
	note("%s: the file is truncated: its functions have no names", file);
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

	if (elf != NULL) {
		image_segments(image, elf);
		truncation_check(file, elf);
	}
	return true;
}

/* Opens the file if it is that of the profile, as far as that is known. */
static bool
image_open_same(struct image *image, const char *file)
{
	if (!image_open(image, file))
		return false;
	if (!image_differs(image))
		return true;
	trace("%s: %s: another build", image->path, file);
	image_close(image);
	return false;
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

			found = image_open_same(image, file);
			free(file);
		}
	}
	free(list);
	return found;
}

/* The separate debug file has symbols, too. */
static bool
image_open_by_id(struct image *image)
{
	const char *id = image->build_id;
	char *file;
	bool found;

	if (id == NULL || strlen(id) < 3)
		return false;
	file = print("/usr/lib/debug/.build-id/%.2s/%s.debug", id, id + 2);
	found = image_open_same(image, file);
	free(file);
	return found;
}

static void
image_search(struct image *image)
{
	const char *path = image->path;

	if (image_open_prefixed(image, path) || image_open_same(image, path) ||
	    image_open_by_id(image) || image_is_allocator(path))
		return;
	/* One line is enough for all its builds. */
	for (size_t i = 0; i < images.count; i++) {
		if (images.list[i]->path == path && images.list[i]->told)
			return;
	}
	image->told = true;
	if (access(path, R_OK) != 0)
		note("%s: %s: its functions have no names; see --lib_prefix",
		    path, strerror(errno));
	else if (image->build_id != NULL)
		note("%s: is of another build than the profile (%.12s): its "
		     "functions have no names; see --lib_prefix",
		    path, image->build_id);
}

/* Looks for `file` first, if it is not NULL, then for the path of the map. */
static struct image *
image_find(const char *path, const char *build_id, const char *file)
{
	for (size_t i = 0; i < images.count; i++) {
		if (images.list[i]->path == path &&
		    images.list[i]->build_id == build_id)
			return images.list[i];
	}
	struct image *image = memory(1, sizeof(*image));

	image->path = path;
	image->build_id = build_id;
	if (file == NULL)
		image_search(image);
	else if (image_open(image, file) && image_differs(image))
		note("%s: is of another build than the profile (%.12s): names "
		     "may be wrong",
		    file, build_id);
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
	if (dump->nmaps == 0 || !dump->maps[0].is_file ||
	    strstr(dump->maps[0].path, ".so") != NULL)
		return NULL;
	return dump->maps[0].path;
}

/*
 * A separate debug file says where code would be, and has none. Its segments
 * may say that they are whole, if one has notes behind the code; a file without
 * sections has nothing but segments.
 */
static bool
is_debug_file(const struct image *image)
{
	bool has_code = false;

	if (image->code_is_left_out)
		return image->nsegments > 0;
	for (unsigned i = 0; i < image->nsegments; i++)
		if ((image->segments[i].p_flags & PF_X) != 0)
			has_code |= image->segments[i].p_filesz >=
			    image->segments[i].p_memsz;
	return !has_code && image->nsegments > 0;
}

/* The address as linked, by the distance from where the file begins. */
static uint64_t
address_by_base(const struct image *image, const struct mapping *map,
    uint64_t pc)
{
	return pc - map->base + (image->segments[0].p_vaddr & ~UINT64_C(4095));
}

static bool
debug_file_fits(const struct image *image, const struct mapping *map)
{
	uint64_t start = address_by_base(image, map, map->start);

	for (unsigned i = 0; i < image->nsegments; i++) {
		const GElf_Phdr *segment = &image->segments[i];

		if ((segment->p_flags & PF_X) != 0 &&
		    start >= (segment->p_vaddr & ~UINT64_C(4095)) &&
		    start < segment->p_vaddr + segment->p_memsz)
			return true;
	}
	return false;
}

/*
 * Where a profile lists code alone, the file does not always begin where it
 * seems to. Then the code is that which is as large as the mapping.
 */
static uint64_t
address_by_place(const struct image *image, const struct mapping *map,
    uint64_t pc)
{
	uint64_t size = map->end - map->start;

	for (unsigned i = 0;
	     i < image->nsegments && !debug_file_fits(image, map); i++) {
		const GElf_Phdr *segment = &image->segments[i];
		uint64_t start = segment->p_vaddr & ~UINT64_C(4095);
		uint64_t end = segment->p_vaddr + segment->p_memsz;

		if ((segment->p_flags & PF_X) != 0 && end > start &&
		    (end - start + 4095) / 4096 == size / 4096)
			return pc - map->start + start;
	}
	return address_by_base(image, map, pc);
}

/* Is a part of the file's code as large as the mapping, and at its place? */
static bool
image_fits(const struct image *image, const struct mapping *map)
{
	uint64_t size = map->end - map->start;

	if (is_debug_file(image))
		return debug_file_fits(image, map);
	for (unsigned i = 0; i < image->nsegments; i++) {
		const GElf_Phdr *segment = &image->segments[i];
		uint64_t page = segment->p_align < 4096 ? 4096
		    : segment->p_align > 65536          ? 65536
							: segment->p_align;
		uint64_t start = segment->p_offset & ~(page - 1);
		uint64_t end = (segment->p_offset + segment->p_filesz + page -
				   1) &
		    ~(page - 1);

		if ((segment->p_flags & PF_X) != 0 && map->offset >= start &&
		    map->offset + size <= end)
			return true;
	}
	return false;
}

static bool
is_mapped_file(const struct mapping *map, const struct stat *status)
{
	return map->inode == status->st_ino && map->device == status->st_dev;
}

/*
 * Was the profile made on this machine, in this view of its files? Then at
 * least one of the files is still what was mapped. Otherwise numbers of files
 * say nothing.
 */
static bool
dump_is_here(struct dump *dump)
{
	enum { UNKNOWN, NO, YES };
	struct stat status;

	if (dump->here != UNKNOWN)
		return dump->here == YES;
	dump->here = NO;
	for (size_t i = 0; i < dump->nmaps && dump->here == NO; i++) {
		if (dump->maps[i].is_file && dump->maps[i].inode != 0 &&
		    stat(dump->maps[i].path, &status) == 0 &&
		    is_mapped_file(&dump->maps[i], &status))
			dump->here = YES;
	}
	return dump->here == YES;
}

/* Has the file been replaced or written since the profile was made? */
static bool
image_is_newer(const struct image *image, struct dump *dump,
    const struct mapping *map)
{
	struct stat status, mapped;

	if (stat(image->file, &status) != 0)
		return false;
	if (dump->time.tv_sec != 0 &&
	    (status.st_mtim.tv_sec > dump->time.tv_sec ||
		(status.st_mtim.tv_sec == dump->time.tv_sec &&
		    status.st_mtim.tv_nsec > dump->time.tv_nsec)))
		return true;
	return stat(map->path, &mapped) == 0 &&
	    mapped.st_ino == status.st_ino && mapped.st_dev == status.st_dev &&
	    map->device == status.st_dev && map->inode != status.st_ino &&
	    dump_is_here(dump);
}

/*
 * The file may not be the one that the process had mapped, which may have been
 * in a container or have been replaced. Profiles as text have no build id. But
 * they say where a file's code is and how much of it was mapped, often which
 * file it was, and when they were written; so this is compared.
 */
static void
image_check(struct image *image, struct dump *dump, const struct mapping *map)
{
	bool fits, newer;

	if (image->nsegments == 0 || image->checked == dump || map->brief ||
	    map->build_id != NULL || image->warned)
		return;
	image->checked = dump;
	fits = image_fits(image, map);
	if (map->deleted && fits) {
		image->warned = true;
		note("%s: was replaced or removed while the program ran: names "
		     "may be wrong",
		    image->file);
		return;
	}
	newer = fits && image_is_newer(image, dump, map);
	image->warned = !fits || newer;
	image->fits = !image->warned;
	if (!fits)
		note("%s: not the file that was mapped at 0x%" PRIx64 " (its "
		     "build is another), names may be wrong; see --lib_prefix",
		    image->file, map->start);
	else if (newer)
		note("%s: is newer than the profile %s: if it was built "
		     "again, names may be wrong",
		    image->file, dump->path);
}

const char *
image_build_id(const struct mapping *map)
{
	const struct image *image = map->image;

	if (map->build_id != NULL)
		return map->build_id;
	return image != NULL && image->fits ? module_build_id(image->module)
					    : NULL;
}

/*
 * Is the anonymous memory just where the file's code would be? Then sets what
 * part of the file it would be.
 */
static bool
moved_place(struct mapping *map, const struct image *image)
{
	uint64_t place = map->start - map->base;

	for (unsigned i = 0; i < image->nsegments; i++) {
		const GElf_Phdr *segment = &image->segments[i];
		uint64_t first = image->segments[0].p_vaddr & ~UINT64_C(4095);
		uint64_t start = segment->p_vaddr - first;
		uint64_t end = start + segment->p_memsz + 4095;

		if ((segment->p_flags & PF_X) == 0 || place + 4095 < start ||
		    map->end - map->base > end)
			continue;
		map->offset = place - start + segment->p_offset;
		return true;
	}
	return false;
}

struct image *
image_of_mapping(struct dump *dump, struct mapping *map)
{
	if (!map->is_file)
		return NULL;
	if (map->image == NULL) {
		const char *program = program_mapping(dump);

		map->image = image_find(map->path, map->build_id,
		    map->path == program ? images.options.program : NULL);
		if (map->moved && !moved_place(map, map->image)) {
			map->is_file = false;
			map->path = intern("[jit]");
			return NULL;
		}
		image_check(map->image, dump, map);
	}
	return map->image;
}

/* The address as linked, by the segment that contains that part of the file. */
uint64_t
image_address(const struct image *image, const struct mapping *map, uint64_t pc)
{
	uint64_t offset = pc - map->start + map->offset;

	if (is_debug_file(image))
		return address_by_place(image, map, pc);
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
		struct image *image = image_find(intern(added), NULL, added);

		if (is_code(image, pc))
			return image;
	}
	/* Without a map, the program can only be where it was linked to. */
	if (dump->nmaps == 0 && images.options.program != NULL)
		return image_find(intern(images.options.program), NULL,
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
