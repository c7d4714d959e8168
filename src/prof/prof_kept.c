#include "prof/prof_kept.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "extent/metadata.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/os_thread.h"
#include "prof/prof_names.h"

struct kept {
	struct kept *next; /* newer, or to be dropped next */
	uint64_t live;
	bool queued; /* one of the newest */
	struct file_identity identity;
	char path[];
};

/* Protected by prof_names_lock(). */
static struct series {
	struct kept *oldest;
	struct kept *newest;
	struct kept *peak; /* may be queued, too */
	int64_t count;     /* queued ones */
	uint32_t process;  /* that has written them */
} kept[PROF_SERIES];

static struct kept *
make(const char *path, uint64_t live)
{
	size_t length = strlen(path) + 1;
	struct file_identity identity;
	struct kept *new;

	/* What is no file (a pipe, a terminal) leaves nothing. */
	if (!file_identify(path, &identity))
		return NULL;
	new = metadata_take_piece(sizeof(*new) + length);
	if (new == NULL)
		return NULL;
	*new = (struct kept){
		.live = live, .queued = true, .identity = identity
	};
	memcpy(new->path, path, length);
	return new;
}

static void
drop(struct kept *old, struct kept **dropped)
{
	old->next = *dropped;
	*dropped = old;
}

/* Takes the oldest one out of the queue. */
static void
shorten_locked(struct series *series, struct kept **dropped)
{
	struct kept *old = series->oldest;

	LOCK_ASSERT_HELD(prof_names_lock());
	series->oldest = old->next;
	if (series->oldest == NULL)
		series->newest = NULL;
	series->count--;
	old->queued = false;
	if (old != series->peak)
		drop(old, dropped);
}

static void
enter_locked(struct series *series, struct kept *new, int64_t most,
    struct kept **dropped)
{
	struct kept *peak = series->peak;

	LOCK_ASSERT_HELD(prof_names_lock());
	if (series->newest == NULL)
		series->oldest = new;
	else
		series->newest->next = new;
	series->newest = new;
	series->count++;
	if (peak == NULL || new->live >= peak->live) {
		series->peak = new;
		if (peak != NULL && !peak->queued)
			drop(peak, dropped);
	}
	while (series->count > most)
		shorten_locked(series, dropped);
}

/* In a child of fork: the list is of the parent's files. */
static void
forget_locked(struct series *series, struct kept **dropped)
{
	LOCK_ASSERT_HELD(prof_names_lock());
	if (series->peak != NULL && !series->peak->queued)
		drop(series->peak, dropped);
	series->peak = NULL;
	while (series->oldest != NULL)
		shorten_locked(series, dropped);
}

static void
end(struct kept *dropped, bool remove)
{
	struct kept *next;

	for (; dropped != NULL; dropped = next) {
		next = dropped->next;
		if (remove)
			file_remove(dropped->path, &dropped->identity);
		metadata_give_piece(dropped,
		    sizeof(*dropped) + strlen(dropped->path) + 1);
	}
}

void
prof_kept_add(enum prof_series which, const char *path, uint64_t live,
    int64_t most)
{
	struct series *series = &kept[which];
	struct kept *dropped = NULL, *foreign = NULL, *new;
	uint32_t process = os_process_id();

	if (most < 0)
		return;
	new = make(path, live);
	if (new == NULL)
		return;
	lock_acquire(prof_names_lock());
	if (series->process != process)
		forget_locked(series, &foreign);
	series->process = process;
	enter_locked(series, new, most, &dropped);
	lock_release(prof_names_lock());
	end(foreign, false);
	end(dropped, true);
}
