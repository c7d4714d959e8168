#include "owners.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "images.h"
#include "tool.h"

/*
 * Are these, as far as is known, of the same file, and is an address the same
 * part of it in both?
 */
static bool
same_code(struct dump *dump, struct mapping *a, struct mapping *b)
{
	if (a->path != b->path)
		return false;
	image_of_mapping(dump, a);
	image_of_mapping(dump, b);
	return a->start - a->offset == b->start - b->offset &&
	    image_build_id(a) == image_build_id(b);
}

static void
owners_add(struct owners *owners, struct dump *dump, struct mapping *map)
{
	for (size_t i = 0; i < owners->count; i++) {
		if (same_code(dump, owners->map[i], map))
			return;
	}
	if (owners->count == OWNERS_MAX)
		owners->more = true;
	else
		owners->map[owners->count++] = map;
}

static int
compare_starts(const void *a, const void *b)
{
	const struct mapping *first = *(struct mapping *const *)a;
	const struct mapping *second = *(struct mapping *const *)b;

	return first->start < second->start ? -1 : first->start > second->start;
}

/*
 * Marks the mappings that share an address with another one. In ascending order
 * such a mapping begins before the highest end so far.
 */
static void
overlaps_mark(struct dump *dump)
{
	struct mapping **order = memory(dump->nmaps, sizeof(*order));
	struct mapping *highest = NULL;

	for (size_t i = 0; i < dump->nmaps; i++)
		order[i] = &dump->maps[i];
	sort(order, dump->nmaps, sizeof(*order), compare_starts);
	for (size_t i = 0; i < dump->nmaps; i++) {
		if (highest != NULL && order[i]->start < highest->end)
			highest->overlaps = order[i]->overlaps = true;
		if (highest == NULL || order[i]->end > highest->end)
			highest = order[i];
	}
	free(order);
	dump->overlaps_known = true;
}

void
owners_find(struct owners *owners, struct dump *dump, const struct mapping *map,
    uint64_t pc)
{
	if (!dump->overlaps_known)
		overlaps_mark(dump);
	if (!map->overlaps)
		return;
	for (size_t i = 0; i < dump->nmaps; i++) {
		if (pc >= dump->maps[i].start && pc < dump->maps[i].end)
			owners_add(owners, dump, &dump->maps[i]);
	}
}

/* What is no file is named by its kind alone: "jit", "vdso". */
static void
put_part(FILE *file, const struct mapping *map, uint64_t pc)
{
	const char *name = base_name(map->path);

	if (map->is_file)
		fprintf(file, "%s+0x%" PRIx64, name, pc - map->base);
	else
		fprintf(file, "%.*s", (int)strcspn(name + 1, "]"), name + 1);
}

const char *
owners_name(const struct owners *owners, uint64_t pc)
{
	const struct mapping *first = owners->map[0];
	size_t builds = 1;
	char *text = NULL;
	size_t length;
	FILE *file = open_memstream(&text, &length);
	const char *result;

	if (file == NULL)
		fail("out of memory");
	fputs("[", file);
	put_part(file, first, pc);
	for (size_t i = 1; i < owners->count; i++) {
		const struct mapping *map = owners->map[i];

		if (map->path == first->path && map->base == first->base) {
			builds++;
			continue;
		}
		fputs(" or ", file);
		put_part(file, map, pc);
	}
	if (owners->more)
		fputs(" or others", file);
	else if (builds == owners->count)
		fprintf(file, ", one of %zu builds", builds);
	fputs("]", file);
	fclose(file);
	result = intern(text);
	free(text);
	return result;
}
