/*
 * os_thread: the identity of the calling thread, and the library's own threads.
 *
 * Owns:       nothing.
 * Invariants: kernel ids are reused, and a fork changes them, so they are used
 *             only in messages. os_thread_self() is unique among living
 *             threads, and for the thread that forks it is the same in parent
 *             and child.
 * Locking:    none.
 */
#ifndef OS_OS_THREAD_H
#define OS_OS_THREAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/compiler.h"

/* The kernel's id of the calling thread. */
uint32_t os_thread_id(void);

/* The kernel's id of the process. */
uint32_t os_process_id(void);

/* The identity of the calling thread; never 0. */
uintptr_t os_thread_self(void);

/* Lets another thread run on this CPU. */
void os_thread_yield(void);

/**
 * Starts a thread that no signal of the program reaches.
 * @return  0, or an error number
 */
int os_thread_start(pthread_t *thread, void *(*run)(void *), void *arg);
void os_thread_join(pthread_t thread);
void os_thread_detach(pthread_t thread);

/* Sends a signal to the calling thread. */
void os_thread_signal(int signal);

/* Sets the name that `ps` shows for the calling thread, up to 15 characters. */
void os_thread_set_name(const char *name);

/* Sleeps while *word is `value`, at most `wait_ns`; UINT64_MAX = for ever. */
void os_thread_sleep(_Atomic uint32_t *word, uint32_t value, uint64_t wait_ns);
void os_thread_wake(_Atomic uint32_t *word);

/*
 * A memory barrier in all threads of the process. After it, the caller sees
 * what every thread did before the barrier, and every thread sees what the
 * caller did before it. os_thread_barrier_init() returns whether this kernel
 * has it. Even then the barrier may be refused later, by a filter of system
 * calls or for lack of memory: false, and nobody need have seen anything.
 */
MUST_USE bool os_thread_barrier_init(void);
MUST_USE bool os_thread_barrier(void);

/* Reads that name, 16 bytes with the terminating zero. */
void os_thread_name(char name[16]);

#endif
