/*
 * interactive: reports by commands, until the end of the input.
 *
 * Owns:       the table of commands.
 * Invariants: each command runs in a child process, so an error or Ctrl-C ends
 *             only this command.
 * Locking:    none.
 */
#ifndef PROFILE_INTERACTIVE_H
#define PROFILE_INTERACTIVE_H

#include "session.h"

void interactive(const struct session *session, const struct options *options);

#endif
