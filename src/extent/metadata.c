#include "extent/metadata.h"

#include <assert.h>
#include <stdint.h>

#include "conf/options.h"
#include "os/dss.h"
#include "os/lock.h"
#include "os/pages.h"
#include "os/system.h"
#include "util/bits.h"
#include "util/heap_part.h"

#define BLOCK_MIN    ((size_t)256 * 1024)
#define BLOCK_MAX    ((size_t)4096 * 1024)
#define PIECE_LG_MIN 6
#define PIECE_LG_MAX 20

struct piece {
	struct piece *next;
};

/* The header of each block. */
struct block {
	struct block *next;
	size_t size;
};

static struct {
	struct lock lock;
	char *cursor;
	char *end;
	struct block *blocks;
	size_t mapped;
	size_t used;
	size_t next_size;
	bool thp_always;
	bool thp_later;
	char *huge;   /* the current block, if in huge pages */
	size_t nhuge; /* huge pages used in older blocks */
	struct piece *pieces[PIECE_LG_MAX - PIECE_LG_MIN + 1];
} metadata;

#define ROW(field, member) \
	HEAP_ROW(METADATA, field, __typeof__(metadata), member)

static const struct heap_field heap_fields[] = {
	ROW(BLOCKS, blocks),
	ROW(CURSOR, cursor),
	ROW(MAPPED, mapped),
	ROW(USED, used),
	HEAP_ROW(BLOCK, NEXT, struct block, next),
	HEAP_ROW(BLOCK, BYTES, struct block, size),
};

const struct heap_part metadata_heap_part = HEAP_VARIABLE(HEAP_ROOT_METADATA,
    metadata, heap_fields);

AT_START void
metadata_init(void)
{
	lock_init_zeroed(&metadata.lock, LOCK_METADATA);
	metadata.next_size = BLOCK_MIN;
}

AT_START void
metadata_set_thp(bool always, bool later)
{
	/* If the kernel makes no huge pages, large blocks are useless. */
	if (system_info.thp != SYSTEM_THP_MADVISE &&
	    system_info.thp != SYSTEM_THP_ALWAYS)
		return;
	metadata.thp_always = always;
	metadata.thp_later = later;
}

AT_START struct lock *
metadata_lock(void)
{
	return &metadata.lock;
}

static void *
cut_locked(size_t size, size_t align)
{
	size_t lead = lead_to(metadata.cursor, align);
	size_t room = (size_t)(metadata.end - metadata.cursor);
	char *start;

	LOCK_ASSERT_HELD(&metadata.lock);
	if (metadata.cursor == NULL || lead > room || size > room - lead)
		return NULL;
	start = metadata.cursor + lead;
	SET_RELAXED(metadata.cursor, start + size);
	ADD_RELAXED(metadata.used, size);
	return start;
}

/* The number of huge pages of the current block that are used. */
static size_t
huge_used(void)
{
	char *start = READ_RELAXED(metadata.huge);
	char *cursor = READ_RELAXED(metadata.cursor);
	size_t page = system_info.huge_page;

	/* Without the lock, the two values may belong to different blocks. */
	if (start == NULL || cursor < start ||
	    (size_t)(cursor - start) > READ_RELAXED(metadata.mapped))
		return 0;
	return ((size_t)(cursor - start) + page - 1) / page;
}

static bool
wants_huge_locked(void)
{
	LOCK_ASSERT_HELD(&metadata.lock);
	return metadata.thp_always ||
	    (metadata.thp_later && metadata.mapped >= system_info.huge_page);
}

/*
 * Makes a new block the current one. The rest of the old block is never used.
 * It is short, because requests are small compared to blocks.
 */
static void
install_locked(void *addr, size_t size, bool huge)
{
	struct block *block = addr;

	LOCK_ASSERT_HELD(&metadata.lock);
	ADD_RELAXED(metadata.nhuge, huge_used());
	SET_RELAXED(metadata.huge, huge ? addr : NULL);
	block->next = metadata.blocks;
	block->size = size;
	metadata.blocks = block;
	ADD_RELAXED(metadata.mapped, size);
	SET_RELAXED(metadata.cursor, (char *)addr + sizeof(*block));
	metadata.end = (char *)addr + size;
	metadata.next_size = min_size(size * 2, BLOCK_MAX);
}

