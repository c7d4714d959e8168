#include "dump_maps.h"

#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "dump_build.h"
#include "parse.h"
#include "tool.h"

/* Where the file's mappings begin, of which this is one. */
static uint64_t
map_base(struct dump *dump, const struct mapping *map)
{
	if (map->path != dump->last_path || map->offset == 0) {
		dump->last_path = map->path;
		dump->last_base = map->start - map->offset;
	}
	return dump->last_base;
}

/*
 * Some programs move their code to anonymous memory, for huge pages. If such
 * memory lies just where a file's mappings have a gap, it may be the file's.
 */
static void
moved_join(struct dump *dump, const struct mapping *after)
{
	for (; dump->moved > 0; dump->moved--) {
		struct mapping *map = &dump->maps[dump->nmaps - dump->moved];

		if (map->start < after->base || map->end > after->start)
			continue;
		map->path = after->path;
		map->is_file = map->moved = true;
		map->base = after->base;
	}
}

bool
dump_is_file(const char *name)
{
	return strchr(name, '/') != NULL && *name != '[' &&
	    strncmp(name, "//anon", 6) != 0 &&
	    strncmp(name, "/memfd:", 7) != 0 && strstr(name, ":[") == NULL;
}

/* start-end offset build-id; "-" is none. The result is what follows. */
static const char *
code_parse(const char *text, struct mapping *map)
{
	const char *id;

	if (!hex(&text, &map->start) || !skip(&text, "-") ||
	    !hex(&text, &map->end) || !skip(&text, " ") ||
	    !hex(&text, &map->offset) || !skip(&text, " "))
		return NULL;
	id = text;
	text += strcspn(text, " ");
	if (*id != '-' && text > id)
		map->build_id = intern_bytes(id, (size_t)(text - id));
	return text;
}

/* An object that was closed before the profile was written. */
static void
closed_line(struct dump *dump, const char *text)
{
	struct mapping map = { .is_file = true, .closed = true };
	unsigned long inode;
	unsigned major, minor;
	int used = 0;

	if (strcmp(text, "more") == 0) {
		dump_closed_more(dump);
		return;
	}
	text = code_parse(text, &map);
	if (text == NULL ||
	    sscanf(text, " %x:%x %lu %n", &major, &minor, &inode, &used) < 3 ||
	    used == 0 || text[used] == '\0')
		return;
	map.device = makedev(major, minor);
	map.inode = inode;
	map.path = intern(text + used);
	map.base = map.start - map.offset;
	dump_mapping_add(dump, &map);
}

/* The build id of a mapping that was listed before. */
static void
loaded_line(struct dump *dump, const char *text)
{
	struct mapping map = { .path = NULL };

	if (code_parse(text, &map) == NULL)
		return;
	for (size_t i = 0; i < dump->nmaps; i++) {
		if (dump->maps[i].start == map.start && dump->maps[i].is_file &&
		    !dump->maps[i].closed)
			dump->maps[i].build_id = map.build_id;
	}
}

/* start-end rwxp offset dev inode path, or start-end: path */
void
dump_map_line(struct dump *dump, const char *text)
{
	struct mapping map = { .path = NULL };
	char rights[5] = "--x";
	int used = 0;

	text += strspn(text, " ");
	if (skip(&text, "build=")) {
		dump->build = intern(text);
		return;
	}
	if (skip(&text, "closed ")) {
		closed_line(dump, text);
		return;
	}
	if (skip(&text, "loaded ")) {
		loaded_line(dump, text);
		return;
	}
	if (!hex(&text, &map.start) || !skip(&text, "-") ||
	    !hex(&text, &map.end))
		return;
	map.brief = skip(&text, ": ");
	if (!map.brief) {
		unsigned long offset, inode;
		unsigned major, minor;

		if (sscanf(text, " %4s %lx %x:%x %lu%n", rights, &offset,
			&major, &minor, &inode, &used) < 5 ||
		    used == 0)
			return;
		map.offset = offset;
		map.inode = inode;
		map.device = makedev(major, minor);
		text += used;
	}
	text += strspn(text, " ");
	if (dump->build != NULL && skip(&text, "$build"))
		text = print("%s%s", dump->build, text);
	map.is_file = dump_is_file(text);
	size_t length = strlen(text);

	map.deleted = length > 10 &&
	    strcmp(text + length - 10, " (deleted)") == 0;
	if (map.deleted)
		length -= 10;
	map.path = map.is_file || *text == '[' ? intern_bytes(text, length)
					       : intern("[jit]");
	if (!map.is_file) {
		map.base = map.start;
	} else {
		const char *before = dump->last_path;

		map.base = map_base(dump, &map);
		if (map.path == before && map.offset != 0)
			moved_join(dump, &map);
		else
			dump->moved = 0;
	}
	if (strchr(rights, 'x') == NULL || (map.brief && !map.is_file))
		return;
	dump_mapping_add(dump, &map);
	dump->moved = map.is_file ? 0 : dump->moved + 1;
}
