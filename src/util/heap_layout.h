/*
 * heap_layout: how a tool finds and reads the heap of a process or of a core
 * file, without symbols and without debug information.
 *
 * Owns:       the format of the descriptor, and the numbers in it.
 * Invariants: this file includes no other file of the library, so that a tool
 *             can be built with it alone. Numbers keep their meaning for ever:
 *             new ones are added, and a descriptor may lack old ones. `major`
 *             changes only if an old tool would read something wrong.
 * Locking:    none. The descriptor is written once, when the library starts;
 *             only `state` and `generation` change later.
 *
 * All numbers in the descriptor have the byte order of the process. Addresses
 * have 64 bits, whatever the size of a pointer is.
 *
 * FINDING IT. A process may have several descriptors, one for each library or
 * program that contains the allocator. In this order:
 *
 *  1. The note. Each object (program or shared library) that contains the
 *     allocator has an ELF note, in a segment PT_NOTE: owner "jeheap" (7 bytes
 *     with the zero), type 1. It has several if the allocator was linked in
 *     more than once. Its contents are struct heap_note: 12 bytes, not aligned.
 *     The descriptor is at the address of the field `offset` in memory plus the
 *     value of `offset`. If pointers have 4 bytes, the offset is the lower
 *     half, with sign; the upper half is 0.
 *  2. Any writable memory: HEAP_MAGIC, at a multiple of 64.
 *
 * There is no dynamic symbol for it, because the contract fixes the exported
 * names. A debug build, or one with symbols, calls it `descriptor`.
 *
 * It is valid if `magic` is right, `self` is its own address, and `crc` is
 * heap_crc() of the first HEAP_CRC_BYTES bytes, then of the whole tables of
 * roots, fields and constants, in this order.
 *
 * READING A FIELD. struct heap_field says where a member is. Read `width` bytes
 * at the address of the structure plus `offset` as an unsigned number, shift it
 * right by `shift`, and apply `mask`. Fields that are arrays say so below: then
 * `width` is that of one element, and the elements follow each other. A field
 * whose `width` is 0 is a structure inside the structure: only the offset
 * counts. A field that is not in the table does not exist in this process.
 *
 * LIVE OBJECTS. They follow from the page map and from what is cached:
 *
 *	for each slot s < count of root PAGEMAP, an s64:   (0: no leaf, skip)
 *	    leaf = address of root PAGEMAP_ZERO + the number in the slot
 *	    for each unit u < PAGEMAP_LEAF_LEN:
 *	        address = (s << PAGEMAP_LG_LEAF) + (u << LG_UNIT)
 *	        kind    = leaf.kind[u], e = leaf.extent[u]
 *
 * `kind` says what is there: KIND_NONE: no object starts here. KIND_GUARDED:
 * see below. All others: `e` is an extent. If e.is_slab, it is a slab: take it
 * once, at the unit where address == e.addr, because each of its units leads to
 * it. If not, it is a large object: e.object is its address, e.usable its size.
 * It counts if e.state is EXTENT_ACTIVE, e.object lies in this unit and
 * e.usable is not 0. A process of 10 GiB has about 10 leaves. In a core file
 * most of their pages are zero or missing: both mean KIND_NONE.
 *
 * A SLAB has geometry[e.size_class].nregions regions (root SIZE_CLASSES), each
 * of .region_size bytes, from e.addr on. The bitmap of free regions is at e +
 * offset of EXTENT_FREE: bit i % 64 of the 64-bit word i / 64 is 1 if region i
 * is free. All other regions are live or cached. In slabs with KIND_CHECKED,
 * the ledger says which: the u16 at ledger.entry[i] (e.ledger is a pointer to
 * it, and exists only in such processes) is LEDGER_NEW or LEDGER_FREED if the
 * program does not have the region. LEDGER_BUSY: a call is just allocating,
 * freeing or resizing it, so its state is uncertain; or it was damaged and is
 * not used any more. All other values are the requested size + 1, and the
 * region is live. Regions in a slab with KIND_SAMPLE are never cached.
 *
 * CACHED OBJECTS are in these places. Each holds addresses of objects.
 *
 *  Stacks. Each struct TCACHE has CACHE_BINS bins. For bin i:
 *	bin  = tcache + offset of TCACHE_BINS + (i + 1) * CACHE_BIN_SIZE
 *	cold = tcache + offset of TCACHE_COLD + i * CACHE_BIN_COLD_SIZE
 *	head = bin.head, or cold.hidden_head if bin.head is 0
 *	     the pointers in [head, cold.bottom - cold.vacated) are cached
 *     There is no stack if cold.bottom is 0. It has cold.capacity slots,
 *     so head >= cold.bottom - cold.capacity * pointer size. Bins below
 *     SMALL_CLASSES are those of the small classes, the others of large objects
 *     of bin.usable bytes.
 *  Threads. Root THREADS is a struct THREADS with the heads of three rings
 *     (struct LIST; a node is the field THREAD_RING of a struct THREAD, so
 *     subtract its offset; the ring ends at its head):
 *	living	threads that run now, and those that are ending
 *	lost	in the child of a fork: threads of the parent, as they were
 *	spare	records without a thread; their stacks are empty
 *     Each THREAD contains its TCACHE. thread.pointer is the thread pointer of
 *     its thread (the register fs on x86-64, tpidr_el0 on AArch64), which is in
 *     the notes of a core, and so leads to the kernel's id.
 *  Explicit caches. Root TCACHES is a struct TCACHES: `slot` is an array of
 *     pointers to TCACHE, of which the first `count` may be used; 0: none.
 *  Quarantine. Root QUARANTINE: a chain of struct BATCH from `oldest`, linked
 *     by `next`; a batch has `count` pointers in the array `objects`. One more
 *     batch, which its thread fills, is that of tcache.batch. tcache.releasing
 *     leads to a chain of batches that are being given back: in each, the
 *     pointers from `released` on are still held. A large object in the
 *     quarantine already has KIND_NONE, but the page map still leads to its
 *     extent.
 *  Batches from thread to thread: this version has none. An object that a
 *     thread frees goes through its own stack into its slab, whichever arena
 *     that belongs to.
 *
 * IN FLIGHT. When a batch goes from one of these places to another, its objects
 * may be in none of them, or in two, for a moment. A struct FLIGHT says so:
 * one in each TCACHE (tcache.flight), and one at root TRIM_FLIGHT, for a thread
 * that trims the caches of others. If flight.direction is not
 * FLIGHT_NONE, `objects` leads to `count` pointers to objects of bin `bin`:
 *
 *	FLIGHT_FILL	from a slab. The array has the objects that were taken
 *			so far, and old contents behind and before them. Objects
 *			that were taken are not free in their slab, but not live
 *			yet
 *	FLIGHT_FLUSH	to a slab. The array has all objects that are still
 *			cached. It also has some that were given back. If one of
 *			these is not free in its slab, another thread has it
 *	FLIGHT_MOVE	within a stack, or to its new memory. The array has all
 *			objects of the stack, some of them twice; while memory
 *			is copied within a stack, a few may be in registers only
 *	FLIGHT_OUT	to the program, which gets many objects at once
 *
 * So during a flight, `count` objects are uncertain, and a tool says so. FLUSH
 * and MOVE: objects in the array that are not free in their slab count as
 * cached. FILL and OUT: the array may have old pointers to live objects, so an
 * address in the array proves nothing. Single objects have no record: a thread
 * that is stopped inside a call changes the counts by one. In free() the stack
 * grows before the object is stored: until then its top is an older object,
 * which may be live, and counts as cached. An object that waits in the array of
 * a flight may also be found in a stack. If a function of the program prints a
 * message in the middle of a flight, and allocates, the record may be lost.
 *
 * GUARDED OBJECTS. Root GUARDS is a struct GUARDS: `slots` points to `count`
 * structs GUARD_SLOT of GUARD_SLOT_SIZE bytes, or is 0. A slot whose `state` is
 * GUARD_LIVE has one object at `object`: `size` bytes were requested, and
 * malloc_usable_size() and the statistics say the same; `usable` is the size of
 * the class. They belong to arena 0. The page map has KIND_GUARDED at each unit
 * of their address space; `extent` there is the slot. `allocated` and `freed`
 * are structs GUARD_STACK: `depth` places of calls in the array `pcs`, and the
 * kernel's id of the `thread`.
 *
 * SAMPLES of the heap profile. For a large object, e.sample points to its
 * struct SAMPLE, or is 0. For a guarded one, slot.sample does. For small
 * objects, root SAMPLES is an array of structs SAMPLE_PART: `bucket` points to
 * 2^lg heads of chains, linked by sample.next; the objects are those of slabs
 * with KIND_SAMPLE. A sample leads by `pair` and pair.stack (0: forgotten) to a
 * struct STACK: `depth` return addresses in the array `pcs`, the innermost
 * first.
 *
 * FREE PAGES. Every free extent is entered in the page map at its first and its
 * last unit: e.addr == address of the unit, and e.state is EXTENT_DIRTY,
 * EXTENT_MUZZY, EXTENT_RETAINED, or EXTENT_BUSY while it is out of its pool.
 * e.arena is the index of its arena. Free pages inside a huge page (opt.hpa)
 * are not in the page map; the arena has only their sum (arena.packed). An
 * entry counts only if e.addr <= address < e.addr + e.size, because the page
 * map may have old entries in the middle of an extent.
 *
 * ARENAS. Root ARENAS is a struct ARENAS: `slot` is an array of pointers to
 * ARENA, of which the first `count` may be used; 0: none. active + packed + the
 * pools' sizes + busy extents = mapped.
 * The bins of shard 0 are in the arena (ARENA_BINS, BIN_SIZE bytes each, one
 * for each small class). A bin has nmalloc - ndalloc regions in use.
 *
 * METADATA. Root METADATA: blocks that are linked by `next`; a block's own
 * address is its start, and it has `size` bytes; the current one is used only
 * below `cursor`. Besides these there are the leaves of the page map, the
 * tables of large numbers of samples, and the data of the image.
 *
 * OPTIONS. Root CONF has one text for each source of options, in the order of
 * reading: configure, the symbol malloc_conf, the link, the environment, the
 * symbol malloc_conf_2_conf_harder. Each ends with a zero, and is cut if it is
 * too long.
 *
 * LOCKS. A struct LOCK: `word` is one of LOCK_*, `owner` the thread pointer of
 * the last holder (written soon after the lock is taken, and not cleared). Root
 * LOCKS is an array of addresses of the locks that belong to no arena, each a
 * u64. bin.lock, arena.pages_lock and arena.large_lock are the others.
 *
 * WHAT CAN'T BE KNOWN. The requested size of an object, unless it is sampled,
 * guarded, or with opt.checked. Objects that were taken while the library
 * started (some bytes of the image, never freed). Any object under a sanitizer
 * or valgrind, which then have the heap: the descriptor has HEAP_FLAG_ASIDE.
 */
