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
	struct kept *next;	/* newer, or to be dropped next */
	uint64_t live;
	bool queued;		/* one of the newest */
	struct file_identity identity;
	char path[];
};

/* Protected by prof_names_lock(). */
static struct {
	struct kept *oldest;
	struct kept *newest;
	struct kept *peak;	/* may be queued, too */
	int64_t count;		/* queued ones */
	uint32_t process;	/* that has written them */
} kept;

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
	*new = (struct kept){ .live = live, .queued = true,
		.identity = identity };
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
shorten_locked(struct kept **dropped)
{
	struct kept *old = kept.oldest;

	LOCK_ASSERT_HELD(prof_names_lock());
	kept.oldest = old->next;
	if (kept.oldest == NULL)
		kept.newest = NULL;
	kept.count--;
	old->queued = false;
	if (old != kept.peak)
		drop(old, dropped);
}

static void
enter_locked(struct kept *new, int64_t most, struct kept **dropped)
{
	struct kept *peak = kept.peak;

	LOCK_ASSERT_HELD(prof_names_lock());
	if (kept.newest == NULL)
		kept.oldest = new;
	else
		kept.newest->next = new;
	kept.newest = new;
	kept.count++;
	if (peak == NULL || new->live >= peak->live) {
		kept.peak = new;
		if (peak != NULL && !peak->queued)
			drop(peak, dropped);
	}
	while (kept.count > most)
		shorten_locked(dropped);
}

/* In a child of fork: the list is of the parent's files. */
static void
forget_locked(struct kept **dropped)
{
	LOCK_ASSERT_HELD(prof_names_lock());
	if (kept.peak != NULL && !kept.peak->queued)
		drop(kept.peak, dropped);
	kept.peak = NULL;
	while (kept.oldest != NULL)
		shorten_locked(dropped);
}

static void
end(struct kept *dropped, bool remove)
{
	struct kept *next;

	for (; dropped != NULL; dropped = next) {
		next = dropped->next;
		if (remove)
			file_remove(dropped->path, &dropped->identity);
		metadata_give_piece(dropped, sizeof(*dropped) +
		    strlen(dropped->path) + 1);
	}
}

void
prof_kept_add(const char *path, uint64_t live, int64_t most)
{
	struct kept *dropped = NULL, *foreign = NULL, *new;
	uint32_t process = os_process_id();

	if (most < 0)
		return;
	new = make(path, live);
	if (new == NULL)
		return;
	lock_acquire(prof_names_lock());
	if (kept.process != process)
		forget_locked(&foreign);
	kept.process = process;
	enter_locked(new, most, &dropped);
	lock_release(prof_names_lock());
	end(foreign, false);
	end(dropped, true);
}
