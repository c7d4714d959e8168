#include "ctl/ctl_prof.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "cache/thread.h"
#include "conf/options.h"
#include "prof/backtrace.h"
#include "prof/prof.h"
#include "prof/prof_output.h"

int
ctl_prof_enabled(const struct ctl_call *call, union ctl_value *value)
{
	(void)call;
	value->truth = prof_is_on();
	return 0;
}

int
ctl_prof_set_enabled(const struct ctl_call *call,
    const union ctl_value *value)
{
	(void)call;
	prof_enable(value->truth);
	return 0;
}

int
ctl_prof_active(const struct ctl_call *call, union ctl_value *value)
{
	(void)call;
	value->truth = prof_is_on() && atomic_load_explicit(&prof.active,
	    memory_order_relaxed);
	return 0;
}

int
ctl_prof_set_active(const struct ctl_call *call, const union ctl_value *value)
{
	(void)call;
	if (!prof_is_on())
		return value->truth ? ENOENT : 0;
	if (value->truth)
		backtrace_refresh();
	atomic_store_explicit(&prof.active, value->truth,
	    memory_order_relaxed);
	return 0;
}

int
ctl_prof_thread_init(const struct ctl_call *call, union ctl_value *value)
{
	(void)call;
	value->truth = prof_is_on() && atomic_load_explicit(
	    &prof.thread_active_init, memory_order_relaxed);
	return 0;
}

int
ctl_prof_set_thread_init(const struct ctl_call *call,
    const union ctl_value *value)
{
	(void)call;
	if (!prof_is_on())
		return ENOENT;
	atomic_store_explicit(&prof.thread_active_init, value->truth,
	    memory_order_relaxed);
	return 0;
}

int
ctl_prof_thread_active(const struct ctl_call *call, union ctl_value *value)
{
	(void)call;
	value->truth = prof_is_on() && thread_is_own(thread_self) &&
	    prof_thread_is_active(thread_self);
	return 0;
}

int
ctl_prof_set_thread_active(const struct ctl_call *call,
    const union ctl_value *value)
{
	(void)call;
	if (!prof_is_on())
		return ENOENT;
	if (!thread_is_own(thread_self))
		return EAGAIN;
	prof_thread_set_active(thread_self, value->truth);
	return 0;
}

int
ctl_prof_thread_name(const struct ctl_call *call)
{
	const struct ctl_arguments *arguments = call->arguments;
	const char *name = thread_is_own(thread_self) ?
	    prof_thread_name(thread_self) : "";

	if (arguments->newp == NULL)
		return ctl_output(arguments, &name, sizeof(name));
	if (arguments->oldp != NULL || arguments->oldlenp != NULL)
		return EPERM;
	if (arguments->newlen != sizeof(name))
		return EINVAL;
	if (opt.prof_sys_thread_name)
		return ENOENT;
	memcpy(&name, arguments->newp, sizeof(name));
	if (name == NULL)
		return EINVAL;
	for (const char *p = name; *p != '\0'; p++)
		if ((*p < ' ' && *p != '\t') || *p == 0x7f)
			return EINVAL;
	return thread_is_own(thread_self) &&
	    prof_thread_set_name(thread_self, name) ? 0 : ENOMEM;
}

int
ctl_prof_gdump(const struct ctl_call *call, union ctl_value *value)
{
	(void)call;
	value->truth = prof_is_on() && prof_gdump();
	return 0;
}

int
ctl_prof_set_gdump(const struct ctl_call *call, const union ctl_value *value)
{
	(void)call;
	if (!prof_is_on())
		return ENOENT;
	prof_set_gdump(value->truth);
	return 0;
}

int
ctl_prof_interval(const struct ctl_call *call, union ctl_value *value)
{
	(void)call;
	value->u64 = prof_is_on() && opt.lg_prof_interval >= 0 ?
	    UINT64_C(1) << opt.lg_prof_interval : 0;
	return 0;
}

int
ctl_prof_lg_sample(const struct ctl_call *call, union ctl_value *value)
{
	(void)call;
	value->size = atomic_load_explicit(&prof.lg_sample,
	    memory_order_relaxed);
	return 0;
}

int
ctl_prof_reset(const struct ctl_call *call)
{
	const struct ctl_arguments *arguments = call->arguments;
	size_t lg_sample = atomic_load_explicit(&prof.lg_sample,
	    memory_order_relaxed);

	if (arguments->newp != NULL) {
		if (arguments->newlen != sizeof(lg_sample))
			return EINVAL;
		memcpy(&lg_sample, arguments->newp, sizeof(lg_sample));
	}
	prof_reset(lg_sample > 63 ? 63 : (unsigned)lg_sample);
	return 0;
}

int
ctl_prof_dump(const struct ctl_call *call)
{
	const struct ctl_arguments *arguments = call->arguments;
	const char *path = NULL;

	if (arguments->newp != NULL) {
		if (arguments->newlen != sizeof(path))
			return EINVAL;
		memcpy(&path, arguments->newp, sizeof(path));
	}
	return prof_dump_now(path) ? 0 : EFAULT;
}

int
ctl_prof_prefix(const struct ctl_call *call)
{
	const struct ctl_arguments *arguments = call->arguments;
	const char *prefix = NULL;

	if (arguments->newp != NULL) {
		if (arguments->newlen != sizeof(prefix))
			return EINVAL;
		memcpy(&prefix, arguments->newp, sizeof(prefix));
	}
	if (prefix == NULL)
		return EFAULT;
	prof_set_prefix(prefix);
	return 0;
}

/* For actions that may have a text. */
int
ctl_prof_fail(const struct ctl_call *call)
{
	const struct ctl_arguments *arguments = call->arguments;

	return arguments->newp != NULL &&
	    (call->node->flags & CTL_ANY_ARGUMENTS) == 0 &&
	    arguments->newlen != sizeof(char *) ? EINVAL : EFAULT;
}

int
ctl_prof_hook(const struct ctl_call *call)
{
	const struct ctl_arguments *arguments = call->arguments;
	void *hook = NULL;
	int error;

	if (!ctl_wants_output(arguments) && arguments->newp == NULL)
		return EINVAL;
	error = ctl_output(arguments, &hook, sizeof(hook));
	if (error != 0 || arguments->newp == NULL)
		return error;
	return arguments->newlen != sizeof(hook) ? EINVAL : ENOENT;
}

int
ctl_prof_recent_max(const struct ctl_call *call, union ctl_value *value)
{
	(void)call;
	value->ssize = 0;
	return 0;
}

int
ctl_prof_set_recent_max(const struct ctl_call *call,
    const union ctl_value *value)
{
	(void)call;
	return value->ssize < -1 ? EINVAL : 0;
}

int
ctl_prof_recent_dump(const struct ctl_call *call)
{
	/* The receiver of the text, and what it wants to be called with. */
	struct {
		void (*write)(void *opaque, const char *text);
		void *opaque;
	} sink;

	return ctl_input_fits(call->arguments, sizeof(sink)) ? EFAULT : EINVAL;
}
