#include "ctl/ctl_prof.h"

#include <errno.h>

#include "conf/options.h"

int
ctl_prof_off(const struct ctl_call *call, union ctl_value *value)
{
	(void)call;
	value->truth = false;
	return 0;
}

int
ctl_prof_set_nothing(const struct ctl_call *call, const union ctl_value *value)
{
	(void)call;
	(void)value;
	return ENOENT;
}

int
ctl_prof_set_active(const struct ctl_call *call, const union ctl_value *value)
{
	(void)call;
	return value->truth ? ENOENT : 0;
}

int
ctl_prof_thread_name(const struct ctl_call *call)
{
	const struct ctl_arguments *arguments = call->arguments;
	const char *name = "";

	if (arguments->newp == NULL)
		return ctl_output(arguments, &name, sizeof(name));
	if (arguments->oldp != NULL || arguments->oldlenp != NULL)
		return EPERM;
	/* There is no record that could hold it. */
	return arguments->newlen != sizeof(name) ? EINVAL : ENOMEM;
}

int
ctl_prof_interval(const struct ctl_call *call, union ctl_value *value)
{
	(void)call;
	value->u64 = opt.prof && opt.lg_prof_interval >= 0 ?
	    UINT64_C(1) << opt.lg_prof_interval : 0;
	return 0;
}

int
ctl_prof_reset(const struct ctl_call *call, const union ctl_value *value)
{
	(void)call;
	(void)value;
	return EFAULT;
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