#ifndef UTIL_HEAP_LAYOUT_H
#define UTIL_HEAP_LAYOUT_H

#include <stdint.h>

#define HEAP_NOTE_OWNER   "jeheap"
#define HEAP_NOTE_TYPE    1
#define HEAP_NOTE_VERSION 1

/* The contents of the note: it has no padding. */
struct heap_note {
	uint32_t version; /* HEAP_NOTE_VERSION */
	int64_t offset;   /* from the address of this field */
} __attribute__((packed));

/* 16 bytes, not followed by a zero. The first one is in no text. */
#define HEAP_MAGIC      "\x8fjeheap layout\r\n"
#define HEAP_MAGIC_SIZE 16

#define HEAP_ABI_MAJOR 1
#define HEAP_ABI_MINOR 0

enum heap_state {
	HEAP_NONE,
	HEAP_STARTING, /* the tables may be incomplete */
	HEAP_RUNNING,
	HEAP_FORKING, /* all locks are held for a fork */
};

enum heap_flag {
	HEAP_FLAG_LEDGERS = 1, /* ledgers exist (opt.checked, random_slots) */
	HEAP_FLAG_DEBUG = 2,   /* a debug build */
	HEAP_FLAG_ASIDE = 4,   /* another allocator has all objects */
};

/* Where a table is. */
struct heap_table {
	uint64_t address;
	uint32_t count;  /* entries */
	uint32_t stride; /* bytes of an entry, at least ours */
};

