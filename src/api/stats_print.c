/*
 * malloc_stats_print: the statistics for a function of the caller's.
 */
#include <errno.h>

#include "api/boot.h"
#include "stats/report.h"
#include "util/compiler.h"

void malloc_stats_print(void (*write_cb)(void *, const char *), void *opaque,
    const char *opts);

/**
 * Prints statistics through `write_cb`, as they are at the time of the call.
 * @param write_cb  gets text, zero-terminated, with `opaque`; all in one call
 *                  if memory allows. It may allocate and print statistics
 *                  itself. NULL: malloc_message, or else standard error
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
