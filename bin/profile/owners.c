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
	const char *first, *second;

	image_of_mapping(dump, a);
	image_of_mapping(dump, b);
	if (a->start - a->offset != b->start - b->offset)
		return false;
	first = image_build_id(a);
	second = image_build_id(b);
	/* A link is another path of the same file. */
	if (first != NULL || second != NULL)
		return first == second;
	return a->path == b->path &&
	    (a->inode == 0 || b->inode == 0 ||
		(a->inode == b->inode && a->device == b->device));
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

static int
compare_owners(const void *a, const void *b)
{
	const struct mapping *first = *(struct mapping *const *)a;
	const struct mapping *second = *(struct mapping *const *)b;
	int order = strcmp(first->path, second->path);

	if (order != 0)
		return order;
	return first->base < second->base ? -1 : first->base > second->base;
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
	/* One set has one name. */
	sort(owners->map, owners->count, sizeof(owners->map[0]),
	    compare_owners);
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

/* Was this place of a file named already, for another build? */
static bool
is_repeated(const struct owners *owners, size_t at)
{
	const struct mapping *map = owners->map[at];

	for (size_t i = 0; i < at; i++) {
		if (owners->map[i]->path == map->path &&
		    owners->map[i]->base == map->base)
			return true;
	}
	return false;
}

const char *
owners_name(const struct owners *owners, uint64_t pc)
{
	size_t names = 0;
	char *text = NULL;
	size_t length;
	FILE *file = open_memstream(&text, &length);
	const char *result;

	if (file == NULL)
		fail("out of memory");
	fputs("[", file);
	for (size_t i = 0; i < owners->count; i++) {
		if (is_repeated(owners, i))
			continue;
		fputs(names++ == 0 ? "" : " or ", file);
		put_part(file, owners->map[i], pc);
	}
	if (names > 1)
		fputs(owners->more ? " or others" : "", file);
	else if (owners->more)
		fputs(", one of many builds", file);
	else
		fprintf(file, ", one of %zu builds", owners->count);
	fputs("]", file);
	fclose(file);
	result = intern(text);
	free(text);
	return result;
}
