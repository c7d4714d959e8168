#include "layout.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "modules.h"
#include "target.h"
#include "tool.h"

#define TABLE_MAX  65536
#define STRIDE_MAX 256

/* ---- reading members ---- */

bool
layout_read(struct layout *layout, uint64_t address, void *bytes, size_t size)
{
	size_t lost = target_read_some(layout->target, address, bytes, size);

	layout->unreadable += lost;
	return lost == 0;
}

uint64_t
layout_number(struct layout *layout, uint64_t address, unsigned width)
{
	unsigned char bytes[8];

	if (!layout_read(layout, address, bytes, width))
		return 0;
	return bytes_number(bytes, width, layout->big_endian);
}

uint64_t
layout_pointer(struct layout *layout, uint64_t address)
{
	return layout_number(layout, address, layout->pointer_size);
}

bool
layout_has(const struct layout *layout, unsigned structure, unsigned field)
{
	return layout->fields[structure][field].exists;
}

uint64_t
layout_get(struct layout *layout, uint64_t address, unsigned structure,
    unsigned field)
{
	const struct layout_field *f = &layout->fields[structure][field];

	if (!f->exists || f->width == 0)
		return 0;
	return layout_number(layout, address + f->offset, f->width) >>
	    f->shift &
	    f->mask;
}

uint64_t
layout_place(const struct layout *layout, uint64_t address, unsigned structure,
    unsigned field)
{
	const struct layout_field *f = &layout->fields[structure][field];

	return f->exists ? address + f->offset : 0;
}

/* ---- reading the descriptor ---- */

/* A number of the descriptor's header, by the name of its member. */
#define HEADER(bytes, member, big) \
	bytes_number((bytes) + offsetof(struct heap_layout, member), \
	    sizeof(((struct heap_layout *)0)->member), big)
#define ROW(bytes, type, member, big) \
	bytes_number((bytes) + offsetof(struct type, member), \
	    sizeof(((struct type *)0)->member), big)

struct table {
	uint64_t address;
	uint32_t count, stride;
	unsigned char *bytes;
};

/* Reads a table and adds it to the sum; false: it is damaged. */
static bool
table_read(struct layout *layout, struct table *table, const unsigned char *at,
    uint32_t least, uint32_t *crc)
{
	bool big = layout->big_endian;

	table->address = ROW(at, heap_table, address, big);
	table->count = (uint32_t)ROW(at, heap_table, count, big);
	table->stride = (uint32_t)ROW(at, heap_table, stride, big);
	if (table->stride < least || table->stride > STRIDE_MAX ||
	    table->count > TABLE_MAX)
		return false;
	uint32_t size = table->count * table->stride;

	table->bytes = memory(size, 1);
	if (!target_read(layout->target, table->address, table->bytes, size))
		return false;
	*crc = heap_crc(*crc, table->bytes, size);
	return true;
}

static void
roots_take(struct layout *layout, const struct table *table)
{
	for (uint32_t i = 0; i < table->count; i++) {
		const unsigned char *at = table->bytes + i * table->stride;
		uint64_t id = ROW(at, heap_root, id, layout->big_endian);

		if (id >= LAYOUT_ROOTS)
			continue;
		layout->roots[id] = (struct layout_root){
			ROW(at, heap_root, address, layout->big_endian),
			ROW(at, heap_root, count, layout->big_endian),
			(uint32_t)ROW(at, heap_root, stride,
			    layout->big_endian),
		};
	}
}

static bool
fields_take(struct layout *layout, const struct table *table)
{
	bool big = layout->big_endian;

	for (uint32_t i = 0; i < table->count; i++) {
		const unsigned char *at = table->bytes + i * table->stride;
		uint64_t structure = ROW(at, heap_field, structure, big);
		uint64_t field = ROW(at, heap_field, field, big);
		struct layout_field row = {
			.offset = (uint32_t)ROW(at, heap_field, offset, big),
			.width = (uint16_t)ROW(at, heap_field, width, big),
			.shift = (uint16_t)ROW(at, heap_field, shift, big),
			.mask = ROW(at, heap_field, mask, big),
			.exists = true,
		};

		if (structure >= LAYOUT_STRUCTS || field >= LAYOUT_FIELDS)
			continue;
		if (row.width > 8 || row.shift > 63)
			return false;
		layout->fields[structure][field] = row;
	}
	return true;
}

