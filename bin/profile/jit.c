#include "jit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

struct row {
	uint64_t start, end;
	uint64_t reach; /* the largest end up to this row */
	size_t number;  /* in the order of the file */
	const char *name;
};

struct map {
	const char *path;
	struct row *rows;
	size_t count;
};

static struct {
	const char *file;
	struct map **maps;
	size_t count;
	const struct dump *last;
	struct map *of_last;
} jit;

void
jit_begin(const char *file)
{
	jit.file = file;
}

/* jeprof.<pid>.<number>.<kind>: the name that the library gives. */
static const char *
dump_map(const struct dump *dump)
{
	/* Lines from standard input have none. */
	const char *name = dump->path == NULL ? "" : base_name(dump->path);
	unsigned long pid = 0, at, number;
	char kind, *path;
	const char *result;

	for (const char *dot = name; (dot = strchr(dot, '.')) != NULL; dot++) {
		if (sscanf(dot, ".%lu.%lu.%c", &at, &number, &kind) == 3 &&
		    strchr("iufm", kind) != NULL)
			pid = at;
	}
	if (pid == 0)
		return NULL;
	path = print("/tmp/perf-%lu.map", pid);
	result = intern(path);
	free(path);
	return result;
}

static int
compare(const void *a, const void *b)
{
	const struct row *first = a, *second = b;

	if (first->start != second->start)
		return first->start < second->start ? -1 : 1;
	return first->number < second->number ? -1 : 1;
}

/* "<start> <size> <name>", both numbers in hex. */
static void
map_read(struct map *map)
{
	FILE *file = fopen(map->path, "re");
	char *line = NULL;
	size_t space = 0;
	uint64_t size, reach = 0;

	if (file == NULL && jit.file != NULL)
		fail("%s: %s", map->path, strerror(errno));
	trace("%s: %s", map->path, file == NULL ? strerror(errno) : "read");
	if (file == NULL)
		return;
	while (getline(&line, &space, file) >= 0) {
		struct row row = { .number = map->count };
		int used = 0;

		line[strcspn(line, "\r\n")] = '\0';
		if (sscanf(line, "%" SCNx64 " %" SCNx64 " %n", &row.start,
			&size, &used) < 2 ||
		    used == 0 || line[used] == '\0' ||
		    row.start + size < row.start)
			continue;
		row.end = row.start + size;
		row.name = intern(line + used);
		map->rows = array_room(map->rows, map->count, sizeof(row));
		map->rows[map->count++] = row;
	}
	free(line);
	fclose(file);
	sort(map->rows, map->count, sizeof(*map->rows), compare);
	for (size_t i = 0; i < map->count; i++) {
		if (map->rows[i].end > reach)
			reach = map->rows[i].end;
		map->rows[i].reach = reach;
	}
}

static struct map *
map_of(const struct dump *dump)
{
	const char *path = jit.file != NULL ? jit.file : dump_map(dump);
	struct map *map = NULL;

	if (dump == jit.last)
		return jit.of_last;
	for (size_t i = 0; i < jit.count && map == NULL; i++) {
		if (path != NULL && strcmp(jit.maps[i]->path, path) == 0)
			map = jit.maps[i];
	}
	if (map == NULL && path != NULL) {
		map = memory(1, sizeof(*map));
		map->path = path;
		map_read(map);
		jit.maps = array_room(jit.maps, jit.count,
		    sizeof(struct map *));
		jit.maps[jit.count++] = map;
	}
	jit.last = dump;
	return jit.of_last = map;
}

const char *
jit_name(const struct dump *dump, uint64_t pc)
{
	const struct map *map = map_of(dump);
	const struct row *best = NULL;
	size_t at;

	if (map == NULL)
		return NULL;
	at = rows_upto(map->rows, map->count, sizeof(*map->rows), pc);
	while (at > 0 && map->rows[at - 1].reach > pc) {
		const struct row *row = &map->rows[--at];

		if (row->end > pc &&
		    (best == NULL || row->number > best->number))
			best = row;
	}
	return best == NULL ? NULL : best->name;
}
