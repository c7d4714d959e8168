#include "heap/descriptor.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#include "arena/arena.h"
#include "arena/arena_table.h"
#include "arena/ledger.h"
#include "cache/quarantine.h"
#include "cache/tcache_table.h"
#include "cache/thread.h"
#include "conf/conf.h"
#include "conf/options.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "extent/pagemap.h"
#include "guard/guard_pool.h"
#include "os/dss.h"
#include "os/system.h"
#include "prof/prof_live.h"
#include "prof/prof_sample.h"
#include "prof/prof_table.h"
#include "upkeep/trim.h"
#include "util/bits.h"
#include "util/build.h"
#include "util/format.h"
#include "util/heap_part.h"

struct heap_layout descriptor __attribute__((aligned(64), used));

/*
 * The note. The linker computes the distance, so nothing has to be relocated.
 * With pointers of 4 bytes there are no relocations of 8 bytes, so the upper
 * half is 0.
 */
#if UINTPTR_MAX > 0xffffffff
#define NOTE_DISTANCE "	.quad descriptor - .\n"
#elif __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define NOTE_DISTANCE "	.long descriptor - ., 0\n"
#else
#define NOTE_DISTANCE "	.long 0, descriptor - .\n"
#endif

/* clang-format off */
__asm__(
    "	.pushsection .note.jeheap, \"a\", %note\n"
    "	.balign 4\n"
    "	.long 7, 12, 1\n"	/* lengths of owner and contents; type */
    "	.asciz \"" HEAP_NOTE_OWNER "\"\n"
    "	.balign 4\n"
    "	.long 1\n"
    NOTE_DISTANCE
    "	.popsection\n");
/* clang-format on */

static_assert(sizeof(HEAP_NOTE_OWNER) == 7 && sizeof(struct heap_note) == 12 &&
	HEAP_NOTE_TYPE == 1 && HEAP_NOTE_VERSION == 1,
    "the note says so");

/* --- fields --------------------------------------------------------------- */

#define POOL(state) pages.pool[EXTENT_##state - EXTENT_DIRTY]

