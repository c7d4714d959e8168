#include "holes.h"

#include <stdint.h>

#include "dump.h"
#include "tool.h"

#define MB (1024 * 1024.0)

static const char *const ages[] = {
	"under 1 s", "1 to 10 s", "10 to 100 s", "100 to 1000 s",
	"1000 to 10000 s", "10000 s and more",
};

struct age_sum {
	double bytes, slabs;
};

static void
add_age(struct age_sum *sum, const char *file, uint64_t age)
{
	const struct dump *dump = dump_read(file, INUSE_SPACE, age);

	for (size_t i = 0; i < dump->nstacks; i++) {
		sum->bytes += dump->stacks[i].value;
		sum->slabs += dump->stacks[i].counts.objects;
	}
}

void
holes_print(char **files, FILE *to)
{
	struct age_sum sums[LENGTH(ages)] = { { 0, 0 } };

	for (; *files != NULL; files++) {
		const struct dump *dump = dump_read(*files, INUSE_SPACE,
		    THREAD_ALL);

		if (!dump->holes)
			fail("%s: is no profile of holes; the library writes "
			    "one with prof_holes:true", *files);
		for (uint64_t age = 0; age < LENGTH(ages); age++)
			add_age(&sums[age], *files, age);
	}
	fprintf(to, "Holes by the age of the objects that keep them:\n"
	    "%10s %8s  age\n", "MB", "slabs");
	for (size_t i = 0; i < LENGTH(ages); i++)
		if (sums[i].bytes != 0)
			fprintf(to, "%10.1f %8.0f  %s\n", sums[i].bytes / MB,
			    sums[i].slabs, ages[i]);
}