struct heap_layout {
	char magic[HEAP_MAGIC_SIZE];
	uint32_t abi_major;
	uint32_t abi_minor;
	uint32_t header_size; /* bytes of this struct */
	uint32_t flags;       /* enum heap_flag */
	uint8_t pointer_size;
	uint8_t endian;     /* 1: little, 2: big */
	uint8_t lg_page;    /* log2 of the kernel's page size */
	uint8_t lg_quantum; /* log2 of the least alignment */
	uint32_t spare;     /* 0 */
	uint64_t self;      /* the address of this struct */
	char version[64];   /* ended by a zero, as the next two */
	char release[32];   /* number of the release of this library */
	char prefix[32];    /* of the names of the public functions */
	struct heap_table roots;
	struct heap_table fields;
	struct heap_table constants;
	/* The members from here on are not covered by `crc`. */
	uint32_t crc;
	uint32_t state;      /* enum heap_state */
	uint64_t generation; /* raised by each start, fork and change here */
};

#define HEAP_CRC_BYTES ((uint32_t) __builtin_offsetof(struct heap_layout, crc))

struct heap_root {
	uint32_t id;      /* enum heap_root_id */
	uint32_t stride;  /* bytes from one element to the next */
	uint64_t address; /* of the first one; of a structure: of it */
	uint64_t count;   /* elements; 1: a structure */
};

