/*
 * advice: what an operator should know about an option that is refused,
 * clipped, or without effect.
 *
 * Owns:       nothing.
 * Invariants: never allocates; what can be set comes from the row of
 *             conf/options.c, so that a message can't differ from the parser.
 * Locking:    none.
 */
#ifndef CONF_ADVICE_H
#define CONF_ADVICE_H

#include <stddef.h>

#include "conf/options.h"

/* Room for the longest text of advice_allowed() and advice_mistake(). */
#define ADVICE_MAX 256

/**
 * Which values a row takes, such as "true or false".
 * @param text  receives it, at most ADVICE_MAX bytes
 */
void advice_allowed(const struct option_row *row, char text[ADVICE_MAX]);

/**
 * What may be wrong with a value: "numbers have no suffix, write 1024; ", or
 * "" if only the allowed values help.
 */
void advice_mistake(const struct option_row *row, const char *value,
    size_t length, char text[ADVICE_MAX]);

/**
 * The key that was meant by an unknown one, as far as that can be told.
 * @return  a known key, compiled in or not; NULL: none is near
 */
const char *advice_nearest(const char *key, size_t length);

/**
 * One line for each option that is set, to something else than its default,
 * and has no effect: at all, or without another one.
 * @param options  all sources are read
 */
void advice_idle(struct options *options);

#endif
