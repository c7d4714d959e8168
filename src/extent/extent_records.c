#include "extent/extent_records.h"

#include <assert.h>
#include <string.h>

#include "conf/options.h"
#include "extent/extent.h"
#include "extent/metadata.h"
#include "os/lock.h"
#include "os/pages.h"
#include "os/system.h"
#include "util/list.h"

/* How many pages without used records stay in memory. */
#define EMPTY_KEPT 8
/* Records returned, and pages purged, under one acquisition of the lock. */
#define GIVE_BATCH  64
#define PURGE_BATCH 128

/*
 * A page of records starts with this instead of its first record. A purged page
 * can't store anything, so its address is kept in a directory: an empty page
 * with addresses instead of records.
 */
struct records_page {
	struct list link; /* in `partial`: some of its records are free */
	struct records_page *next; /* in `empty` or `directory` */
	struct extent *free;
	unsigned nfree;
	unsigned naddrs; /* in `directory`: addresses behind this */
};

static_assert(sizeof(struct records_page) <= sizeof(struct extent),
    "it replaces a record");

static struct {
	struct lock lock;
	struct list partial;
	struct records_page *empty;
	struct records_page *directory;
	size_t nempty;
	size_t nfree;
	size_t made;
	size_t npurged;
	size_t keep; /* don't purge below this many empty pages */
	size_t size; /* of a record */
} records;

AT_START void
extent_records_init(void)
{
	lock_init_zeroed(&records.lock, LOCK_RECORDS);
	list_init(&records.partial);
	records.size = extent_record_size(system_info.page_size);
	/* Where a slab's ledger is, see arena/ledger. */
	if (options_need_ledgers())
		records.size += CACHELINE;
	records.keep = EMPTY_KEPT;
}

AT_START struct lock *
extent_records_lock(void)
{
	return &records.lock;
}

static size_t
page_size(void)
{
	return system_info.page_size;
}

static unsigned
page_capacity(void)
{
	return (unsigned)(page_size() / records.size) - 1;
}

static struct extent *
page_record(struct records_page *page, unsigned i)
{
	return (struct extent *)(void *)((char *)page + (i + 1) * records.size);
}

static struct records_page *
page_of(struct extent *e)
{
	return (struct records_page *)(void *)((char *)e -
	    (uintptr_t)e % page_size());
}

static char **
page_addrs(struct records_page *page)
{
	return (char **)(void *)(page + 1);
}

static unsigned
page_addrs_max(void)
{
	return (unsigned)((page_size() - sizeof(struct records_page)) /
	    sizeof(char *));
}

static void
add_empty_locked(struct records_page *page)
{
	LOCK_ASSERT_HELD(&records.lock);
	page->next = records.empty;
	records.empty = page;
	records.nempty++;
}

/* Takes an empty page out of the list; NULL: there is none. */
static struct records_page *
pop_empty_locked(void)
{
	struct records_page *page = records.empty;

	LOCK_ASSERT_HELD(&records.lock);
	if (page != NULL) {
		records.empty = page->next;
		records.nempty--;
	}
	return page;
}

/* Makes all records of a page free; the page is new, or nobody uses them. */
static void
fill_locked(struct records_page *page)
{
	LOCK_ASSERT_HELD(&records.lock);
	page->free = NULL;
	page->naddrs = 0;
	page->nfree = page_capacity();
	for (unsigned i = page->nfree; i > 0; i--) {
		struct extent *e = page_record(page, i - 1);

		e->next = page->free;
		page->free = e;
	}
	ADD_RELAXED(records.nfree, page->nfree);
}

/*
 * Takes a purged page back into use. When a directory has no addresses left,
 * it is itself used as a page of records. NULL: there is neither.
 */
static struct records_page *
take_purged_locked(void)
{
	struct records_page *directory = records.directory, *page;

	LOCK_ASSERT_HELD(&records.lock);
	if (directory == NULL)
		return NULL;
	if (directory->naddrs == 0) {
		records.directory = directory->next;
		page = directory;
		/*
		 * A record that was never used has to be zero, because stale
		 * pointers may read it. Here it still has old addresses.
		 */
		memset(page, 0, page_size());
	} else {
		page = (struct records_page *)(void *)
		    page_addrs(directory)[--directory->naddrs];
		ADD_RELAXED(records.npurged, (size_t)-1);
	}
	fill_locked(page);
	return page;
}

/* A page with a free record, which is in `partial`; NULL: there is none. */
static struct records_page *
find_page_locked(void)
{
	struct records_page *page;

	LOCK_ASSERT_HELD(&records.lock);
	if (!list_empty(&records.partial))
		return container_of(records.partial.next, struct records_page,
		    link);
	page = pop_empty_locked();
	if (page == NULL)
		page = take_purged_locked();
	if (page != NULL)
		list_push_back(&records.partial, &page->link);
	return page;
}

static unsigned
take_free(struct extent **chain, unsigned count)
{
	struct records_page *page;
	unsigned got = 0;

	lock_acquire(&records.lock);
	while (got < count && (page = find_page_locked()) != NULL) {
		struct extent *e = page->free;

		page->free = e->next;
		if (--page->nfree == 0)
			list_remove(&page->link);
		e->next = *chain;
		*chain = e;
		got++;
	}
	ADD_RELAXED(records.nfree, (size_t)0 - got);
	lock_release(&records.lock);
	return got;
}

