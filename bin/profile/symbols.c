#include "symbols.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "names.h"
#include "scopes.h"
#include "symtab.h"
#include "tool.h"

#define SEGMENTS_MAX 32

struct image {
	const char *path;	/* as in the load map */
	unsigned nsegments;
	GElf_Phdr segments[SEGMENTS_MAX];
	Dwfl *dwfl;
	Dwfl_Module *module;	/* NULL: nothing known */
	struct symtab *symtab;
};

static struct {
	const char *program;
	const char *program_full;
	const char *prefixes;
	struct image **images;
	size_t nimages;
	struct location *locations;
	size_t nlocations;
	unsigned *slots;	/* location + 1 by hash */
	size_t mask;
} symbols;

static const Dwfl_Callbacks callbacks = {
	.find_elf = dwfl_build_id_find_elf,
	.find_debuginfo = dwfl_standard_find_debuginfo,
	.section_address = dwfl_offline_section_address,
};

void
symbols_begin(const char *program, const char *prefixes)
{
	char *full = program == NULL ? NULL : realpath(program, NULL);

	/* Files are looked for on this machine alone. */
	unsetenv("DEBUGINFOD_URLS");
	symbols.program = program;
	symbols.program_full = full == NULL ? NULL : intern(full);
	symbols.prefixes = prefixes;
	free(full);
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
	if (access(file, R_OK) != 0)
		return false;
	image->dwfl = dwfl_begin(&callbacks);
	dwfl_report_begin(image->dwfl);
	/* At base 0 the module's addresses are those it was linked with. */
	image->module = dwfl_report_elf(image->dwfl, base_name(file), file, -1,
	    0, true);
	dwfl_report_end(image->dwfl, NULL, NULL);
	if (image->module == NULL) {
		note("%s: %s", file, dwfl_errmsg(-1));
		return false;
	}
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
	if (symbols.prefixes == NULL || path[0] != '/')
		return false;
	char *list = print("%s", symbols.prefixes), *rest = list, *prefix;
	bool found = false;

	for (const char *tail = path; !found && tail != NULL;
	    tail = strchr(tail + 1, '/')) {
		rest = strcpy(list, symbols.prefixes);
		while (!found && (prefix = strsep(&rest, ",")) != NULL) {
			char *file = print("%s%s", prefix, tail);

			found = image_open(image, file);
			free(file);
		}
	}
	free(list);
	return found;
}

/* file: where to look first, if not where the map says. */
static struct image *
image_find(const char *path, const char *file)
{
	for (size_t i = 0; i < symbols.nimages; i++) {
		if (symbols.images[i]->path == path)
			return symbols.images[i];
	}
	struct image *image = memory(1, sizeof(*image));

	image->path = path;
	if (file != NULL)
		image_open(image, file);
	else if (!image_open_prefixed(image, path))
		image_open(image, path);
	symbols.images = array_room(symbols.images, symbols.nimages,
	    sizeof(*symbols.images));
	symbols.images[symbols.nimages++] = image;
	return image;
}

/*
 * Which of the mapped files is the program? It may have been renamed or moved
 * since: the one of that path, else of that name, else the first of all.
 */
static const char *
program_mapping(const struct dump *dump)
{
	if (symbols.program == NULL)
		return NULL;
	for (size_t i = 0; i < dump->nmaps; i++) {
		if (dump->maps[i].path == symbols.program_full)
			return dump->maps[i].path;
	}
	for (size_t i = 0; i < dump->nmaps; i++) {
		const char *path = dump->maps[i].path;

		if (strcmp(base_name(path), base_name(symbols.program)) == 0)
			return path;
	}
	if (dump->nmaps == 0 || strstr(dump->maps[0].path, ".so") != NULL)
		return NULL;
	return dump->maps[0].path;
}

static struct mapping *
mapping_find(struct dump *dump, uint64_t pc)
{
	static struct mapping *last;

	if (last != NULL && last >= dump->maps &&
	    last < dump->maps + dump->nmaps && pc >= last->start &&
	    pc < last->end)
		return last;
	for (size_t i = 0; i < dump->nmaps; i++) {
		if (pc >= dump->maps[i].start && pc < dump->maps[i].end)
			return last = &dump->maps[i];
	}
	return NULL;
}

