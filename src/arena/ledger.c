#include "arena/ledger.h"

#include <string.h>

#include "arena/wipe.h"
#include "conf/options.h"
#include "extent/metadata.h"
#include "os/lock.h"
#include "os/system.h"

static struct {
	struct lock lock;
	struct ledger *spare[SMALL_CLASSES_MAX];
} ledgers;

size_t ledger_offset = sizeof(struct extent);

AT_START void
ledger_init(void)
{
	ledger_offset = extent_record_size(system_info.page_size);
	lock_init_zeroed(&ledgers.lock, LOCK_LEDGER);
}

AT_START struct lock *
ledger_lock(void)
{
	return &ledgers.lock;
}

static size_t
entries_size(unsigned size_class)
{
	return size_class_tables.slab[size_class].nregions * sizeof(uint16_t);
}

static struct ledger *
take_spare(unsigned size_class)
{
	struct ledger *ledger;

	lock_acquire(&ledgers.lock);
	ledger = ledgers.spare[size_class];
	if (ledger != NULL)
		ledgers.spare[size_class] = ledger->next;
	lock_release(&ledgers.lock);
	return ledger;
}

bool
ledger_begin(struct extent *slab, unsigned size_class)
{
	struct ledger *ledger;

	if (!options_need_ledgers())
		return true;
	ledger = take_spare(size_class);
	if (ledger == NULL)
		ledger = metadata_take(sizeof(*ledger) +
			entries_size(size_class),
		    CACHELINE / 2);
	if (ledger == NULL)
		return false;
	/* LEDGER_FREED, or LEDGER_NEW. */
	memset((void *)ledger->entry, wipe_is_on() ? 0xff : 0,
	    entries_size(size_class));
	if (wipe_is_on() && (!slab->zeroed || opt.junk_free))
		wipe_long(slab->addr, slab->size);
	if (ledger->random == 0) {
		system_random(&ledger->random, sizeof(ledger->random));
		ledger->random |= 1;
	}
	*ledger_slot(slab) = ledger;
	return true;
}

void
ledger_end(struct extent *slab)
{
	struct ledger *ledger;

	if (!options_need_ledgers())
		return;
	ledger = *ledger_slot(slab);
	lock_acquire(&ledgers.lock);
	ledger->next = ledgers.spare[slab->size_class];
	ledgers.spare[slab->size_class] = ledger;
	lock_release(&ledgers.lock);
}
