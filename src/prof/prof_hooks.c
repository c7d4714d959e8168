#include "prof/prof_hooks.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "cache/thread.h"
#include "os/lock.h"
#include "unwind/backtrace.h"

static struct {
	_Atomic(prof_any_hook *) hook[PROF_HOOKS];
} hooks;

static NOINLINE void
walk(void **vec, unsigned *length, unsigned max)
{
	*length = backtrace_take(vec, max);
}

static prof_any_hook *
load(enum prof_hook which)
{
	return atomic_load_explicit(&hooks.hook[which], memory_order_acquire);
}

prof_any_hook *
prof_hooks_get(enum prof_hook which)
{
	prof_any_hook *hook = load(which);

	return hook == NULL && which == PROF_HOOK_BACKTRACE
	    ? (prof_any_hook *)walk
	    : hook;
}

void
prof_hooks_set(enum prof_hook which, prof_any_hook *hook)
{
	/* The program may put back what it has got before. */
	if (hook == (prof_any_hook *)walk)
		hook = NULL;
	atomic_store_explicit(&hooks.hook[which], hook, memory_order_release);
}

/* To be called before and after a hook. False: it must not run now. */
struct visit {
	struct thread *thread; /* NULL: it has no record any more */
	int saved_errno;
};

static bool
visit_begin(struct visit *visit)
{
	struct thread *thread = thread_self;

	visit->thread = thread_is_own(thread) ? thread : NULL;
	visit->saved_errno = errno;
	LOCK_ASSERT_NONE();
	if (visit->thread == NULL)
		return true;
	if (thread->prof_busy)
		return false;
	thread->prof_busy = true;
	return true;
}

static void
visit_end(const struct visit *visit)
{
	if (visit->thread != NULL)
		visit->thread->prof_busy = false;
	errno = visit->saved_errno;
}

NOINLINE unsigned
prof_hooks_backtrace(void **vec, unsigned max)
{
	prof_any_hook *hook = load(PROF_HOOK_BACKTRACE);
	int saved = errno;
	unsigned depth = 0;

	if (hook == NULL)
		return backtrace_take(vec, max);
	LOCK_ASSERT_NONE();
	((prof_backtrace_hook *)hook)(vec, &depth, max);
	errno = saved;
	return depth < max ? depth : max;
}

bool
prof_hooks_unwind_is_own(void)
{
	return load(PROF_HOOK_BACKTRACE) == NULL;
}

void
prof_hooks_dumped(const char *path)
{
	prof_any_hook *hook = load(PROF_HOOK_DUMP);
	struct visit visit;

	if (hook == NULL || !visit_begin(&visit))
		return;
	((prof_dump_hook *)hook)(path);
	visit_end(&visit);
}

void
prof_hooks_sampled(const void *object, size_t requested, void **stack,
    unsigned depth, size_t usable)
{
	prof_any_hook *hook = load(PROF_HOOK_SAMPLE);
	struct visit visit;

	if (hook == NULL || !visit_begin(&visit))
		return;
	((prof_sample_hook *)hook)(object, requested, stack, depth, usable);
	visit_end(&visit);
}

void
prof_hooks_freed(const void *object, size_t usable)
{
	prof_any_hook *hook = load(PROF_HOOK_FREE);
	struct visit visit;

	if (hook == NULL || !visit_begin(&visit))
		return;
	((prof_free_hook *)hook)(object, usable);
	visit_end(&visit);
}
