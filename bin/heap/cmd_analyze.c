#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "guess.h"
#include "json.h"
#include "session.h"
#include "target.h"
#include "tool.h"

#define WORDS_PRESET   64
#define WORDS_MAX      65536
#define SAMPLES_PRESET 3
#define SAMPLES_MAX    64

struct group {
	uint64_t size;
	const char *label;
	const char *note; /* of the first object */
	uint64_t count;
	unsigned nsamples;
	uint64_t samples[SAMPLES_MAX];
};

struct analysis {
	struct session *session;
	size_t words;
	unsigned nsamples;
	unsigned char *bytes;
	struct group *groups;
	size_t ngroups;
	size_t *slots; /* group + 1 */
	size_t mask;
};

static size_t
slot_of(const struct analysis *analysis, uint64_t size, const char *label)
{
	uint64_t key[2] = { size, (uint64_t)(uintptr_t)label };
	size_t at = (size_t)hash_bytes(key, sizeof(key)) & analysis->mask;

	for (; analysis->slots[at] != 0; at = (at + 1) & analysis->mask) {
		const struct group *group =
		    &analysis->groups[analysis->slots[at] - 1];

		if (group->size == size && group->label == label)
			break;
	}
	return at;
}

static void
slots_grow(struct analysis *analysis)
{
	analysis->mask = analysis->mask == 0 ? 1023 : 2 * analysis->mask + 1;
	free(analysis->slots);
	analysis->slots = memory(analysis->mask + 1, sizeof(size_t));
	for (size_t i = 0; i < analysis->ngroups; i++)
		analysis->slots[slot_of(analysis, analysis->groups[i].size,
		    analysis->groups[i].label)] = i + 1;
}

static void
group_add(struct analysis *analysis, const struct region *region,
    const struct guess *guess)
{
	if (2 * analysis->ngroups >= analysis->mask)
		slots_grow(analysis);
	size_t at = slot_of(analysis, region->size, guess->label);

	if (analysis->slots[at] == 0) {
		analysis->groups = array_room(analysis->groups,
		    analysis->ngroups, sizeof(struct group));
		analysis->groups[analysis->ngroups++] = (struct group){
			.size = region->size,
			.label = guess->label,
			.note = guess->note
		};
		analysis->slots[at] = analysis->ngroups;
	}
	struct group *group = &analysis->groups[analysis->slots[at] - 1];

	group->count++;
	if (group->nsamples < analysis->nsamples)
		group->samples[group->nsamples++] = region->address;
}

static bool
region_guess(void *context, const struct region *region)
{
	struct analysis *analysis = context;
	struct session *session = analysis->session;
	uint64_t size = analysis->words * 8;
	struct contents contents = { session, region, analysis->bytes,
		region->readable < size ? region->readable : size };
	size_t lost = target_read_some(session->target, region->address,
	    analysis->bytes, contents.size);
	struct guess guess = { .label = "unreadable" };

	session->heap->unreadable_data += lost;
	if (lost == 0)
		guess = guess_object(&contents);
	else
		guess.label = intern(guess.label);
	group_add(analysis, region, &guess);
	if (session->options.verbose && !session->options.json)
		printf("%#" PRIx64 " %" PRIu64 " %s%s%s, %.1f bits a byte\n",
		    region->address, region->size, guess.label,
		    guess.note == NULL ? "" : " ",
		    guess.note == NULL ? "" : guess.note,
		    guess_entropy(&contents));
	return true;
}

static int
group_compare(const void *a, const void *b)
{
	const struct group *first = a, *second = b;

	if (first->size != second->size)
		return first->size < second->size ? -1 : 1;
	if (first->count != second->count)
		return first->count > second->count ? -1 : 1;
	return first->samples[0] < second->samples[0] ? -1 : 1;
}

static void
group_print(const struct group *group, uint64_t all)
{
	printf("%10" PRIu64 " (%5.1f%%)  %s", group->count,
	    100.0 * (double)group->count / (double)all, group->label);
	if (group->note != NULL)
		printf("  %s", group->note);
	for (unsigned i = 0; i < group->nsamples; i++)
		printf(" %#" PRIx64, group->samples[i]);
	puts(group->count > group->nsamples ? " ..." : "");
}

static void
group_json(const struct group *group)
{
	json_object(NULL);
	json_number("size", group->size);
	json_text("guess", group->label);
	json_text("note", group->note);
	json_number("count", group->count);
	json_array("samples");
	for (unsigned i = 0; i < group->nsamples; i++)
		json_address(NULL, group->samples[i]);
	json_end();
	json_end();
}

static void
groups_print(const struct analysis *analysis)
{
	for (size_t i = 0; i < analysis->ngroups;) {
		size_t end = i;
		uint64_t all = 0, size = analysis->groups[i].size;

		for (; end < analysis->ngroups &&
		     analysis->groups[end].size == size;
		     end++)
			all += analysis->groups[end].count;
		printf("%5" PRIu64 " bytes: %" PRIu64 " regions\n", size, all);
		for (; i < end; i++)
			group_print(&analysis->groups[i], all);
	}
}

void
command_analyze(struct session *session)
{
	const struct options *options = &session->options;
	struct analysis analysis = { .session = session,
		.words = WORDS_PRESET,
		.nsamples = SAMPLES_PRESET };

	if (options->words > WORDS_MAX || options->words == 0)
		fail("--words: between 1 and %d", WORDS_MAX);
	if (options->samples > SAMPLES_MAX)
		fail("--samples: at most %d", SAMPLES_MAX);
	if (options->words > 0)
		analysis.words = (size_t)options->words;
	if (options->samples >= 0)
		analysis.nsamples = (unsigned)options->samples;
	analysis.bytes = memory(analysis.words, 8);
	if (!options->json)
		puts("By their contents, objects are (guesses):");
	session_each(session, region_guess, &analysis);
	sort(analysis.groups, analysis.ngroups, sizeof(struct group),
	    group_compare);
	if (options->json) {
		json_array("groups");
		for (size_t i = 0; i < analysis.ngroups; i++)
			group_json(&analysis.groups[i]);
		json_end();
	} else {
		groups_print(&analysis);
	}
	free(analysis.groups);
	free(analysis.slots);
	free(analysis.bytes);
}
