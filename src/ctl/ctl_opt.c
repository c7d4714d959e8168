#include "ctl/ctl_opt.h"

#include <errno.h>
#include <string.h>

#include "conf/conf.h"
#include "conf/options.h"

size_t
ctl_opt_find(const char *word, size_t length)
{
	const struct option_row *row;

	for (unsigned i = 0; (row = options_any_row(i)) != NULL; i++)
		if (strncmp(row->name, word, length) == 0 &&
		    row->name[length] == '\0')
			return i;
	return SIZE_MAX;
}

const char *
ctl_opt_enter(const char *place, size_t index)
{
	const struct option_row *row = index <= UINT_MAX
	    ? options_any_row((unsigned)index)
	    : NULL;

	(void)place;
	return row != NULL && !row->no_ctl ? (const char *)row : NULL;
}

int
ctl_opt_read(const struct ctl_call *call)
{
	const struct option_row *row = (const void *)call->place;
	const struct ctl_arguments *arguments = call->arguments;
	uint64_t value;
	size_t size;

	if (row->absent)
		return ENOENT;
	if (arguments->newp != NULL || arguments->newlen != 0)
		return EPERM;
	size = option_get(row, &opt, &value);
	return ctl_output(arguments, &value, size);
}

int
ctl_opt_source(const struct ctl_call *call, union ctl_value *value)
{
	value->text = conf_source((enum conf_source)ctl_which(call));
	return value->text != NULL ? 0 : ENOENT;
}
