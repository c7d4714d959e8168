#include "flame.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "images.h"
#include "tool.h"

/* Go's and Java's packages: they have no other modules. */
static const char *
package(const char *name)
{
	const char *slash = strrchr(name, '/');
	const char *from = slash != NULL ? slash : name;
	const char *dot = strchr(from, '.');

	if (dot == NULL || dot == name || strstr(name, "::") != NULL)
		return NULL;
	return intern_bytes(name, (size_t)(dot - name));
}

static const char *
frame_module(const struct report *report, const struct frame *frame)
{
	const struct location *location = symbols_get(frame->location);
	const char *name = NULL;

	if (location->image != NULL)
		return intern(base_name(location->image->path));
	if (location->gone)
		return intern("[closed library]");
	if (location->shared)
		return intern("[several files]");
	if (location->map == NULL && frame->name != NULL)
		name = package(frame->name);
	if (name != NULL)
		return name;
	return intern(base_name(location->map != NULL ? location->map->path
						      : report->program));
}

static unsigned
module_find(struct flames *flames, const char *name)
{
	for (size_t i = 0; i < flames->nmodules; i++) {
		if (flames->modules[i].name == name)
			return (unsigned)i;
	}
	flames->modules = array_room(flames->modules, flames->nmodules,
	    sizeof(*flames->modules));
	flames->modules[flames->nmodules] = (struct flame_module){
		.name = name
	};
	return (unsigned)flames->nmodules++;
}

static void
values_add(struct flame_values *sum, const struct flame_values *values)
{
	sum->width += values->width;
	sum->change += values->change;
	sum->base += values->base;
	sum->other += values->other;
}

/* Bytes for objects, and objects for bytes. */
static double
other_view(const struct trace *trace, enum dump_view view)
{
	static const enum dump_view others[VIEWS] = {
		[INUSE_SPACE] = INUSE_OBJECTS,
		[INUSE_OBJECTS] = INUSE_SPACE,
		[ALLOC_SPACE] = ALLOC_OBJECTS,
		[ALLOC_OBJECTS] = ALLOC_SPACE,
	};

	return trace->views == NULL ? 0 : trace->views[others[view]];
}

static int
compare_modules(const void *a, const void *b)
{
	const struct flame_module *first = a, *second = b;

	if (first->self != second->self)
		return first->self < second->self ? 1 : -1;
	return strcmp(first->name, second->name);
}

static void
modules_take(struct flames *flames, const struct report *report,
    struct flame *flame)
{
	if (flame->frame != NULL)
		flame->module = module_find(flames,
		    frame_module(report, flame->frame));
	flames->modules[flame->module].self += flame->self.width;
	for (struct flame *child = flame->children; child != NULL;
	     child = child->next)
		modules_take(flames, report, child);
}

static void
modules_renumber(struct flame *flame, const unsigned *numbers)
{
	flame->module = numbers[flame->module];
	for (struct flame *child = flame->children; child != NULL;
	     child = child->next)
		modules_renumber(child, numbers);
}

/* Colours are given by rank, so those of the largest modules differ most. */
static void
modules_sort(struct flames *flames)
{
	size_t count = flames->nmodules;
	struct flame_module *old = memory(count, sizeof(*old));
	unsigned *numbers = memory(count, sizeof(*numbers));

	memcpy(old, flames->modules, count * sizeof(*old));
	sort(flames->modules, count, sizeof(*old), compare_modules);
	for (size_t i = 0; i < count; i++)
		numbers[i] = module_find(flames, old[i].name);
	modules_renumber(&flames->root, numbers);
	free(numbers);
	free(old);
}

/* --- the tree ------------------------------------------------------------- */

/* The traces of one node that go on with the same name. */
struct group {
	const char *name;
	const struct frame *frame; /* of the first one */
	struct flame_values all;
	size_t count, start;
};

/* A place in the table of groups, for one node only. */
struct slot {
	const char *name;
	uint64_t node;
	size_t group;
};

/*
 * The tree is made from its root, and only where it will be drawn: there are
 * far more nodes that are too narrow. All traces of a node lie together, and
 * are put in order by the name of their next frame.
 */
struct dividing {
	struct flames *flames;
	const struct report *report;
	unsigned *traces, *sorted; /* numbers of traces */
	size_t *group_of;          /* of each of `traces` */
	struct slot *slots;
	size_t mask;
	uint64_t node; /* the number of the current one */
};

static struct flame_values
values_of(const struct dividing *dividing, const struct trace *trace)
{
	return (struct flame_values){
		.width = fabs(trace->value),
		.change = trace->value,
		.base = trace->base,
		.other = other_view(trace, dividing->report->view),
	};
}

/* Frames are innermost first. */
static const struct frame *
frame_at(const struct trace *trace, unsigned depth)
{
	return trace->frames[trace->count - 1 - depth];
}

static const char *
frame_name(const struct frame *frame)
{
	return frame->name != NULL ? frame->name : frame->short_name;
}