static const struct heap_field shared_fields[] = {
	HEAP_ROW_ARRAY(LEAF, KIND, struct pagemap_leaf, kind),
	HEAP_ROW_ARRAY(LEAF, EXTENT, struct pagemap_leaf, extent),

	HEAP_ROW(EXTENT, ADDR, struct extent, addr),
	HEAP_ROW(EXTENT, SIZE, struct extent, size),
	HEAP_ROW_BITS(EXTENT, STATE, struct extent, place, 0, PLACE_STATE_BITS),
	HEAP_ROW_BITS(EXTENT, ARENA, struct extent, place, PLACE_STATE_BITS,
	    32 - PLACE_STATE_BITS),
	HEAP_ROW(EXTENT, IS_SLAB, struct extent, is_slab),
	HEAP_ROW(EXTENT, SIZE_CLASS, struct extent, size_class),
	HEAP_ROW(EXTENT, SHARD, struct extent, shard),
	HEAP_ROW(EXTENT, NFREE, struct extent, nfree),
	HEAP_ROW_ARRAY(EXTENT, FREE, struct extent, free),
	HEAP_ROW(EXTENT, OBJECT, struct extent, object),
	HEAP_ROW(EXTENT, USABLE, struct extent, usable),
	HEAP_ROW(EXTENT, SAMPLE, struct extent, sample),
	HEAP_ROW(EXTENT, ASKED, struct extent, asked),
	HEAP_ROW(EXTENT, GUARDED, struct extent, guarded),
	HEAP_ROW(EXTENT, SEALED, struct extent, sealed),
	HEAP_ROW(EXTENT, LENDER, struct extent, lender),
	HEAP_ROW(EXTENT, PAGESLAB, struct extent, pageslab),
	HEAP_ROW(EXTENT, ZEROED, struct extent, zeroed),

	HEAP_ROW(GEOMETRY, REGION_SIZE, struct slab_geometry, region_size),
	HEAP_ROW(GEOMETRY, SLAB_SIZE, struct slab_geometry, slab_size),
	HEAP_ROW(GEOMETRY, NREGIONS, struct slab_geometry, nregions),

	HEAP_ROW_ARRAY(LEDGER, ENTRY, struct ledger, entry),

	HEAP_ROW(CACHE_BIN, HEAD, struct cache_bin, head),
	HEAP_ROW(CACHE_BIN, EMPTY, struct cache_bin, empty),
	HEAP_ROW(CACHE_BIN, FULL, struct cache_bin, full),
	HEAP_ROW(CACHE_BIN, USABLE, struct cache_bin, usable),

	HEAP_ROW(CACHE_BIN_COLD, BOTTOM, struct cache_bin_cold, bottom),
	HEAP_ROW(CACHE_BIN_COLD, HIDDEN_HEAD, struct cache_bin_cold,
	    hidden_head),
	HEAP_ROW(CACHE_BIN_COLD, CAPACITY, struct cache_bin_cold, capacity),
	HEAP_ROW(CACHE_BIN_COLD, LIMIT, struct cache_bin_cold, limit),
	HEAP_ROW(CACHE_BIN_COLD, VACATED, struct cache_bin_cold, vacated),
	HEAP_ROW(CACHE_BIN_COLD, MAX, struct cache_bin_cold, max),

	HEAP_ROW_STRUCT(TCACHE, BINS, struct tcache, bins),
	HEAP_ROW_STRUCT(TCACHE, COLD, struct tcache, cold),
	HEAP_ROW(TCACHE, HIDDEN, struct tcache, hidden),
	HEAP_ROW(TCACHE, ARENA, struct tcache, arena),
	HEAP_ROW(TCACHE, BATCH, struct tcache, quarantine),
	HEAP_ROW(TCACHE, RELEASING, struct tcache, releasing),
	HEAP_ROW_STRUCT(TCACHE, FLIGHT, struct tcache, flight),
	HEAP_ROW(TCACHE, ENTRIES, struct tcache, guard.entries),
	HEAP_ROW(TCACHE, ENABLED, struct tcache, enabled),
	HEAP_ROW(TCACHE, MARK, struct tcache, mark),

	HEAP_ROW_STRUCT(THREAD, TCACHE, struct thread, tcache),
	HEAP_ROW_STRUCT(THREAD, RING, struct thread, registered),
	HEAP_ROW(THREAD, POINTER, struct thread, number),
	HEAP_ROW(LIST, NEXT, struct list, next),

	HEAP_ROW(FLIGHT, OBJECTS, struct flight, objects),
	HEAP_ROW_BITS(FLIGHT, COUNT, struct flight, what, 0, 32),
	HEAP_ROW_BITS(FLIGHT, BIN, struct flight, what, FLIGHT_BIN_SHIFT, 16),
	HEAP_ROW_BITS(FLIGHT, DIRECTION, struct flight, what,
	    FLIGHT_DIRECTION_SHIFT, 16),

	HEAP_ROW(GUARD_SLOT, STATE, struct guard_slot, state),
	HEAP_ROW(GUARD_SLOT, OBJECT, struct guard_slot, object),
	HEAP_ROW(GUARD_SLOT, SIZE_ASKED, struct guard_slot, size),
	HEAP_ROW(GUARD_SLOT, USABLE, struct guard_slot, usable),
	HEAP_ROW(GUARD_SLOT, SAMPLE, struct guard_slot, sample),
	HEAP_ROW(GUARD_SLOT, WINDOW, struct guard_slot, window),
	HEAP_ROW(GUARD_SLOT, WINDOW_SIZE, struct guard_slot, window_size),
	HEAP_ROW_STRUCT(GUARD_SLOT, SPACE, struct guard_slot, extent),
	HEAP_ROW_STRUCT(GUARD_SLOT, ALLOCATED, struct guard_slot, allocated),
	HEAP_ROW_STRUCT(GUARD_SLOT, FREED, struct guard_slot, freed),
	HEAP_ROW(GUARD_STACK, THREAD, struct guard_stack, thread),
	HEAP_ROW(GUARD_STACK, DEPTH, struct guard_stack, depth),
	HEAP_ROW_ARRAY(GUARD_STACK, PCS, struct guard_stack, pcs),

	HEAP_ROW(SAMPLE, NEXT, struct prof_sample, next),
	HEAP_ROW(SAMPLE, PAIR, struct prof_sample, pair),
	HEAP_ROW(SAMPLE, OBJECT, struct prof_sample, object),
	HEAP_ROW(SAMPLE, REQUESTED, struct prof_sample, requested),
	HEAP_ROW(SAMPLE, USABLE, struct prof_sample, usable),
	HEAP_ROW(SAMPLE, BORN_NS, struct prof_sample, born_ns),

	HEAP_ROW(ARENA, INDEX, struct arena, index),
	HEAP_ROW(ARENA, NTHREADS, struct arena, nthreads),
	HEAP_ROW(ARENA, MANUAL, struct arena, manual),
	HEAP_ROW_ARRAY(ARENA, NAME, struct arena, name),
	HEAP_ROW(ARENA, ACTIVE, struct arena, pages.active),
	HEAP_ROW(ARENA, PACKED, struct arena, pages.packed),
	HEAP_ROW(ARENA, MAPPED, struct arena, pages.mapped),
	HEAP_ROW(ARENA, DIRTY, struct arena, POOL(DIRTY).size),
	HEAP_ROW(ARENA, MUZZY, struct arena, POOL(MUZZY).size),
	HEAP_ROW(ARENA, RETAINED, struct arena, POOL(RETAINED).size),
	HEAP_ROW(ARENA, NDIRTY, struct arena, POOL(DIRTY).count),
	HEAP_ROW(ARENA, NMUZZY, struct arena, POOL(MUZZY).count),
	HEAP_ROW(ARENA, NRETAINED, struct arena, POOL(RETAINED).count),
	HEAP_ROW(ARENA, LARGE_ALLOCATED, struct arena, large.allocated),
	HEAP_ROW_STRUCT(ARENA, BINS, struct arena, bins),
	HEAP_ROW_STRUCT(ARENA, PAGES_LOCK, struct arena, pages.lock),
	HEAP_ROW_STRUCT(ARENA, LARGE_LOCK, struct arena, large.lock),
	HEAP_ROW(ARENA, HOOKED, struct arena, pages.hooked),

	HEAP_ROW_STRUCT(BIN, LOCK, struct bin, lock),
	HEAP_ROW(BIN, CURRENT, struct bin, current),
	HEAP_ROW(BIN, NMALLOC, struct bin, stats.nmalloc),
	HEAP_ROW(BIN, NDALLOC, struct bin, stats.ndalloc),
	HEAP_ROW(BIN, CURSLABS, struct bin, stats.curslabs),

	HEAP_ROW(LOCK, WORD, struct lock, word),
	HEAP_ROW(LOCK, OWNER, struct lock, last_owner),
};

