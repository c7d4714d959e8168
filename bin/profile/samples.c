#include "samples.h"

#include <stdlib.h>

#include "tool.h"

struct sample *
samples_take(const struct traces *traces)
{
	struct sample *samples = memory(symbols_count(), sizeof(*samples));
	size_t *seen = memory(symbols_count(), sizeof(*seen));

	for (size_t i = 0; i < traces->count; i++) {
		const struct trace *trace = &traces->item[i];

		samples[trace->frames[0]->location].flat += trace->value;
		for (unsigned k = 0; k < trace->count; k++) {
			unsigned location = trace->frames[k]->location;

			if (seen[location] == i + 1)
				continue;
			seen[location] = i + 1;
			samples[location].cumulative += trace->value;
		}
	}
	free(seen);
	return samples;
}

void
sample_add(struct sample *sum, const struct sample *sample)
{
	sum->flat += sample->flat;
	sum->cumulative += sample->cumulative;
}

bool
sample_is_zero(const struct sample *sample)
{
	return sample->flat == 0 && sample->cumulative == 0;
}

static const char *
columns(const char *flat, const char *cumulative)
{
	static char text[4][64];
	static unsigned turn;
	char *to = text[turn++ % LENGTH(text)];

	snprintf(to, sizeof(text[0]), "%6s %6s", flat, cumulative);
	return to;
}

const char *
sample_columns(const struct report *report, const struct sample *sample)
{
	return columns(
	    sample->flat == 0 ? "." : report_number(report, sample->flat),
	    sample->cumulative == 0 ? "." :
	    report_number(report, sample->cumulative));
}

const char *
sample_totals(const struct report *report, const struct sample *sample)
{
	return columns(report_number(report, sample->flat),
	    report_number(report, sample->cumulative));
}
