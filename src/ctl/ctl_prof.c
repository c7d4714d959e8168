#include "ctl/ctl_prof.h"

#include <errno.h>
#include <stdatomic.h>

#include "cache/thread.h"
#include "conf/options.h"
#include "prof/prof.h"
#include "prof/prof_hooks.h"
#include "prof/prof_names.h"
#include "prof/prof_output.h"
#include "prof/prof_recent.h"
#include "prof/prof_stats.h"
#include "stats/report_recent.h"
#include "stats/report_sections.h"
#include "unwind/backtrace.h"
#include "util/size_class.h"

int
ctl_prof_enabled(const struct ctl_call *call, union ctl_value *value)
{
	(void)call;
	value->truth = prof_is_on();
	return 0;
}

int
ctl_prof_set_enabled(const struct ctl_call *call, const union ctl_value *value)
{
	(void)call;
	prof_enable(value->truth);
	return 0;
}

int
ctl_prof_state(const struct ctl_call *call, union ctl_value *value)
{
	struct report_prof state = report_prof();

	return ctl_read_field(call, &state, value);
}

int
ctl_prof_set_active(const struct ctl_call *call, const union ctl_value *value)
{
	(void)call;
	if (!prof_is_on())
		return value->truth ? ENOENT : 0;
	if (value->truth)
		backtrace_prepare();
	atomic_store_explicit(&prof.active, value->truth, memory_order_relaxed);
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
	    !thread_self->prof_paused;
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
	thread_self->prof_paused = !value->truth;
	return 0;
}

int
ctl_prof_thread_name(const struct ctl_call *call)
{
	const struct ctl_arguments *arguments = call->arguments;
	const char *name = thread_is_own(thread_self)
	    ? prof_thread_name(thread_self)
	    : "";

	if (arguments->newp == NULL)
		return ctl_output(arguments, &name, sizeof(name));
	if (arguments->oldp != NULL || arguments->oldlenp != NULL)
		return EPERM;
	if (!ctl_input(arguments, &name, sizeof(name)))
		return EINVAL;
	if (opt.prof_sys_thread_name)
		return ENOENT;
	if (name == NULL)
		return EINVAL;
	for (const char *p = name; *p != '\0'; p++)
		if ((*p < ' ' && *p != '\t') || *p == 0x7f)
			return EINVAL;
	return thread_is_own(thread_self) &&
		prof_thread_set_name(thread_self, name)
	    ? 0
	    : ENOMEM;
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
ctl_prof_reset(const struct ctl_call *call)
{
	size_t lg_sample = atomic_load_explicit(&prof.lg_sample,
	    memory_order_relaxed);

	if (!ctl_input_if_any(call->arguments, &lg_sample, sizeof(lg_sample)))
		return EINVAL;
	prof_reset(lg_sample);
	return 0;
}

int
ctl_prof_dump(const struct ctl_call *call)
{
	const char *path = NULL;

	if (!ctl_input_if_any(call->arguments, &path, sizeof(path)))
		return EINVAL;
	return prof_dump_now(path) ? 0 : EFAULT;
}

int
ctl_prof_dump_holes(const struct ctl_call *call)
{
	const char *path = NULL;

	if (!ctl_input_if_any(call->arguments, &path, sizeof(path)))
		return EINVAL;
	if (!opt.prof_holes)
		return ENOENT;
	return prof_dump_holes(path) ? 0 : EFAULT;
}

int
ctl_prof_prefix(const struct ctl_call *call)
{
	const char *prefix = NULL;

	if (!ctl_input_if_any(call->arguments, &prefix, sizeof(prefix)))
		return EINVAL;
	if (prefix == NULL)
		return EFAULT;
	prof_names_set_prefix(prefix);
	return 0;
}

int
ctl_prof_log_start(const struct ctl_call *call)
{
	const char *path = NULL;

	if (!ctl_input_if_any(call->arguments, &path, sizeof(path)))
		return EINVAL;
	return prof_output_start_log(path) ? 0 : EFAULT;
}

int
ctl_prof_log_stop(const struct ctl_call *call)
{
	int error = prof_output_stop_log();

	(void)call;
	/* The log continues if the program has turned the profile off. */
	if (error == ENOENT && !prof_is_on())
		return ENOENT;
	return error == 0 ? 0 : EFAULT;
}

/* --- samples by class: prof.stats.{bins,lextents}.<i> --------------------- */

int
ctl_prof_class(const struct ctl_call *call, union ctl_value *value)
{
	bool large = call->mib[2] != 0;
	struct prof_class_stats stats = prof_stats_read((unsigned)call->mib[3] +
	    (large ? SMALL_CLASSES : 0));

	return ctl_read_field(call, &stats, value);
}

/* --- experimental --------------------------------------------------------- */

int
ctl_prof_hook(const struct ctl_call *call)
{
	const struct ctl_arguments *arguments = call->arguments;
	enum prof_hook which = (enum prof_hook)ctl_which(call);
	prof_any_hook *hook = prof_hooks_get(which);
	int error;

	if (!ctl_wants_output(arguments) && arguments->newp == NULL)
		return EINVAL;
	error = ctl_output(arguments, &hook, sizeof(hook));
	if (error != 0 || arguments->newp == NULL)
		return error;
	if (!ctl_input(arguments, &hook, sizeof(hook)))
		return EINVAL;
	if (!prof_is_on())
		return ENOENT;
	if (hook == NULL && which == PROF_HOOK_BACKTRACE)
		return EINVAL;
	prof_hooks_set(which, hook);
	return 0;
}

int
ctl_prof_set_recent_max(const struct ctl_call *call,
    const union ctl_value *value)
{
	(void)call;
	if (value->ssize < -1)
		return EINVAL;
	prof_recent_set_max(value->ssize);
	return 0;
}

int
ctl_prof_recent_dump(const struct ctl_call *call)
{
	struct {
		emitter_callback *write;
		void *opaque;
	} sink;

	if (!ctl_input(call->arguments, &sink, sizeof(sink)))
		return EINVAL;
	return report_recent(sink.write, sink.opaque) ? 0 : EAGAIN;
}
