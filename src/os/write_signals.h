/*
 * write_signals: keeps signals that a write may cause away from the program.
 *
 * Owns:       nothing.
 * Invariants: a write causes SIGPIPE if the reader of a pipe has gone, and
 *             SIGXFSZ if a file reaches the process's limit (setrlimit). Either
 *             would end the program, only because the library printed a warning
 *             or a profile. The kernel sends both to the thread that writes. So
 *             they are blocked in that thread, and removed from its queue
 *             unless they were there before.
 * Locking:    none.
 */
#ifndef OS_WRITE_SIGNALS_H
#define OS_WRITE_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

/* A set of signals as the kernel has it; both signals are in the first word. */
struct kernel_sigset {
	unsigned long words[_NSIG / 8 / sizeof(unsigned long)];
};

struct write_signals {
	struct kernel_sigset before; /* what was blocked */
	unsigned long mine;          /* those that were not pending before */
	bool held;
};

void write_signals_hold(struct write_signals *signals);
void write_signals_release(const struct write_signals *signals);

#endif
