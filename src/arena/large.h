/*
 * large: large objects, each of which is an extent of its own.
 *
 * Owns:       counters of an arena's large objects.
 * Invariants: the page map's kind at the first unit is that of the object's
 *             cache bin if a cache may take it, and KIND_LARGE if not.
 *             extent.usable is the size that the user may use. Pages of the
 *             extent behind it are room: the object may grow into them. With
 *             opt.guard_large one more page follows, and one comes before if
 *             the alignment is that of a page; if `guarded`, nobody can touch
 *             them. In a sealed extent, nobody can touch any page.
 * Locking:    `lock` (LOCK_LARGE) for the counters; the extent belongs to the
 *             owner of the object.
 */
#ifndef ARENA_LARGE_H
#define ARENA_LARGE_H

#include "extent/extent.h"
#include "os/lock.h"

struct page_source;

#define LARGE_CLASSES_MAX (SIZE_CLASSES - SMALL_CLASSES)

struct large_class_stats {
	uint64_t nmalloc;
	uint64_t ndalloc;
	uint64_t nfills; /* how many of nmalloc were for a cache */
};

struct large {
	struct lock lock;
	size_t allocated; /* usable bytes of all objects taken */
	struct large_class_stats classes[LARGE_CLASSES_MAX];
};

/* `large` is all zero. */
void large_init(struct large *large);

struct large_request {
	size_t usable; /* bytes, multiple of the unit */
	size_t align;  /* power of two */
	size_t asked;  /* of these, bytes that the program wants */
	size_t moved;  /* of these, the first ones get other pages */
	size_t room;   /* bytes behind these to grow into, if there are any */
	bool zero;
	bool cached; /* may a thread's cache take it when freed? */
	bool fill;   /* is it for a cache now? */
};

/* An object, or NULL. */
struct extent *large_take(struct large *large, struct page_source *pages,
    const struct large_request *request);

/*
 * Makes the bytes [from, to) of an object zero. If they are many
 * (opt.calloc_madvise_threshold), the kernel does it: what the program never
 * touches takes no memory.
 */
void large_clear(struct page_source *pages, const struct extent *e, size_t from,
    size_t to);

/* From now on nobody finds the object: the program has freed it. */
void large_hide(struct extent *e);

void large_give(struct large *large, struct page_source *pages,
    struct extent *e);

/* From this size on freed objects are sealed or purged, not wiped at once. */
#define LARGE_SEALED_MIN ((size_t)256 << 10)

/*
 * Wipes an object that the program has freed. If it goes into the quarantine
 * (`hold`), and with opt.guard_large, a long one is `sealed` instead: an access
 * causes a fault. It is wiped before its next use. For other long objects the
 * kernel drops the contents.
 */
void large_wipe(const struct page_source *pages, struct extent *e, bool hold);

/*
 * How many bytes of an object that is not sealed are wiped, from its start:
 * those that the program may have written, and the canary.
 */
size_t large_wiped(const struct extent *e);

/* The extent of the large object that starts at `object`, or NULL. */
struct extent *large_find(const void *object);

/**
 * Gives an object another usable size without moving it.
 * @return  false: that is not possible; it stays as it was
 */
bool large_resize(struct large *large, struct page_source *pages,
    struct extent *e, const struct large_request *request);

/**
 * Moves the contents of `from` to `to` by changing page tables, and gives
 * `from` back.
 * @return  false: that is not possible, nothing has changed; copy instead
 */
bool large_move(struct large *large, struct page_source *pages,
    struct extent *from, struct extent *to);

/*
 * Count an object that was taken, perhaps to fill a cache, or given back. It
 * may also lie outside the arena's pages and be of any class: a guarded object
 * (src/guard).
 */
void large_count_taken(struct large *large, size_t usable, bool fill);
void large_count_given(struct large *large, size_t usable);

/* The index into `classes` of a usable size. */
unsigned large_class_of(size_t usable);

#endif
