/*
 * prof_hooks: functions of the program that are called for samples and dumps.
 *
 * Owns:       their addresses.
 * Invariants: while a hook runs, its thread counts as busy with a sample. So
 *             the hook may allocate, these objects are no samples, and no hook
 *             runs inside another one.
 * Locking:    none. Callers must hold no lock. A hook may be set at any time;
 *             the old one may still be running then.
 */
#ifndef PROF_PROF_HOOKS_H
#define PROF_PROF_HOOKS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Fills `vec` with at most `max` return addresses. Sets *length to the number.
 */
typedef void prof_backtrace_hook(void **vec, unsigned *length, unsigned max);
typedef void prof_dump_hook(const char *path);
/* `requested`: bytes the program asked for; `usable`: bytes it got. */
typedef void prof_sample_hook(const void *object, size_t requested,
    void **stack, unsigned depth, size_t usable);
typedef void prof_free_hook(const void *object, size_t usable);

/* Stands for each of these four types. */
typedef void prof_any_hook(void);

enum prof_hook {
	PROF_HOOK_BACKTRACE,
	PROF_HOOK_DUMP,
	PROF_HOOK_SAMPLE,
	PROF_HOOK_FREE,
	PROF_HOOKS
};

/*
 * NULL: no hook is set. For backtraces there is always one; at the start it is
 * our own.
 */
prof_any_hook *prof_hooks_get(enum prof_hook which);
void prof_hooks_set(enum prof_hook which, prof_any_hook *hook);

/*
 * The return addresses of the present stack, innermost first, from the hook or
 * from our own unwinder. The thread must be marked as busy (prof_busy).
 */
unsigned prof_hooks_backtrace(void **vec, unsigned max);

/* Is it our own unwinder that finds these stacks? */
bool prof_hooks_unwind_is_own(void);

/* To be called after a dump, also if it could not be written. */
void prof_hooks_dumped(const char *path);

/* To be called before the program gets an object that is a sample. */
void prof_hooks_sampled(const void *object, size_t requested, void **stack,
    unsigned depth, size_t usable);

/* To be called before such an object is freed. */
void prof_hooks_freed(const void *object, size_t usable);

#endif