struct heap_field {
	uint16_t structure; /* enum heap_struct */
	uint16_t field;     /* one of the enums heap_*_field */
	uint32_t offset;    /* bytes from the start of the structure */
	uint16_t width;     /* bytes: 1, 2, 4 or 8; 0: a structure */
	uint16_t shift;     /* bits, to the right */
	uint32_t spare;     /* 0 */
	uint64_t mask;      /* after the shift */
};

struct heap_constant {
	uint32_t id;    /* enum heap_constant_id */
	uint32_t spare; /* 0 */
	uint64_t value;
};

/*
 * CRC-32 of zlib and of Ethernet; `crc` is 0 at first, or that so far. Each
 * process does this when it starts, so it takes 4 bytes at once, whose 8 halves
 * are looked up side by side: rest[i] is what a half leaves behind, if there
 * are i more of them after it.
 */
static inline uint32_t
heap_crc(uint32_t crc, const void *bytes, uint32_t size)
{
	const unsigned char *p = (const unsigned char *)bytes;
	uint32_t rest[8][16] = { { 0x00000000, 0x1db71064, 0x3b6e20c8,
	    0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
	    0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0,
	    0x86d3d2d4, 0xa00ae278, 0xbdbdf21c } };

	for (unsigned i = 1; i < 8; i++)
		for (unsigned half = 0; half < 16; half++) {
			uint32_t r = rest[i - 1][half];

			rest[i][half] = r >> 4 ^ rest[0][r & 15];
		}
	crc = ~crc;
	for (; size >= 4; size -= 4, p += 4) {
		crc ^= p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
		    (uint32_t)p[3] << 24;
		crc = rest[7][crc & 15] ^ rest[6][crc >> 4 & 15] ^
		    rest[5][crc >> 8 & 15] ^ rest[4][crc >> 12 & 15] ^
		    rest[3][crc >> 16 & 15] ^ rest[2][crc >> 20 & 15] ^
		    rest[1][crc >> 24 & 15] ^ rest[0][crc >> 28];
	}
	for (; size > 0; size--) {
		crc ^= *p++;
		crc = crc >> 4 ^ rest[0][crc & 15];
		crc = crc >> 4 ^ rest[0][crc & 15];
	}
	return ~crc;
}

