/*
 * prof_log: the life of each sample that begins and ends while a log runs, for
 * a file at the end of the log.
 *
 * Owns:       the lives, and the numbers of threads and stacks in the file.
 * Invariants: all is in memory until the log ends: 40 bytes for each sample
 *             that has ended, and each thread and each stack once. What there
 *             is no memory for is left out, and its number is told at the end. A log that can't be written is gone.
 * Locking:    LOCK_PROF_LOG. Memory is fetched, and the file written, without.
 */
#ifndef PROF_PROF_LOG_H
#define PROF_PROF_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "prof/prof_table.h"
#include "util/compiler.h"

struct lock;
struct prof_trace;

/* Of a thread that has no record any more. */
#define PROF_NO_THREAD	UINT64_MAX

/* Who took or gave an object, when and where. */
struct prof_deed {
	uint64_t thread;		/* its number */
	uint64_t ns;
	struct prof_trace *trace;	/* NULL: unknown */
	char name[PROF_NAME_SIZE];	/* of the thread, then */
};

struct prof_life {
	uint32_t run;			/* prof_log_run() at its beginning */
	size_t usable;
	struct prof_deed taken;
	struct prof_deed given;
};

/* Which log is running; 0: none. */
extern HIDDEN _Atomic uint32_t prof_log_current;

static inline uint32_t
prof_log_run(void)
{
	return atomic_load_explicit(&prof_log_current, memory_order_acquire);
}

void prof_log_init(void);

/**
 * Starts a log.
 * @param path  of its file, or NULL for one that is named at the end
 * @return      false: one is running, or the name is too long
 */
bool prof_log_start(const char *path);

/*
 * The name of the `number`-th log that was started without one, into PATH_MAX
 * bytes; false: there are no such names.
 */
typedef bool prof_log_namer(char *path, uint64_t number);

/**
 * Ends it and writes the file.
 * @param lg_sample  of the profile, for the file
 * @return           0; ENOENT: none was running; or why it can't be written
 */
int prof_log_stop(prof_log_namer *namer, unsigned lg_sample);

/*
 * Is it for this process to write the running log at its end? Not if it is a
 * child of the one that has named the file.
 */
bool prof_log_is_own(void);

/* A life has ended; kept if its log is the one that is running. */
void prof_log_add(const struct prof_life *life);

/* In the child of a fork: nobody is writing. */
void prof_log_fork_child(void);

struct lock *prof_log_lock(void);

#endif
