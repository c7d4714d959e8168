#include "conf/safety.h"

#include <stdarg.h>
#include <stdatomic.h>

#include "conf/options.h"
#include "os/message.h"
#include "util/format.h"

#define DETAILS_MAX 300

static _Atomic uint64_t report_count;

uint64_t
safety_reports(void)
{
	return atomic_load_explicit(&report_count, memory_order_relaxed);
}

static uint64_t
count_report(void)
{
	return atomic_fetch_add_explicit(&report_count, 1,
	    memory_order_relaxed);
}

bool
safety_goes_on(void)
{
	return opt.safety_action == SAFETY_ACTION_REPORT &&
	    !message_has_abort_hook();
}

bool
safety_print_text(const char *text)
{
	uint64_t count = count_report();

	if (message_has_abort_hook()) {
		fatal_as_it_is(text);
		return true;
	}
	if (opt.safety_action == SAFETY_ACTION_ABORT ||
	    count < SAFETY_REPORTS_MAX)
		message_report_as_it_is(text);
	return false;
}

void
safety_report_text(const char *text)
{
	uint64_t count = count_report();

	if (!safety_goes_on())
		fatal_as_it_is(text);
	else if (count < SAFETY_REPORTS_MAX)
		message_report_as_it_is(text);
}

void
safety_report(const char *kind, const void *addr, const char *details, ...)
{
	char text[DETAILS_MAX];
	uint64_t count;
	va_list ap;

	va_start(ap, details);
	format_text_va(text, sizeof(text), details, ap);
	va_end(ap);
	count = count_report();
	if (!safety_goes_on())
		fatal("safety: %s: 0x%lx (%s)", kind,
		    (unsigned long)(uintptr_t)addr, text);
	else if (count < SAFETY_REPORTS_MAX)
		message_report("safety: %s: 0x%lx (%s)", kind,
		    (unsigned long)(uintptr_t)addr, text);
}
