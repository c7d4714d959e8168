/*
 * session: profiles that were read and resolved, and reports of them.
 *
 * Owns:       the sum of the profiles.
 * Invariants: a report leaves no trace in the session but in stdout, so there can
 *             be several, with different options.
 * Locking:    none.
 */
#ifndef PROFILE_SESSION_H
#define PROFILE_SESSION_H

#include "options.h"

struct session {
	const char *program;	/* NULL: not given */
	struct profile profile;
	struct dump **dumps;	/* without the base */
	size_t ndumps;
	const char *lineless;	/* a file that has names, but no lines */
	const char *title;	/* "" or " (t3)" */
};

void session_read(struct session *session, const struct options *options,
    char **files, uint64_t thread);
void session_report(const struct session *session,
    const struct options *options, FILE *to);
/* What the options choose, by a function instead of their output. */
void session_view(const struct session *session, const struct options *options,
    void (*view)(struct report *));
/* "Total: ...", before reports that don't say it. */
void session_total(const struct session *session,
    const struct options *options);

#endif
