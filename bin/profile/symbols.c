#include "symbols.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "enclosing.h"
#include "images.h"
#include "jit.h"
#include "names.h"
#include "owners.h"
#include "pattern.h"
#include "scopes.h"
#include "tool.h"

/* What a profile says itself about allocator functions. */
struct drop {
	const char *text;
	struct pattern drop, keep;
};

static struct {
	struct location *locations;
	size_t nlocations;
	unsigned *slots; /* location + 1 by hash */
	size_t mask;
	struct drop *drops;
	size_t ndrops;
} symbols;

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

static void
slots_grow(void)
{
	size_t size = symbols.slots == NULL ? 4096 : 2 * (symbols.mask + 1);

	free(symbols.slots);
	symbols.slots = memory(size, sizeof(*symbols.slots));
	symbols.mask = size - 1;
	for (size_t i = 0; i < symbols.nlocations; i++) {
		struct location *location = &symbols.locations[i];
		uint64_t key[2] = { (uintptr_t)location->key,
			location->address };
		size_t at = hash_bytes(key, sizeof(key)) & symbols.mask;

		while (symbols.slots[at] != 0)
			at = (at + 1) & symbols.mask;
		symbols.slots[at] = (unsigned)i + 1;
	}
}

/* The location with this key and address; a new one has only these. */
static unsigned
location_find(const void *owner, uint64_t address)
{
	if (2 * symbols.nlocations >= symbols.mask)
		slots_grow();

	uint64_t key[2] = { (uintptr_t)owner, address };
	size_t at = hash_bytes(key, sizeof(key)) & symbols.mask;

	for (; symbols.slots[at] != 0; at = (at + 1) & symbols.mask) {
		struct location *location =
		    &symbols.locations[symbols.slots[at] - 1];

		if (location->key == owner && location->address == address)
			return symbols.slots[at] - 1;
	}
	symbols.locations = array_room(symbols.locations, symbols.nlocations,
	    sizeof(*symbols.locations));
	symbols.locations[symbols.nlocations] = (struct location){
		.key = owner,
		.address = address,
	};
	symbols.slots[at] = (unsigned)++symbols.nlocations;
	return symbols.slots[at] - 1;
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
	frame->location = (unsigned)(location - symbols.locations);
	return frame;
}

/* If several functions have the name, the address follows it: name<1234>. */
static struct frame *
given_frame(struct location *location, char *name)
{
	char *mark = strrchr(name, '<'), *end;
	struct frame *frame;
	uint64_t start = 0;

	if (mark != NULL && mark > name && mark[1] != '>') {
		start = strtoull(mark + 1, &end, 16);
		if (strcmp(end, ">") == 0)
			*mark = '\0';
		else
			start = 0;
	}
	frame = location_frame(location, name);
	frame->start = start;
	if (start != 0)
		frame->home = intern(print("%" PRIx64, start));
	return frame;
}

/* "outer--inner": frames are kept innermost first. */
static void
given_text(struct location *location, const char *names)
{
	char *copy = print("%s", names), *cut;

	while ((cut = strrchr(copy, '-')) != NULL) {
		while (cut > copy && !(cut[0] == '-' && cut[-1] == '-'))
			cut--;
		if (cut == copy)
			break;
		given_frame(location, cut + 1)->inlined = true;
		cut[-1] = '\0';
	}
	bool unknown = strncmp(copy, "0x", 2) == 0 || copy[0] == '\0';

	if (unknown)
		location_frame(location, NULL);
	else
		given_frame(location, copy);
	free(copy);
}

/* Lines as another tool has found them. */
static void
given_lines(struct location *location, const struct dump_symbol *symbol)
{
	for (size_t i = 0; i < symbol->nlines; i++) {
		const struct dump_line *line = &symbol->lines[i];
		struct frame *frame = location_frame(location, line->name);

		frame->file = frame->home = line->file;
		frame->line = line->line;
		frame->first_line = line->first_line;
		frame->inlined = i + 1 < symbol->nlines;
	}
}

