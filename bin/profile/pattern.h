/*
 * pattern: regular expressions as in Perl; they match anywhere in the text.
 *
 * Owns:       nothing; a pattern belongs to its caller.
 * Invariants: the pattern of a NULL text has a `code` of NULL, so that callers
 *             can see that there is none.
 * Locking:    none.
 */
#ifndef PROFILE_PATTERN_H
#define PROFILE_PATTERN_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdbool.h>

struct pattern {
	pcre2_code *code;
	pcre2_match_data *match;
};

/* Ends jeprof if the text, which this option has given, is no pattern. */
void pattern_compile(struct pattern *pattern, const char *option,
    const char *text);
bool pattern_matches(const struct pattern *pattern, const char *text);

#endif
