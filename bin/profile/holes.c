#include "holes.h"

#include <stdint.h>

#include "session.h"
#include "tool.h"

#define MB (1024 * 1024.0)

static const char *const ages[] = {
	"under 1 s", "1 to 10 s", "10 to 100 s", "100 to 1000 s",
	"1000 to 10000 s", "10000 s and more",
};

static void
age_print(const struct options *options, char **files, uint64_t age, FILE *to)
{
	struct session session = { .program = NULL };
	struct traces traces = { .item = NULL };
	double bytes = 0, slabs = 0;

	session_read(&session, options, files, age);
	traces_take(&traces, &session.profile, &options->filters);
	for (size_t i = 0; i < traces.count; i++) {
		bytes += traces.item[i].views[INUSE_SPACE];
		slabs += traces.item[i].views[INUSE_OBJECTS];
	}
	if (bytes != 0 || slabs != 0)
		fprintf(to, "%10.1f %8.0f  %s\n", bytes / MB, slabs, ages[age]);
}

void
holes_print(const struct options *options, char **files, uint64_t age, FILE *to)
{
	fprintf(to, "Holes by the age of the objects that keep them:\n"
	    "%10s %8s  age\n", "MB", "slabs");
	for (uint64_t i = 0; i < LENGTH(ages); i++)
		if (age == THREAD_ALL || age == i)
			age_print(options, files, i, to);
}