static void
given_frames(struct location *location, const struct dump_symbol *symbol)
{
	if (symbol->names != NULL)
		given_text(location, symbol->names);
	else
		given_lines(location, symbol);
}

/* Equal names have the same key. */
static const void *
given_key(const struct dump_symbol *symbol)
{
	const char *key;
	char *text = NULL;
	size_t length;
	FILE *file;

	if (symbol->names != NULL)
		return intern(symbol->names);
	file = open_memstream(&text, &length);
	if (file == NULL)
		fail("out of memory");
	for (size_t i = 0; i < symbol->nlines; i++) {
		const struct dump_line *line = &symbol->lines[i];

		fprintf(file, "%s\n%s:%d\n", line->name ? line->name : "",
		    line->file ? line->file : "", line->line);
	}
	fclose(file);
	key = intern(text);
	free(text);
	return key;
}

static void
given_index(struct dump *dump)
{
	size_t size = 64;

	while (size < 2 * dump->nsymbols)
		size *= 2;
	dump->symbol_slots = memory(size, sizeof(*dump->symbol_slots));
	dump->symbol_mask = size - 1;
	for (size_t i = 0; i < dump->nsymbols; i++) {
		uint64_t pc = dump->symbols[i].pc;
		size_t at = hash_bytes(&pc, sizeof(pc)) & dump->symbol_mask;

		while (dump->symbol_slots[at] != 0 &&
		    dump->symbols[dump->symbol_slots[at] - 1].pc != pc)
			at = (at + 1) & dump->symbol_mask;
		/* The first one counts. */
		if (dump->symbol_slots[at] == 0)
			dump->symbol_slots[at] = (unsigned)i + 1;
	}
}

/* The names that the dump itself has for the address, or NULL. */
static struct dump_symbol *
symbol_find(struct dump *dump, uint64_t pc)
{
	size_t at;

	if (dump->nsymbols == 0)
		return NULL;
	if (dump->symbol_slots == NULL)
		given_index(dump);
	at = hash_bytes(&pc, sizeof(pc)) & dump->symbol_mask;
	for (; dump->symbol_slots[at] != 0; at = (at + 1) & dump->symbol_mask) {
		struct dump_symbol *symbol =
		    &dump->symbols[dump->symbol_slots[at] - 1];

		if (symbol->pc == pc)
			return symbol;
	}
	return NULL;
}

/*
 * Dumps of one program that was loaded at several places agree in the names and
 * in an address within a page.
 */
static unsigned
location_given(struct dump_symbol *symbol, uint64_t pc)
{
	unsigned number;

	if (symbol->key == NULL)
		symbol->key = given_key(symbol);
	number = location_find(symbol->key, pc & 4095);
	if (symbols.locations[number].nframes == 0) {
		symbols.locations[number].pc = pc;
		given_frames(&symbols.locations[number], symbol);
	}
	return number;
}

/* Which of the files it was can't be known, so the name says all of them. */
static unsigned
location_shared(struct dump *dump, const struct owners *owners, uint64_t pc)
{
	unsigned number = location_find(owners_name(owners, pc), 0);

	if (!dump->shared)
		note("%s: several files had code at the same address, one "
		     "after the other; such frames are shown as [A or B]",
		    dump->path);
	dump->shared = true;
	symbols.locations[number].named = true;
	symbols.locations[number].shared = true;
	return number;
}

