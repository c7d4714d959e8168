#include "report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

/* The names written so far; from then on only their numbers are written. */
struct written {
	const char **names;
	size_t count;
};

struct callgrind {
	FILE *to;
	struct written files, functions;
};

static void
write_name(FILE *to, const char *key, struct written *written, const char *name)
{
	size_t i;

	if (strlen(name) <= 3) {
		fprintf(to, "%s=%s\n", key, name);
		return;
	}
	for (i = 0; i < written->count; i++) {
		if (written->names[i] == name) {
			fprintf(to, "%s=(%zu)\n", key, i + 1);
			return;
		}
	}
	written->names = array_room(written->names, written->count,
	    sizeof(*written->names));
	written->names[written->count++] = name;
	fprintf(to, "%s=(%zu) %s\n", key, i + 1, name);
}

static void
write_place(struct callgrind *out, const char *prefix,
    const struct frame *frame)
{
	char key[4];

	snprintf(key, sizeof(key), "%sfl", prefix);
	write_name(out->to, key, &out->files, frame->file ? frame->file : "??");
	snprintf(key, sizeof(key), "%sfn", prefix);
	write_name(out->to, key, &out->functions, frame->label);
}

void
report_callgrind(struct report *report)
{
	struct callgrind out = { .to = report->to };
	size_t count;
	struct edge *edges = report_edges(report, &count);

	fputs("events: Hits\n\n", out.to);
	for (size_t i = 0; i < report->nentries; i++) {
		const struct entry *entry = &report->entries[i];

		if ((int64_t)entry->flat == 0)
			continue;
		write_place(&out, "", entry->frame);
		fprintf(out.to, "%d %" PRId64 "\n\n", entry->frame->line,
		    (int64_t)entry->flat);
	}
	for (size_t i = 0; i < count; i++) {
		const struct frame *caller =
		    report->entries[edges[i].caller].frame;
		const struct frame *callee =
		    report->entries[edges[i].callee].frame;
		int64_t value = (int64_t)edges[i].value;

		if (value == 0)
			continue;
		write_place(&out, "", caller);
		write_place(&out, "c", callee);
		fprintf(out.to, "calls=%" PRId64 " %d\n%d %" PRId64 "\n\n",
		    value, callee->line, caller->line, value);
	}
	free(edges);
	free(out.files.names);
	free(out.functions.names);
}
