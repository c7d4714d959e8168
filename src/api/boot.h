/*
 * boot: starts the library, bottom layer first; begins and ends threads.
 *
 * Owns:       the state of the start-up, the key for the end of threads, and
 *             memory for calls during the start-up.
 * Invariants: the first call of any entry point starts the library, whatever
 *             ran before. Start-up makes raw system calls only. If it calls
 *             something that calls malloc, that call gets memory from a small
 *             buffer, which is never freed.
 * Locking:    one thread starts; others wait for it.
 */
#ifndef API_BOOT_H
#define API_BOOT_H

#include <stdbool.h>
#include <stddef.h>

#include "prof/prof.h"
#include "util/compiler.h"

struct arena;
struct thread;

/* Defined in malloc.c. */
extern HIDDEN const struct prof_entry malloc_entries[];

/**
 * The calling thread's own record. It is made if the thread has none yet.
 * @return  NULL: the thread is at its end, the library is just starting in this
 *          thread, or there is no memory
 */
struct thread *boot_thread(void);

/* Starts the library if it is not started yet. False: it can't be used now. */
bool boot_ready(void);

/* Zeroed memory for calls during the start-up. NULL: the buffer is used up. */
void *boot_take(size_t size, size_t align);

/* Does `object` come from boot_take()? */
bool boot_owns(const void *object);

/* The usable bytes of an object from boot_take(). */
size_t boot_usable(const void *object);

#endif
