#include "prof/prof_holes.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "arena/arena_table.h"
#include "arena/bin.h"
#include "cache/sampler.h"
#include "extent/pagemap.h"
#include "os/clock.h"
#include "os/pages.h"
#include "os/system.h"
#include "prof/prof_live.h"
#include "prof/prof_sample.h"
#include "prof/prof_table.h"
#include "unwind/backtrace.h"
#include "util/bits.h"
#include "util/size_class.h"

#define NS_PER_S UINT64_C(1000000000)

/* The ages of objects, and the name of each class in the dump. */
static const struct {
	uint64_t least_s;
	char name[PROF_NAME_SIZE];
} ages[] = {
	{ 0, "under 1 s" },
	{ 1, "1 s" },
	{ 10, "10 s" },
	{ 100, "100 s" },
	{ 1000, "1000 s" },
	{ 10000, "10000 s" },
};

enum { AGES = ARRAY_LEN(ages) };

/* What is copied of a sample while it can't end. */
struct entry {
	const void *stand_in;
	uint64_t stack; /* its hash */
	double weight;  /* how many objects it stands for */
	uint64_t born_ns;
};

/* Mapped memory. */
struct area {
	void *memory;
	size_t size;
};

struct entries {
	struct entry *entry;
	size_t count;
	size_t room;
};

struct sum {
	double bytes;
	double slabs;
};

/* A stack of the table, found by its hash. */
struct place {
	uint64_t hash;
	const struct prof_item *stack; /* NULL: a free place */
	struct sum sum[AGES];
};

struct sums {
	struct place *place;
	unsigned lg;
};

static bool
area_map(struct area *area, size_t size)
{
	area->size = round_up(size, system_info.page_size);
	area->memory = pages_map(area->size, system_info.page_size);
	return area->memory != NULL;
}

static void
area_end(const struct area *area)
{
	pages_unmap(area->memory, area->size);
}

/* --- samples -------------------------------------------------------------- */

/* Runs under LOCK_PROF_LIVE, so the sample and its pair exist. */
static void
copy_sample(const struct prof_sample *sample, void *context)
{
	struct entries *entries = context;
	void *stand_in = prof_sample_stand_in(sample);

	if (stand_in == NULL || entries->count == entries->room)
		return;
	entries->entry[entries->count++] = (struct entry){ .stand_in = stand_in,
		.stack = prof_table_stack_hash(sample->pair),
		.weight = 1 /
		    sampler_chance(UINT64_C(1) << sample->lg_period,
			sample->usable),
		.born_ns = sample->born_ns };
}

static bool
copy_samples(struct entries *entries, struct area *area)
{
	/* Some more, because other threads take samples meanwhile. */
	size_t room = prof_live_count() + prof_live_count() / 8 + 64;

	if (!area_map(area, room * sizeof(struct entry)))
		return false;
	*entries = (struct entries){ .entry = area->memory, .room = room };
	prof_live_each(copy_sample, entries);
	return true;
}

/* --- slabs ---------------------------------------------------------------- */

/* What one object answers for of the slab it lies in. */
static struct sum
share_of(const void *object)
{
	const struct slab_geometry *slab;
	struct extent *e = pagemap_find(object);
	struct bin_copy copy;
	struct bin_slab s;
	unsigned nfree = 0;
	double used;

	/* The sample may have ended since, and its slab may be gone. */
	if (e == NULL || !arena_table_copy_slab(e, &s, &copy))
		return (struct sum){ 0, 0 };
	slab = &size_class_tables.slab[s.size_class];
	if ((uintptr_t)object - (uintptr_t)s.addr >= slab->slab_size)
		return (struct sum){ 0, 0 };
	for (unsigned i = 0; i < slab->nregions; i++)
		nfree += copy.free[i / 64] >> i % 64 & 1;
	if (nfree == 0 || nfree == slab->nregions)
		return (struct sum){ 0, 0 };
	used = slab->nregions - nfree;
	return (struct sum){ nfree * (double)slab->region_size / used,
		1 / used };
}

/* --- sums by stack and age ------------------------------------------------ */

static struct place *
place_of(const struct sums *sums, uint64_t hash)
{
	size_t mask = ((size_t)1 << sums->lg) - 1, i = hash & mask;

	while (sums->place[i].stack != NULL && sums->place[i].hash != hash)
		i = (i + 1) & mask;
	return &sums->place[i];
}

static size_t
count_stacks(const struct prof_snapshot *all)
{
	const struct prof_item *item = NULL;
	size_t n = 0;

	while ((item = prof_snapshot_next(all, item)) != NULL)
		n += item->kind == PROF_ITEM_STACK;
	return n;
}