/* --- roots ---------------------------------------------------------------- */

enum heap_root_id {
	HEAP_ROOT_PAGEMAP = 1,      /* s64 each (intptr_t: pointer size) */
	HEAP_ROOT_PAGEMAP_ZERO = 2, /* what slots count from */
	HEAP_ROOT_SIZE_CLASSES = 3, /* GEOMETRY each; small classes */
	HEAP_ROOT_CLASS_SIZES = 4,  /* u64 each: sizes of all classes */
	HEAP_ROOT_THREADS = 5,      /* THREADS */
	HEAP_ROOT_TCACHES = 6,      /* TCACHES */
	HEAP_ROOT_ARENAS = 7,       /* ARENAS */
	HEAP_ROOT_QUARANTINE = 8,   /* QUARANTINE */
	HEAP_ROOT_GUARDS = 9,       /* GUARDS */
	HEAP_ROOT_METADATA = 10,    /* METADATA */
	HEAP_ROOT_SAMPLES = 11,     /* SAMPLE_PART each */
	HEAP_ROOT_TRIM_FLIGHT = 12, /* FLIGHT */
	HEAP_ROOT_DSS = 13,         /* DSS: the range from sbrk */
	HEAP_ROOT_LOCKS = 14,       /* u64 each: addresses of LOCK */
	HEAP_ROOT_STARTUP = 15,     /* objects of the start */
	HEAP_ROOT_CONF = 16,        /* text each: options */
};

/* --- structures and their fields ------------------------------------------ */

enum heap_struct {
	HEAP_LEAF = 1,
	HEAP_EXTENT = 2,
	HEAP_GEOMETRY = 3,
	HEAP_LEDGER = 4,
	HEAP_CACHE_BIN = 5,
	HEAP_CACHE_BIN_COLD = 6,
	HEAP_TCACHE = 7,
	HEAP_THREAD = 8,
	HEAP_LIST = 9,
	HEAP_THREADS = 10,
	HEAP_TCACHES = 11,
	HEAP_QUARANTINE = 12,
	HEAP_BATCH = 13,
	HEAP_FLIGHT = 14,
	HEAP_GUARDS = 15,
	HEAP_GUARD_SLOT = 16,
	HEAP_GUARD_STACK = 17,
	HEAP_SAMPLE_PART = 18,
	HEAP_SAMPLE = 19,
	HEAP_PAIR = 20,
	HEAP_STACK = 21,
	HEAP_METADATA = 22,
	HEAP_BLOCK = 23,
	HEAP_ARENAS = 24,
	HEAP_ARENA = 25,
	HEAP_BIN = 26,
	HEAP_LOCK = 27,
	HEAP_DSS = 28,
};

enum heap_leaf_field {
	HEAP_LEAF_KIND = 1,   /* array, PAGEMAP_LEAF_LEN */
	HEAP_LEAF_EXTENT = 2, /* array of pointers, as long */
};

enum heap_extent_field {
	HEAP_EXTENT_ADDR = 1,
	HEAP_EXTENT_SIZE = 2,  /* bytes */
	HEAP_EXTENT_STATE = 3, /* EXTENT_* */
	HEAP_EXTENT_ARENA = 4, /* index */
	HEAP_EXTENT_IS_SLAB = 5,
	HEAP_EXTENT_SIZE_CLASS = 6, /* slab */
	HEAP_EXTENT_SHARD = 7,      /* slab: which of the arena's bins */
	HEAP_EXTENT_NFREE = 8,      /* slab: bits that are 1 */
	HEAP_EXTENT_FREE = 9,       /* slab: array of 64-bit words */
	HEAP_EXTENT_LEDGER = 10,    /* slab: pointer to LEDGER */
	HEAP_EXTENT_OBJECT = 11,    /* large; the rest too */
	HEAP_EXTENT_USABLE = 12,    /* bytes */
	HEAP_EXTENT_SAMPLE = 13,    /* pointer to SAMPLE, or 0 */
	HEAP_EXTENT_ASKED = 14,     /* bytes requested, with opt.checked */
	HEAP_EXTENT_GUARDED = 15,   /* first and last page are guards */
	HEAP_EXTENT_SEALED = 16,    /* freed: no page is readable */
	HEAP_EXTENT_LENDER = 17,    /* index + 1 of the arena it is from */
	HEAP_EXTENT_PAGESLAB = 18,  /* not 0: cut from a huge page */
	HEAP_EXTENT_ZEROED = 19,    /* known to be zero */
};

