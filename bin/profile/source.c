#include "source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

static struct {
	struct source **files;
	size_t count;
} sources;

static void
source_read(struct source *source)
{
	FILE *file = fopen(source->path, "re");
	char *line = NULL;
	size_t room = 0;
	ssize_t length;

	if (file == NULL) {
		note("%s: %s", source->path, strerror(errno));
		return;
	}
	while ((length = getline(&line, &room, file)) >= 0) {
		while (length > 0 &&
		    (line[length - 1] == '\n' || line[length - 1] == '\r'))
			line[--length] = '\0';
		source->lines = array_room(source->lines, (size_t)source->count,
		    sizeof(*source->lines));
		source->lines[source->count++] = print("%s", line);
	}
	free(line);
	fclose(file);
}

bool
source_exists(const char *path)
{
	return access(path, R_OK) == 0;
}

const struct source *
source_find(const char *path)
{
	for (size_t i = 0; i < sources.count; i++) {
		if (strcmp(sources.files[i]->path, path) == 0)
			return sources.files[i];
	}
	struct source *source = memory(1, sizeof(*source));

	source->path = path;
	source_read(source);
	sources.files = array_room(sources.files, sources.count,
	    sizeof(struct source *));
	sources.files[sources.count++] = source;
	return source;
}

const char *
source_line(const struct source *source, int number)
{
	return number > 0 && number <= source->count ? source->lines[number - 1]
						     : "";
}
