/*
 * message: prints lines for the operator, and ends the process.
 *
 * Owns:       the public symbol malloc_message; the identity of descriptor 2,
 *             and a spare descriptor of the same file; the hook that programs
 *             may set to replace the end of the process.
 * Invariants: never allocates, never locks, keeps errno; no call is a
 *             cancellation point; if the reader of a pipe has gone (SIGPIPE),
 *             that does not end the process. message() writes to descriptor 2
 *             only while it is still the file it was at start: a program may
 *             close it and get the same number for a file of its own, and that
 *             file must not be changed. Reports, and the reason of an abort,
 *             are also written to a file that may be the program's new standard
 *             error.
 * Locking:    none; one line is one write, so lines of two threads do not mix.
 */
#ifndef OS_MESSAGE_H
#define OS_MESSAGE_H

#include <stdbool.h>

#include "util/compiler.h"

/*
 * The program may set this; it then gets every message instead of descriptor 2.
 * NULL by default. `opaque` is NULL, except in calls by malloc_stats_print.
 */
extern void (*malloc_message)(void *opaque, const char *s);

/**
 * Note which file descriptor 2 is, and whether the process is privileged.
 * Start-up calls this first; a message before that calls it itself.
 */
void message_init(void);

/**
 * Write `s` as it is: through malloc_message if that is set; if not, to
 * descriptor 2, whichever file that is now, or to the spare one if 2 is closed.
 * This is for text that the program or the operator has asked for, such as
 * statistics; warnings use message(). Interrupted and partial writes are
 * continued, other errors are ignored.
 */
void message_write(const char *s);

/**
 * Whether the process has more rights than the user who started it (AT_SECURE).
 * Then input of this user, such as options, must not be trusted.
 */
bool message_privileged(void);

/**
 * Whether descriptor 2 is still the file it was at start; true if that can't be
 * known.
 */
bool message_descriptor_kept(void);

/**
 * Keep a second descriptor of standard error, for text that is printed at exit:
 * many programs, such as GNU coreutils, close descriptor 2 before. It is used
 * while descriptor 2 is closed. It is not inherited by exec. A child of fork
 * closes it: the child may become a daemon, and a process that reads from the
 * pipe would wait for its end.
 */
void message_keep_descriptor(void);
void message_fork_child(void);

/**
 * Write the line "<jemalloc>: TEXT\n". Control bytes in TEXT become '?', a text
 * of more than MESSAGE_MAX bytes is cut and ends with "...". The line is
 * dropped if descriptor 2 is another file now, and in a privileged (AT_SECURE)
 * process.
 * @param template  as for format_text(), without the final newline
 */
#define MESSAGE_MAX 8192
void message(const char *template, ...) PRINTF(1, 2);

/**
 * A line that must not be lost, such as a report about a mistake of the
 * program: like message(), but also in privileged processes. If descriptor 2 is
 * another file now, the line is still written to
 * - a terminal or another character device, a pipe, and a file that was opened
 *   for appending;
 * - if the process was started with an open descriptor 2: a socket within this
 *   machine (AF_UNIX), and a file that was opened only for writing.
 * A daemon may use these for its standard error. All other files may be data of
 * the program, and are not changed.
 */
void message_report(const char *template, ...) PRINTF(1, 2);

/*
 * The same for a complete text, which may have several lines; one write keeps
 * them together.
 */
void message_report_as_it_is(const char *text);

/**
 * The only way in which the library ends the process: writes the line like
 * message_report(), then calls abort(), even if the line could not be written.
 *
 * Returns only if the program has a hook, which gets the line instead, and the
 * hook returns. The caller then behaves as if its operation had failed.
 */
void fatal(const char *template, ...) PRINTF(1, 2);

/* Like fatal(), for a line that is complete, with prefix and newline. */
void fatal_as_it_is(const char *line);

/*
 * Called instead of the message and the abort of fatal(), with the line and its
 * newline.
 */
typedef void message_abort_hook(const char *line);

/* Sets the hook; NULL: none. */
void message_set_abort_hook(message_abort_hook *hook);

/* Is a hook set? */
bool message_has_abort_hook(void);

#endif
