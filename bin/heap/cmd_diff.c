#include <inttypes.h>
#include <stdio.h>

#include "census.h"
#include "json.h"
#include "session.h"
#include "tool.h"

/* The first allocator in another core file. */
static struct heap *
other_open(const struct session *session)
{
	struct target_options options = { .core = session->options.operand,
		.exe = session->options.target.exe,
		.sysroot = session->options.target.sysroot };
	static struct modules modules;
	static struct layouts layouts;
	int64_t instance = session->options.instance < 0
	    ? 0
	    : session->options.instance;

	if (layouts.count == 0) {
		struct target *target = target_open(&options);

		modules_find(&modules, target);
		layouts_find(&layouts, target, &modules);
	}
	if (layouts.count == 0)
		fail("%s: %s", options.core,
		    layouts.reason != NULL ? layouts.reason
					   : "no allocator of this kind in it");
	if ((uint64_t)instance >= layouts.count)
		fail("%s: has no instance %" PRId64, options.core, instance);
	return heap_open(layouts.list[instance]->target,
	    layouts.list[instance]);
}

struct change {
	uint64_t size, before, after;
};

static void
change_print(const struct session *session, const struct change *change)
{
	int64_t count = (int64_t)(change->after - change->before);

	if (session->options.json) {
		json_object(NULL);
		json_number("size", change->size);
		json_number("before", change->before);
		json_number("after", change->after);
		json_end();
		return;
	}
	printf("%12" PRIu64 " bytes * %10" PRIu64 " -> %10" PRIu64
	       " allocs = %+14" PRId64 " bytes\n",
	    change->size, change->before, change->after,
	    count * (int64_t)change->size);
}

/* Both censuses are sorted by size. */
static void
changes_print(const struct session *session, const struct census *before,
    const struct census *after)
{
	uint64_t left = session_limit(session, UINT64_MAX);
	size_t i = 0, j = 0;

	while ((i < before->nrows || j < after->nrows) && left > 0) {
		const struct census_row *x = i < before->nrows
		    ? &before->rows[i]
		    : NULL;
		const struct census_row *y = j < after->nrows ? &after->rows[j]
							      : NULL;
		struct change change = { .size = x == NULL ||
				(y != NULL && y->size < x->size)
			    ? y->size
			    : x->size };

		if (x != NULL && x->size == change.size) {
			change.before = x->count[REGION_LIVE];
			i++;
		}
		if (y != NULL && y->size == change.size) {
			change.after = y->count[REGION_LIVE];
			j++;
		}
		if (change.before == change.after ||
		    !selector_has(&session->selector, change.size))
			continue;
		left--;
		change_print(session, &change);
	}
}

void
command_diff(struct session *session)
{
	struct heap *other = other_open(session);
	struct census before, after;

	census_take(&before, other, session->options.arena);
	census_take(&after, session->heap, session->options.arena);
	if (session->options.json)
		json_array("classes");
	changes_print(session, &before, &after);
	if (session->options.json)
		json_end();
	else
		printf("Total: %" PRIu64 " -> %" PRIu64 " allocs, %" PRIu64
		       " -> %" PRIu64 " bytes in use\n",
		    before.count[REGION_LIVE], after.count[REGION_LIVE],
		    before.bytes[REGION_LIVE], after.bytes[REGION_LIVE]);
	if (other->layout->unreadable > 0 || other->wrong > 0)
		heap_finding(session->heap, "parts of %s could not be read",
		    session->options.operand);
	census_free(&before);
	census_free(&after);
}
