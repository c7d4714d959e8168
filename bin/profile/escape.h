/*
 * escape: text from anywhere as a part of XML, HTML, or UTF-8.
 *
 * Owns:       nothing.
 * Invariants: the result is well formed whatever the bytes are: those that are
 *             no valid character become U+FFFD, the sign for that.
 * Locking:    none.
 */
#ifndef PROFILE_ESCAPE_H
#define PROFILE_ESCAPE_H

#include <stddef.h>
#include <stdio.h>

/* How many bytes the character at `text` has; 0: it is not valid. */
size_t escape_length(const char *text);
void escape_xml(FILE *to, const char *text);
/* At most so many characters. */
void escape_xml_part(FILE *to, const char *text, size_t count);
/* With its line breaks, which otherwise are no characters. */
void escape_xml_lines(FILE *to, const char *text);
/* How many characters the text has. */
size_t escape_count(const char *text);

#endif
