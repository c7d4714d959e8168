#include "api/fork.h"

#include <pthread.h>

#include "api/prof_signal.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "arena/ledger.h"
#include "cache/quarantine.h"
#include "cache/tcache_table.h"
#include "cache/thread.h"
#include "extent/extent_records.h"
#include "extent/limit.h"
#include "extent/metadata.h"
#include "guard/guard_pool.h"
#include "heap/descriptor.h"
#include "os/lock.h"
#include "os/message.h"
#include "os/os_thread.h"
#include "prof/prof_live.h"
#include "prof/prof_names.h"
#include "prof/prof_objects.h"
#include "prof/prof_output.h"
#include "prof/prof_table.h"
#include "prof/prof_log.h"
#include "prof/prof_watch.h"
#include "stats/snapshot.h"
#include "upkeep/background.h"

static struct {
	struct lock lock;
	bool held; /* by the fork that is under way: all locks */
} fork_state;

/* Of glibc; others, and older ones, lack them. */
extern WEAK char __libc_single_threaded;
WEAK void _IO_list_lock(void);
WEAK void _IO_list_unlock(void);
WEAK void _IO_list_resetlock(void);

/*
 * Has the process no other thread? Then nobody else holds a lock or is in the
 * middle of a change. The caller may be, if its signal handler forks: it goes
 * on in both processes, so everything must stay as it is.
 */
static bool
is_alone(void)
{
	return &__libc_single_threaded != NULL && __libc_single_threaded != 0 &&
	    thread_living() <= 1;
}

static void
arena_step(struct arena *arena, void *step)
{
	arena_fork(arena, *(void (**)(struct lock *))step);
}

/* The last of these protects the table of arenas, which the next part reads. */
static void
each_outer_lock(void (*step)(struct lock *))
{
	step(&fork_state.lock);
	step(background_lock());
	step(tcache_table_lock());
	step(thread_lock());
	step(thread_event_lock());
	step(limit_lock());
	step(quarantine_lock());
	step(arena_table_lock());
}

static void
each_inner_lock(void (*step)(struct lock *))
{
	arena_table_each_locked(arena_step, &step);
	step(extent_records_lock());
	step(ledger_lock());
	step(prof_names_lock());
	prof_live_fork(step);
	step(prof_table_lock());
	step(prof_objects_lock());
	prof_watch_each_lock(step);
	step(guard_pool_lock());
	step(snapshot_lock());
	step(metadata_lock());
}

static void
prepare(void)
{
	if (is_alone())
		return;
	/*
	 * fork() takes this lock of the C library after us, if nobody has it. A
	 * thread that has it may wait for a stream, and who has the stream for
	 * memory, that is, for us. So we take it first; it counts its owner's
	 * calls.
	 */
	if (_IO_list_lock != NULL)
		_IO_list_lock();
	background_fork_prepare();
	each_outer_lock(lock_fork_hold);
	each_inner_lock(lock_fork_hold);
	lock_fork_owner(os_thread_self());
	descriptor_set_forking(true);
	fork_state.held = true;
}

/* Inner locks first: no arena may come or go until all their locks are free. */
static void
parent(void)
{
	if (!fork_state.held)
		return;
	fork_state.held = false;
	descriptor_set_forking(false);
	lock_fork_owner(0);
	each_inner_lock(lock_fork_parent);
	each_outer_lock(lock_fork_parent);
	background_fork_parent();
	if (_IO_list_unlock != NULL)
		_IO_list_unlock();
}

/* The child has one thread, so the numbers of threads are counted again. */
static void
recount_threads(struct arena *arena, void *context)
{
	const struct thread *survivor = context;

	arena->nthreads = thread_is_own(survivor) &&
	    survivor->tcache.arena == arena;
}

static void
arena_child(struct arena *arena, void *unused)
{
	(void)unused;
	arena_fork_child(arena);
}

/* Another process, but all else is as it was. */
static void
child_alone(void)
{
	thread_fork_alone(thread_self);
	background_fork_alone();
	message_fork_child();
}

static void
child(void)
{
	if (!fork_state.held) {
		child_alone();
		return;
	}
	fork_state.held = false;
	/* The C library has made it anew, if it takes it at all. */
	if (_IO_list_resetlock != NULL)
		_IO_list_resetlock();
	lock_fork_owner(0);
	arena_table_each_locked(recount_threads, thread_self);
	thread_fork_child(thread_self);
	each_inner_lock(lock_fork_child);
	each_outer_lock(lock_fork_child);
	prof_log_fork_child();
	prof_output_fork_child();
	arena_table_fork_child();
	arena_table_each_locked(arena_child, NULL);
	guard_pool_fork_child();
	background_fork_child();
	prof_signal_fork_child();
	message_fork_child();
	descriptor_set_forking(false);
}

AT_START void
fork_init(void)
{
	lock_init_zeroed(&fork_state.lock, LOCK_FORK);
}

AT_START void
fork_register(void)
{
	pthread_atfork(prepare, parent, child);
}
