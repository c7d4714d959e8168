#include "extent/spare_records.h"

#include <assert.h>
#include <stddef.h>

#include "extent/extent.h"
#include "extent/extent_records.h"
#include "os/lock.h"

#define BATCH 16 /* fetched beyond what is wanted, and kept */
#define MOST  128

struct extent *
spare_records_take(struct spare_records *spares)
{
	struct extent *e = spares->first;

	assert(e != NULL);
	spares->first = e->next;
	spares->count--;
	return e;
}

void
spare_records_give(struct spare_records *spares, struct extent *e)
{
	e->next = spares->first;
	spares->first = e;
	spares->count++;
}

static void
give_chain(struct spare_records *spares, struct extent *chain)
{
	while (chain != NULL) {
		struct extent *next = chain->next;

		spare_records_give(spares, chain);
		chain = next;
	}
}

bool
spare_records_lock(struct spare_records *spares, struct lock *lock,
    unsigned least, unsigned wanted)
{
	unsigned fetched;

	lock_acquire(lock);
	if (likely(spares->count >= wanted))
		return true;
	do {
		struct extent *chain = NULL;

		lock_release(lock);
		fetched = extent_records_take(&chain, wanted + BATCH);
		lock_acquire(lock);
		give_chain(spares, chain);
		/* Other threads may have used them without the lock held. */
	} while (spares->count < least && fetched != 0);
	if (spares->count >= least)
		return true;
	lock_release(lock);
	return false;
}

void
spare_records_shed(struct spare_records *spares, struct lock *lock)
{
	struct extent *chain, *last;

	lock_acquire(lock);
	if (spares->count <= MOST) {
		lock_release(lock);
		return;
	}
	chain = spares->first;
	spares->first = NULL;
	spares->count = 0;
	lock_release(lock);
	last = chain;
	for (unsigned i = 1; i < BATCH; i++)
		last = last->next;
	extent_records_give(last->next);
	last->next = NULL;
	lock_acquire(lock);
	give_chain(spares, chain);
	lock_release(lock);
	extent_records_purge();
}

void
spare_records_fini(struct spare_records *spares)
{
	extent_records_give(spares->first);
	spares->first = NULL;
	spares->count = 0;
}
