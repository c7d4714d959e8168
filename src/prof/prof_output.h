/*
 * prof_output: dumps of the heap profile and its log, and how they are called.
 *
 * Owns:       the prefix and the numbers of automatic names; when the next
 *             automatic dump is due.
 * Invariants: a number is in one name only.
 * Locking:    LOCK_PROF_NAMES for the prefix. Dumps need none: each has its own
 *             snapshot.
 */
#ifndef PROF_PROF_OUTPUT_H
#define PROF_PROF_OUTPUT_H

#include <stdbool.h>

struct lock;
struct thread;

void prof_output_init(void);

/* Dumps into a file of this name, or of an automatic one (NULL). */
bool prof_dump_now(const char *path);

/* The same under an automatic name, and a message that says which. */
void prof_dump_told(void);

/* What automatic names begin with; "": there are none. */
void prof_set_prefix(const char *prefix);

/*
 * The thread is in a slow path, where it holds no lock: an automatic dump may
 * be due, since so much was allocated (`sampled`: only then is that looked at),
 * or since more is in use than ever.
 */
void prof_output_tick(struct thread *thread, bool sampled);

/* prof.gdump: dump whenever more pages are in use than ever before. */
bool prof_gdump(void);
void prof_set_gdump(bool on);

/* At the end of the process: the last dump, and what has leaked. */
void prof_at_exit(void);

/*
 * The log of samples, see prof_log: into a file of this name, or of an automatic
 * one (NULL), when it is stopped, at the end of the process at the latest. Must
 * not be called while the library starts.
 */
bool prof_output_start_log(const char *path);
/* 0; or an error number, as prof_log_stop() gives it. */
int prof_output_stop_log(void);

struct lock *prof_names_lock(void);

#endif
