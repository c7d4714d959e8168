/*
 * remote: fetches profiles from servers by HTTP.
 *
 * Owns:       the files it stores in $JEPROF_TMPDIR ($HOME/jeprof); they stay.
 * Invariants: a stored file is a profile like any other. If the server was
 *             asked for names, the file has them and needs no server any more.
 *             Without libcurl, each call prints a line and ends jeprof.
 * Locking:    none.
 */
#ifndef PROFILE_REMOTE_H
#define PROFILE_REMOTE_H

#include <stdbool.h>

/* [http[s]://]host:port..., also [http[s]://]host/... with its scheme. */
bool remote_is_url(const char *name);

struct remote {
	const char *url;
	const char *path; /* out: the file where it is stored */
};

struct remote_options {
	unsigned seconds; /* asked from the server, if not 0 */
	bool names;       /* ask the server for names */
};

/* Fetches all of them at the same time. */
void remote_fetch(struct remote *remotes, unsigned count,
    const struct remote_options *options);

#endif
