#include "stacks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dump_build.h"
#include "pattern.h"
#include "tool.h"

struct patterns {
	struct pattern focus, ignore, retain, exclude;
};

/* Flags in the member `match` of struct location. */
enum { SEEN = 1, IN_FOCUS = 2, IN_IGNORE = 4 };

static bool
stack_equal(const struct profile *profile, const struct stack *stack,
    const unsigned *locations, size_t count)
{
	return stack->count == count &&
	    memcmp(profile->locations + stack->first, locations,
		count * sizeof(*locations)) == 0;
}

static void
slots_grow(struct profile *profile)
{
	size_t size = profile->slots == NULL ? 1024 : 2 * (profile->mask + 1);

	free(profile->slots);
	profile->slots = memory(size, sizeof(*profile->slots));
	profile->mask = size - 1;
	for (size_t i = 0; i < profile->nstacks; i++) {
		struct stack *stack = &profile->stacks[i];
		size_t at = hash_bytes(profile->locations + stack->first,
				stack->count * sizeof(unsigned)) &
		    profile->mask;

		while (profile->slots[at] != 0)
			at = (at + 1) & profile->mask;
		profile->slots[at] = (unsigned)i + 1;
	}
}

/* The stack of the newest locations of the profile, from `first` on. */
static struct stack *
stack_find(struct profile *profile, size_t first)
{
	const unsigned *locations = profile->locations + first;
	size_t count = profile->nlocations - first;

	if (2 * profile->nstacks >= profile->mask)
		slots_grow(profile);

	size_t at = hash_bytes(locations, count * sizeof(*locations)) &
	    profile->mask;

	for (; profile->slots[at] != 0; at = (at + 1) & profile->mask) {
		struct stack *stack = &profile->stacks[profile->slots[at] - 1];

		if (stack_equal(profile, stack, locations, count)) {
			profile->nlocations = first;
			return stack;
		}
	}
	profile->stacks = array_room(profile->stacks, profile->nstacks,
	    sizeof(*profile->stacks));
	if (profile->all_views) {
		profile->views = array_room(profile->views, profile->nstacks,
		    sizeof(*profile->views));
		memset(profile->views[profile->nstacks], 0,
		    sizeof(*profile->views));
	}
	profile->stacks[profile->nstacks] = (struct stack){
		.first = first,
		.count = count,
		.in_base_only = true,
	};
	profile->slots[at] = (unsigned)++profile->nstacks;
	return &profile->stacks[profile->nstacks - 1];
}

static void
views_add(struct profile *profile, const struct stack *stack,
    const struct dump *dump, const struct dump_counts *counts, int sign)
{
	double *views = profile->views[stack - profile->stacks];

	for (int i = 0; i < VIEWS; i++)
		views[i] += sign * dump_value(counts, dump, (enum dump_view)i);
}

void
profile_add(struct profile *profile, struct dump *dump, int sign)
{
	for (size_t i = 0; i < dump->nstacks; i++) {
		const struct dump_stack *from = &dump->stacks[i];
		size_t first = profile->nlocations;

		for (size_t k = 0; k < from->count; k++) {
			profile->locations = array_room(profile->locations,
			    profile->nlocations, sizeof(*profile->locations));
			profile->locations[profile->nlocations++] =
			    symbols_location(dump, dump->pcs[from->first + k]);
		}
		struct stack *stack = stack_find(profile, first);

		stack->value += sign * from->value;
		if (sign < 0)
			stack->base += from->value;
		if (profile->all_views)
			views_add(profile, stack, dump, &from->counts, sign);
		if (sign > 0)
			stack->in_base_only = false;
	}
}

/* Does the address, or a name or line of any of its frames match? */
static bool
location_matches(const struct location *location, const struct pattern *pattern)
{
	char hex[24];

	sprintf(hex, "%016" PRIx64, location->pc);
	if (pattern_matches(pattern, hex))
		return true;
	for (unsigned i = 0; i < location->nframes; i++) {
		const struct frame *frame = &location->frames[i];
		char *line = print("%s:%d", frame->file ? frame->file : "??",
		    frame->line);
		bool match = pattern_matches(pattern, frame->short_name) ||
		    pattern_matches(pattern, line);

		free(line);
		if (match)
			return true;
	}
	return false;
}

