/*
 * boot: start-up in order, bottom layer first; a thread's first and last call.
 *
 * Owns:       the state of start-up, the exit key, memory handed out while
 *             starting.
 * Invariants: the first call of any entry point starts the library, whatever
 *             ran before. Start-up makes raw system calls only; if something
 *             it calls comes back to malloc, that call is served from a
 *             small buffer that is never freed.
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

/* Of malloc.c, see there. */
extern HIDDEN const struct prof_entry malloc_entries[];

/**
 * The calling thread's own record, made if it has none yet.
 * @return  NULL if there is none to be had: the thread is at its end, the
 *          library is just starting in this thread, or there is no memory
 */
struct thread *boot_thread(void);

/* Is the library started? Starts it if it was never tried. */
bool boot_ready(void);

/* Memory for calls from inside of start-up, zeroed; NULL when used up. */
void *boot_take(size_t size, size_t align);

/* Was it boot_take that gave out `object`? */
bool boot_owns(const void *object);

/* Usable bytes of what boot_take gave out. */
size_t boot_usable(const void *object);

#endif
