/*
 * prof_output: writes dumps and the log of the heap profile.
 *
 * Owns:       the counters that show when an automatic dump is due, and those
 *             of the dumps that failed.
 * Invariants: of automatic dumps that fail, each reason is told once.
 * Locking:    none: each dump has its own snapshot.
 */
#ifndef PROF_PROF_OUTPUT_H
#define PROF_PROF_OUTPUT_H

#include <stdbool.h>

struct thread;

void prof_output_init(void);

/* Dumps into a file with this name. NULL: an automatic name. */
bool prof_dump_now(const char *path);

/*
 * Dumps which stacks keep slabs that are mostly empty; see prof_holes. NULL: an
 * automatic name. Needs opt.prof_holes.
 */
bool prof_dump_holes(const char *path);

/*
 * Dumps under an automatic name, and says in a message which one. With
 * opt.prof_holes this and prof_at_exit() also dump the holes.
 */
void prof_dump_told(void);

/*
 * Makes an automatic dump if one is due: because the process has allocated
 * enough bytes since the last one, or because more pages are in use than ever
 * before. To be called in slow paths, without a lock.
 * @param sampled  was there a sample? Only then the bytes are counted.
 */
void prof_output_tick(struct thread *thread, bool sampled);

/* In the child of a fork no other thread makes a dump. */
void prof_output_fork_child(void);

/* prof.gdump: make a dump whenever more pages are in use than ever before. */
bool prof_gdump(void);
void prof_set_gdump(bool on);

/* At the end of the process: makes the last dump, and reports leaks. */
void prof_at_exit(void);

/*
 * Starts the log of samples, see prof_log. It is written when it is stopped, at
 * the latest at the end of the process: into the file `path`, or into one with
 * an automatic name if `path` is NULL. Must not be called while the library
 * starts.
 */
bool prof_output_start_log(const char *path);
/* Returns 0 or an error number, as prof_log_stop(). */
int prof_output_stop_log(void);

#endif
