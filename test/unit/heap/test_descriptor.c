#include "heap/descriptor.h"

#include <string.h>

#include "../unit.h"
#include "arena/arena.h"
#include "arena/ledger.h"
#include "cache/thread.h"
#include "conf/options.h"
#include "extent/extent.h"
#include "extent/pagemap.h"
#include "guard/guard_pool.h"
#include "os/system.h"
#include "prof/prof_sample.h"

static char memory[64];

/* --- what a tool does ----------------------------------------------------- */

static const void *
entry(const struct heap_table *table, uint32_t i)
{
	return (const char *)(uintptr_t)table->address +
	    (size_t)i * table->stride;
}

static const struct heap_field *
field(unsigned structure, unsigned id)
{
	for (uint32_t i = 0; i < descriptor.fields.count; i++) {
		const struct heap_field *f = entry(&descriptor.fields, i);

		if (f->structure == structure && f->field == id)
			return f;
	}
	fail_msg("no field %u of structure %u", id, structure);
	return NULL;
}

static uint64_t
decode(unsigned structure, unsigned id, const void *at)
{
	const struct heap_field *f = field(structure, id);
	const char *from = (const char *)at + f->offset;
	union {
		uint8_t of1;
		uint16_t of2;
		uint32_t of4;
		uint64_t of8;
	} as;
	uint64_t value;

	memcpy(&as, from, f->width);
	value = f->width == 1 ? as.of1
	    : f->width == 2   ? as.of2
	    : f->width == 4   ? as.of4
			      : as.of8;
	return value >> f->shift & f->mask;
}

static void
fill_randomly(void *at, size_t size, uint64_t seed)
{
	unsigned char *to = at;

	for (size_t i = 0; i < size; i++)
		to[i] = (unsigned char)random_next(&seed);
}

/* --- rows ----------------------------------------------------------------- */

/* A member as the compiler knows it. */
struct member {
	unsigned structure;
	unsigned id;
	size_t offset;
	size_t width; /* of an element; 0: a structure */
};

#define AT(structure, id, type, member) \
	{ \
		structure, id, offsetof(type, member), \
		    sizeof(((type *)NULL)->member) \
	}
#define IN(structure, id, type, member) \
	{ \
		structure, id, offsetof(type, member), 0 \
	}