static struct slot *
slot_find(const struct dividing *dividing, const char *name)
{
	uintptr_t key = (uintptr_t)name;
	size_t at = hash_bytes(&key, sizeof(key)) & dividing->mask;

	while (dividing->slots[at].node == dividing->node &&
	    dividing->slots[at].name != name)
		at = (at + 1) & dividing->mask;
	return &dividing->slots[at];
}

/* Makes room for more groups of the current node. */
static void
slots_grow(struct dividing *dividing, const struct group *groups, size_t count)
{
	size_t size = dividing->slots == NULL ? 1024 : 2 * (dividing->mask + 1);

	free(dividing->slots);
	dividing->slots = memory(size, sizeof(*dividing->slots));
	dividing->mask = size - 1;
	for (size_t i = 0; i < count; i++)
		*slot_find(dividing, groups[i].name) = (struct slot){
			.name = groups[i].name,
			.node = dividing->node,
			.group = i,
		};
}

/* The groups of some traces; those that end here have none. */
static struct group *
groups_take(struct dividing *dividing, struct flame *flame, size_t first,
    size_t count, unsigned depth, size_t *ngroups)
{
	const struct trace *items = dividing->report->traces.item;
	struct group *groups = NULL;

	*ngroups = 0;
	dividing->node++;
	for (size_t i = first; i < first + count; i++) {
		const struct trace *trace = &items[dividing->traces[i]];
		struct flame_values values = values_of(dividing, trace);
		const struct frame *frame;
		struct slot *slot;

		dividing->group_of[i] = SIZE_MAX;
		if (trace->count == depth) {
			values_add(&flame->self, &values);
			continue;
		}
		if (2 * *ngroups >= dividing->mask)
			slots_grow(dividing, groups, *ngroups);
		frame = frame_at(trace, depth);
		slot = slot_find(dividing, frame_name(frame));
		if (slot->node != dividing->node) {
			*slot = (struct slot){ frame_name(frame),
				dividing->node, *ngroups };
			groups = array_room(groups, *ngroups, sizeof(*groups));
			groups[(*ngroups)++] = (struct group){
				.name = slot->name,
				.frame = frame,
			};
		}
		dividing->group_of[i] = slot->group;
		groups[slot->group].count++;
		values_add(&groups[slot->group].all, &values);
	}
	return groups;
}

/* Puts the traces in the order of their groups. */
static void
traces_sort(struct dividing *dividing, struct group *groups, size_t ngroups,
    size_t first, size_t count)
{
	size_t at = first;

	for (size_t i = 0; i < ngroups; i++) {
		groups[i].start = at;
		at += groups[i].count;
		groups[i].count = 0;
	}
	for (size_t i = first; i < first + count; i++) {
		struct group *group;

		if (dividing->group_of[i] == SIZE_MAX)
			continue;
		group = &groups[dividing->group_of[i]];
		dividing->sorted[group->start + group->count++] =
		    dividing->traces[i];
	}
	memcpy(dividing->traces + first, dividing->sorted + first,
	    (at - first) * sizeof(*dividing->traces));
}

/* `count` traces belong to the node, which has `depth` frames above it. */
static void
divide(struct dividing *dividing, struct flame *flame, size_t first,
    size_t count, unsigned depth)
{
	size_t ngroups;
	struct group *groups = groups_take(dividing, flame, first, count, depth,
	    &ngroups);
	struct flame **end = &flame->children;

	traces_sort(dividing, groups, ngroups, first, count);
	for (size_t i = 0; i < ngroups; i++) {
		const struct group *group = &groups[i];
		struct flame *child;

		if (group->all.width * dividing->flames->scale < FLAME_LEAST)
			continue;
		child = memory(1, sizeof(*child));
		*child = (struct flame){
			.name = group->name,
			.frame = group->frame,
			.all = group->all,
		};
		*end = child;
		end = &child->next;
		divide(dividing, child, group->start, group->count, depth + 1);
	}
	free(groups);
}

void
flames_make(struct flames *flames, const struct report *report)
{
	const struct traces *traces = &report->traces;
	struct dividing dividing = {
		.flames = flames,
		.report = report,
		.traces = memory(traces->count, sizeof(unsigned)),
		.sorted = memory(traces->count, sizeof(unsigned)),
		.group_of = memory(traces->count, sizeof(size_t)),
	};
	size_t count = 0;

	*flames = (struct flames){ .root = { .name = "all" } };
	flames->root.module = module_find(flames,
	    intern(base_name(report->program)));
	for (size_t i = 0; i < traces->count; i++) {
		const struct trace *trace = &traces->item[i];
		struct flame_values values = values_of(&dividing, trace);

		if (trace->value == 0 && trace->base == 0)
			continue;
		dividing.traces[count++] = (unsigned)i;
		values_add(&flames->root.all, &values);
	}
	flames->scale = FLAME_WIDTH / flames->root.all.width;
	divide(&dividing, &flames->root, 0, count, 0);
	free(dividing.traces);
	free(dividing.sorted);
	free(dividing.group_of);
	free(dividing.slots);
	modules_take(flames, report, &flames->root);
	modules_sort(flames);
}
