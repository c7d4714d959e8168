/*
 * advice: what an operator should know about an option that is refused,
 * clipped, or has no effect.
 *
 * Owns:       nothing.
 * Invariants: never allocates. The allowed values come from the option's row in
 *             conf/options.c, so that messages and parser can't differ.
 * Locking:    none.
 */
#ifndef CONF_ADVICE_H
#define CONF_ADVICE_H

#include <stddef.h>

#include "conf/options.h"

/* Room for the longest text of advice_allowed() and advice_mistake(). */
#define ADVICE_MAX 256

/**
 * Writes which values a row allows, such as "true or false".
 * @param text  out: the text, at most ADVICE_MAX bytes
 */
void advice_allowed(const struct option_row *row, char text[ADVICE_MAX]);

/**
 * Writes what may be wrong with a value, such as "numbers have no suffix, write
 * 1024; ", or "" if it can't tell.
 */
void advice_mistake(const struct option_row *row, const char *value,
    size_t length, char text[ADVICE_MAX]);

/**
 * The known key that is most similar to an unknown one.
 * @return  a known key, compiled in or not; NULL: none is similar
 */
const char *advice_nearest(const char *key, size_t length);

/**
 * Prints one line for each option that differs from its default and has no
 * effect, either in any case or because another option is not set.
 * @param options  as they are after all sources were read
 */
void advice_idle(struct options *options);

#endif