static unsigned
location_match(struct location *location, const struct patterns *patterns)
{
	if (location->match != 0)
		return location->match;
	location->match = SEEN;
	if (patterns->focus.code &&
	    location_matches(location, &patterns->focus))
		location->match |= IN_FOCUS;
	if (patterns->ignore.code &&
	    location_matches(location, &patterns->ignore))
		location->match |= IN_IGNORE;
	return location->match;
}

/* A frame and its location, which some filters look at. */
struct candidate {
	struct frame *frame;
	struct location *location;
};

/* Takes all frames of a stack except those of the allocator. */
static unsigned
candidates_take(const struct profile *profile, const struct stack *stack,
    struct candidate *to)
{
	unsigned count = 0;
	bool inner = true;

	for (size_t i = 0; i < stack->count; i++) {
		struct location *location =
		    symbols_get(profile->locations[stack->first + i]);

		for (unsigned k = 0; k < location->nframes; k++) {
			struct frame *frame = &location->frames[k];

			inner = inner && frame->inside;
			if (inner)
				continue;
			if (frame->allocator)
				count = 0;
			else
				to[count++] = (struct candidate){ frame,
					location };
		}
	}
	return count;
}

static bool
frame_wanted(const struct frame *frame, const struct patterns *patterns)
{
	if (patterns->retain.code &&
	    !pattern_matches(&patterns->retain, frame->short_name))
		return false;
	return !patterns->exclude.code ||
	    !pattern_matches(&patterns->exclude, frame->short_name);
}

/* Filters the frames in place; 0: the stack is not wanted. */
static unsigned
candidates_filter(struct candidate *list, unsigned count,
    const struct patterns *patterns)
{
	unsigned kept = 0, match = 0;

	for (unsigned i = 0; i < count; i++) {
		if (frame_wanted(list[i].frame, patterns))
			list[kept++] = list[i];
	}
	if (!patterns->focus.code && !patterns->ignore.code)
		return kept;
	for (unsigned i = 0; i < kept; i++)
		match |= location_match(list[i].location, patterns);
	if (patterns->focus.code && !(match & IN_FOCUS))
		return 0;
	return match & IN_IGNORE ? 0 : kept;
}

static unsigned
stack_frames(const struct profile *profile, const struct stack *stack)
{
	unsigned count = 0;

	for (size_t i = 0; i < stack->count; i++)
		count +=
		    symbols_get(profile->locations[stack->first + i])->nframes;
	return count;
}

static void
trace_add(struct traces *traces, const struct candidate *list, unsigned count,
    const struct stack *stack, const double *views)
{
	struct trace trace = {
		.frames = memory(count, sizeof(*trace.frames)),
		.count = count,
		.value = stack->value,
		.base = stack->base,
		.views = views,
	};

	for (unsigned i = 0; i < count; i++)
		trace.frames[i] = list[i].frame;
	traces->item = array_room(traces->item, traces->count, sizeof(trace));
	traces->item[traces->count++] = trace;
	traces->kept += stack->value;
	traces->base += stack->base;
}

void
traces_take(struct traces *traces, const struct profile *profile,
    const struct filters *filters)
{
	struct patterns patterns = { 0 };

	pattern_compile(&patterns.focus, "focus", filters->focus);
	pattern_compile(&patterns.ignore, "ignore", filters->ignore);
	pattern_compile(&patterns.retain, "retain", filters->retain);
	pattern_compile(&patterns.exclude, "exclude", filters->exclude);
	for (size_t i = 0; i < profile->nstacks; i++) {
		const struct stack *stack = &profile->stacks[i];
		double value = stack->value;

		if (filters->drop_negative &&
		    (value < 0 || stack->in_base_only))
			continue;
		traces->total += value;

		unsigned count = stack_frames(profile, stack);
		struct candidate *list = memory(count, sizeof(*list));

		count = candidates_take(profile, stack, list);
		count = candidates_filter(list, count, &patterns);
		if (count > 0)
			trace_add(traces, list, count, stack,
			    profile->all_views ? profile->views[i] : NULL);
		free(list);
	}
}
