/*
 * session: profiles that have been read, with their names, and reports of them.
 *
 * Owns:       the sum of the profiles.
 * Invariants: a report changes nothing in the session, so there can be several
 *             reports with different options.
 * Locking:    none.
 */
#ifndef PROFILE_SESSION_H
#define PROFILE_SESSION_H

#include "options.h"

struct session {
	const char *program; /* NULL: not given */
	struct profile profile;
	struct dump **dumps; /* without the base */
	size_t ndumps;
	const char *lineless; /* a file that has names, but no lines */
	const char *title;    /* "" or " (t3)" */
	uint64_t thread;      /* or THREAD_ALL */
};

void session_read(struct session *session, const struct options *options,
    char **files, uint64_t thread);
/* The stacks of one class of age; the session is one of holes. */
void session_age(const struct session *session, const struct options *options,
    uint64_t age, struct traces *traces);
void session_report(const struct session *session,
    const struct options *options, FILE *to);
/* Calls `view` with the report that the options choose, without its output. */
void session_view(const struct session *session, const struct options *options,
    void (*view)(struct report *));
/* Prints "Total: ...", before reports that don't have it. */
void session_total(const struct session *session,
    const struct options *options);

#endif