static struct image *
mapping_image(struct dump *dump, struct mapping *map)
{
	if (map->image == NULL) {
		const char *program = program_mapping(dump);

		map->image = image_find(map->path,
		    map->path == program ? symbols.program : NULL);
	}
	return map->image;
}

/* The address as linked: the segment that holds that part of the file tells. */
static uint64_t
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
is_allocator(const struct mapping *map)
{
	return strncmp(base_name(map->path), "libjemalloc", 11) == 0;
}

static void
slots_grow(void)
{
	size_t size = symbols.slots == NULL ? 4096 : 2 * (symbols.mask + 1);

	free(symbols.slots);
	symbols.slots = memory(size, sizeof(*symbols.slots));
	symbols.mask = size - 1;
	for (size_t i = 0; i < symbols.nlocations; i++) {
		struct location *location = &symbols.locations[i];
		uint64_t key[2] = { (uintptr_t)location->image,
			location->address };
		size_t at = hash_bytes(key, sizeof(key)) & symbols.mask;

		while (symbols.slots[at] != 0)
			at = (at + 1) & symbols.mask;
		symbols.slots[at] = (unsigned)i + 1;
	}
}

static unsigned
location_find(struct image *image, uint64_t address, uint64_t pc)
{
	if (2 * symbols.nlocations >= symbols.mask)
		slots_grow();

	uint64_t key[2] = { (uintptr_t)image, address };
	size_t at = hash_bytes(key, sizeof(key)) & symbols.mask;

	for (; symbols.slots[at] != 0; at = (at + 1) & symbols.mask) {
		struct location *location =
		    &symbols.locations[symbols.slots[at] - 1];

		if (location->image == image && location->address == address)
			return symbols.slots[at] - 1;
	}
	symbols.locations = array_room(symbols.locations, symbols.nlocations,
	    sizeof(*symbols.locations));
	symbols.locations[symbols.nlocations] = (struct location){
		.image = image, .address = address, .pc = pc,
	};
	symbols.slots[at] = (unsigned)++symbols.nlocations;
	return symbols.slots[at] - 1;
}

unsigned
symbols_location(struct dump *dump, uint64_t pc)
{
	struct mapping *map = mapping_find(dump, pc);

	if (map != NULL && dump->nsymbols == 0) {
		struct image *image = mapping_image(dump, map);
		unsigned number = location_find(image,
		    image_address(image, map, pc), pc);

		symbols.locations[number].inside = is_allocator(map);
		return number;
	}
	/* Without a map it can only be where the program was linked to. */
	if (dump->nmaps == 0 && dump->nsymbols == 0 && symbols.program != NULL)
		return location_find(image_find(intern(symbols.program),
		    symbols.program), pc, pc);
	return location_find(NULL, pc, pc);
}

struct location *
symbols_get(unsigned location)
{
	return &symbols.locations[location];
}

static struct frame *
location_frame(struct location *location, const char *name)
{
	location->frames = array_room(location->frames, location->nframes,
	    sizeof(*location->frames));
	struct frame *frame = &location->frames[location->nframes++];

	*frame = (struct frame){ .pc = location->pc };
	if (name != NULL) {
		frame->name = name_demangle(name);
		frame->short_name = name_short(frame->name);
		frame->allocator = name_is_allocator(frame->short_name);
	}
	return frame;
}

static const char *
function_name(Dwarf_Die *function)
{
	Dwarf_Attribute attribute;
	const char *name = NULL;

	if (dwarf_attr_integrate(function, DW_AT_linkage_name, &attribute) ||
	    dwarf_attr_integrate(function, DW_AT_MIPS_linkage_name, &attribute))
		name = dwarf_formstring(&attribute);
	return name != NULL ? name : dwarf_diename(function);
}

/* Where an inlined function was called: the line of the frame around it. */
static void
call_place(Dwarf_Die *inlined, Dwarf_Die *unit, struct frame *frame)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value;
	Dwarf_Files *files;
	size_t count;

	if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attribute),
	    &value) == 0)
		frame->line = (int)value;
	if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attribute),
	    &value) == 0 && dwarf_getsrcfiles(unit, &files, &count) == 0 &&
	    value < count) {
		const char *file = dwarf_filesrc(files, value, NULL, NULL);

		frame->file = file == NULL ? NULL : intern(file);
	}
}

/* Made when it is first needed: debug information may have all names. */
static const char *
symbol_name(struct image *image, uint64_t address)
{
	if (image->symtab == NULL)
		image->symtab = symtab_create(image->module);
	return symtab_find(image->symtab, address);
}

