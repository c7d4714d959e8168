#include "prof/prof_live.h"

#include <stddef.h>
#include <stdint.h>

#include "os/lock.h"
#include "os/pages.h"
#include "os/system.h"
#include "prof/prof_sample.h"
#include "util/bits.h"
#include "util/heap_part.h"

#define LG_PARTS 6
#define LG_FIRST 4 /* log2 of a part's first number of buckets */

struct part {
	struct lock lock;
	struct prof_sample **bucket; /* NULL: no sample has come yet */
	unsigned lg;                 /* of the number of buckets */
	size_t count;
	struct prof_sample *first[1 << LG_FIRST];
};

static SPARSE struct part parts[1 << LG_PARTS];

#define ROW(field, member) HEAP_ROW(SAMPLE_PART, field, struct part, member)

static const struct heap_field heap_fields[] = {
	ROW(BUCKET, bucket),
	ROW(LG, lg),
	ROW(COUNT, count),
};

const struct heap_part prof_live_heap_part = {
	HEAP_ROOT_SAMPLES,
	sizeof(parts[0]),
	ARRAY_LEN(parts),
	ARRAY_LEN(heap_fields),
	parts,
	heap_fields,
};

AT_START void
prof_live_init(void)
{
	for (unsigned i = 0; i < 1 << LG_PARTS; i++)
		lock_init_zeroed(&parts[i].lock, LOCK_PROF_LIVE);
}

static uint64_t
hash_of(const void *object)
{
	return (uintptr_t)object * UINT64_C(0x9e3779b97f4a7c15);
}

static struct part *
part_of(const void *object)
{
	return &parts[hash_of(object) >> (64 - LG_PARTS)];
}

static struct prof_sample **
bucket_in(struct prof_sample **buckets, unsigned lg, const void *object)
{
	return &buckets[(hash_of(object) << LG_PARTS) >> (64 - lg)];
}

/* Bytes to be mapped for 2^lg buckets. */
static size_t
size_of(unsigned lg)
{
	return round_up(sizeof(struct prof_sample *) << lg,
	    system_info.page_size);
}

static void
move_locked(struct part *part, struct prof_sample **to, unsigned lg)
{
	LOCK_ASSERT_HELD(&part->lock);
	for (size_t i = 0; i < (size_t)1 << part->lg; i++) {
		struct prof_sample *sample = part->bucket[i], *next;

		for (; sample != NULL; sample = next) {
			struct prof_sample **place = bucket_in(to, lg,
			    sample->object);

			next = sample->next;
			sample->next = *place;
			*place = sample;
		}
	}
	part->bucket = to;
	part->lg = lg;
}

/*
 * Makes four times as many buckets. If there is no memory, the chains get
 * longer. Memory is mapped without the lock, so another thread may have done it
 * before.
 */
static void
grow(struct part *part, unsigned from_lg)
{
	unsigned lg = from_lg + 2;
	struct prof_sample **to = pages_map(size_of(lg), system_info.page_size),
			   **old = NULL;

	if (to == NULL)
		return;
	lock_acquire(&part->lock);
	if (part->lg == from_lg) {
		old = part->bucket;
		move_locked(part, to, lg);
		to = NULL;
	}
	lock_release(&part->lock);
	if (to != NULL)
		pages_unmap(to, size_of(lg));
	else if (old != part->first)
		pages_unmap(old, size_of(from_lg));
}

void
prof_live_add(struct prof_sample *sample)
{
	struct part *part = part_of(sample->object);
	struct prof_sample **place;
	unsigned lg;
	bool full;

	lock_acquire(&part->lock);
	if (part->bucket == NULL) {
		part->bucket = part->first;
		part->lg = LG_FIRST;
	}
	place = bucket_in(part->bucket, part->lg, sample->object);
	sample->next = *place;
	*place = sample;
	lg = part->lg;
	full = ++part->count >> lg != 0;
	lock_release(&part->lock);
	if (full)
		grow(part, lg);
}

struct prof_sample *
prof_live_remove(const void *object)
{
	struct part *part = part_of(object);
	struct prof_sample **place, *sample;

	lock_acquire(&part->lock);
	if (part->bucket == NULL) {
		lock_release(&part->lock);
		return NULL;
	}
	place = bucket_in(part->bucket, part->lg, object);
	while (*place != NULL && (*place)->object != object)
		place = &(*place)->next;
	sample = *place;
	if (sample != NULL) {
		*place = sample->next;
		part->count--;
	}
	lock_release(&part->lock);
	return sample;
}

size_t
prof_live_count(void)
{
	size_t count = 0;

	for (unsigned i = 0; i < 1 << LG_PARTS; i++) {
		lock_acquire(&parts[i].lock);
		count += parts[i].count;
		lock_release(&parts[i].lock);
	}
	return count;
}

static void
visit_part_locked(const struct part *part,
    void (*visit)(const struct prof_sample *sample, void *context),
    void *context)
{
	LOCK_ASSERT_HELD(&part->lock);
	if (part->bucket == NULL)
		return;
	for (size_t i = 0; i < (size_t)1 << part->lg; i++)
		for (const struct prof_sample *sample = part->bucket[i];
		     sample != NULL; sample = sample->next)
			visit(sample, context);
}

void
prof_live_each(void (*visit)(const struct prof_sample *sample, void *context),
    void *context)
{
	for (unsigned i = 0; i < 1 << LG_PARTS; i++) {
		lock_acquire(&parts[i].lock);
		visit_part_locked(&parts[i], visit, context);
		lock_release(&parts[i].lock);
	}
}

void
prof_live_fork(void (*step)(struct lock *))
{
	for (unsigned i = 0; i < 1 << LG_PARTS; i++)
		step(&parts[i].lock);
}
