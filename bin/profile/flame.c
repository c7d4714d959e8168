#include "flame.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "images.h"
#include "tool.h"

#define FEW 16 /* children that are searched one by one */

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

/* Nodes by parent and name: a function may have very many callees. */
static struct flame **
slot_find(const struct flames *flames, const struct flame *parent,
    const char *name)
{
	uintptr_t key[2] = { (uintptr_t)parent, (uintptr_t)name };
	size_t at = hash_bytes(key, sizeof(key)) & flames->mask;

	while (flames->slots[at] != NULL &&
	    (flames->slots[at]->more->parent != parent ||
		flames->slots[at]->name != name))
		at = (at + 1) & flames->mask;
	return &flames->slots[at];
}

static void
slots_grow(struct flames *flames)
{
	size_t old = flames->slots == NULL ? 0 : flames->mask + 1;
	struct flame **slots = flames->slots;

	flames->mask = old == 0 ? 1023 : 2 * old - 1;
	flames->slots = memory(flames->mask + 1, sizeof(*slots));
	for (size_t i = 0; i < old; i++) {
		if (slots[i] != NULL)
			*slot_find(flames, slots[i]->more->parent,
			    slots[i]->name) = slots[i];
	}
	free(slots);
}

static void
slot_put(struct flames *flames, struct flame *flame)
{
	if (2 * flames->count >= flames->mask)
		slots_grow(flames);
	*slot_find(flames, flame->more->parent, flame->name) = flame;
	flames->count++;
}

static struct flame *
flame_child(struct flames *flames, struct flame *parent,
    const struct frame *frame)
{
	const char *name = frame->name != NULL ? frame->name
					       : frame->short_name;
	struct flame **end = &parent->children, *child = NULL;

	/* New ones come last: what is often called is soon seen. */
	if (parent->nchildren < FEW) {
		while (*end != NULL && (*end)->name != name)
			end = &(*end)->next;
		child = *end;
	} else {
		child = *slot_find(flames, parent, name);
	}
	if (child != NULL)
		return child;
	if (flames->nfree == 0) {
		flames->nfree = 1024;
		flames->free = memory(flames->nfree, sizeof(*child));
		flames->free_more = memory(flames->nfree,
		    sizeof(*flames->free_more));
	}
	child = &flames->free[--flames->nfree];
	child->more = &flames->free_more[flames->nfree];
	child->name = name;
	child->more->frame = frame;
	child->more->parent = parent;
	child->next = *end;
	*end = child;
	if (++parent->nchildren == FEW) {
		for (child = parent->children; child != NULL;
		     child = child->next)
			slot_put(flames, child);
		child = &flames->free[flames->nfree];
	} else if (parent->nchildren > FEW) {
		slot_put(flames, child);
	}
	return child;
}

static void
values_add(struct flame_values *sum, const struct flame_values *values)
{
	sum->width += values->width;
	sum->change += values->change;
	sum->base += values->base;
	sum->other += values->other;
}

static void
flame_sum(struct flame *flame)
{
	flame->more->all = flame->more->self;
	for (struct flame *child = flame->children; child != NULL;
	     child = child->next) {
		flame_sum(child);
		values_add(&flame->more->all, &child->more->all);
	}
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

bool
flame_is_drawn(const struct flame *flame, double scale)
{
	return flame->more->all.width * scale >= FLAME_LEAST;
}

/* Finds the modules of what will be drawn, which is a small part. */
static void
modules_take(struct flames *flames, const struct report *report,
    struct flame *flame, double scale)
{
	struct flame_more *more = flame->more;

	if (more->frame != NULL)
		more->module = module_find(flames,
		    frame_module(report, more->frame));
	flames->modules[more->module].self += more->self.width;
	for (struct flame *child = flame->children; child != NULL;
	     child = child->next) {
		if (flame_is_drawn(child, scale))
			modules_take(flames, report, child, scale);
	}
}

static void
modules_renumber(struct flame *flame, const unsigned *numbers, double scale)
{
	flame->more->module = numbers[flame->more->module];
	for (struct flame *child = flame->children; child != NULL;
	     child = child->next) {
		if (flame_is_drawn(child, scale))
			modules_renumber(child, numbers, scale);
	}
}

/* Colours are given by rank, so those of the largest modules differ most. */
static void
modules_sort(struct flames *flames, double scale)
{
	size_t count = flames->nmodules;
	struct flame_module *old = memory(count, sizeof(*old));
	unsigned *numbers = memory(count, sizeof(*numbers));

	memcpy(old, flames->modules, count * sizeof(*old));
	sort(flames->modules, count, sizeof(*old), compare_modules);
	for (size_t i = 0; i < count; i++)
		numbers[i] = module_find(flames, old[i].name);
	modules_renumber(&flames->root, numbers, scale);
	free(numbers);
	free(old);
}

void
flames_make(struct flames *flames, const struct report *report)
{
	const struct traces *traces = &report->traces;

	double scale;

	*flames = (struct flames){ .root = { .name = "all" } };
	flames->root.more = &flames->root_more;
	flames->root_more.module = module_find(flames,
	    intern(base_name(report->program)));
	for (size_t i = 0; i < traces->count; i++) {
		const struct trace *trace = &traces->item[i];
		struct flame_values values = {
			.width = fabs(trace->value),
			.change = trace->value,
			.base = trace->base,
			.other = other_view(trace, report->view),
		};
		struct flame *at = &flames->root;

		if (trace->value == 0 && trace->base == 0)
			continue;
		for (unsigned k = trace->count; k-- > 0;)
			at = flame_child(flames, at, trace->frames[k]);
		values_add(&at->more->self, &values);
	}
	flame_sum(&flames->root);
	scale = FLAME_WIDTH / flames->root_more.all.width;
	modules_take(flames, report, &flames->root, scale);
	modules_sort(flames, scale);
}
