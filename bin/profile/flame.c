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
	if (location->map == NULL && frame->name != NULL)
		name = package(frame->name);
	if (name != NULL)
		return name;
	return intern(base_name(location->map != NULL ? location->map->path :
	    report->program));
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
		.name = name };
	return (unsigned)flames->nmodules++;
}

static struct flame *
flame_child(struct flames *flames, struct flame *parent,
    const struct report *report, const struct frame *frame)
{
	const char *name = frame->name != NULL ? frame->name :
	    frame->short_name;
	struct flame **link = &parent->children;

	for (; *link != NULL; link = &(*link)->next) {
		if ((*link)->name == name)
			return *link;
	}
	*link = memory(1, sizeof(**link));
	(*link)->name = name;
	(*link)->module = module_find(flames, frame_module(report, frame));
	return *link;
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
		[INUSE_SPACE] = INUSE_OBJECTS, [INUSE_OBJECTS] = INUSE_SPACE,
		[ALLOC_SPACE] = ALLOC_OBJECTS, [ALLOC_OBJECTS] = ALLOC_SPACE,
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

void
flames_make(struct flames *flames, const struct report *report)
{
	const struct traces *traces = &report->traces;

	*flames = (struct flames){ .root = { .name = "all" } };
	flames->root.module = module_find(flames, intern(base_name(
	    report->program)));
	for (size_t i = 0; i < traces->count; i++) {
		const struct trace *trace = &traces->item[i];
		struct flame_values values = {
			.width = fabs(trace->value), .change = trace->value,
			.base = trace->base,
			.other = other_view(trace, report->view),
		};
		struct flame *at = &flames->root;

		if (trace->value == 0 && trace->base == 0)
			continue;
		values_add(&at->all, &values);
		for (unsigned k = trace->count; k-- > 0;) {
			at = flame_child(flames, at, report, trace->frames[k]);
			values_add(&at->all, &values);
		}
		values_add(&at->self, &values);
		flames->modules[at->module].self += values.width;
	}
	modules_sort(flames);
}
