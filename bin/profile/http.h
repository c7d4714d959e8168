/*
 * http: sends one request and takes its answer, by libcurl.
 *
 * Owns:       nothing.
 * Invariants: if the answer is not a success, jeprof prints a line and ends.
 *             Redirections are followed, and a POST stays a POST.
 * Locking:    none.
 */
#ifndef PROFILE_HTTP_H
#define PROFILE_HTTP_H

#include <stdbool.h>
#include <stddef.h>

struct http {
	const char *url;
	const char *body; /* of a POST; NULL: a GET */
	unsigned seconds; /* the server needs so long to begin */
	bool optional;    /* if it fails: no text, and jeprof goes on */
	char *text;       /* the answer, and a NUL */
	size_t length;
};

void http_ask(struct http *http);

#endif