/*
 * Maps a block of *size bytes, or of fewer: if the address space is nearly used
 * up, a small block is better than none.
 */
static void *
map_block(size_t need, size_t *size)
{
	void *addr;

	for (;;) {
		*size = round_up(max_size(need, *size), system_info.page_size);
		addr = pages_map(*size, system_info.page_size);
		if (addr != NULL || *size <= need + system_info.page_size)
			break;
		*size /= 2;
	}
	return addr == NULL && opt.dss != DSS_DISABLED ? dss_take(*size) : addr;
}

/* Maps a block of huge pages. NULL: the caller uses an ordinary block. */
static void *
map_huge_block(size_t need, size_t *size)
{
	size_t page = system_info.huge_page;
	size_t rounded = round_up(max_size(need, *size), page);
	void *addr = pages_map(rounded, page);

	if (addr == NULL)
		return NULL;
	if (!pages_want_huge(addr, rounded)) {
		pages_unmap(addr, rounded);
		return NULL;
	}
	*size = rounded;
	return addr;
}

AT_START void *
metadata_take(size_t size, size_t align)
{
	void *result, *addr = NULL;
	size_t block_size, need;
	bool huge;

	assert(is_pow2(align) && align <= 65536);
	size = round_up(size, 16);
	need = size + align + sizeof(struct block);
	lock_acquire(&metadata.lock);
	result = cut_locked(size, align);
	block_size = metadata.next_size;
	huge = wants_huge_locked();
	lock_release(&metadata.lock);
	if (result != NULL)
		return result;

	if (huge)
		addr = map_huge_block(need, &block_size);
	huge = addr != NULL;
	if (addr == NULL)
		addr = map_block(need, &block_size);
	/*
	 * A block is used up slowly. In huge pages all of it would be in
	 * memory from the start.
	 */
	if (addr != NULL && !huge && system_info.thp == SYSTEM_THP_ALWAYS)
		pages_refuse_huge(addr, block_size);
	lock_acquire(&metadata.lock);
	/*
	 * Another thread may have installed a block meanwhile. This one
	 * replaces it, because the request of this call surely fits into it.
	 */
	if (addr != NULL)
		install_locked(addr, block_size, huge);
	result = cut_locked(size, align);
	lock_release(&metadata.lock);
	return result;
}

static unsigned
piece_list(size_t size)
{
	unsigned lg = lg_ceil(size);

	return lg < PIECE_LG_MIN ? 0 : lg - PIECE_LG_MIN;
}

void *
metadata_take_piece(size_t size)
{
	unsigned list = piece_list(size);
	struct piece *piece;

	assert(list < ARRAY_LEN(metadata.pieces));
	lock_acquire(&metadata.lock);
	piece = metadata.pieces[list];
	if (piece != NULL)
		metadata.pieces[list] = piece->next;
	lock_release(&metadata.lock);
	if (piece != NULL)
		return piece;
	return metadata_take((size_t)1 << (list + PIECE_LG_MIN), CACHELINE);
}

void
metadata_give_piece(void *addr, size_t size)
{
	unsigned list = piece_list(size);
	struct piece *piece = addr;

	lock_acquire(&metadata.lock);
	piece->next = metadata.pieces[list];
	metadata.pieces[list] = piece;
	lock_release(&metadata.lock);
}

struct metadata_stats
metadata_stats(void)
{
	return (struct metadata_stats){ READ_RELAXED(metadata.mapped),
		READ_RELAXED(metadata.used),
		READ_RELAXED(metadata.nhuge) + huge_used() };
}

const void *
metadata_next(const void *block, size_t *size)
{
	const struct block *next;

	lock_acquire(&metadata.lock);
	next = block == NULL ? metadata.blocks
			     : ((const struct block *)block)->next;
	*size = next == NULL ? 0 : next->size;
	lock_release(&metadata.lock);
	return next;
}

bool
metadata_contains(const void *addr)
{
	const char *p = addr;
	bool found = false;

	lock_acquire(&metadata.lock);
	for (struct block *b = metadata.blocks; b != NULL && !found;
	     b = b->next)
		found = p >= (char *)b && p < (char *)b + b->size;
	lock_release(&metadata.lock);
	return found;
}
