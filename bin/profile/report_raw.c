#include "report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

static void
write_symbol(FILE *to, uint64_t pc, const struct location *location)
{
	fprintf(to, "0x%016" PRIx64, pc);
	for (unsigned k = location->nframes; k-- > 0;) {
		const struct frame *frame = &location->frames[k];

		fputs(k + 1 == location->nframes ? " " : "--", to);
		if (frame->name == NULL && frame->short_name[0] != '[')
			fprintf(to, "0x%016" PRIx64, pc);
		else if (frame->name == NULL)
			fputs(frame->short_name, to);
		else
			fputs(frame->name, to);
		if (frame->start != 0 && frame->label != frame->short_name)
			fprintf(to, "<%" PRIx64 ">", frame->start);
	}
	fputc('\n', to);
}

static void
write_symbols(FILE *to, const struct profile *profile)
{
	unsigned char *done = memory(symbols_count(), 1);

	for (size_t i = 0; i < profile->nlocations; i++) {
		unsigned number = profile->locations[i];
		const struct location *location = symbols_get(number);

		if (done[number])
			continue;
		done[number] = 1;
		write_symbol(to, location->pc, location);
	}
	free(done);
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

/*
 * Each dump was loaded at other places, so one address may belong to different
 * functions in two dumps. Locations that share an address therefore get new
 * ones, where nothing is mapped. So do locations of this library; the map gets
 * a line for them.
 */
#define PLACE 0x4000000000000000

static int
compare_places(const void *a, const void *b)
{
	unsigned first = *(const unsigned *)a, second = *(const unsigned *)b;
	uint64_t pc = symbols_get(first)->pc, other = symbols_get(second)->pc;

	if (pc != other)
		return pc < other ? -1 : 1;
	return first < second ? -1 : first > second;
}

/* Chooses an address for each location. */
static uint64_t *
places_make(unsigned count)
{
	uint64_t *places = memory(count, sizeof(*places));
	unsigned *order = memory(count, sizeof(*order));

	for (unsigned i = 0; i < count; i++)
		order[i] = i;
	sort(order, count, sizeof(*order), compare_places);
	for (unsigned i = 0; i < count; i++) {
		const struct location *location = symbols_get(order[i]);
		bool again = i > 0 &&
		    location->pc == symbols_get(order[i - 1])->pc;

		places[order[i]] = location->inside
		    ? PLACE + 16 * (uint64_t)(count + i)
		    : again ? PLACE + 16 * (uint64_t)i
			    : location->pc;
	}
	free(order);
	return places;
}

static void
write_counts(FILE *to, const struct dump_counts *counts)
{
	fprintf(to, "%.0f: %.0f [%.0f: %.0f]", counts->objects, counts->bytes,
	    counts->objects_ever, counts->bytes_ever);
}

static void
write_stacks(FILE *to, struct dump *dump, const uint64_t *places)
{
	for (size_t i = 0; i < dump->nstacks; i++) {
		const struct dump_stack *stack = &dump->stacks[i];

		write_counts(to, &stack->counts);
		fputs(" @", to);
		for (size_t k = 0; k < stack->count; k++) {
			unsigned number = symbols_location(dump,
			    dump->pcs[stack->first + k]);

			/* Readers subtract one, except from the first. */
			fprintf(to, " 0x%" PRIx64, places[number] + (k > 0));
		}
		fputc('\n', to);
	}
}

static void
counts_add(struct dump_counts *sum, const struct dump *dump)
{
	for (size_t i = 0; i < dump->nstacks; i++) {
		const struct dump_counts *counts = &dump->stacks[i].counts;

		sum->objects += counts->objects;
		sum->bytes += counts->bytes;
		sum->objects_ever += counts->objects_ever;
		sum->bytes_ever += counts->bytes_ever;
	}
}

void
report_raw_sum(struct report *report, struct dump **dumps, size_t count)
{
	struct dump_counts sum = { 0 };
	unsigned nlocations = (unsigned)symbols_count();
	uint64_t *places = places_make(nlocations);
	double period = dumps[0]->period;
	FILE *to = report->to;

	for (size_t i = 0; i < count; i++) {
		if (dumps[i]->period != period ||
		    dumps[i]->by_ratio != dumps[0]->by_ratio)
			fail("%s: another sampling period than %s, so --raw "
			     "can't make them one",
			    dumps[i]->path, dumps[0]->path);
		if (dumps[i]->negative)
			fail("%s: has negative counts, which --raw can't write",
			    dumps[i]->path);
		counts_add(&sum, dumps[i]);
	}
	fprintf(to, "--- symbol\nbinary=%s\n", report->program);
	for (unsigned i = 0; i < nlocations; i++)
		write_symbol(to, places[i], symbols_get(i));
	fputs("---\n--- heap\nheap profile: ", to);
	write_counts(to, &sum);
	if (period == 0)
		fputs(" @ heapprofile\n", to);
	else if (dumps[0]->by_ratio)
		fprintf(to, " @ heap/%.0f\n", 2 * period);
	else
		fprintf(to, " @ heap_v2/%.0f\n", period);
	for (size_t i = 0; i < count; i++)
		write_stacks(to, dumps[i], places);
	fprintf(to,
	    "\nMAPPED_LIBRARIES:\n%" PRIx64 "-%" PRIx64 " r-xp "
	    "00000000 00:00 0 /libjemalloc.so.2\n",
	    PLACE + 16 * (uint64_t)nlocations,
	    PLACE + 32 * (uint64_t)nlocations);
	free(places);
}
