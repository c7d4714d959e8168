/*
 * tool: services for all parts of jeprof and jeheap: messages, memory, unique
 *       strings.
 *
 * Owns:       the table of unique strings. Memory is never freed: the program
 *             reads, reports and ends.
 * Invariants: two strings from intern() are equal if and only if their pointers
 *             are. On an error the program ends only by fail(): one line on
 *             stderr, exit status 1.
 * Locking:    none, one thread.
 */
#ifndef PROFILE_TOOL_H
#define PROFILE_TOOL_H

#include <stddef.h>
#include <stdint.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* Errors begin with this name; jeprof, unless another program sets it. */
void tool_name(const char *name);

_Noreturn void fail(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Like note(), but only if --debug was given. */
void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));
void trace_begin(void);

/* Ends the program with an error if writing to stdout has failed. */
void output_check(void);

/* Zeroed memory; never NULL. */
void *memory(size_t count, size_t size);
/*
 * Room for one more item in an array of count items: the array itself, or a
 * larger copy. The capacity is always count rounded up to a power of two, so it
 * need not be stored.
 */
void *array_room(void *array, size_t count, size_t size);

/* Like qsort(), but the array may be NULL if count is 0. */
void sort(void *array, size_t count, size_t size,
    int (*compare)(const void *, const void *));
/*
 * The number of rows that begin with value or less. The rows begin with a
 * uint64_t and are sorted by it.
 */
size_t rows_upto(const void *rows, size_t count, size_t size, uint64_t value);

const char *intern(const char *string);
const char *intern_bytes(const char *bytes, size_t length);
char *print(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *base_name(const char *path);
uint64_t hash_bytes(const void *bytes, size_t length);

#endif
