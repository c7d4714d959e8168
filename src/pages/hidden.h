/*
 * hidden: free pages that core dumps leave out (opt.core_dump_free:false).
 *
 * Owns:       how many extents are hidden.
 * Invariants: a hidden extent is in the retained pool, or BUSY on its way into
 *             it or out of it. An ACTIVE extent is not hidden, so a core dump
 *             has all that the program may have written.
 * Locking:    the owner of the extent calls; no lock is held over a call of
 *             the kernel.
 */
#ifndef PAGES_HIDDEN_H
#define PAGES_HIDDEN_H

#include <stdbool.h>
#include <stddef.h>

#include "extent/extent.h"
#include "util/compiler.h"

/* Less than this is not worth a mapping of its own. */
#define HIDDEN_LEAST ((size_t)64 << 10)
/*
 * Each hidden extent may split a mapping in three. A process may have 65530, as
 * the kernel is set by default; the program needs most of them.
 */
#define HIDDEN_MOST 8192u

/*
 * Hides all of an extent that is to be retained, of which a part may be hidden.
 * Core dumps have it if it is small, or there are many, or the kernel refuses.
 */
void hidden_hide(struct extent *e);

/* An extent is not hidden any more; returns whether it was. Its pages are. */
bool hidden_forget(struct extent *e);

/* Shows the pages of an extent that was hidden and has left its pool. */
void hidden_show(struct extent *e);

/* Two extents become one, which is `e`, or one becomes two. */
void hidden_join(struct extent *e, struct extent *next);
void hidden_split(const struct extent *e, struct extent *rest);

/* How many there are, for tests. */
unsigned hidden_count(void);

#endif