unsigned
symbols_location(struct dump *dump, uint64_t pc)
{
	struct mapping *map = mapping_find(dump, pc);
	struct dump_symbol *symbol = symbol_find(dump, pc);
	struct image *image = NULL;
	struct owners owners = { .count = 0 };
	unsigned number;
	const char *jit;

	if (symbol == NULL && map != NULL)
		owners_find(&owners, dump, map, pc);
	if (symbol != NULL) {
		number = location_given(symbol, pc);
	} else if (dump->nsymbols > 0 && !dump->partly) {
		/* No program is there to be asked. */
		number = location_find(NULL, pc);
	} else if (map == NULL && (jit = jit_name(dump, pc)) != NULL) {
		number = location_find(jit, 0);
		symbols.locations[number].named = true;
	} else if (map == NULL) {
		image = image_unmapped(dump, pc);
		number = location_find(image, pc);
	} else if (owners.count > 1) {
		number = location_shared(dump, &owners, pc);
		map = NULL;
	} else if ((image = image_of_mapping(dump, map)) != NULL) {
		number = location_find(image, image_address(image, map, pc));
	} else if ((jit = jit_name(dump, pc)) != NULL) {
		number = location_find(jit, 0);
		symbols.locations[number].named = true;
	} else {
		number = location_find(NULL, pc);
	}
	struct location *location = &symbols.locations[number];

	if (location->seen)
		return number;
	location->seen = true;
	location->pc = pc;
	location->image = image;
	location->map = map;
	location->gone = symbol == NULL && map == NULL && image == NULL &&
	    !location->named && dump->nmaps > 0;
	location->inside = map != NULL && image_is_allocator(map->path);
	return number;
}

struct location *
symbols_get(unsigned location)
{
	return &symbols.locations[location];
}

size_t
symbols_count(void)
{
	return symbols.nlocations;
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

/* Sets the line of the outer frame: there the inlined function was called. */
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
		&value) == 0 &&
	    dwarf_getsrcfiles(unit, &files, &count) == 0 && value < count) {
		const char *file = dwarf_filesrc(files, value, NULL, NULL);

		frame->file = file == NULL ? NULL : intern(file);
	}
}

static bool
is_cxx(Dwarf_Die *unit)
{
	switch (dwarf_srclang(unit)) {
	case DW_LANG_C_plus_plus:
	case DW_LANG_C_plus_plus_03:
	case DW_LANG_C_plus_plus_11:
	case DW_LANG_C_plus_plus_14:
	case 0x2b: /* C++17; the constants are newer than some libdw */
	case 0x2c: /* C++20 */
		return true;
	default:
		return false;
	}
}

/* Does the mangled symbol contain the name? "cl" stands for operator(). */
static bool
is_symbol_of(const char *symbol, const char *name)
{
	return strstr(symbol, strcmp(name, "operator()") == 0 ? "clE" : name) !=
	    NULL;
}

/*
 * If no other file can call a function, the debug information has no linkage
 * name for it, and so no class. Its symbol has both.
 */
static const char *
outer_name(struct location *location, Dwarf_Die *unit, Dwarf_Die *function)
{
	const char *name = function_name(function), *symbol;
	struct symtab_range range;

	if (name == NULL || strncmp(name, "_Z", 2) == 0 || !is_cxx(unit))
		return name;
	symbol = image_symbol(location->image, location->address, &range);
	if (symbol != NULL && strncmp(symbol, "_Z", 2) == 0 &&
	    is_symbol_of(symbol, name) && strchr(symbol, '.') == NULL)
		return symbol;
	return enclosing_name(function);
}

static const char *
inner_name(Dwarf_Die *unit, Dwarf_Die *function)
{
	const char *name = function_name(function);

	return name == NULL || strncmp(name, "_Z", 2) == 0 || !is_cxx(unit)
	    ? name
	    : enclosing_name(function);
}

/*
 * The older names of Rust don't number closures, so all inlined ones of a
 * function would be one.
 */
static void
frame_closure(struct frame *frame)
{
	static const char mark[] = "{{closure}}";
	const char *at = frame->name != NULL && frame->inlined
	    ? strstr(frame->name, mark)
	    : NULL;
	size_t length = sizeof(mark) - 1;
	char *name;

	if (at == NULL || at[length] != '\0' || frame->first_line == 0)
		return;
	name = print("%.*s{{closure:%d}}", (int)(at - frame->name), frame->name,
	    frame->first_line);
	frame->name = intern(name);
	frame->short_name = name_short(frame->name);
	free(name);
}

/* The place of the definition tells functions with the same name apart. */
static void
frame_home(struct frame *frame, Dwarf_Die *function, Dwarf_Addr bias)
{
	const char *file = scopes_file(function);
	Dwarf_Addr start;

	frame->home = file == NULL ? NULL : intern(file);
	dwarf_decl_line(function, &frame->first_line);
	if (!frame->inlined && dwarf_entrypc(function, &start) == 0)
		frame->start = start + bias;
}

