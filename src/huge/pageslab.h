/*
 * pageslab: as many pages as a huge page has, and which of them are in use.
 *
 * Owns:       struct pageslab; its two bitmaps, with one bit for each page.
 * Invariants: `nactive`, `nidle` and `longest` follow from the bitmaps. A page
 *             that is neither active nor touched has no memory, unless the
 *             range is huge.
 * Locking:    the lock of the shard that it belongs to.
 *
 *	active   1 1 1 0 0 0 1 1 0 0 0 0	handed out
 *	touched  1 1 1 1 0 0 1 1 1 1 0 0	handed out once, and not
 *						purged since then
 *	               ^         ^ ^		dirty; in a huge page every
 *						page that is not active
 */
#ifndef HUGE_PAGESLAB_H
#define HUGE_PAGESLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/list.h"
#include "util/tree.h"

struct extent;

/* The last advice that the kernel got about the range. */
enum huge_advice { HUGE_ADVICE_NONE, HUGE_ADVICE_WANT, HUGE_ADVICE_REFUSE };

/* An operation on a pageslab that is wanted, but has to wait for a while. */
struct pageslab_wait {
	struct list node;  /* in a list of the shard while it waits */
	uint64_t since_ns; /* 0: it began after the last tick */
	bool wanted;       /* the operation is wanted */
	bool ripe;         /* it has waited long enough */
};

struct pageslab {
	struct extent *range; /* the pages, as the page source gave them */
	char *addr;
	struct tree_node place; /* among those with a free run as long */
	struct tree_node order; /* among those to purge */
	struct list all;        /* in the list of all pageslabs of the shard */
	struct pageslab_wait hugify;
	struct pageslab_wait purge;
	enum huge_advice advice;
	bool huge;    /* assumed to be one huge page */
	bool busy;    /* in a system call: nothing may be taken */
	bool placed;  /* `place` is in use */
	bool ordered; /* `order` is in use */
	unsigned npages;
	unsigned nactive;
	unsigned ntouched;
	unsigned nidle;    /* touched and not active */
	unsigned longest;  /* pages of the longest run that is free */
	uint64_t *touched; /* lies behind the other bitmap */
	uint64_t active[];
};

/* Means "no run". */
#define PAGESLAB_NONE UINT32_MAX

struct pageslab_run {
	unsigned at;    /* index of the first page */
	unsigned count; /* pages */
};

/* The size of a record for `npages` pages, in bytes. */
size_t pageslab_size(unsigned npages);

/* Makes it empty; `touched`: its pages may have memory and contents. */
void pageslab_init(struct pageslab *slab, unsigned npages, bool touched);

/* The lowest free run of `count` pages, or PAGESLAB_NONE. */
unsigned pageslab_find(const struct pageslab *slab, unsigned count);

/* Are these pages free? */
bool pageslab_is_free(const struct pageslab *slab, struct pageslab_run run);

/* Takes a free run; true if its bytes are zero. */
bool pageslab_use(struct pageslab *slab, struct pageslab_run run);

void pageslab_free(struct pageslab *slab, struct pageslab_run run);

/* Pages that are free and in memory. */
unsigned pageslab_ndirty(const struct pageslab *slab);

/**
 * The next run at or above page `from` that is worth purging. Its pages are
 * free, and the first and the last have memory; pages between may have none.
 * @return  false if there is none
 */
bool pageslab_next_dirty(const struct pageslab *slab, unsigned from,
    struct pageslab_run *run);

/* Notes that the free pages of a run have been purged. */
void pageslab_clean(struct pageslab *slab, struct pageslab_run run);

/*
 * It is no huge page any more. All its pages had memory as parts of the huge
 * page, and keep it, so they all count as touched.
 */
void pageslab_break(struct pageslab *slab);

void pageslab_check(const struct pageslab *slab);

#endif
