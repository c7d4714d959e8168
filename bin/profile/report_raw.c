#include "report.h"

#include <inttypes.h>
#include "tool.h"

static void
write_symbols(FILE *to, const struct profile *profile)
{
	unsigned char *done;
	size_t count = 0;

	for (size_t i = 0; i < profile->nlocations; i++)
		count = profile->locations[i] >= count ?
		    profile->locations[i] + 1 : count;
	done = memory(count, 1);
	for (size_t i = 0; i < profile->nlocations; i++) {
		unsigned number = profile->locations[i];
		const struct location *location = symbols_get(number);

		if (done[number])
			continue;
		done[number] = 1;
		fprintf(to, "0x%016" PRIx64, location->pc);
		for (unsigned k = location->nframes; k-- > 0;) {
			const struct frame *frame = &location->frames[k];

			fputs(k + 1 == location->nframes ? " " : "--", to);
			if (frame->name == NULL)
				fprintf(to, "0x%016" PRIx64, location->pc);
			else
				fputs(frame->name, to);
			if (frame->start != 0 &&
			    frame->label != frame->short_name)
				fprintf(to, "<%" PRIx64 ">", frame->start);
		}
		fputc('\n', to);
	}
}

void
report_raw(struct report *report, const struct profile *profile,
    const struct dump *dump)
{
	fprintf(report->to, "--- symbol\nbinary=%s\n", report->program);
	write_symbols(report->to, profile);
	fputs("---\n--- heap\n", report->to);
	fwrite(dump->text, 1, dump->length, report->to);
}
