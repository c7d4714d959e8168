/*
 * pattern: Perl's regular expressions, unanchored.
 *
 * Owns:       nothing; a pattern is its caller's.
 * Invariants: a pattern of NULL is empty: code is NULL, so it can be asked for.
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

/* Ends jeprof if the text, that of this option, is no pattern. */
void pattern_compile(struct pattern *pattern, const char *option,
    const char *text);
bool pattern_matches(const struct pattern *pattern, const char *text);

#endif
