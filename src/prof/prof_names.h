/*
 * prof_names: the names of the files of the heap profile.
 *
 * Owns:       the prefix, and the numbers in automatic names.
 * Invariants: no number is used for two names.
 * Locking:    LOCK_PROF_NAMES.
 */
#ifndef PROF_PROF_NAMES_H
#define PROF_PROF_NAMES_H

#include <stdbool.h>
#include <stdint.h>

struct lock;

enum prof_name {
	PROF_NAME_MANUAL,
	PROF_NAME_INTERVAL,
	PROF_NAME_PEAK,
	PROF_NAME_HOLES,
	PROF_NAME_FINAL,
	PROF_NAMES
};

void prof_names_init(const char *prefix);

/*
 * Sets what automatic names begin with. "": there are none. In the prefix
 *
 *	%p	is the process id
 *	%n	the number of the process id namespace; 0: unknown
 *	%h	the name of the host, which a container has of its own
 *	%%	a percent sign
 *
 * and all else stands for itself.
 */
void prof_names_set_prefix(const char *prefix);
bool prof_names_has_prefix(void);

/**
 * Makes a name <prefix>[.<namespace>].<pid>.<seq>.<kind>[<number>].heap. For
 * pprof it has the ending of such files instead.
 * @param error  out: why there is no name; 0: the prefix is empty
 * @return       the name, to be given to prof_names_end(); NULL: there is none
 */
char *prof_names_make(enum prof_name kind, int *error);
void prof_names_end(char *path);

/* The name of a log, for prof_log_stop(). False: no prefix, or too long. */
bool prof_names_log(char *path, uint64_t number);

struct lock *prof_names_lock(void);

#endif
