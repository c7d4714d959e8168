/*
 * format: text from a template and arguments, into a buffer of the caller.
 *
 * Owns:       nothing.
 * Invariants: never allocates, never locks, never looks at locale or errno,
 *             calls nothing outside this file but strlen: usable in a signal
 *             handler and in the first malloc of a process, where the printf
 *             family is not.
 * Locking:    none.
 *
 * Conversions: %s %d %i %u %x %c %p %%, with the lengths l ll z j t for the
 * integers, the flags - and 0, a width in digits or as *, and for %s a
 * precision in digits or as *. They mean what they mean to printf, except that %p of NULL
 * gives 0x0 and %s of NULL gives (null) in every case. An unknown conversion is
 * copied as it stands and takes no argument.
 */
#ifndef UTIL_FORMAT_H
#define UTIL_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

#include "util/compiler.h"

/**
 * Write the formatted text into `buf`, cut to `size - 1` bytes and always
 * terminated.
 * @param buf   may be NULL when `size` is 0
 * @param size  bytes in `buf`; 0 only counts
 * @return      length in bytes of the whole text; it was cut if this is >= size
 * Errors:      none; errno is kept.
 */
size_t format_text(char *buf, size_t size, const char *template, ...)
    PRINTF(3, 4);

/** The same with an argument list, which is not moved on. */
size_t format_text_va(char *buf, size_t size, const char *template,
    va_list args) PRINTF(3, 0);

/**
 * The next character of `*text` as it stands in a string of JSON. What is no
 * UTF-8 goes byte by byte, each as the character of that number.
 * @param text  not at its end; moves on
 * @param to    receives the bytes, without a zero
 * @return      how many there are
 */
#define FORMAT_JSON_MAX 8
size_t format_json(const char **text, char to[FORMAT_JSON_MAX]);

#endif