/* --- constants ------------------------------------------------------------ */

static const struct heap_constant shared_constants[] = {
	{ HEAP_CONST_LG_UNIT, 0, LG_UNIT },
	{ HEAP_CONST_PAGEMAP_LG_SPACE, 0, PAGEMAP_LG_SPACE },
	{ HEAP_CONST_PAGEMAP_LG_LEAF, 0, PAGEMAP_LG_LEAF },
	{ HEAP_CONST_PAGEMAP_LEAF_LEN, 0, PAGEMAP_LEAF_LEN },
	{ HEAP_CONST_LEAF_SIZE, 0, sizeof(struct pagemap_leaf) },
	{ HEAP_CONST_SMALL_CLASSES, 0, SMALL_CLASSES },
	{ HEAP_CONST_CACHE_BINS, 0, CACHE_BINS },
	{ HEAP_CONST_CACHE_BIN_SIZE, 0, sizeof(struct cache_bin) },
	{ HEAP_CONST_CACHE_BIN_COLD_SIZE, 0, sizeof(struct cache_bin_cold) },
	{ HEAP_CONST_BIN_SIZE, 0, sizeof(struct bin) },
	{ HEAP_CONST_GUARD_SLOT_SIZE, 0, sizeof(struct guard_slot) },
	{ HEAP_CONST_ARENA_NAME_SIZE, 0, ARENA_NAME_SIZE },
	{ HEAP_CONST_BATCH_OBJECTS, 0, QUARANTINE_BATCH_OBJECTS },
	{ HEAP_CONST_KIND_NONE, 0, KIND_NONE },
	{ HEAP_CONST_KIND_LARGE, 0, KIND_LARGE },
	{ HEAP_CONST_KIND_SAMPLE, 0, KIND_SAMPLE },
	{ HEAP_CONST_KIND_CHECKED, 0, KIND_CHECKED },
	{ HEAP_CONST_KIND_GUARDED, 0, KIND_GUARDED },
	{ HEAP_CONST_KIND_BIN, 0, KIND_STEP },
	{ HEAP_CONST_EXTENT_ACTIVE, 0, EXTENT_ACTIVE },
	{ HEAP_CONST_EXTENT_DIRTY, 0, EXTENT_DIRTY },
	{ HEAP_CONST_EXTENT_MUZZY, 0, EXTENT_MUZZY },
	{ HEAP_CONST_EXTENT_RETAINED, 0, EXTENT_RETAINED },
	{ HEAP_CONST_EXTENT_BUSY, 0, EXTENT_BUSY },
	{ HEAP_CONST_LEDGER_NEW, 0, LEDGER_NEW },
	{ HEAP_CONST_LEDGER_BUSY, 0, LEDGER_BUSY },
	{ HEAP_CONST_LEDGER_FREED, 0, LEDGER_FREED },
	{ HEAP_CONST_GUARD_EMPTY, 0, GUARD_EMPTY },
	{ HEAP_CONST_GUARD_BUSY, 0, GUARD_BUSY },
	{ HEAP_CONST_GUARD_LIVE, 0, GUARD_LIVE },
	{ HEAP_CONST_GUARD_LEAVING, 0, GUARD_LEAVING },
	{ HEAP_CONST_GUARD_FREED, 0, GUARD_FREED },
	{ HEAP_CONST_LOCK_FREE, 0, LOCK_FREE },
	{ HEAP_CONST_LOCK_HELD, 0, LOCK_HELD },
	{ HEAP_CONST_LOCK_CONTENDED, 0, LOCK_CONTENDED },
	{ HEAP_CONST_LOCK_HELD_FORK, 0, LOCK_HELD_FORK },
	{ HEAP_CONST_FLIGHT_NONE, 0, FLIGHT_NONE },
	{ HEAP_CONST_FLIGHT_FILL, 0, FLIGHT_FILL },
	{ HEAP_CONST_FLIGHT_FLUSH, 0, FLIGHT_FLUSH },
	{ HEAP_CONST_FLIGHT_MOVE, 0, FLIGHT_MOVE },
	{ HEAP_CONST_FLIGHT_OUT, 0, FLIGHT_OUT },
	{ HEAP_CONST_JUNK_ALLOC, 0, JUNK_ALLOC },
	{ HEAP_CONST_JUNK_FREE, 0, JUNK_FREE },
};

