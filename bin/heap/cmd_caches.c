#include <inttypes.h>
#include <stdio.h>

#include "json.h"
#include "session.h"

struct sum {
	uint64_t count, bytes;
};

static uint64_t
stash_bytes(struct heap *heap, const struct stash *stash)
{
	struct region region;
	uint64_t bytes = 0;

	if (stash->size != 0)
		return stash->count * stash->size;
	for (size_t i = 0; i < heap->ncached; i++) {
		const struct cached *cached = &heap->cached[i];

		if (cached->owner == stash->owner &&
		    cached->bin == stash->bin && !cached->in_flight &&
		    heap_find(heap, cached->address, &region))
			bytes += region.size;
	}
	return bytes;
}

static void
stash_print(struct session *session, const struct stash *stash, struct sum *sum)
{
	uint64_t bytes = stash_bytes(session->heap, stash);

	sum->count += stash->count;
	sum->bytes += bytes;
	if (session->options.json) {
		json_object(NULL);
		json_number("size", stash->size);
		json_number("count", stash->count);
		json_number("bytes", bytes);
		json_number("limit", stash->limit);
		json_end();
	} else if (stash->size == 0) {
		printf("  various sizes * %10" PRIu32 " = %12" PRIu64
		       " bytes\n",
		    stash->count, bytes);
	} else {
		printf("%12" PRIu64 " bytes * %10" PRIu32 " = %12" PRIu64
		       " bytes, at most %" PRIu32 " objects\n",
		    stash->size, stash->count, bytes, stash->limit);
	}
}

static bool
owner_has_any(const struct heap *heap, uint32_t owner)
{
	for (size_t i = 0; i < heap->nstashes; i++) {
		if (heap->stashes[i].owner == owner &&
		    heap->stashes[i].count > 0)
			return true;
	}
	return heap->owners[owner].kind == OWNER_THREAD ||
	    heap->owners[owner].kind == OWNER_EXPLICIT;
}

static void
owner_print(struct session *session, uint32_t index, struct sum *total)
{
	struct heap *heap = session->heap;
	const struct owner *owner = &heap->owners[index];
	struct sum sum = { 0 };

	if (session->options.json) {
		json_object(NULL);
		json_text("owner", owner_title(owner));
		json_number("tid", owner->tid);
		json_address("address", owner->address);
		json_array("classes");
	} else {
		printf("%s\n", owner_title(owner));
	}
	for (size_t i = 0; i < heap->nstashes; i++) {
		const struct stash *stash = &heap->stashes[i];

		if (stash->owner == index &&
		    (stash->count > 0 || session->options.verbose) &&
		    (stash->size == 0 ||
			selector_has(&session->selector, stash->size)))
			stash_print(session, stash, &sum);
	}
	if (session->options.json) {
		json_end();
		json_number("count", sum.count);
		json_number("bytes", sum.bytes);
		json_end();
	} else {
		printf("  %" PRIu64 " objects, %" PRIu64 " bytes\n", sum.count,
		    sum.bytes);
	}
	total->count += sum.count;
	total->bytes += sum.bytes;
}

void
command_caches(struct session *session)
{
	struct heap *heap = session->heap;
	int64_t thread = session->options.thread;
	uint64_t left = session_limit(session, UINT64_MAX);
	struct sum total = { 0 };

	if (session->options.json)
		json_array("caches");
	for (uint32_t i = 0; i < heap->nowners; i++) {
		if (thread >= 0 && heap->owners[i].tid != thread)
			continue;
		session->thread_found = true;
		if (!owner_has_any(heap, i) || left == 0)
			continue;
		left--;
		owner_print(session, i, &total);
	}
	if (session->options.json) {
		json_end();
		json_number("count", total.count);
		json_number("bytes", total.bytes);
	} else {
		printf("Total: %" PRIu64 " objects, %" PRIu64 " bytes\n",
		    total.count, total.bytes);
	}
}
