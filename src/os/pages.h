/*
 * pages: the kernel's memory calls.
 *
 * Owns:       knowledge of what this kernel can do (advice that failed once
 *             with EINVAL or ENOSYS is not tried again).
 * Invariants: addresses and sizes are multiples of the page size; errno is
 *             kept; a refusal is an answer (false, NULL), never an abort.
 * Locking:    none. No caller holds a lock.
 */
#ifndef OS_PAGES_H
#define OS_PAGES_H

#include <stdbool.h>
#include <stddef.h>

/**
 * Maps zeroed memory.
 * @param size   bytes
 * @param align  power of two, at least the page size
 * @return       the address, or NULL
 */
void *pages_map(size_t size, size_t align);

/* Maps at exactly `addr`, where nothing may be mapped; false: it can't. */
bool pages_map_at(void *addr, size_t size);

/* Returns address space; false: it is still mapped. */
bool pages_unmap(void *addr, size_t size);

/*
 * Drops contents at once, of locked pages too; true only if the bytes now read
 * zero and are not in memory. False: anything of them may still be there.
 */
bool pages_purge_forced(void *addr, size_t size);

/*
 * Is the page at `addr`, mapped just now and not touched, locked and in memory?
 * Then so is all that was mapped (mlockall with MCL_FUTURE). The second one:
 * what was the answer the last time?
 */
bool pages_are_locked(void *addr);
bool pages_come_locked(void);

/* Lets the kernel drop contents when it wants; false: it won't, or they are
 * gone already. */
bool pages_purge_lazy(void *addr, size_t size);

/*
 * Advice on huge pages for a range: that it should be made of them as it is
 * used, or not. False: this kernel won't listen. The last advice counts.
 */
bool pages_want_huge(void *addr, size_t size);
bool pages_refuse_huge(void *addr, size_t size);

/* Makes what is there huge now; false: the kernel can't. Contents stay. */
bool pages_collapse(void *addr, size_t size);

/**
 * Moves contents by page tables; the old range stays mapped and reads zero.
 * @return  false if this kernel can't; nothing has changed then
 */
bool pages_move(void *from, void *to, size_t size);

/* mmap, munmap, madvise, mremap calls made so far, for tests and figures. */
unsigned long pages_calls(void);

#endif