enum heap_geometry_field {
	HEAP_GEOMETRY_REGION_SIZE = 1,
	HEAP_GEOMETRY_SLAB_SIZE = 2,
	HEAP_GEOMETRY_NREGIONS = 3,
};

enum heap_ledger_field {
	HEAP_LEDGER_ENTRY = 1, /* array, one for each region */
};

enum heap_cache_bin_field {
	HEAP_CACHE_BIN_HEAD = 1,
	HEAP_CACHE_BIN_EMPTY = 2,
	HEAP_CACHE_BIN_FULL = 3,
	HEAP_CACHE_BIN_USABLE = 4, /* bytes of an object */
};

enum heap_cache_bin_cold_field {
	HEAP_CACHE_BIN_COLD_BOTTOM = 1,
	HEAP_CACHE_BIN_COLD_HIDDEN_HEAD = 2,
	HEAP_CACHE_BIN_COLD_CAPACITY = 3, /* slots */
	HEAP_CACHE_BIN_COLD_LIMIT = 4,    /* slots that may be used now */
	HEAP_CACHE_BIN_COLD_VACATED = 5,  /* slots */
	HEAP_CACHE_BIN_COLD_MAX = 6,      /* slots; 0: does not cache */
};

enum heap_tcache_field {
	HEAP_TCACHE_BINS = 1, /* structures */
	HEAP_TCACHE_COLD = 2, /* structures */
	HEAP_TCACHE_HIDDEN = 3,
	HEAP_TCACHE_ARENA = 4,     /* pointer to ARENA */
	HEAP_TCACHE_BATCH = 5,     /* pointer to BATCH, or 0 */
	HEAP_TCACHE_RELEASING = 6, /* pointer to BATCH, or 0 */
	HEAP_TCACHE_FLIGHT = 7,    /* structure */
	HEAP_TCACHE_ENTRIES = 8,   /* odd: in a slow path */
	HEAP_TCACHE_ENABLED = 9,
	HEAP_TCACHE_MARK = 10, /* first two bytes of freed objects */
};

enum heap_thread_field {
	HEAP_THREAD_TCACHE = 1,  /* structure */
	HEAP_THREAD_RING = 2,    /* structure LIST */
	HEAP_THREAD_POINTER = 3, /* the thread pointer of the machine */
};

enum heap_list_field {
	HEAP_LIST_NEXT = 1,
};

enum heap_threads_field {
	HEAP_THREADS_LIVING = 1, /* structure LIST, as the others */
	HEAP_THREADS_SPARE = 2,
	HEAP_THREADS_LOST = 3,
};

enum heap_tcaches_field {
	HEAP_TCACHES_COUNT = 1,
	HEAP_TCACHES_SLOT = 2, /* array of pointers to TCACHE */
};

enum heap_quarantine_field {
	HEAP_QUARANTINE_OLDEST = 1, /* pointer to BATCH, or 0 */
	HEAP_QUARANTINE_BYTES = 2,
};

enum heap_batch_field {
	HEAP_BATCH_NEXT = 1,
	HEAP_BATCH_COUNT = 2,
	HEAP_BATCH_RELEASED = 3,
	HEAP_BATCH_OBJECTS = 4, /* array of pointers */
};

