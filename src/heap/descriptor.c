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

#define EXTENT(field, member) \
	HEAP_ROW(HEAP_EXTENT, HEAP_EXTENT_##field, struct extent, member)
#define GEOMETRY(field, member) \
	HEAP_ROW(HEAP_GEOMETRY, HEAP_GEOMETRY_##field, struct slab_geometry, \
	    member)
#define CACHE_BIN(field, member) \
	HEAP_ROW(HEAP_CACHE_BIN, HEAP_CACHE_BIN_##field, struct cache_bin, \
	    member)
#define COLD_BIN(field, member) \
	HEAP_ROW(HEAP_CACHE_BIN_COLD, HEAP_CACHE_BIN_COLD_##field, \
	    struct cache_bin_cold, member)
#define TCACHE(field, member) \
	HEAP_ROW(HEAP_TCACHE, HEAP_TCACHE_##field, struct tcache, member)
#define TCACHE_STRUCT(field, member) \
	HEAP_ROW_STRUCT(HEAP_TCACHE, HEAP_TCACHE_##field, struct tcache, member)
#define FLIGHT(field, shift, bits) \
	HEAP_ROW_BITS(HEAP_FLIGHT, HEAP_FLIGHT_##field, struct flight, what, \
	    shift, bits)
#define SLOT(field, member) \
	HEAP_ROW(HEAP_GUARD_SLOT, HEAP_GUARD_SLOT_##field, struct guard_slot, \
	    member)
#define SLOT_STRUCT(field, member) \
	HEAP_ROW_STRUCT(HEAP_GUARD_SLOT, HEAP_GUARD_SLOT_##field, \
	    struct guard_slot, member)
#define SAMPLE(field, member) \
	HEAP_ROW(HEAP_SAMPLE, HEAP_SAMPLE_##field, struct prof_sample, member)
#define ARENA(field, member) \
	HEAP_ROW(HEAP_ARENA, HEAP_ARENA_##field, struct arena, member)
#define ARENA_STRUCT(field, member) \
	HEAP_ROW_STRUCT(HEAP_ARENA, HEAP_ARENA_##field, struct arena, member)
#define BIN(field, member) \
	HEAP_ROW(HEAP_BIN, HEAP_BIN_##field, struct bin, member)

#define POOL(state) pages.pool[EXTENT_##state - EXTENT_DIRTY]

static const struct heap_field shared_fields[] = {
	HEAP_ROW_ARRAY(HEAP_LEAF, HEAP_LEAF_KIND, struct pagemap_leaf, kind),
	HEAP_ROW_ARRAY(HEAP_LEAF, HEAP_LEAF_EXTENT, struct pagemap_leaf,
	    extent),

	EXTENT(ADDR, addr),
	EXTENT(SIZE, size),
	HEAP_ROW_BITS(HEAP_EXTENT, HEAP_EXTENT_STATE, struct extent, place, 0,
	    PLACE_STATE_BITS),
	HEAP_ROW_BITS(HEAP_EXTENT, HEAP_EXTENT_ARENA, struct extent, place,
	    PLACE_STATE_BITS, 32 - PLACE_STATE_BITS),
	EXTENT(IS_SLAB, is_slab),
	EXTENT(SIZE_CLASS, size_class),
	EXTENT(SHARD, shard),
	EXTENT(NFREE, nfree),
	HEAP_ROW_ARRAY(HEAP_EXTENT, HEAP_EXTENT_FREE, struct extent, free),
	EXTENT(OBJECT, object),
	EXTENT(USABLE, usable),
	EXTENT(SAMPLE, sample),
	EXTENT(ASKED, asked),
	EXTENT(GUARDED, guarded),
	EXTENT(SEALED, sealed),
	EXTENT(LENDER, lender),
	EXTENT(PAGESLAB, pageslab),
	EXTENT(ZEROED, zeroed),

	GEOMETRY(REGION_SIZE, region_size),
	GEOMETRY(SLAB_SIZE, slab_size),
	GEOMETRY(NREGIONS, nregions),

	HEAP_ROW_ARRAY(HEAP_LEDGER, HEAP_LEDGER_ENTRY, struct ledger, entry),

	CACHE_BIN(HEAD, head),
	CACHE_BIN(EMPTY, empty),
	CACHE_BIN(FULL, full),
	CACHE_BIN(USABLE, usable),

	COLD_BIN(BOTTOM, bottom),
	COLD_BIN(HIDDEN_HEAD, hidden_head),
	COLD_BIN(CAPACITY, capacity),
	COLD_BIN(LIMIT, limit),
	COLD_BIN(VACATED, vacated),
	COLD_BIN(MAX, max),

	TCACHE_STRUCT(BINS, bins),
	TCACHE_STRUCT(COLD, cold),
	TCACHE(HIDDEN, hidden),
	TCACHE(ARENA, arena),
	TCACHE(BATCH, quarantine),
	TCACHE(RELEASING, releasing),
	TCACHE_STRUCT(FLIGHT, flight),
	TCACHE(ENTRIES, guard.entries),
	TCACHE(ENABLED, enabled),
	TCACHE(MARK, mark),

	HEAP_ROW_STRUCT(HEAP_THREAD, HEAP_THREAD_TCACHE, struct thread, tcache),
	HEAP_ROW_STRUCT(HEAP_THREAD, HEAP_THREAD_RING, struct thread,
	    registered),
	HEAP_ROW(HEAP_THREAD, HEAP_THREAD_POINTER, struct thread, number),
	HEAP_ROW(HEAP_LIST, HEAP_LIST_NEXT, struct list, next),

	HEAP_ROW(HEAP_FLIGHT, HEAP_FLIGHT_OBJECTS, struct flight, objects),
	FLIGHT(COUNT, 0, 32),
	FLIGHT(BIN, FLIGHT_BIN_SHIFT, 16),
	FLIGHT(DIRECTION, FLIGHT_DIRECTION_SHIFT, 16),

	SLOT(STATE, state),
	SLOT(OBJECT, object),
	SLOT(SIZE_ASKED, size),
	SLOT(USABLE, usable),
	SLOT(SAMPLE, sample),
	SLOT(WINDOW, window),
	SLOT(WINDOW_SIZE, window_size),
	SLOT_STRUCT(SPACE, extent),
	SLOT_STRUCT(ALLOCATED, allocated),
	SLOT_STRUCT(FREED, freed),
	HEAP_ROW(HEAP_GUARD_STACK, HEAP_GUARD_STACK_THREAD, struct guard_stack,
	    thread),
	HEAP_ROW(HEAP_GUARD_STACK, HEAP_GUARD_STACK_DEPTH, struct guard_stack,
	    depth),
	HEAP_ROW_ARRAY(HEAP_GUARD_STACK, HEAP_GUARD_STACK_PCS,
	    struct guard_stack, pcs),

	SAMPLE(NEXT, next),
	SAMPLE(PAIR, pair),
	SAMPLE(OBJECT, object),
	SAMPLE(REQUESTED, requested),
	SAMPLE(USABLE, usable),
	SAMPLE(BORN_NS, born_ns),

	ARENA(INDEX, index),
	ARENA(NTHREADS, nthreads),
	ARENA(MANUAL, manual),
	HEAP_ROW_ARRAY(HEAP_ARENA, HEAP_ARENA_NAME, struct arena, name),
	ARENA(ACTIVE, pages.active),
	ARENA(PACKED, pages.packed),
	ARENA(MAPPED, pages.mapped),
	ARENA(DIRTY, POOL(DIRTY).size),
	ARENA(MUZZY, POOL(MUZZY).size),
	ARENA(RETAINED, POOL(RETAINED).size),
	ARENA(NDIRTY, POOL(DIRTY).count),
	ARENA(NMUZZY, POOL(MUZZY).count),
	ARENA(NRETAINED, POOL(RETAINED).count),
	ARENA(LARGE_ALLOCATED, large.allocated),
	ARENA_STRUCT(BINS, bins),
	ARENA_STRUCT(PAGES_LOCK, pages.lock),
	ARENA_STRUCT(LARGE_LOCK, large.lock),
	ARENA(HOOKED, pages.hooked),

	HEAP_ROW_STRUCT(HEAP_BIN, HEAP_BIN_LOCK, struct bin, lock),
	BIN(CURRENT, current),
	BIN(NMALLOC, stats.nmalloc),
	BIN(NDALLOC, stats.ndalloc),
	BIN(CURSLABS, stats.curslabs),

	HEAP_ROW(HEAP_LOCK, HEAP_LOCK_WORD, struct lock, word),
	HEAP_ROW(HEAP_LOCK, HEAP_LOCK_OWNER, struct lock, last_owner),
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

#define ROOTS_MAX     20
#define CONF_SIZE     256
#define FIELDS_MAX    160
#define CONSTANTS_MAX 48

static_assert(ARRAY_LEN(shared_constants) < CONSTANTS_MAX, "they fit in");

static struct {
	struct heap_root roots[ROOTS_MAX];
	struct heap_field fields[FIELDS_MAX];
	struct heap_constant constants[CONSTANTS_MAX];
	uint64_t class_sizes[SIZE_CLASSES];
	uint64_t locks[ARRAY_LEN(locks)];
	char conf[CONF_SOURCES][CONF_SIZE];
	unsigned nroots;
	unsigned nfields;
	unsigned nconstants;
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
add_constant(enum heap_constant_id id, uint64_t value)
{
	assert(tables.nconstants < CONSTANTS_MAX);
	tables.constants[tables.nconstants++] = (struct heap_constant){
		.id = id, .value = value
	};
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

/* The texts themselves may be constants, which core files do not have. */
static void
copy_conf(char *to, const char *text)
{
	format_text(to, CONF_SIZE, "%s", text != NULL ? text : "");
}

static void
fill_tables(const struct descriptor_start *start)
{
	memset(&tables, 0, sizeof(tables));
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
	for (unsigned i = 0; i < CONF_SOURCES; i++)
		copy_conf(tables.conf[i], conf_source(i));
	add_root(HEAP_ROOT_CONF, tables.conf, CONF_SOURCES, CONF_SIZE);
	add_root(HEAP_ROOT_STARTUP, start->memory, start->size, 1);
	for (unsigned i = 0; i < ARRAY_LEN(parts); i++)
		add_part(parts[i]);
	add_fields(shared_fields, ARRAY_LEN(shared_fields));
	add_ledger();
	memcpy(tables.constants, shared_constants, sizeof(shared_constants));
	tables.nconstants = ARRAY_LEN(shared_constants);
	add_constant(HEAP_CONST_FINE_SIZES, opt.disable_large_size_classes);
}

static uint32_t
flags(const struct descriptor_start *start)
{
	return (options_need_ledgers() ? HEAP_FLAG_LEDGERS : 0) |
	    (BUILD_DEBUG ? HEAP_FLAG_DEBUG : 0) |
	    (start->aside ? HEAP_FLAG_ASIDE : 0);
}

/* --- the descriptor ------------------------------------------------------- */

static uint32_t
sum_of_table(uint32_t crc, const struct heap_table *table)
{
	return heap_crc(crc, (const void *)(uintptr_t)table->address,
	    table->count * table->stride);
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
		tables.nconstants, sizeof(tables.constants[0]) };
	memcpy(d->magic, HEAP_MAGIC, sizeof(d->magic));
	d->crc = heap_crc(0, d, HEAP_CRC_BYTES);
	d->crc = sum_of_table(d->crc, &d->roots);
	d->crc = sum_of_table(d->crc, &d->fields);
	d->crc = sum_of_table(d->crc, &d->constants);
}

void
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