/* --- the tables ----------------------------------------------------------- */

static const struct heap_part *const parts[] = {
	&arena_table_heap_part,
	&dss_heap_part,
	&guard_pool_heap_part,
	&metadata_heap_part,
	&prof_live_heap_part,
	&prof_table_heap_part,
	&quarantine_heap_part,
	&tcache_table_heap_part,
	&thread_heap_part,
	&trim_heap_part,
};

static struct lock *(*const locks[])(void) = {
	tcache_table_lock,
	thread_lock,
	quarantine_lock,
	arena_table_lock,
	extent_records_lock,
	ledger_lock,
	prof_table_lock,
	guard_pool_lock,
	metadata_lock,
};

#define ROOTS_MAX  20
#define CONF_SIZE  256
#define FIELDS_MAX 160
/* One of them is an option. */
#define CONSTANTS (ARRAY_LEN(shared_constants) + 1)

static struct {
	struct heap_root roots[ROOTS_MAX];
	struct heap_field fields[FIELDS_MAX];
	struct heap_constant constants[CONSTANTS];
	uint64_t class_sizes[SIZE_CLASSES];
	uint64_t locks[ARRAY_LEN(locks)];
	char conf[CONF_SOURCES][CONF_SIZE];
	unsigned nroots;
	unsigned nfields;
} tables;

static void
add_root(enum heap_root_id id, const void *address, size_t count, size_t stride)
{
	assert(tables.nroots < ROOTS_MAX);
	tables.roots[tables.nroots++] = (struct heap_root){ .id = id,
		.stride = (uint32_t)stride,
		.address = (uintptr_t)address,
		.count = count };
}

static void
add_fields(const struct heap_field *fields, unsigned count)
{
	assert(tables.nfields + count <= FIELDS_MAX);
	for (unsigned i = 0; i < count; i++)
		tables.fields[tables.nfields++] = fields[i];
}

static void
add_part(const struct heap_part *part)
{
	if (part->root != 0)
		add_root(part->root, part->address, part->count, part->stride);
	add_fields(part->fields, part->nfields);
}

/* The place of the pointer to a slab's ledger depends on the page size. */
static void
add_ledger(void)
{
	struct heap_field row = { HEAP_EXTENT, HEAP_EXTENT_LEDGER,
		(uint32_t)extent_record_size(system_info.page_size),
		sizeof(struct ledger *), 0, 0, UINT64_MAX };

	if (options_need_ledgers())
		add_fields(&row, 1);
}

