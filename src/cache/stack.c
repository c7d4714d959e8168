#include "cache/stack.h"

#include <string.h>

#include "cache/holding.h"
#include "conf/options.h"
#include "extent/metadata.h"
#include "util/bits.h"

/* The most objects, and the most bytes, that one bin of a thread holds. */
#define SLOTS_MAX       2048
#define BIN_BYTES_SMALL ((size_t)256 << 10)
#define BIN_BYTES_LARGE ((size_t)1 << 20)
/*
 * The most bytes of small objects, and of large ones, in all stacks of a
 * thread. The first slots of small bins don't count.
 */
#define ROOM_SMALL ((int64_t)4 << 20)
#define ROOM_LARGE ((int64_t)1 << 20)
/* The bounds of a bin that is only filled, or only emptied. */
#define ONE_WAY_SLOTS 128
#define ONE_WAY_BYTES ((size_t)16 << 10)
/* A miss of one kind counts as recent for this many misses of the other. */
#define RECENT_MISSES 64

void
stack_init_room(struct tcache *tcache)
{
	tcache->room[0] = ROOM_SMALL;
	tcache->room[1] = ROOM_LARGE;
}

bool
stack_may_be(unsigned bin)
{
	return (bin < SMALL_CLASSES || !opt.checked) && !options_fill();
}

uint32_t
stack_most(const struct tcache *tcache, unsigned bin)
{
	size_t usable = cache_bin_usable(bin);
	size_t bytes = bin < SMALL_CLASSES ? BIN_BYTES_SMALL : BIN_BYTES_LARGE;
	int wanted = opt.tcache_ncached_max[size_class_of(usable)];

	if (!tcache->enabled || usable > tcache->max_size || !stack_may_be(bin))
		return 0;
	if (wanted != NCACHED_COMPUTED)
		return (uint32_t)wanted;
	return (uint32_t)min_size(SLOTS_MAX, max_size(bytes / usable, 2));
}

void
stack_show(struct tcache *tcache, unsigned i)
{
	struct cache_bin *bin = &tcache->bins[i + 1];
	struct cache_bin_cold *cold = &tcache->cold[i];

	SET_RELAXED(bin->head, cold->hidden_head);
	bin->empty = cold->bottom;
	stack_open(tcache, i);
}

void
stack_conceal(struct tcache *tcache, unsigned i)
{
	struct cache_bin *bin = &tcache->bins[i + 1];

	SET_RELAXED(tcache->cold[i].hidden_head, bin->head);
	SET_RELAXED(bin->head, NULL);
	bin->full = bin->empty = NULL;
}

/* How deep a stack may get if objects pass it in one direction only. */
static uint32_t
slots_one_way(unsigned bin)
{
	size_t slots = ONE_WAY_BYTES / cache_bin_usable(bin);

	if (bin >= SMALL_CLASSES)
		return 1;
	return (uint32_t)min_size(ONE_WAY_SLOTS, max_size(slots, 16));
}

static uint32_t
slots_first(unsigned bin)
{
	size_t usable = cache_bin_usable(bin);

	return usable <= 512 ? 16 : usable <= SMALL_MAX ? 8 : 1;
}

/* Moves the stack to new memory of `slots` slots. False: it stays as it is. */
static bool
stack_resize(struct tcache *tcache, unsigned i, uint32_t slots)
{
	struct cache_bin *bin = &tcache->bins[i + 1];
	struct cache_bin_cold *cold = &tcache->cold[i];
	uint32_t count = stack_count(tcache, i), old_slots = cold->capacity;
	void **memory = metadata_take_piece(slots * sizeof(void *));
	void **bottom, **old = cold->bottom;

	if (memory == NULL)
		return false;
	bottom = memory + slots;
	if (old != NULL)
		memcpy(bottom - count, bin->head, count * sizeof(void *));
	flight_begin(&tcache->flight, FLIGHT_MOVE, i, bottom - count, count);
	tcache->used[i / 64] |= (uint64_t)1 << (i % 64);
	SET_RELAXED(cold->bottom, bottom);
	SET_RELAXED(cold->capacity, slots);
	SET_RELAXED(bin->head, bottom - count);
	bin->empty = bottom;
	bin->full = bottom - cold->limit;
	flight_end(&tcache->flight);
	if (old != NULL)
		metadata_give_piece(old - old_slots,
		    old_slots * sizeof(void *));
	return true;
}

