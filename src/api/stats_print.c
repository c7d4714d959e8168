/*
 * malloc_stats_print: gives the statistics to a function of the program.
 */
#include <errno.h>

#include "api/boot.h"
#include "stats/report.h"
#include "util/compiler.h"

/**
 * Prints statistics through `write_cb`, as they are at the time of the call.
 * @param write_cb  gets zero-terminated text and `opaque`, in one call if there
 *                  is memory. It may allocate and print statistics itself.
 *                  NULL: malloc_message, or standard error without that
 * @param opts      letters: see doc/STATISTICS.md; NULL for everything as text
 * Errors:          none; errno is kept. Not for signal handlers.
 */
EXPORT void
malloc_stats_print(void (*write_cb)(void *, const char *), void *opaque,
    const char *opts)
{
	int saved = errno;

	if (boot_ready())
		report_print(write_cb, opaque, opts);
	errno = saved;
}