static bool
is_cxx(Dwarf_Die *unit)
{
	switch (dwarf_srclang(unit)) {
	case DW_LANG_C_plus_plus:
	case DW_LANG_C_plus_plus_03:
	case DW_LANG_C_plus_plus_11:
	case DW_LANG_C_plus_plus_14:
		return true;
	default:
		return false;
	}
}

/*
 * Functions that no other file can call have no linkage name in the debug
 * information, so no class either; their symbol has both.
 */
static const char *
outer_name(struct location *location, Dwarf_Die *unit, Dwarf_Die *function)
{
	const char *name = function_name(function), *symbol;

	if (name == NULL || strncmp(name, "_Z", 2) == 0 || !is_cxx(unit))
		return name;
	symbol = symbol_name(location->image, location->address);
	if (symbol != NULL && strncmp(symbol, "_Z", 2) == 0 && strstr(symbol, name) != NULL &&
	    strchr(symbol, '.') == NULL)
		return symbol;
	return name;
}

static void
resolve_scopes(struct location *location, Dwarf_Die *unit, Dwarf_Addr bias)
{
	const struct scope *inner = NULL;
	const struct scope *scope = scopes_find(unit, location->address - bias);

	for (; scope != NULL; inner = scope, scope = scope->parent) {
		Dwarf_Die die = scope->die, inlined;
		struct frame *frame = location_frame(location, scope->inlined ?
		    function_name(&die) : outer_name(location, unit, &die));

		frame->inlined = scope->inlined;
		if (inner == NULL)
			continue;
		inlined = inner->die;
		call_place(&inlined, unit, frame);
	}
}

static void
resolve_in_image(struct location *location, struct image *image)
{
	Dwfl_Module *module = image->module;
	Dwarf_Addr bias = 0;
	Dwarf_Die *unit = dwfl_module_addrdie(module, location->address, &bias);
	Dwfl_Line *line = dwfl_module_getsrc(module, location->address);

	if (unit != NULL)
		resolve_scopes(location, unit, bias);
	/* Not the last frame: its function is missing. */
	if (location->nframes == 0 ||
	    location->frames[location->nframes - 1].inlined)
		location_frame(location,
		    symbol_name(image, location->address));
	if (line != NULL) {
		struct frame *frame = &location->frames[0];
		const char *file = dwfl_lineinfo(line, NULL, &frame->line,
		    NULL, NULL, NULL);

		frame->file = file == NULL ? NULL : intern(file);
	}
}

static void
location_resolve(struct location *location)
{
	struct image *image = location->image;
	char hex[24];

	if (location->nframes == 0) {
		if (image != NULL && image->module != NULL)
			resolve_in_image(location, image);
		else
			location_frame(location, NULL);
	}
	for (unsigned i = 0; i < location->nframes; i++) {
		struct frame *frame = &location->frames[i];

		if (frame->name == NULL) {
			sprintf(hex, "%016" PRIx64, location->pc);
			frame->short_name = intern(hex);
		}
		frame->inside = location->inside;
	}
}

void
symbols_resolve(void)
{
	for (size_t i = 0; i < symbols.nlocations; i++)
		location_resolve(&symbols.locations[i]);
}

/* "outer--inner": frames are kept innermost first. */
static void
given_names(struct location *location, const char *names)
{
	char *copy = print("%s", names), *cut;

	while ((cut = strrchr(copy, '-')) != NULL) {
		while (cut > copy && !(cut[0] == '-' && cut[-1] == '-'))
			cut--;
		if (cut == copy)
			break;
		location_frame(location, cut + 1)->inlined = true;
		cut[-1] = '\0';
	}
	bool unknown = strncmp(copy, "0x", 2) == 0 || copy[0] == '\0';

	location_frame(location, unknown ? NULL : copy);
	free(copy);
}

void
symbols_given(struct dump *dump)
{
	for (size_t i = 0; i < dump->nsymbols; i++) {
		unsigned number = symbols_location(dump, dump->symbols[i].pc);
		struct location *location = symbols_get(number);

		struct mapping *map = mapping_find(dump, location->pc);

		if (location->nframes == 0)
			given_names(location, dump->symbols[i].names);
		location->inside = map != NULL && is_allocator(map);
	}
}