enum heap_flight_field {
	HEAP_FLIGHT_OBJECTS = 1, /* pointer to pointers */
	HEAP_FLIGHT_COUNT = 2,
	HEAP_FLIGHT_BIN = 3,
	HEAP_FLIGHT_DIRECTION = 4, /* FLIGHT_* */
};

enum heap_guards_field {
	HEAP_GUARDS_SLOTS = 1,
	HEAP_GUARDS_COUNT = 2,
};

enum heap_guard_slot_field {
	HEAP_GUARD_SLOT_STATE = 1,
	HEAP_GUARD_SLOT_OBJECT = 2,
	HEAP_GUARD_SLOT_SIZE_ASKED = 3,
	HEAP_GUARD_SLOT_USABLE = 4,
	HEAP_GUARD_SLOT_SAMPLE = 5,
	HEAP_GUARD_SLOT_WINDOW = 6,
	HEAP_GUARD_SLOT_WINDOW_SIZE = 7,
	HEAP_GUARD_SLOT_SPACE = 8,     /* structure EXTENT: addr and size */
	HEAP_GUARD_SLOT_ALLOCATED = 9, /* structure GUARD_STACK */
	HEAP_GUARD_SLOT_FREED = 10,
};

enum heap_guard_stack_field {
	HEAP_GUARD_STACK_THREAD = 1,
	HEAP_GUARD_STACK_DEPTH = 2,
	HEAP_GUARD_STACK_PCS = 3, /* array of pointers */
};

enum heap_sample_part_field {
	HEAP_SAMPLE_PART_BUCKET = 1,
	HEAP_SAMPLE_PART_LG = 2,
	HEAP_SAMPLE_PART_COUNT = 3, /* samples */
};

enum heap_sample_field {
	HEAP_SAMPLE_NEXT = 1,
	HEAP_SAMPLE_PAIR = 2,
	HEAP_SAMPLE_OBJECT = 3,
	HEAP_SAMPLE_REQUESTED = 4, /* bytes */
	HEAP_SAMPLE_USABLE = 5,    /* bytes */
	HEAP_SAMPLE_BORN_NS = 6,   /* CLOCK_MONOTONIC_COARSE */
};

enum heap_pair_field {
	HEAP_PAIR_STACK = 1,
};

enum heap_stack_field {
	HEAP_STACK_DEPTH = 1,
	HEAP_STACK_PCS = 2, /* array of pointers */
};

enum heap_metadata_field {
	HEAP_METADATA_BLOCKS = 1, /* pointer to BLOCK; the current one */
	HEAP_METADATA_CURSOR = 2,
	HEAP_METADATA_MAPPED = 3, /* bytes */
	HEAP_METADATA_USED = 4,
};

enum heap_block_field {
	HEAP_BLOCK_NEXT = 1,
	HEAP_BLOCK_BYTES = 2,
};

enum heap_arenas_field {
	HEAP_ARENAS_COUNT = 1,
	HEAP_ARENAS_SLOT = 2,      /* array of pointers to ARENA */
	HEAP_ARENAS_AUTOMATIC = 3, /* those below are for all threads */
};

enum heap_arena_field {
	HEAP_ARENA_INDEX = 1,
	HEAP_ARENA_NTHREADS = 2,
	HEAP_ARENA_MANUAL = 3,
	HEAP_ARENA_NAME = 4,   /* array of ARENA_NAME_SIZE bytes */
	HEAP_ARENA_ACTIVE = 5, /* bytes, as those that follow */
	HEAP_ARENA_PACKED = 6,
	HEAP_ARENA_MAPPED = 7,
	HEAP_ARENA_DIRTY = 8,
	HEAP_ARENA_MUZZY = 9,
	HEAP_ARENA_RETAINED = 10,
	HEAP_ARENA_NDIRTY = 11, /* extents */
	HEAP_ARENA_NMUZZY = 12,
	HEAP_ARENA_NRETAINED = 13,
	HEAP_ARENA_LARGE_ALLOCATED = 14, /* usable bytes, cached ones too */
	HEAP_ARENA_BINS = 15,            /* structures BIN */
	HEAP_ARENA_PAGES_LOCK = 16,      /* structure LOCK */
	HEAP_ARENA_LARGE_LOCK = 17,
	HEAP_ARENA_HOOKED = 18, /* the program has ever set hooks */
};

