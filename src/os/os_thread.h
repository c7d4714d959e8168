/*
 * os_thread: the identity of the calling thread, and threads of our own.
 *
 * Owns:       nothing.
 * Invariants: kernel ids are reused and change over fork; they serve messages
 *             only. os_thread_self() is unique among living threads and stays
 *             the same for the thread that forks, on both sides.
 * Locking:    none.
 */
#ifndef OS_OS_THREAD_H
#define OS_OS_THREAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The kernel's id of the calling thread. */
uint32_t os_thread_id(void);

/* Never 0. */
uintptr_t os_thread_self(void);

/* Gives the CPU to another thread. */
void os_thread_yield(void);

/**
 * Starts a thread that no signal of the program reaches.
 * @return  0, or an error number
 */
int os_thread_start(pthread_t *thread, void *(*run)(void *), void *arg);
void os_thread_join(pthread_t thread);

/* What `ps` shows for the calling thread, at most 15 characters. */
void os_thread_set_name(const char *name);

/* Sleeps while *word is `value`, at most `wait_ns`; UINT64_MAX = for ever. */
void os_thread_sleep(_Atomic uint32_t *word, uint32_t value,
    uint64_t wait_ns);
void os_thread_wake(_Atomic uint32_t *word);

/*
 * A barrier that all threads of the process pass: what each did before is seen
 * by us after it, and what we did before by each of them. init tells whether
 * this kernel has it.
 */
bool os_thread_barrier_init(void);
void os_thread_barrier(void);

/* The name that the system has for the calling thread; 16 bytes. */
void os_thread_name(char name[16]);

#endif
