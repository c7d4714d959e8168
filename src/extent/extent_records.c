#include "extent/extent_records.h"

#include <stdatomic.h>

#include "extent/extent.h"
#include "extent/metadata.h"
#include "os/lock.h"

#define BATCH 16

static struct {
	struct lock lock;
	struct extent *free;
	size_t nfree;
	_Atomic size_t made;
} records;

void
extent_records_init(void)
{
	lock_init(&records.lock, LOCK_RECORDS);
}

struct lock *
extent_records_lock(void)
{
	return &records.lock;
}

static unsigned
take_free(struct extent **chain, unsigned count)
{
	unsigned got = 0;

	lock_acquire(&records.lock);
	while (got < count && records.free != NULL) {
		struct extent *e = records.free;

		records.free = e->next;
		e->next = *chain;
		*chain = e;
		got++;
	}
	ADD_RELAXED(records.nfree, (size_t)0 - got);
	lock_release(&records.lock);
	return got;
}

unsigned
extent_records_take(struct extent **chain, unsigned count)
{
	unsigned got = take_free(chain, count);

	while (got < count) {
		unsigned n = count - got < BATCH ? count - got : BATCH;
		struct extent *batch = metadata_take(n * sizeof(*batch),
		    CACHELINE);

		if (batch == NULL) {
			n = 1;
			batch = metadata_take(sizeof(*batch), CACHELINE);
		}
		if (batch == NULL)
			break;
		for (unsigned i = 0; i < n; i++) {
			batch[i].next = *chain;
			*chain = &batch[i];
		}
		got += n;
		atomic_fetch_add_explicit(&records.made, n,
		    memory_order_relaxed);
	}
	return got;
}

void
extent_records_give(struct extent *chain)
{
	lock_acquire(&records.lock);
	while (chain != NULL) {
		struct extent *next = chain->next;

		chain->next = records.free;
		records.free = chain;
		chain = next;
		ADD_RELAXED(records.nfree, 1);
	}
	lock_release(&records.lock);
}

struct extent_records_stats
extent_records_stats(void)
{
	return (struct extent_records_stats){
		.made = atomic_load_explicit(&records.made,
		    memory_order_relaxed),
		.spare = READ_RELAXED(records.nfree),
	};
}