static void
constants_take(struct layout *layout, const struct table *table)
{
	for (uint32_t i = 0; i < table->count; i++) {
		const unsigned char *at = table->bytes + i * table->stride;
		uint64_t id = ROW(at, heap_constant, id, layout->big_endian);

		if (id < LAYOUT_CONSTANTS)
			layout->constants[id] = ROW(at, heap_constant, value,
			    layout->big_endian);
	}
}

static const char *
tables_take(struct layout *layout, const unsigned char *header)
{
	struct table roots = { 0 }, fields = { 0 }, constants = { 0 };
	uint32_t crc = heap_crc(0, header, HEAP_CRC_BYTES);
	const char *reason = NULL;

	if (!table_read(layout, &roots,
		header + offsetof(struct heap_layout, roots),
		sizeof(struct heap_root), &crc) ||
	    !table_read(layout, &fields,
		header + offsetof(struct heap_layout, fields),
		sizeof(struct heap_field), &crc) ||
	    !table_read(layout, &constants,
		header + offsetof(struct heap_layout, constants),
		sizeof(struct heap_constant), &crc))
		reason = "its tables cannot be read";
	else if (crc != HEADER(header, crc, layout->big_endian))
		reason = "it is damaged (the checksum is wrong)";
	if (reason == NULL) {
		roots_take(layout, &roots);
		constants_take(layout, &constants);
		if (!fields_take(layout, &fields))
			reason = "its table of fields is damaged";
	}
	free(roots.bytes);
	free(fields.bytes);
	free(constants.bytes);
	return reason;
}

/* Why the constants are not usable, or NULL. */
static const char *
constants_check(const struct layout *layout)
{
	const uint64_t *c = layout->constants;

	if (c[HEAP_CONST_LG_UNIT] < 8 || c[HEAP_CONST_LG_UNIT] > 20 ||
	    c[HEAP_CONST_PAGEMAP_LG_LEAF] <= c[HEAP_CONST_LG_UNIT] ||
	    c[HEAP_CONST_PAGEMAP_LG_LEAF] > 40 ||
	    c[HEAP_CONST_PAGEMAP_LG_SPACE] > 63 ||
	    c[HEAP_CONST_PAGEMAP_LEAF_LEN] !=
		(uint64_t)1 << (c[HEAP_CONST_PAGEMAP_LG_LEAF] -
		    c[HEAP_CONST_LG_UNIT]) ||
	    layout->roots[HEAP_ROOT_PAGEMAP].count > (uint64_t)1 << 24)
		return "its page map is of an unknown kind";
	if (c[HEAP_CONST_SMALL_CLASSES] > 4096 ||
	    c[HEAP_CONST_CACHE_BINS] > 4096 || c[HEAP_CONST_KIND_BIN] == 0 ||
	    layout->roots[HEAP_ROOT_SIZE_CLASSES].count > 4096 ||
	    layout->roots[HEAP_ROOT_CLASS_SIZES].count > 65536)
		return "its size classes are of an unknown kind";
	return NULL;
}

/* Fills in the values of the header. Returns why it is not valid, or NULL. */
static const char *
header_take(struct layout *layout, const unsigned char *header)
{
	bool big = header[offsetof(struct heap_layout, endian)] == 2;

	if (memcmp(header, HEAP_MAGIC, HEAP_MAGIC_SIZE) != 0)
		return "the magic number is wrong";
	layout->big_endian = big;
	layout->pointer_size =
	    header[offsetof(struct heap_layout, pointer_size)];
	layout->lg_page = header[offsetof(struct heap_layout, lg_page)];
	if (layout->pointer_size != 4 && layout->pointer_size != 8)
		return "it is damaged (the size of a pointer)";
	if (HEADER(header, abi_major, big) > HEAP_ABI_MAJOR)
		return "it is of a newer format than this jeheap knows";
	if (HEADER(header, self, big) != layout->address)
		return "it is not where it says it is";
	layout->minor = (uint32_t)HEADER(header, abi_minor, big);
	layout->flags = (uint32_t)HEADER(header, flags, big);
	layout->state = (uint32_t)HEADER(header, state, big);
	layout->generation = HEADER(header, generation, big);
	memcpy(layout->version, header + offsetof(struct heap_layout, version),
	    64);
	memcpy(layout->prefix, header + offsetof(struct heap_layout, prefix),
	    32);
	return NULL;
}

