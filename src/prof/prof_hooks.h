/*
 * prof_hooks: functions of the program that are told of samples and dumps.
 *
 * Owns:       their addresses.
 * Invariants: while one runs, its thread is busy with a sample: what it
 *             allocates is served and is no sample, and no hook runs inside of
 *             another one.
 * Locking:    none, and none may be held by callers. May be set at any time; a
 *             hook that was taken away may still be running.
 */
#ifndef PROF_PROF_HOOKS_H
#define PROF_PROF_HOOKS_H

#include <stddef.h>

/* Fills `vec` with at most `max` return addresses, and says how many. */
typedef void prof_backtrace_hook(void **vec, unsigned *length, unsigned max);
typedef void prof_dump_hook(const char *path);
/* `requested`: what the program asked for; `usable`: what it has got. */
typedef void prof_sample_hook(const void *object, size_t requested,
    void **stack, unsigned depth, size_t usable);
typedef void prof_free_hook(const void *object, size_t usable);

/* One of these four. */
typedef void prof_any_hook(void);

enum prof_hook {
	PROF_HOOK_BACKTRACE,
	PROF_HOOK_DUMP,
	PROF_HOOK_SAMPLE,
	PROF_HOOK_FREE,
	PROF_HOOKS
};

/* NULL: there is none; there is always one for backtraces. */
prof_any_hook *prof_hooks_get(enum prof_hook which);
void prof_hooks_set(enum prof_hook which, prof_any_hook *hook);

/*
 * Who called us, innermost first: what the hook says, or our own walk. The
 * caller has made its thread busy.
 */
unsigned prof_hooks_backtrace(void **vec, unsigned max);

/* A dump has been written, or could not be. */
void prof_hooks_dumped(const char *path);

struct prof_hook_sample {
	const void *object;
	size_t requested;
	size_t usable;
	void **stack;
	unsigned depth;
};

/* An object that is a sample is about to go to the program. */
void prof_hooks_sampled(const struct prof_hook_sample *sample);

/* One is about to be freed. */
void prof_hooks_freed(const void *object, size_t usable);

#endif
