/*
 * message: one line to the operator, and the end of the process.
 *
 * Owns:       the public symbol malloc_message; the identity of descriptor 2 and
 *             a spare one of the same file; the function that programs may put in the place of the end.
 * Invariants: never allocates, never locks, keeps errno; no call is a
 *             cancellation point; a reader that went away (SIGPIPE) does not
 *             end the process. A line of message() or fatal() reaches
 *             descriptor 2 only while that is still the file it was at start: a
 *             program may close it and get the number back for a file of its
 *             own, which must not be written to.
 * Locking:    none; one line is one write, so lines of two threads do not mix.
 */
#ifndef OS_MESSAGE_H
#define OS_MESSAGE_H

#include <stdbool.h>

#include "util/compiler.h"

/*
 * Set by the program to receive every message instead of descriptor 2; NULL by
 * default. Called with `opaque` NULL, except by malloc_stats_print.
 */
extern void (*malloc_message)(void *opaque, const char *s);

/**
 * Note which file descriptor 2 is, and whether the process is privileged.
 * Called once, first thing at start; a message before that makes the call
 * itself.
 */
void message_init(void);

/**
 * Write `s` as it is: through malloc_message if that is set, else to descriptor
 * 2 whatever that is by now, or the spare one if it is closed. For text the
 * program or the operator has asked for, such as statistics; warnings use
 * message(). Interrupted and partial writes are continued, all other errors are
 * ignored.
 */
void message_write(const char *s);

/**
 * Whether the process has more rights than the user who started it (AT_SECURE):
 * what comes from outside, such as options, is then not to be trusted.
 */
bool message_privileged(void);

/**
 * Whether descriptor 2 is still the file it was at start; true if that can't be
 * known.
 */
bool message_descriptor_kept(void);

/**
 * Keep a second descriptor of standard error, for what is printed at exit: GNU
 * coreutils and many others close theirs before. It is used while descriptor 2
 * is closed. Not inherited by exec, and closed in a child of fork, which may
 * become a daemon: whoever waits for the end of a pipe must not wait for that.
 */
void message_keep_descriptor(void);
void message_fork_child(void);

/**
 * Write the line "<jemalloc>: TEXT\n", control bytes in TEXT replaced by '?'
 * and texts of more than MESSAGE_MAX bytes cut and ended by "...". Dropped when
 * descriptor 2 has changed hands, and in a privileged (AT_SECURE) process.
 * @param template  as for format_text(), without the final newline
 */
#define MESSAGE_MAX 8192
void message(const char *template, ...) PRINTF(1, 2);

/**
 * The one way in which the library ends the process: as message(), then
 * abort(), whatever becomes of the line. Written in privileged processes too.
 * If descriptor 2 has changed hands, the line is still written to a terminal
 * and to a file opened for appending, which is what a daemon makes of its
 * standard error and nobody makes of a file of data.
 *
 * Returns only where a function of the program took the line in place of all
 * this, and came back. The caller then goes on as if what it had to do had
 * failed.
 */
void fatal(const char *template, ...) PRINTF(1, 2);

/* The same with a line of its own form, newline included. */
void fatal_as_it_is(const char *line);

/* Gets the line of fatal(), newline included, in place of what that does. */
typedef void message_abort_hook(const char *line);

/* NULL: none. */
void message_set_abort_hook(message_abort_hook *hook);

/* Is there one? */
bool message_has_abort_hook(void);

#endif
