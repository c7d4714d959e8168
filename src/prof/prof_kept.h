/*
 * prof_kept: the files that automatic dumps leave, so that they don't fill the
 * disk: of each series the newest ones, and the one in which most memory is
 * live.
 *
 * Owns:       a list of the files that were written and not removed.
 * Invariants: only a file that this process has written is removed, and only
 *             while it still lies under its name. A child of fork leaves the
 *             files of its parent alone.
 * Locking:    LOCK_PROF_NAMES for the list. Files are removed without it.
 */
#ifndef PROF_PROF_KEPT_H
#define PROF_PROF_KEPT_H

#include <stdint.h>

/* Many files of one series do not displace those of another one. */
enum prof_series { PROF_SERIES_INTERVAL, PROF_SERIES_PEAK, PROF_SERIES };

/*
 * Enters a file that was just written, and removes those of its series that are
 * too many.
 * @param live  an estimate of what is live in it, in any unit
 * @param most  how many of the newest are kept, in addition to the one with the
 *              largest `live`; negative: all
 */
void prof_kept_add(enum prof_series which, const char *path, uint64_t live,
    int64_t most);

#endif
