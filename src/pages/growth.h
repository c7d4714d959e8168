/*
 * growth: address space for a page source, in steps.
 *
 * Owns:       a few steps of sources that were destroyed, for new sources.
 * Invariants: whatever is mapped can be kept: its record, and room to note its
 *             range, are reserved before the kernel is asked.
 * Locking:    none of its own; no lock is held while the kernel is asked.
 *
 *	step: 2 MiB at first, a quarter more each time, up to 64 MiB
 */
#ifndef PAGES_GROWTH_H
#define PAGES_GROWTH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct page_source;

#define GROW_STEP_MIN ((size_t)2 << 20) /* bytes mapped at first */

/*
 * Maps more bytes, at least `size` of them at a multiple of `align`, and puts
 * them into a pool. With `trim` and without opt.retain it maps no others.
 * False: there is no memory.
 */
bool growth_run(struct page_source *source, size_t size, size_t align,
    bool trim);

/*
 * The number of bytes to map when `need` bytes are missing. The second
 * function makes the next step larger, after `size` bytes were mapped.
 */
size_t growth_step_locked(const struct page_source *source, size_t need);
void growth_stepped_locked(struct page_source *source, size_t size);

/*
 * Some programs make and destroy arenas in a loop. Such an arena has mapped one
 * step, and that step is kept for the next arena: this saves system calls and
 * page faults. A place for the step is reserved first; NULL: all places are
 * used. Then the place gets a step of GROW_STEP_MIN bytes that no page map
 * entry leads to and that need not be zero, or NULL: no step is left.
 * growth_left_step() takes a step from a place; NULL: there is none.
 */
_Atomic(char *) *growth_reserve_place(void);
void growth_leave_step(_Atomic(char *) *place, char *step);
char *growth_left_step(void);

#endif