/* Takes the descriptor at an address; false: there is none that is usable. */
static bool
layout_add(struct layouts *layouts, struct target *target,
    const struct module *module, uint64_t address)
{
	unsigned char header[sizeof(struct heap_layout)];
	const char *reason = NULL;

	for (size_t i = 0; i < layouts->count; i++) {
		if (layouts->list[i]->address == address)
			return true;
	}
	struct layout *layout = memory(1, sizeof(*layout));

	layout->target = target;
	layout->address = address;
	layout->module = module;
	if (!target_read(target, address, header, sizeof(header)))
		reason = "the memory that describes it can't be read";
	if (reason == NULL)
		reason = header_take(layout, header);
	if (reason == NULL)
		reason = tables_take(layout, header);
	if (reason == NULL)
		reason = constants_check(layout);
	if (reason == NULL && layout->state == HEAP_NONE)
		reason = "the allocator has not been used yet";
	if (reason == NULL && (layout->flags & HEAP_FLAG_ASIDE) != 0)
		reason = "another allocator has all objects (a sanitizer's, "
			 "or valgrind's)";
	if (reason != NULL) {
		if (layouts->reason == NULL)
			layouts->reason = print("the descriptor at %#" PRIx64
						" is not usable: %s",
			    address, reason);
		free(layout);
		return false;
	}
	layouts->list = array_room(layouts->list, layouts->count,
	    sizeof(layout));
	layouts->list[layouts->count++] = layout;
	return true;
}

/* ---- looking for it ---- */

struct search {
	struct layouts *layouts;
	struct target *target;
};

static bool
note_found(void *context, const struct module_note *found)
{
	const struct search *search = context;
	const unsigned offset_at = offsetof(struct heap_note, offset);
	bool big = search->target->big_endian;

	if (found->type != HEAP_NOTE_TYPE ||
	    found->size < sizeof(struct heap_note))
		return true;
	uint64_t offset = bytes_number(found->bytes + offset_at, 8, big);

	if (search->target->pointer_size == 4)
		offset = (uint64_t)(int32_t)(uint32_t)offset;
	layout_add(search->layouts, search->target, found->module,
	    found->address + offset_at + offset);
	return true;
}

#define SCAN_STEP 65536
/* Descriptors lie in the data of a program or library, which is not large. */
#define SCAN_MAPPING_MAX ((uint64_t)256 << 20)
#define SCAN_MAX         ((uint64_t)4 << 30)

/* The magic number at multiples of 64 in memory that can be written. */
static void
memory_search(const struct search *search, const struct modules *modules)
{
	const struct target *target = search->target;
	unsigned char *bytes = memory(1, SCAN_STEP);
	uint64_t total = 0;

	for (size_t i = 0; i < target->nmappings && total < SCAN_MAX; i++) {
		const struct mapping *mapping = &target->mappings[i];

		if (!mapping->writable || !mapping->readable ||
		    mapping->end - mapping->start > SCAN_MAPPING_MAX)
			continue;
		total += mapping->end - mapping->start;
		for (uint64_t at = mapping->start; at < mapping->end;
		     at += SCAN_STEP) {
			uint64_t size = mapping->end - at < SCAN_STEP
			    ? mapping->end - at
			    : SCAN_STEP;

			target_read_some(search->target, at, bytes, size);
			for (size_t j = 0; j + HEAP_MAGIC_SIZE <= size;
			     j += 64) {
				if (memcmp(bytes + j, HEAP_MAGIC,
					HEAP_MAGIC_SIZE) == 0)
					layout_add(search->layouts,
					    search->target,
					    modules_at(modules, at + j),
					    at + j);
			}
		}
	}
	free(bytes);
}

void
layouts_find(struct layouts *layouts, struct target *target,
    const struct modules *modules)
{
	struct search search = { layouts, target };

	modules_notes(modules, HEAP_NOTE_OWNER, note_found, &search);
	if (layouts->count == 0)
		memory_search(&search, modules);
}
