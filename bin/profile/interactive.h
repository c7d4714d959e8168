/*
 * interactive: reports by commands, until the end of the input.
 *
 * Owns:       the table of commands.
 * Invariants: each command runs in a child process: whatever goes wrong there ends
 *             the command alone, and so does Ctrl-C.
 * Locking:    none.
 */
#ifndef PROFILE_INTERACTIVE_H
#define PROFILE_INTERACTIVE_H

#include "session.h"

void interactive(const struct session *session, const struct options *options);

#endif
