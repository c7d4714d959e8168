/*
 * options: the run-time options in force, and the table that describes them.
 *
 * Owns:       `opt`, and one row per key (see option_fields.h).
 * Invariants: a key not compiled in has no visible row; a refused value does
 *             not change the field; a field holds only values in its row's
 *             range.
 * Locking:    none: written at start by conf/conf.c and api/boot.c, only read
 *             afterwards.
 *
 * A new option is a field in option_fields.h, a row in options.c and a line in
 * doc/OPTIONS.md. An option without effect has a text in `idle`: it is printed
 * when somebody sets the option, and a test checks that the manual has it, too.
 */
#ifndef CONF_OPTIONS_H
#define CONF_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/option_fields.h"
#include "util/build.h"

/* The longest decay time; where ssize_t has 32 bits, what it can say. */
#define DECAY_MS_MAX \
	(BUILD_ADDRESS_BITS == 64 ? INT64_C(18446744072000) : INT32_MAX)

/*
 * The options in force; all are zero before conf_init(). Only start-up writes
 * them, all other code sees constants. So opt.* always shows how the process
 * was started. A setting that the program changes later is kept in the module
 * that uses it.
 */
extern HIDDEN struct options opt_at_start;
#define opt (*(const struct options *)&opt_at_start)

/* The bytes that opt.junk_free leaves in freed objects. */
#define JUNK_ALLOC 0xa5
#define JUNK_FREE  0x5a

/* With opt.canary, at least this many bytes follow an object without guards. */
#define CANARY_MIN 8

/* Do slabs have ledgers (see arena/ledger)? */
static inline bool
options_need_ledgers(void)
{
	return opt.checked || opt.random_slots;
}

/*
 * Are objects filled when they are handed out or freed? Only slow paths can do
 * that, so nothing may be cached then.
 */
static inline bool
options_fill(void)
{
	return opt.zero || opt.junk_alloc || opt.junk_free;
}

/*
 * The size of the class that a request with these options gets an object of; 0:
 * no class is that large.
 */
size_t options_class(size_t size, size_t align);

/* Sets all defaults, as if no option was given. */
void options_init(struct options *options);

/** Row `i` of those compiled in, as ordered in the manual; NULL at the end. */
const struct option_row *options_row(unsigned i);

/** Row `i`, compiled in or not; NULL at the end. */
const struct option_row *options_any_row(unsigned i);

/** The row of a key of `length` bytes; NULL if unknown or not compiled in. */
const struct option_row *options_find(const char *key, size_t length);

/** Parse `value`, `length` bytes without terminator, into the row's field. */
enum option_result option_set(const struct option_row *row,
    struct options *options, const char *value, size_t length);

/*
 * Whether the row has its default. The answer is true for a row without a
 * default or without a field of its own.
 */
bool option_is_preset(const struct option_row *row,
    const struct options *options);

/**
 * The value as the mallctl opt.<name> gives it: bool, unsigned, size_t,
 * ssize_t, uint64_t, int64_t, uint32_t for a ratio, const char * for all
 * others.
 * @param value  out: the value; there is room for 8 bytes
 * @return       its size in bytes; 0 for a row with no_ctl
 */
size_t option_get(const struct option_row *row, const struct options *options,
    void *value);

/**
 * Last adjustments, after all sources were read: sets what one option implies
 * for another, and rounds sizes, for example to size classes.
 * @return  false if the settings contradict each other; the text is in
 *          `*complaint`
 */
bool options_finish(struct options *options, const char **complaint);

#endif