static const struct member members[] = {
	{ HEAP_LEAF, HEAP_LEAF_KIND, offsetof(struct pagemap_leaf, kind), 2 },
	{ HEAP_LEAF, HEAP_LEAF_EXTENT, offsetof(struct pagemap_leaf, extent),
	    sizeof(void *) },
	AT(HEAP_EXTENT, HEAP_EXTENT_ADDR, struct extent, addr),
	AT(HEAP_EXTENT, HEAP_EXTENT_SIZE, struct extent, size),
	AT(HEAP_EXTENT, HEAP_EXTENT_IS_SLAB, struct extent, is_slab),
	AT(HEAP_EXTENT, HEAP_EXTENT_SIZE_CLASS, struct extent, size_class),
	AT(HEAP_EXTENT, HEAP_EXTENT_SHARD, struct extent, shard),
	AT(HEAP_EXTENT, HEAP_EXTENT_NFREE, struct extent, nfree),
	{ HEAP_EXTENT, HEAP_EXTENT_FREE, offsetof(struct extent, free), 8 },
	AT(HEAP_EXTENT, HEAP_EXTENT_OBJECT, struct extent, object),
	AT(HEAP_EXTENT, HEAP_EXTENT_USABLE, struct extent, usable),
	AT(HEAP_EXTENT, HEAP_EXTENT_SAMPLE, struct extent, sample),
	AT(HEAP_EXTENT, HEAP_EXTENT_ASKED, struct extent, asked),
	AT(HEAP_EXTENT, HEAP_EXTENT_GUARDED, struct extent, guarded),
	AT(HEAP_EXTENT, HEAP_EXTENT_SEALED, struct extent, sealed),
	AT(HEAP_EXTENT, HEAP_EXTENT_LENDER, struct extent, lender),
	AT(HEAP_EXTENT, HEAP_EXTENT_PAGESLAB, struct extent, pageslab),
	AT(HEAP_EXTENT, HEAP_EXTENT_ZEROED, struct extent, zeroed),
	{ HEAP_LEDGER, HEAP_LEDGER_ENTRY, offsetof(struct ledger, entry), 2 },
	AT(HEAP_CACHE_BIN, HEAP_CACHE_BIN_HEAD, struct cache_bin, head),
	AT(HEAP_CACHE_BIN, HEAP_CACHE_BIN_EMPTY, struct cache_bin, empty),
	AT(HEAP_CACHE_BIN, HEAP_CACHE_BIN_FULL, struct cache_bin, full),
	AT(HEAP_CACHE_BIN, HEAP_CACHE_BIN_USABLE, struct cache_bin, usable),
	AT(HEAP_CACHE_BIN_COLD, HEAP_CACHE_BIN_COLD_BOTTOM,
	    struct cache_bin_cold, bottom),
	AT(HEAP_CACHE_BIN_COLD, HEAP_CACHE_BIN_COLD_HIDDEN_HEAD,
	    struct cache_bin_cold, hidden_head),
	AT(HEAP_CACHE_BIN_COLD, HEAP_CACHE_BIN_COLD_CAPACITY,
	    struct cache_bin_cold, capacity),
	AT(HEAP_CACHE_BIN_COLD, HEAP_CACHE_BIN_COLD_VACATED,
	    struct cache_bin_cold, vacated),
	IN(HEAP_TCACHE, HEAP_TCACHE_BINS, struct tcache, bins),
	IN(HEAP_TCACHE, HEAP_TCACHE_COLD, struct tcache, cold),
	IN(HEAP_TCACHE, HEAP_TCACHE_FLIGHT, struct tcache, flight),
	AT(HEAP_TCACHE, HEAP_TCACHE_ARENA, struct tcache, arena),
	AT(HEAP_TCACHE, HEAP_TCACHE_BATCH, struct tcache, quarantine),
	AT(HEAP_TCACHE, HEAP_TCACHE_RELEASING, struct tcache, releasing),
	IN(HEAP_THREAD, HEAP_THREAD_TCACHE, struct thread, tcache),
	IN(HEAP_THREAD, HEAP_THREAD_RING, struct thread, registered),
	AT(HEAP_THREAD, HEAP_THREAD_POINTER, struct thread, number),
	AT(HEAP_GUARD_SLOT, HEAP_GUARD_SLOT_STATE, struct guard_slot, state),
	AT(HEAP_GUARD_SLOT, HEAP_GUARD_SLOT_OBJECT, struct guard_slot, object),
	AT(HEAP_GUARD_SLOT, HEAP_GUARD_SLOT_SIZE_ASKED, struct guard_slot,
	    size),
	IN(HEAP_GUARD_SLOT, HEAP_GUARD_SLOT_SPACE, struct guard_slot, extent),
	AT(HEAP_SAMPLE, HEAP_SAMPLE_OBJECT, struct prof_sample, object),
	AT(HEAP_SAMPLE, HEAP_SAMPLE_REQUESTED, struct prof_sample, requested),
	AT(HEAP_ARENA, HEAP_ARENA_INDEX, struct arena, index),
	AT(HEAP_ARENA, HEAP_ARENA_ACTIVE, struct arena, pages.active),
	AT(HEAP_ARENA, HEAP_ARENA_MUZZY, struct arena, pages.pool[1].size),
	IN(HEAP_ARENA, HEAP_ARENA_BINS, struct arena, bins),
	AT(HEAP_BIN, HEAP_BIN_NMALLOC, struct bin, stats.nmalloc),
	AT(HEAP_LOCK, HEAP_LOCK_WORD, struct lock, word),
};

static void
rows_are_where_the_members_are(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(members); i++) {
		const struct member *m = &members[i];
		const struct heap_field *f = field(m->structure, m->id);

		assert_int_equal(f->offset, m->offset);
		assert_int_equal(f->width, m->width);
	}
}

static void
no_row_is_there_twice_or_wider_than_a_word(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < descriptor.fields.count; i++) {
		const struct heap_field *f = entry(&descriptor.fields, i);

		assert_ptr_equal(field(f->structure, f->field), f);
		assert_true(f->width == 0 || f->width == 1 || f->width == 2 ||
		    f->width == 4 || f->width == 8);
		assert_int_not_equal(f->structure, 0);
		assert_int_not_equal(f->field, 0);
	}
}

static void
parts_of_a_word_are_decoded(void **state)
{
	struct extent e;
	struct flight flight = { .objects = NULL };
	void *objects[3];

	(void)state;
	fill_randomly(&e, sizeof(e), 1);
	extent_set_place(&e, EXTENT_MUZZY, 4094);
	assert_int_equal(decode(HEAP_EXTENT, HEAP_EXTENT_STATE, &e),
	    EXTENT_MUZZY);
	assert_int_equal(decode(HEAP_EXTENT, HEAP_EXTENT_ARENA, &e), 4094);
	flight_begin(&flight, FLIGHT_OUT, 77, objects, 3);
	assert_int_equal(decode(HEAP_FLIGHT, HEAP_FLIGHT_OBJECTS, &flight),
	    (uintptr_t)objects);
	assert_int_equal(decode(HEAP_FLIGHT, HEAP_FLIGHT_COUNT, &flight), 3);
	assert_int_equal(decode(HEAP_FLIGHT, HEAP_FLIGHT_BIN, &flight), 77);
	assert_int_equal(decode(HEAP_FLIGHT, HEAP_FLIGHT_DIRECTION, &flight),
	    FLIGHT_OUT);
	flight_end(&flight);
	assert_int_equal(decode(HEAP_FLIGHT, HEAP_FLIGHT_DIRECTION, &flight),
	    FLIGHT_NONE);
}

