/*
 * os_thread: the identity of the calling thread.
 *
 * Owns:       nothing.
 * Invariants: kernel ids are reused and change over fork; they serve messages
 *             only. os_thread_self() is unique among living threads and stays
 *             the same for the thread that forks, on both sides.
 * Locking:    none.
 * Used by:    os/lock, cache/thread, api/boot, api/fork.
 */
#ifndef OS_OS_THREAD_H
#define OS_OS_THREAD_H

#include <stdint.h>

/* The kernel's id of the calling thread. */
uint32_t os_thread_id(void);

/* Never 0. */
uintptr_t os_thread_self(void);

/* Gives the CPU to another thread. */
void os_thread_yield(void);

#endif
