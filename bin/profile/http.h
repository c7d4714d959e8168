/*
 * http: one request, one answer, by libcurl.
 *
 * Owns:       nothing.
 * Invariants: an answer that isn't one of success ends jeprof with a line.
 *             Redirections are followed, a POST stays one.
 * Locking:    none.
 */
#ifndef PROFILE_HTTP_H
#define PROFILE_HTTP_H

#include <stdbool.h>
#include <stddef.h>

struct http {
	const char *url;
	const char *body;	/* of a POST; NULL: a GET */
	unsigned seconds;	/* the server may take so long to begin */
	bool optional;		/* without success: no text, and no end */
	char *text;		/* the answer, and a NUL */
	size_t length;
};

void http_ask(struct http *http);

#endif
