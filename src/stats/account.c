#include "stats/account.h"

#include "os/file.h"
#include "os/system.h"
#include "stats/snapshot.h"

const char *const account_names[ACCOUNT_PARTS] = {
	"live",
	"caches",
	"holes",
	"rounding",
	"dirty",
	"muzzy",
	"metadata",
	"rest",
};

static uint64_t
next_number(const char **text)
{
	uint64_t number = 0;

	while (**text == ' ')
		++*text;
	for (; **text >= '0' && **text <= '9'; ++*text)
		number = number * 10 + (uint64_t)(**text - '0');
	return number;
}

/*
 * Figures are read one after the other while threads run, so a difference of
 * two could be negative. It counts as 0.
 */
static int64_t
less(uint64_t a, uint64_t b)
{
	return a > b ? (int64_t)(a - b) : 0;
}

/*
 * Bytes of the pages in memory, without those of files. Other files in /proc
 * are more exact, but for a large process the kernel needs a long time to make
 * them.
 */
static uint64_t
anonymous_memory(void)
{
	char buf[128];
	const char *text = buf;
	uint64_t resident, shared;

	if (file_read("/proc/self/statm", buf, sizeof(buf)) <= 0)
		return 0;
	next_number(&text);
	resident = next_number(&text);
	shared = next_number(&text);
	return (uint64_t)less(resident, shared) * system_info.page_size;
}

static size_t
free_regions(const struct arena_stats *stats)
{
	size_t sum = 0;

	for (unsigned i = 0; i < SMALL_CLASSES; i++) {
		size_t all = stats->bins[i].stats.curslabs *
		    size_class_tables.slab[i].nregions;

		if (all > stats->bins[i].curregs)
			sum += (all - stats->bins[i].curregs) *
			    small_class_size(i);
	}
	return sum;
}

struct account
account_make(const struct stats_snapshot *snapshot)
{
	const struct arena_stats *merged = &snapshot->merged;
	const struct stats_totals *totals = &snapshot->totals;
	size_t page = system_info.page_size;
	size_t holes = free_regions(merged);
	struct account account;
	int64_t *part = account.part;
	uint64_t sum = 0, process = anonymous_memory();

	part[ACCOUNT_LIVE] = less(totals->allocated, merged->tcache_bytes);
	part[ACCOUNT_CACHES] = (int64_t)totals->allocated - part[ACCOUNT_LIVE];
	part[ACCOUNT_HOLES] = (int64_t)holes;
	part[ACCOUNT_ROUNDING] = less(totals->active,
	    totals->allocated + holes);
	part[ACCOUNT_DIRTY] = (int64_t)(merged->pdirty * page);
	part[ACCOUNT_MUZZY] = (int64_t)(merged->pmuzzy * page);
	part[ACCOUNT_METADATA] = (int64_t)totals->metadata;
	for (unsigned i = 0; i < ACCOUNT_REST; i++)
		sum += (uint64_t)part[i];
	if (process == 0)
		process = sum;
	part[ACCOUNT_REST] = less(process, sum);
	account.untouched = less(sum, process);
	account.process = (int64_t)process;
	return account;
}