static bool
make_page(void)
{
	struct records_page *page = metadata_take(page_size(), page_size());

	if (page == NULL)
		return false;
	lock_acquire(&records.lock);
	fill_locked(page);
	ADD_RELAXED(records.made, page->nfree);
	add_empty_locked(page);
	lock_release(&records.lock);
	return true;
}

unsigned
extent_records_take(struct extent **chain, unsigned count)
{
	unsigned got = take_free(chain, count);

	while (got < count && make_page())
		got += take_free(chain, count - got);
	return got;
}

static void
give_locked(struct extent *e)
{
	struct records_page *page = page_of(e);

	LOCK_ASSERT_HELD(&records.lock);
	e->next = page->free;
	page->free = e;
	page->nfree++;
	if (page->nfree == 1)
		list_push_back(&records.partial, &page->link);
	if (page->nfree == page_capacity()) {
		list_remove(&page->link);
		add_empty_locked(page);
	}
	ADD_RELAXED(records.nfree, 1);
}

void
extent_records_give(struct extent *chain)
{
	while (chain != NULL) {
		lock_acquire(&records.lock);
		for (unsigned i = 0; i < GIVE_BATCH && chain != NULL; i++) {
			struct extent *next = chain->next;

			give_locked(chain);
			chain = next;
		}
		lock_release(&records.lock);
	}
}

/* --- back to the kernel --------------------------------------------------- */

/* Takes up to PURGE_BATCH empty pages out of the list; returns how many. */
static unsigned
take_empty(char **pages)
{
	unsigned n = 0;

	lock_acquire(&records.lock);
	while (n < PURGE_BATCH && records.nempty > records.keep)
		pages[n++] = (char *)pop_empty_locked();
	/* Nobody can take these records now, so they don't count as free. */
	ADD_RELAXED(records.nfree, (size_t)0 - (size_t)n * page_capacity());
	lock_release(&records.lock);
	return n;
}

/*
 * Insertion sort, because the pages are few and mostly in order, and qsort() of
 * the C library may allocate.
 */
static void
sort(char **pages, unsigned n)
{
	for (unsigned i = 1; i < n; i++) {
		char *page = pages[i];
		unsigned k = i;

		for (; k > 0 && pages[k - 1] > page; k--)
			pages[k] = pages[k - 1];
		pages[k] = page;
	}
}

/*
 * The slot for the next address of a purged page. When the directory is full,
 * an empty page becomes the next one; NULL: there is none.
 */
static char **
directory_slot_locked(void)
{
	struct records_page *page = records.directory;

	LOCK_ASSERT_HELD(&records.lock);
	if (page == NULL || page->naddrs == page_addrs_max()) {
		page = pop_empty_locked();
		if (page == NULL)
			return NULL;
		ADD_RELAXED(records.nfree, (size_t)0 - (size_t)page_capacity());
		page->next = records.directory;
		page->naddrs = 0;
		records.directory = page;
	}
	return &page_addrs(page)[page->naddrs++];
}

/*
 * Notes the result for a page. A page that the kernel has refused goes back to
 * the empty ones. After a refusal nothing is tried until there are twice as
 * many empty pages, or until a purge succeeds: otherwise each call would ask
 * the kernel for nothing.
 */
static void
note_page(char *page, bool purged)
{
	char **slot;

	lock_acquire(&records.lock);
	slot = purged ? directory_slot_locked() : NULL;
	if (slot != NULL) {
		*slot = page;
		ADD_RELAXED(records.npurged, 1);
	} else {
		fill_locked((struct records_page *)(void *)page);
		add_empty_locked((struct records_page *)(void *)page);
	}
	records.keep = purged ? EMPTY_KEPT
			      : max_size(records.keep, 2 * records.nempty);
	lock_release(&records.lock);
}

/* Purges the pages, adjacent ones with one system call. */
static void
purge_pages(char **pages, unsigned n)
{
	unsigned run;

	sort(pages, n);
	for (unsigned i = 0; i < n; i += run) {
		bool purged;

		for (run = 1; i + run < n &&
		     pages[i + run] == pages[i] + run * page_size();
		     run++)
			;
		purged = pages_purge_forced(pages[i], run * page_size());
		for (unsigned k = i; k < i + run; k++)
			note_page(pages[k], purged);
	}
}

void
extent_records_purge(void)
{
	char *pages[PURGE_BATCH];
	unsigned n;
	size_t tried = 0, most;

	/* Purging a part of a huge page would break it up. */
	if (opt.metadata_thp != METADATA_THP_DISABLED)
		return;
	lock_acquire(&records.lock);
	most = records.nempty;
	lock_release(&records.lock);
	/*
	 * Refused pages are in the empty list again. So tries are counted, to
	 * try each page about once and then stop.
	 */
	for (; tried < most && (n = take_empty(pages)) != 0; tried += n)
		purge_pages(pages, n);
}

struct extent_records_stats
extent_records_stats(void)
{
	return (struct extent_records_stats){
		.made = READ_RELAXED(records.made),
		.size = records.size,
		.spare = READ_RELAXED(records.nfree),
		.purged = READ_RELAXED(records.npurged) * page_size(),
	};
}