static void
the_ledger_is_where_the_slab_has_it(void **state)
{
	static _Alignas(128) char record[2048];
	struct extent *slab = (void *)record;
	struct ledger ledger;

	(void)state;
	*ledger_slot(slab) = &ledger;
	assert_int_equal(decode(HEAP_EXTENT, HEAP_EXTENT_LEDGER, slab),
	    (uintptr_t)&ledger);
}

/* --- the descriptor ------------------------------------------------------- */

static uint32_t
sum(void)
{
	const struct heap_table *tables[] = { &descriptor.roots,
		&descriptor.fields, &descriptor.constants };
	uint32_t crc = heap_crc(0, &descriptor, HEAP_CRC_BYTES);

	for (unsigned i = 0; i < ARRAY_LEN(tables); i++)
		crc = heap_crc(crc, entry(tables[i], 0),
		    tables[i]->count * tables[i]->stride);
	return crc;
}

static void
the_header_describes_itself(void **state)
{
	(void)state;
	assert_memory_equal(descriptor.magic, HEAP_MAGIC, HEAP_MAGIC_SIZE);
	assert_int_equal((uintptr_t)&descriptor % 64, 0);
	assert_int_equal(descriptor.self, (uintptr_t)&descriptor);
	assert_int_equal(descriptor.abi_major, HEAP_ABI_MAJOR);
	assert_int_equal(descriptor.header_size, sizeof(descriptor));
	assert_int_equal(descriptor.pointer_size, sizeof(void *));
	assert_int_equal((size_t)1 << descriptor.lg_page,
	    system_info.page_size);
	assert_int_equal(descriptor.crc, sum());
	/* A known value, because tools calculate it by other code. */
	assert_int_equal(heap_crc(0, "123456789", 9), 0xcbf43926);
}

/* A tool copies so much of a root. */
static void
every_root_is_somewhere_and_as_long_as_it_is(void **state)
{
	(void)state;
	assert_true(descriptor.roots.count >= HEAP_ROOT_CONF);
	for (unsigned i = 0; i < descriptor.roots.count; i++) {
		const struct heap_root *root = entry(&descriptor.roots, i);

		assert_int_not_equal(root->address, 0);
		assert_true(root->count * root->stride > 0);
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(root->id,
			    ((const struct heap_root *)entry(&descriptor.roots,
				 k))
				->id);
		if (root->id == HEAP_ROOT_PAGEMAP_ZERO)
			assert_int_equal(root->count, 1);
	}
}

static void
a_change_of_a_table_changes_the_sum(void **state)
{
	struct heap_field *f = (void *)(uintptr_t)entry(&descriptor.fields, 7);

	(void)state;
	f->offset ^= 1;
	assert_int_not_equal(descriptor.crc, sum());
	f->offset ^= 1;
	assert_int_equal(descriptor.crc, sum());
}

static void
a_fork_shows_in_the_state(void **state)
{
	uint64_t before = descriptor.generation;

	(void)state;
	assert_int_equal(descriptor.state, HEAP_RUNNING);
	descriptor_set_forking(true);
	assert_int_equal(descriptor.state, HEAP_FORKING);
	descriptor_set_forking(false);
	assert_int_equal(descriptor.state, HEAP_RUNNING);
	assert_true(descriptor.generation > before);
	assert_int_equal(descriptor.crc, sum());
}

static void
a_second_start_writes_it_again(void **state)
{
	uint32_t fields = descriptor.fields.count,
		 roots = descriptor.roots.count;

	(void)state;
	descriptor_init(&(struct descriptor_start){
	    .memory = memory, .size = sizeof(memory), .aside = true });
	assert_int_equal(descriptor.fields.count, fields);
	assert_int_equal(descriptor.roots.count, roots);
	assert_true((descriptor.flags & HEAP_FLAG_ASIDE) != 0);
	assert_int_equal(descriptor.crc, sum());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_where_the_members_are),
		cmocka_unit_test(no_row_is_there_twice_or_wider_than_a_word),
		cmocka_unit_test(parts_of_a_word_are_decoded),
		cmocka_unit_test(the_ledger_is_where_the_slab_has_it),
		cmocka_unit_test(the_header_describes_itself),
		cmocka_unit_test(every_root_is_somewhere_and_as_long_as_it_is),
		cmocka_unit_test(a_change_of_a_table_changes_the_sum),
		cmocka_unit_test(a_fork_shows_in_the_state),
		cmocka_unit_test(a_second_start_writes_it_again),
	};

	system_init();
	opt_at_start.checked = true;
	descriptor_init(&(struct descriptor_start){
	    .memory = memory, .size = sizeof(memory) });
	return cmocka_run_group_tests(tests, NULL, NULL);
}