uint32_t
stack_gratis(unsigned i)
{
	return i < SMALL_CLASSES ? slots_first(i) : 0;
}

/* The bytes that a stack of `limit` slots takes of the thread's room. */
static int64_t
room_of(unsigned i, uint32_t limit)
{
	uint32_t gratis = stack_gratis(i);

	return limit <= gratis
	    ? 0
	    : (int64_t)(limit - gratis) * (int64_t)cache_bin_usable(i);
}

int64_t
stack_lacks(const struct tcache *tcache, unsigned i, uint32_t limit)
{
	return room_of(i, limit) - room_of(i, tcache->cold[i].limit) -
	    tcache->room[i >= SMALL_CLASSES];
}

void
stack_lower(struct tcache *tcache, unsigned i, uint32_t limit)
{
	struct cache_bin_cold *cold = &tcache->cold[i];

	tcache->room[i >= SMALL_CLASSES] += room_of(i, cold->limit) -
	    room_of(i, limit);
	holding_change(tcache, i, cold->limit, limit);
	cold->limit = limit;
	stack_open(tcache, i);
}

void
stack_restart(struct tcache *tcache, unsigned i)
{
	struct cache_bin_cold *cold = &tcache->cold[i];

	stack_lower(tcache, i, 0);
	cold->misses = 0;
	cold->lacks = cold->wait = 0;
	memset(cold->recent, 0, sizeof(cold->recent));
}

void
stack_grow(struct tcache *tcache, unsigned i, uint32_t limit)
{
	struct cache_bin_cold *cold = &tcache->cold[i];
	uint32_t before = cold->limit, slots;
	int64_t *room = &tcache->room[i >= SMALL_CLASSES];
	int64_t usable = tcache->bins[i + 1].usable;
	int64_t lacking = stack_lacks(tcache, i, limit);

	/* Not even one more slot: so it is while many bins lack room. */
	if (limit <= before ||
	    (lacking > 0 && lacking + usable > (limit - before) * usable))
		return;
	/* Slots that are gratis lack nothing, so this leaves them. */
	if (lacking > 0)
		limit -= (uint32_t)((lacking + usable - 1) / usable);
	slots = (uint32_t)1 << lg_ceil(limit);
	if (slots > cold->capacity && !stack_resize(tcache, i, slots))
		return;
	*room -= room_of(i, limit) - room_of(i, before);
	cold->limit = limit;
	cold->lacks = cold->wait = 0;
	stack_open(tcache, i);
	/* Last, because it may start a thread. */
	holding_change(tcache, i, before, limit);
}

/* Returns the limit if there was no room for all of it. */
static uint32_t
grow_to(struct tcache *tcache, unsigned i, uint32_t limit)
{
	bool lacks = stack_lacks(tcache, i, limit) > 0;

	stack_grow(tcache, i, limit);
	return lacks ? limit : 0;
}

/*
 * A refill or a flush was needed. If that happens repeatedly, the stack grows.
 * It grows far only if both kinds occur. A thread that only takes or only
 * gives, as at the ends of a queue, gains nothing from a deep stack, and would
 * keep memory that other threads need.
 */
uint32_t
stack_missed(struct tcache *tcache, unsigned i, enum miss kind)
{
	struct cache_bin_cold *cold = &tcache->cold[i];
	uint32_t most = cold->max, limit = cold->limit * 2;

	if (cold->limit == 0) {
		limit = slots_first(i);
		return grow_to(tcache, i, limit < most ? limit : most);
	}
	cold->recent[kind] = RECENT_MISSES;
	if (cold->recent[!kind] > 0)
		cold->recent[!kind]--;
	else
		most = most < slots_one_way(i) ? most : slots_one_way(i);
	if (++cold->misses < 2)
		return 0;
	cold->misses = 0;
	return grow_to(tcache, i, limit < most ? limit : most);
}