static void
fill_tables(const struct descriptor_start *start)
{
	tables.nroots = 0;
	tables.nfields = 0;
	add_root(HEAP_ROOT_PAGEMAP, pagemap.root, PAGEMAP_ROOT_LEN,
	    sizeof(pagemap.root[0]));
	add_root(HEAP_ROOT_PAGEMAP_ZERO, (const void *)pagemap.zero_leaf, 1,
	    sizeof(pagemap.zero_leaf));
	add_root(HEAP_ROOT_SIZE_CLASSES, size_class_tables.slab, SMALL_CLASSES,
	    sizeof(size_class_tables.slab[0]));
	for (unsigned i = 0; i < SIZE_CLASSES; i++)
		tables.class_sizes[i] = size_class_size(i);
	add_root(HEAP_ROOT_CLASS_SIZES, tables.class_sizes, SIZE_CLASSES,
	    sizeof(tables.class_sizes[0]));
	for (unsigned i = 0; i < ARRAY_LEN(locks); i++)
		tables.locks[i] = (uintptr_t)locks[i]();
	add_root(HEAP_ROOT_LOCKS, tables.locks, ARRAY_LEN(locks),
	    sizeof(tables.locks[0]));
	/*
	 * The texts themselves may be constants, which core files do not have.
	 */
	for (unsigned i = 0; i < CONF_SOURCES; i++)
		format_text(tables.conf[i], CONF_SIZE, "%s",
		    conf_source(i) != NULL ? conf_source(i) : "");
	add_root(HEAP_ROOT_CONF, tables.conf, CONF_SOURCES, CONF_SIZE);
	add_root(HEAP_ROOT_STARTUP, start->memory, start->size, 1);
	for (unsigned i = 0; i < ARRAY_LEN(parts); i++)
		add_part(parts[i]);
	add_fields(shared_fields, ARRAY_LEN(shared_fields));
	add_ledger();
	memcpy(tables.constants, shared_constants, sizeof(shared_constants));
	tables.constants[CONSTANTS - 1] = (struct heap_constant){
		.id = HEAP_CONST_FINE_SIZES,
		.value = opt.disable_large_size_classes
	};
}

static uint32_t
flags(const struct descriptor_start *start)
{
	return (options_need_ledgers() ? HEAP_FLAG_LEDGERS : 0) |
	    (BUILD_DEBUG ? HEAP_FLAG_DEBUG : 0) |
	    (start->aside ? HEAP_FLAG_ASIDE : 0);
}

/* --- the descriptor ------------------------------------------------------- */

static AT_START uint32_t
sum(void)
{
	const struct heap_layout *d = &descriptor;
	const struct heap_table parts[] = { { (uintptr_t)d, HEAP_CRC_BYTES, 1 },
		d->roots, d->fields, d->constants };
	uint32_t crc = 0;

	for (unsigned i = 0; i < ARRAY_LEN(parts); i++)
		crc = heap_crc(crc, (const void *)(uintptr_t)parts[i].address,
		    parts[i].count * parts[i].stride);
	return crc;
}

static void
set_state(enum heap_state state)
{
	descriptor.generation++;
	/* Stored after all data that tools may rely on in this state. */
	atomic_signal_fence(memory_order_seq_cst);
	descriptor.state = state;
}

static void
fill_header(const struct descriptor_start *start)
{
	struct heap_layout *d = &descriptor;

	d->abi_major = HEAP_ABI_MAJOR;
	d->abi_minor = HEAP_ABI_MINOR;
	d->header_size = sizeof(*d);
	d->flags = flags(start);
	d->pointer_size = sizeof(void *);
	d->endian = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 1 : 2;
	d->lg_page = (uint8_t)lg_ceil(system_info.page_size);
	d->lg_quantum = LG_QUANTUM;
	d->self = (uintptr_t)d;
	format_text(d->version, sizeof(d->version), "%s", BUILD_VERSION);
	format_text(d->release, sizeof(d->release), "%s", BUILD_RELEASE);
	format_text(d->prefix, sizeof(d->prefix), "%s", BUILD_PREFIX);
	d->roots = (struct heap_table){ (uintptr_t)tables.roots, tables.nroots,
		sizeof(tables.roots[0]) };
	d->fields = (struct heap_table){ (uintptr_t)tables.fields,
		tables.nfields, sizeof(tables.fields[0]) };
	d->constants = (struct heap_table){ (uintptr_t)tables.constants,
		CONSTANTS, sizeof(tables.constants[0]) };
	memcpy(d->magic, HEAP_MAGIC, sizeof(d->magic));
	d->crc = sum();
}

AT_START void
descriptor_init(const struct descriptor_start *start)
{
	set_state(HEAP_STARTING);
	fill_tables(start);
	fill_header(start);
	set_state(HEAP_RUNNING);
}

void
descriptor_set_forking(bool forking)
{
	/* The handler may be registered even if the start has failed. */
	if (descriptor.state >= HEAP_RUNNING)
		set_state(forking ? HEAP_FORKING : HEAP_RUNNING);
}
