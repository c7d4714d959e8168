#include "os/cgroup.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "os/file.h"
#include "util/format.h"

#define ROOT      "/sys/fs/cgroup"
#define PATH_SIZE 1024
/* No machine has this much. Version 1 writes larger numbers for "no limit". */
#define NO_LIMIT (UINT64_C(1) << 60)

/*
 * The folder of the group's files; leave() cuts `path` to that of the parent.
 */
struct group {
	char path[PATH_SIZE];
	size_t mount; /* length of the part before the group */
	const char *max, *high, *current;
};

static bool
read_file(const struct group *group, const char *name, char *text, size_t size)
{
	char path[PATH_SIZE + 64];

	format_text(path, sizeof(path), "%s/%s", group->path, name);
	return file_read_line(path, text, size) > 0;
}

/* "max" stands for no limit; it has no digit and gives 0. */
static size_t
bytes_of(const char *text)
{
	uint64_t value = 0;

	for (const char *p = text; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(value, 10u, &value) ||
		    __builtin_add_overflow(value, (unsigned)(*p - '0'), &value))
			return 0;
	/* A limit above all addresses is none. */
	return value < NO_LIMIT && (size_t)value == value ? (size_t)value : 0;
}

/* A number of bytes in a file of the group, or 0. */
static size_t
read_bytes(const struct group *group, const char *name)
{
	char text[32];

	return name != NULL && read_file(group, name, text, sizeof(text))
	    ? bytes_of(text)
	    : 0;
}

static void
lower(size_t *least, size_t value)
{
	if (value != 0 && (*least == 0 || value < *least))
		*least = value;
}

/* Ends the string at the end of the line; returns the next line. */
static char *
end_line(char *line)
{
	char *end = strchr(line, '\n');

	if (end == NULL)
		return NULL;
	*end = '\0';
	return end + 1;
}

/* Lines are "0::/path" for version 2 and "n:memory:/path" for version 1. */
static bool
find_group(char *lines, struct group *group)
{
	for (char *line = lines, *next; line != NULL && *line != '\0';
	     line = next) {
		char *kind = strchr(line, ':');
		char *path = kind == NULL ? NULL : strchr(kind + 1, ':');
		bool old;

		next = end_line(line);
		if (path == NULL || path[1] != '/')
			continue;
		*path++ = '\0';
		old = strcmp(kind, ":memory") == 0;
		if (!old && (strcmp(kind, ":") != 0 || line[0] != '0'))
			continue;
		group->mount = (size_t)format_text(group->path, PATH_SIZE,
		    ROOT "%s", old ? "/memory" : "");
		format_text(group->path + group->mount,
		    PATH_SIZE - group->mount, "%s", path);
		group->max = old ? "memory.limit_in_bytes" : "memory.max";
		group->high = old ? NULL : "memory.high";
		group->current = old ? "memory.usage_in_bytes"
				     : "memory.current";
		/*
		 * Both versions may be mounted, with memory only in version 1.
		 * Then version 2 has no such file: go on to the next line.
		 */
		if (old || read_bytes(group, group->current) != 0 ||
		    next == NULL || *next == '\0')
			return true;
	}
	return false;
}

/* Goes to the parent group; false: it was the outermost one. */
static bool
leave(struct group *group)
{
	char *slash = strrchr(group->path, '/');

	if (slash == NULL || (size_t)(slash - group->path) < group->mount)
		return false;
	*slash = '\0';
	return true;
}

struct cgroup_memory
cgroup_memory(void)
{
	struct cgroup_memory memory = { 0, 0, 0 };
	char lines[4096];
	struct group group;

	if (file_read("/proc/self/cgroup", lines, sizeof(lines)) <= 0 ||
	    !find_group(lines, &group))
		return memory;
	do {
		/*
		 * In a container the path may be one of the host, and the file
		 * does not exist here. Then a parent group has it.
		 */
		if (memory.current == 0)
			memory.current = read_bytes(&group, group.current);
		lower(&memory.high, read_bytes(&group, group.high));
		lower(&memory.max, read_bytes(&group, group.max));
	} while (leave(&group));
	return memory;
}

AT_START size_t
cgroup_container_limit(void)
{
	struct group group = { .path = ROOT };
	size_t limit = 0;
	char text[32];

	if (!read_file(&group, "memory.max", text, sizeof(text)))
		return 0;
	lower(&limit, bytes_of(text));
	lower(&limit, read_bytes(&group, "memory.high"));
	return limit;
}
