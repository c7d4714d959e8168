#include "holes.h"

#include <stdint.h>

#define MB (1024 * 1024.0)

static const char *const ages[AGES] = {
	"under 1 s",
	"1 to 10 s",
	"10 to 100 s",
	"100 to 1000 s",
	"1000 to 10000 s",
	"10000 s and more",
};

static void
age_print(const struct session *session, const struct options *options,
    uint64_t age, FILE *to)
{
	struct traces traces;
	double bytes = 0, slabs = 0;

	session_age(session, options, age, &traces);
	for (size_t i = 0; i < traces.count; i++) {
		bytes += traces.item[i].views[INUSE_SPACE];
		slabs += traces.item[i].views[INUSE_OBJECTS];
	}
	if (bytes != 0 || slabs != 0)
		fprintf(to, "%10.1f %8.0f  %s\n", bytes / MB, slabs, ages[age]);
}

void
holes_print(const struct session *session, const struct options *options,
    FILE *to)
{
	fprintf(to,
	    "Holes by the age of the objects that keep them:\n"
	    "%10s %8s  age\n",
	    "MB", "slabs");
	for (uint64_t i = 0; i < AGES; i++)
		age_print(session, options, i, to);
}
