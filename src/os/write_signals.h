/*
 * write_signals: signals that a write may bring stay away from the program.
 *
 * Owns:       nothing.
 * Invariants: a pipe whose reader is gone answers with SIGPIPE, a file that
 *             reaches the process's limit (setrlimit) with SIGXFSZ; either would
 *             end a process that only happens to be warned or profiled. Both go
 *             to the thread that writes, so they are blocked there, and taken
 *             off its queue unless they were there before.
 * Locking:    none.
 */
#ifndef OS_WRITE_SIGNALS_H
#define OS_WRITE_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

/* A set of signals as the kernel takes it; both lie in the first word. */
struct kernel_sigset {
	unsigned long words[_NSIG / 8 / sizeof(unsigned long)];
};

struct write_signals {
	struct kernel_sigset before;	/* what was blocked */
	unsigned long mine;		/* bits that weren't pending */
	bool held;
};

void write_signals_hold(struct write_signals *signals);
void write_signals_release(const struct write_signals *signals);

#endif
