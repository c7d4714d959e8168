/*
 * growth: address space for a page source, in steps.
 *
 * Owns:       a few steps that ended sources have left, for new ones.
 * Invariants: whatever is mapped can be kept: its record, and room to note it,
 *             are there before.
 * Locking:    none of its own; the kernel is asked without any.
 *
 *	step: 2 MiB at first, a quarter more each time, up to 64 MiB
 */
#ifndef PAGES_GROWTH_H
#define PAGES_GROWTH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct page_source;

#define GROW_STEP_MIN	((size_t)2 << 20)	/* bytes mapped at first */

/* At least `need` more bytes in the retained pool; false: there are none. */
bool growth_run(struct page_source *source, size_t need);

/* How much to map when `need` bytes are missing, and what was learnt of it. */
size_t growth_step_locked(const struct page_source *source, size_t need);
void growth_stepped_locked(struct page_source *source, size_t size);

/*
 * Programs make and destroy arenas in a loop. The one step that such a source
 * has grown serves the next one: no system call, no page fault. A place for it
 * is reserved first, or there is none: NULL. Then the place gets a step of
 * GROW_STEP_MIN bytes, which nobody knows and which need not be zero, or NULL.
 * growth_left_step() takes one, or gives NULL: there is none.
 */
_Atomic(char *) *growth_reserve_place(void);
void growth_leave_step(_Atomic(char *) *place, char *step);
char *growth_left_step(void);

#endif
