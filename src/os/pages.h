/*
 * pages: the kernel's memory calls.
 *
 * Owns:       knowledge of what this kernel can do (advice that failed once
 *             with EINVAL or ENOSYS is not tried again).
 * Invariants: addresses and sizes are multiples of the page size; errno is
 *             kept; if the kernel refuses, the result says so (false, NULL),
 *             and nothing aborts.
 * Locking:    none. No caller holds a lock.
 */
#ifndef OS_PAGES_H
#define OS_PAGES_H

#include <stdbool.h>
#include <stddef.h>

#include "util/compiler.h"

/**
 * Maps zeroed memory.
 * @param size   bytes
 * @param align  power of two, at least the page size
 * @return       the address, or NULL
 */
MUST_USE void *pages_map(size_t size, size_t align);

/* Maps exactly at `addr`; false: something is mapped there, or no memory. */
MUST_USE bool pages_map_at(void *addr, size_t size);

/*
 * Address space that can't be read or written until pages_allow(). align is at
 * least the page size. NULL: the kernel refuses.
 */
MUST_USE void *pages_reserve(size_t size, size_t align);

/*
 * Makes pages readable and writable, or neither; contents stay. false: the
 * kernel refuses, and a part of them may have changed.
 */
MUST_USE bool pages_allow(void *addr, size_t size);
MUST_USE bool pages_forbid(void *addr, size_t size);

/* Returns address space; false: it is still mapped. */
bool pages_unmap(void *addr, size_t size);

/*
 * Drops the contents at once, also those of locked pages. true: the bytes now
 * read as zero and are not in memory. false: none or some of them may have been
 * dropped.
 */
MUST_USE bool pages_purge_forced(void *addr, size_t size);

/*
 * pages_are_locked(): is the page at `addr`, which was mapped just now and not
 * touched, locked and in memory? Then this is true for all later mappings
 * (mlockall() with MCL_FUTURE). pages_come_locked() returns the last answer
 * again.
 */
bool pages_are_locked(void *addr);
bool pages_come_locked(void);

/* Was it the limit of locked memory that stopped the last refused mapping? */
bool pages_lock_limit_hit(void);

/*
 * Lets the kernel drop the contents when it needs memory; false: it refuses.
 * Then they may have been dropped at once.
 */
MUST_USE bool pages_purge_lazy(void *addr, size_t size);

/*
 * Advice on huge pages: the kernel should, or should not, use them for a range
 * from now on. false: this kernel refuses the advice. The last advice counts.
 */
bool pages_want_huge(void *addr, size_t size);
bool pages_refuse_huge(void *addr, size_t size);

/*
 * Core dumps should not, or should, contain a range. If the kernel refuses the
 * first, they contain it; if it refuses the second (it has no room for another
 * mapping), they do not.
 */
MUST_USE bool pages_leave_out_of_core(void *addr, size_t size);
void pages_keep_in_core(void *addr, size_t size);

/*
 * Makes a range a huge page now, and keeps its contents; false: the kernel
 * can't.
 */
MUST_USE bool pages_collapse(void *addr, size_t size);

/**
 * Moves contents by changing page tables. The old range stays mapped and reads
 * as zero.
 * @return  false: this kernel can't; nothing has changed
 */
MUST_USE bool pages_move(void *from, void *to, size_t size);

/*
 * The number of mmap, munmap, madvise, mremap, mprotect calls so far, for
 * statistics.
 */
unsigned long pages_calls(void);

#endif
