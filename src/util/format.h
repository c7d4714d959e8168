/*
 * format: makes text from a template and arguments, in a buffer of the caller.
 *
 * Owns:       nothing.
 * Invariants: never allocates, never locks, does not use locale or errno, and
 *             calls no function of other modules but strlen(). So, unlike the
 *             printf family, it can be used in a signal handler and in the
 *             first malloc() of a process.
 * Locking:    none.
 *
 * Conversions: %s %d %i %u %x %c %p %%, with the lengths l ll z j t for the
 * integers, the flags - and 0, a width in digits or as *, and for %s a
 * precision in digits or as *. They mean the same as in printf, except that %p
 * of NULL gives 0x0 and %s of NULL gives (null) in every case. An unknown
 * conversion is copied as it is and takes no argument.
 */
#ifndef UTIL_FORMAT_H
#define UTIL_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

#include "util/compiler.h"

/**
 * Write the formatted text into `buf`: at most `size - 1` bytes of it, and
 * always a terminating zero.
 * @param buf   may be NULL when `size` is 0
 * @param size  bytes in `buf`; 0 only counts
 * @return      length in bytes of the whole text; it was cut if this is >= size
 * Errors:      none; errno is kept.
 */
size_t format_text(char *buf, size_t size, const char *template, ...)
    PRINTF(3, 4);

/** The same with an argument list, which does not change. */
size_t format_text_va(char *buf, size_t size, const char *template,
    va_list args) PRINTF(3, 0);

/** Replace bytes that are commands to a terminal by `?`. */
void format_make_printable(char *text, size_t length);

/**
 * Convert the next character of `*text` to its form in a JSON string. A byte
 * that is not part of valid UTF-8 becomes the character with its number.
 * @param text  in: not at the end of the text; out: past the character
 * @param to    out: the bytes, without a terminating zero
 * @return      the number of bytes
 */
#define FORMAT_JSON_MAX 8
size_t format_json(const char **text, char to[FORMAT_JSON_MAX]);

#endif