enum heap_bin_field {
	HEAP_BIN_LOCK = 1,    /* structure LOCK */
	HEAP_BIN_CURRENT = 2, /* pointer to EXTENT, or 0 */
	HEAP_BIN_NMALLOC = 3,
	HEAP_BIN_NDALLOC = 4,
	HEAP_BIN_CURSLABS = 5,
};

enum heap_lock_field {
	HEAP_LOCK_WORD = 1,
	HEAP_LOCK_OWNER = 2,
};

enum heap_dss_field {
	HEAP_DSS_LOW = 1,
	HEAP_DSS_HIGH = 2,
};

/* --- constants ------------------------------------------------------------ */

enum heap_constant_id {
	HEAP_CONST_LG_UNIT = 1,
	HEAP_CONST_PAGEMAP_LG_SPACE = 2,
	HEAP_CONST_PAGEMAP_LG_LEAF = 3,
	HEAP_CONST_PAGEMAP_LEAF_LEN = 4,
	HEAP_CONST_LEAF_SIZE = 5, /* bytes */
	HEAP_CONST_SMALL_CLASSES = 6,
	HEAP_CONST_CACHE_BINS = 7,
	HEAP_CONST_CACHE_BIN_SIZE = 8, /* bytes */
	HEAP_CONST_CACHE_BIN_COLD_SIZE = 9,
	HEAP_CONST_BIN_SIZE = 10,
	HEAP_CONST_GUARD_SLOT_SIZE = 11,
	HEAP_CONST_ARENA_NAME_SIZE = 12,
	HEAP_CONST_BATCH_OBJECTS = 13, /* the most in a BATCH */
	HEAP_CONST_FINE_SIZES = 14,    /* 1: a large size is n * unit */

	HEAP_CONST_KIND_NONE = 20,
	HEAP_CONST_KIND_LARGE = 21,
	HEAP_CONST_KIND_SAMPLE = 22,
	HEAP_CONST_KIND_CHECKED = 23,
	HEAP_CONST_KIND_GUARDED = 24,
	HEAP_CONST_KIND_BIN = 25, /* of bin 0; bin i: i + 1 times it */

	HEAP_CONST_EXTENT_ACTIVE = 30,
	HEAP_CONST_EXTENT_DIRTY = 31,
	HEAP_CONST_EXTENT_MUZZY = 32,
	HEAP_CONST_EXTENT_RETAINED = 33,
	HEAP_CONST_EXTENT_BUSY = 34,

	HEAP_CONST_LEDGER_NEW = 40,
	HEAP_CONST_LEDGER_BUSY = 41,
	HEAP_CONST_LEDGER_FREED = 42,

	HEAP_CONST_GUARD_EMPTY = 50,
	HEAP_CONST_GUARD_BUSY = 51,
	HEAP_CONST_GUARD_LIVE = 52,
	HEAP_CONST_GUARD_LEAVING = 53,
	HEAP_CONST_GUARD_FREED = 54,

	HEAP_CONST_LOCK_FREE = 60,
	HEAP_CONST_LOCK_HELD = 61,
	HEAP_CONST_LOCK_CONTENDED = 62,
	HEAP_CONST_LOCK_HELD_FORK = 63,

	HEAP_CONST_FLIGHT_NONE = 70,
	HEAP_CONST_FLIGHT_FILL = 71,
	HEAP_CONST_FLIGHT_FLUSH = 72,
	HEAP_CONST_FLIGHT_MOVE = 73,
	HEAP_CONST_FLIGHT_OUT = 74,

	HEAP_CONST_JUNK_ALLOC = 80, /* what opt.junk fills with: a byte */
	HEAP_CONST_JUNK_FREE = 81,
};

#endif