/* Half of the places stay free, so that each search ends soon. */
static bool
enter_stacks(struct sums *sums, const struct prof_snapshot *all,
    struct area *area)
{
	const struct prof_item *item = NULL;

	sums->lg = lg_ceil(2 * count_stacks(all) + 2);
	if (!area_map(area, sizeof(struct place) << sums->lg))
		return false;
	sums->place = area->memory;
	while ((item = prof_snapshot_next(all, item)) != NULL) {
		uint64_t hash;
		struct place *place;

		if (item->kind != PROF_ITEM_STACK)
			continue;
		hash = backtrace_hash(item->pcs, item->depth);
		place = place_of(sums, hash);
		place->hash = hash;
		place->stack = item;
	}
	return true;
}

static unsigned
age_of(const struct entry *entry, uint64_t now_ns)
{
	unsigned age = 0;

	while (age + 1 < AGES && now_ns >= entry->born_ns &&
	    now_ns - entry->born_ns >= ages[age + 1].least_s * NS_PER_S)
		age++;
	return age;
}

static void
add_entries(const struct sums *sums, const struct entries *entries)
{
	uint64_t now_ns = clock_coarse_ns();

	for (size_t i = 0; i < entries->count; i++) {
		const struct entry *entry = &entries->entry[i];
		struct place *place = place_of(sums, entry->stack);
		struct sum share, *sum;

		/* It is younger than the table, or older than a reset. */
		if (place->stack == NULL)
			continue;
		share = share_of(entry->stand_in);
		sum = &place->sum[age_of(entry, now_ns)];
		sum->bytes += share.bytes * entry->weight;
		sum->slabs += share.slabs * entry->weight;
	}
}

/* --- the snapshot --------------------------------------------------------- */

/* A stack with holes has at least one slab, else readers would ignore it. */
static struct prof_counts
rounded(const struct sum *sum)
{
	struct prof_counts counts = { .bytes = (uint64_t)(sum->bytes + 0.5),
		.objects = (uint64_t)(sum->slabs + 0.5) };

	if (counts.bytes == 0)
		counts.objects = 0;
	else if (counts.objects == 0)
		counts.objects = 1;
	return counts;
}

static char *
put_stack(char *at, const struct place *place, struct prof_snapshot *holes)
{
	struct prof_item *threads = (void *)holes->memory;
	struct prof_item *stack = (void *)at;

	*stack = (struct prof_item){ .kind = PROF_ITEM_STACK,
		.length = place->stack->length,
		.depth = place->stack->depth };
	memcpy(stack->pcs, place->stack->pcs, stack->depth * sizeof(void *));
	at += stack->length;
	for (unsigned age = 0; age < AGES; age++) {
		struct prof_item item = { .kind = PROF_ITEM_PAIR,
			.length = sizeof(item),
			.thread = age,
			.live = rounded(&place->sum[age]) };

		if (item.live.bytes == 0)
			continue;
		at = prof_item_append(at, &item);
		prof_counts_add(&stack->live, &item.live);
		prof_counts_add(&threads[age].live, &item.live);
		prof_counts_add(&holes->live, &item.live);
	}
	return stack->live.bytes != 0 ? at : (char *)stack;
}

static bool
make_snapshot(struct prof_snapshot *holes, const struct sums *sums,
    const struct prof_snapshot *all)
{
	struct area area;
	char *at;

	*holes = (struct prof_snapshot){ .nthreads = AGES };
	if (!area_map(&area,
		all->used +
		    (count_stacks(all) + 1) * AGES * sizeof(struct prof_item)))
		return false;
	holes->memory = at = area.memory;
	holes->size = area.size;
	for (unsigned age = 0; age < AGES; age++) {
		struct prof_item item = { .kind = PROF_ITEM_THREAD,
			.length = sizeof(item),
			.thread = age };

		memcpy(item.name, ages[age].name, sizeof(item.name));
		at = prof_item_append(at, &item);
	}
	for (size_t i = 0; i < (size_t)1 << sums->lg; i++)
		if (sums->place[i].stack != NULL)
			at = put_stack(at, &sums->place[i], holes);
	holes->used = (size_t)(at - holes->memory);
	return true;
}

bool
prof_holes_take(struct prof_snapshot *holes)
{
	struct prof_snapshot all;
	struct area samples, stacks;
	struct entries entries;
	struct sums sums;
	bool done = false;

	if (!copy_samples(&entries, &samples))
		return false;
	/* Later than the samples, so that it has all their stacks. */
	if (!prof_snapshot_take(&all))
		goto end_samples;
	if (!enter_stacks(&sums, &all, &stacks))
		goto end_all;
	add_entries(&sums, &entries);
	done = make_snapshot(holes, &sums, &all);
	area_end(&stacks);
end_all:
	prof_snapshot_end(&all);
end_samples:
	area_end(&samples);
	return done;
}
