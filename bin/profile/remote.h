/*
 * remote: profiles that a server has, over HTTP.
 *
 * Owns:       the files it stores in $JEPROF_TMPDIR ($HOME/jeprof); they stay.
 * Invariants: what is stored is a profile like any other; with its names, if the
 *             server was to give them, so that it needs no server any more.
 *             Without libcurl each call ends jeprof with a line that says so.
 * Locking:    none.
 */
#ifndef PROFILE_REMOTE_H
#define PROFILE_REMOTE_H

#include <stdbool.h>

/* [http[s]://]host:port..., also [http[s]://]host/... with its scheme. */
bool remote_is_url(const char *name);

struct remote {
	const char *url;
	const char *path;	/* where it is then */
};

struct remote_options {
	unsigned seconds;	/* asked from the server, if not 0 */
	bool names;		/* the server is to give them */
};

/* All at the same time. */
void remote_fetch(struct remote *remotes, unsigned count,
    const struct remote_options *options);

#endif
