#include "samples.h"

#include <stdlib.h>

#include "tool.h"

/* Calls `take` for each location of each trace, once. */
static void
each_location(struct samples *samples,
    void (*take)(struct samples *, size_t trace, unsigned location))
{
	const struct traces *traces = samples->traces;
	size_t *seen = memory(symbols_count(), sizeof(*seen));

	for (size_t i = 0; i < traces->count; i++) {
		const struct trace *trace = &traces->item[i];

		for (unsigned k = 0; k < trace->count; k++) {
			unsigned location = trace->frames[k]->location;

			if (seen[location] == i + 1)
				continue;
			seen[location] = i + 1;
			take(samples, i, location);
		}
	}
	free(seen);
}

static void
location_count(struct samples *samples, size_t trace, unsigned location)
{
	samples->item[location].cumulative +=
	    samples->traces->item[trace].value;
	samples->first[location]++;
}

/* From the end of each part to its start. */
static void
location_list(struct samples *samples, size_t trace, unsigned location)
{
	samples->list[--samples->first[location]] = trace;
}

void
samples_take(struct samples *samples, const struct traces *traces)
{
	size_t count = symbols_count();

	*samples = (struct samples){
		.traces = traces,
		.item = memory(count, sizeof(struct sample)),
		.first = memory(count + 1, sizeof(size_t)),
		.joined = memory(count, sizeof(size_t)),
		.counted = memory(traces->count, sizeof(size_t)),
	};
	for (size_t i = 0; i < traces->count; i++)
		samples->item[traces->item[i].frames[0]->location].flat +=
		    traces->item[i].value;
	each_location(samples, location_count);
	for (size_t i = 1; i <= count; i++)
		samples->first[i] += samples->first[i - 1];
	samples->list = memory(samples->first[count], sizeof(size_t));
	each_location(samples, location_list);
}

void
samples_free(struct samples *samples)
{
	free(samples->item);
	free(samples->first);
	free(samples->list);
	free(samples->joined);
	free(samples->counted);
}

void
samples_begin(struct samples *samples)
{
	samples->sum++;
}

void
samples_join(struct samples *samples, unsigned location, struct sample *sum)
{
	if (samples->joined[location] == samples->sum)
		return;
	samples->joined[location] = samples->sum;
	sum->flat += samples->item[location].flat;
	for (size_t i = samples->first[location];
	     i < samples->first[location + 1]; i++) {
		size_t trace = samples->list[i];

		if (samples->counted[trace] == samples->sum)
			continue;
		samples->counted[trace] = samples->sum;
		sum->cumulative += samples->traces->item[trace].value;
	}
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
	return columns(sample->flat == 0 ? "."
					 : report_number(report, sample->flat),
	    sample->cumulative == 0
		? "."
		: report_number(report, sample->cumulative));
}

const char *
sample_totals(const struct report *report, const struct sample *sample)
{
	return columns(report_number(report, sample->flat),
	    report_number(report, sample->cumulative));
}