static void
resolve_scopes(struct location *location, Dwarf_Die *unit, Dwarf_Addr bias)
{
	const struct scope *inner = NULL;
	const struct scope *scope = scopes_find(unit, location->address - bias);

	for (; scope != NULL; inner = scope, scope = scope->parent) {
		Dwarf_Die die = scope->die, inlined;
		struct frame *frame = location_frame(location,
		    scope->inlined ? inner_name(unit, &die)
				   : outer_name(location, unit, &die));

		frame->inlined = scope->inlined;
		frame->scope = scope;
		frame->unit = *unit;
		frame_home(frame, &die, bias);
		frame_closure(frame);
		if (inner == NULL)
			continue;
		inlined = inner->die;
		call_place(&inlined, unit, frame);
	}
}

/* With -gsplit-dwarf, a unit is but a skeleton; its tree is in a .dwo file. */
static Dwarf_Die
whole_unit(Dwarf_Die *unit)
{
	Dwarf_Die split;
	uint8_t type = 0;

	if (dwarf_cu_info(unit->cu, NULL, &type, NULL, &split, NULL, NULL,
		NULL) == 0 &&
	    type == DW_UT_skeleton && split.addr != NULL)
		return split;
	return *unit;
}

static void
resolve_in_image(struct location *location, struct image *image)
{
	Dwarf_Addr bias = 0;
	Dwarf_Die unit, whole;
	Dwarf_Line *line = NULL;

	if (image_unit(image, location->address, &unit, &bias)) {
		whole = whole_unit(&unit);
		resolve_scopes(location, &whole, bias);
		line = dwarf_getsrc_die(&unit, location->address - bias);
	}
	/* The outermost function is missing, so the symbol's name is used. */
	if (location->nframes == 0 ||
	    location->frames[location->nframes - 1].inlined) {
		struct symtab_range range = { 0 };
		struct frame *frame = location_frame(location,
		    image_symbol(image, location->address, &range));

		frame->home = image->path;
		frame->start = range.start;
	}
	if (line != NULL) {
		struct frame *frame = &location->frames[0];
		const char *file = dwarf_linesrc(line, NULL, NULL);

		frame->file = file == NULL ? NULL : intern(file);
		dwarf_lineno(line, &frame->line);
	}
}

/*
 * What is known of an address without a name. The offset is that in the file as
 * linked, as other tools take it; if there is no file, that from the start of
 * its mappings.
 */
static const char *
place_name(const struct location *location)
{
	enum { NO_CODE = 65536 }; /* nothing is ever mapped below */
	const struct mapping *map = location->map;
	const struct image *image = location->image;
	const char *result;
	char *text;

	if (map == NULL && location->gone && location->pc >= NO_CODE)
		return intern("[closed library]");
	if (map == NULL)
		text = print("%016" PRIx64, location->pc);
	else if (map->is_file)
		text = print("[%s+0x%" PRIx64 "]", base_name(map->path),
		    image != NULL && image->nsegments > 0
			? location->address
			: location->pc - map->base);
	else if (strcmp(map->path, "[vdso]") == 0)
		text = print("[vdso+0x%" PRIx64 "]", location->pc - map->start);
	else
		text = print("%s", map->path);
	result = intern(text);
	free(text);
	return result;
}

/* Signs in these names are not those of C++. */
static void
location_named(struct location *location)
{
	const char *name = location->key;
	struct frame *frame = location_frame(location, name);

	frame->name = frame->short_name = name;
}

static void
location_resolve(struct location *location)
{
	struct image *image = location->image;

	if (location->nframes == 0) {
		if (image != NULL && image->module != NULL)
			resolve_in_image(location, image);
		else if (location->named)
			location_named(location);
		else
			location_frame(location, NULL);
	}
	for (unsigned i = 0; i < location->nframes; i++) {
		struct frame *frame = &location->frames[i];

		if (frame->name == NULL)
			frame->short_name = place_name(location);
		frame->label = frame->short_name;
		frame->inside = location->inside;
	}
}

