/*
 * viewer: reports that open in a window of another program.
 *
 * Owns:       a private folder in $TMPDIR with the file for the viewer.
 * Invariants: the folder is removed when the viewer ends. A browser's process
 *             ends at once, so its file stays, and a line on stderr says where.
 * Locking:    none.
 */
#ifndef PROFILE_VIEWER_H
#define PROFILE_VIEWER_H

#include "report.h"

void viewer_gv(struct report *report);
void viewer_evince(struct report *report);
void viewer_web(struct report *report);
/* Opens source and instructions as an HTML page. */
void viewer_weblist(struct report *report);
void viewer_kcachegrind(struct report *report);
/* From now on, viewers run while jeprof goes on. */
void viewer_in_background(void);

#endif
