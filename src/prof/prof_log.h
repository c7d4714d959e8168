/*
 * prof_log: records the samples that begin and end while a log runs, and writes
 * them to a file at the end of the log.
 *
 * Owns:       the entries of the log, and its tables of threads and stacks.
 * Invariants: the log is in memory until it ends: 40 bytes for each sample that
 *             has ended, and each thread and each stack once. Without memory a
 *             sample is left out; a message at the end says how many. If the
 *             file can't be written, the log is lost.
 * Locking:    LOCK_PROF_LOG. It is not held while memory is taken or the file
 *             is written.
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

/* The number of a thread that has no record any more. */
#define PROF_NO_THREAD UINT64_MAX

/* Which thread took or freed an object, when and where. */
struct prof_deed {
	uint64_t thread; /* its number */
	uint64_t ns;
	struct prof_trace *trace;  /* NULL: unknown */
	char name[PROF_NAME_SIZE]; /* the thread's name at that time */
};

struct prof_life {
	uint32_t run; /* prof_log_run() when it began */
	size_t usable;
	struct prof_deed taken;
	struct prof_deed given;
};

/* The number of the running log; 0: no log runs. */
extern HIDDEN _Atomic uint32_t prof_log_current;

static inline uint32_t
prof_log_run(void)
{
	return atomic_load_explicit(&prof_log_current, memory_order_acquire);
}

void prof_log_init(void);

/**
 * Starts a log.
 * @param path  of its file; NULL: the log gets a name at its end
 * @return      false: another log is running, or the name is too long
 */
bool prof_log_start(const char *path);

/*
 * Makes a name, of at most PATH_MAX bytes, for the `number`-th log that was
 * started without one. False: there are no such names.
 */
typedef bool prof_log_namer(char *path, uint64_t number);

/**
 * Ends the log and writes the file.
 * @param lg_sample  of the profile; the file contains it
 * @return           0; ENOENT: no log was running; else why it can't be written
 */
int prof_log_stop(prof_log_namer *namer, unsigned lg_sample);

/*
 * Must this process write the running log at its end? Not if another process
 * has started the log with a name, because that process writes the file.
 */
bool prof_log_is_own(void);

/* Adds a sample that has ended, if it began under the running log. */
void prof_log_add(const struct prof_life *life);

/* To be called in the child of a fork: there nobody writes a file. */
void prof_log_fork_child(void);

struct lock *prof_log_lock(void);

#endif