struct function {
	const char *short_name;
	const char *key; /* name and home */
	uint64_t start;  /* of the one seen first */
	struct frame *frame;
};

static int
compare_functions(const void *a, const void *b)
{
	const struct function *first = a, *second = b;
	int order = strcmp(first->short_name, second->short_name);

	if (order == 0)
		order = strcmp(first->key, second->key);
	if (order != 0)
		return order;
	return first->start < second->start ? -1 : first->start > second->start;
}

/*
 * Functions may have equal short names: overloaded ones, and static ones in
 * several files. Then the address is added to the name. Inlined functions have
 * no address, and count as one.
 */
static void
functions_tell_apart(const struct function *functions, size_t count)
{
	uint64_t start = 0;

	for (size_t i = 0; i < count; i++) {
		struct frame *frame = functions[i].frame;
		char *label;

		if (i == 0 || functions[i].key != functions[i - 1].key)
			start = 0;
		if (start == 0)
			start = functions[i].start;
		if (frame->inlined || start == 0)
			continue;
		label = print("%s@%" PRIx64, frame->short_name, start);
		frame->label = intern(label);
		free(label);
	}
}

static size_t
functions_take(struct function *functions)
{
	size_t count = 0;

	for (size_t i = 0; i < symbols.nlocations; i++) {
		struct location *location = &symbols.locations[i];

		for (unsigned k = 0; k < location->nframes; k++) {
			struct frame *frame = &location->frames[k];
			char *key;

			if (frame->name == NULL)
				continue;
			key = print("%s|%s", frame->name,
			    frame->home != NULL ? frame->home : "");
			functions[count++] = (struct function){
				frame->short_name, intern(key), frame->start,
				frame
			};
			free(key);
		}
	}
	return count;
}

static void
labels_make(void)
{
	size_t count = 0, end;
	struct function *functions;

	for (size_t i = 0; i < symbols.nlocations; i++)
		count += symbols.locations[i].nframes;
	functions = memory(count, sizeof(*functions));
	count = functions_take(functions);
	sort(functions, count, sizeof(*functions), compare_functions);
	for (size_t i = 0; i < count; i = end) {
		bool several = false;

		for (end = i; end < count &&
		     functions[end].short_name == functions[i].short_name;
		     end++)
			several |= functions[end].key != functions[i].key;
		if (several)
			functions_tell_apart(functions + i, end - i);
	}
	free(functions);
}

static void
drop_compile(struct pattern *pattern, const char *text)
{
	char *whole;

	if (text == NULL)
		return;
	whole = print("^(?:%s)$", text);
	pattern_compile(pattern, "drop_frames", whole);
	free(whole);
}

void
symbols_drop(const struct dump *dump)
{
	struct drop drop = { .text = dump->drop_frames };

	if (drop.text == NULL)
		return;
	for (size_t i = 0; i < symbols.ndrops; i++) {
		if (symbols.drops[i].text == drop.text)
			return;
	}
	drop_compile(&drop.drop, dump->drop_frames);
	drop_compile(&drop.keep, dump->keep_frames);
	symbols.drops = array_room(symbols.drops, symbols.ndrops, sizeof(drop));
	symbols.drops[symbols.ndrops++] = drop;
}

static void
frames_drop(const struct location *location)
{
	for (unsigned k = 0; k < location->nframes; k++) {
		struct frame *frame = &location->frames[k];

		for (size_t i = 0; i < symbols.ndrops; i++) {
			const struct drop *drop = &symbols.drops[i];

			if (frame->name != NULL &&
			    pattern_matches(&drop->drop, frame->name) &&
			    (drop->keep.code == NULL ||
				!pattern_matches(&drop->keep, frame->name)))
				frame->allocator = true;
		}
	}
}

void
symbols_resolve(void)
{
	for (size_t i = 0; i < symbols.nlocations; i++) {
		location_resolve(&symbols.locations[i]);
		frames_drop(&symbols.locations[i]);
	}
	labels_make();
}
