/*
 * compiler: attributes and small idioms that depend on the compiler.
 *
 * Owns:       nothing; macros only.
 * Invariants: the only file outside os/ with compiler or platform #if.
 * Locking:    none.
 */
#ifndef UTIL_COMPILER_H
#define UTIL_COMPILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define NOINLINE      __attribute__((noinline))
#define COLD          __attribute__((cold, noinline))
/*
 * For all that runs when the library starts. These functions lie together, so
 * that a process maps few pages of code for them.
 */
#ifdef __ELF__
#define AT_START __attribute__((section(".text.startup")))
#else
#define AT_START
#endif
/* For data that is to lie among what is not zero. */
#ifdef __ELF__
#define WRITTEN __attribute__((section(".data")))
#else
#define WRITTEN
#endif
#ifndef EXPORT /* empty: --without-export */
#define EXPORT __attribute__((visibility("default")))
#endif
#define WEAK __attribute__((weak))
/* On declarations: the library's own, so that no address table is needed. */
#define HIDDEN __attribute__((visibility("hidden")))
#define UNUSED __attribute__((unused))
/* On declarations: what the system refused must have a consequence. */
#define MUST_USE __attribute__((warn_unused_result))
/* For the calls where it needs none; `why` is a string that says why. */
#define REFUSAL_IS_HARMLESS(call, why) \
	do { \
		if (!(call)) \
			(void)sizeof("" why); \
	} while (0)
/* Is this built for ThreadSanitizer? */
#if defined(__SANITIZE_THREAD__)
#define RACE_DETECTOR 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RACE_DETECTOR 1
#endif
#endif
#ifndef RACE_DETECTOR
#define RACE_DETECTOR 0
#endif
/* Reads, on purpose, inexact values that another thread's fast path writes. */
#define ROUGHLY __attribute__((no_sanitize("thread")))
/* Reads memory that sanitizers forbid to read, such as gaps on a stack. */
#define UNSANITIZED  __attribute__((no_sanitize("address", "thread")))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))
#if defined(__clang__)
#define ALIAS_OF(f) __attribute__((alias(#f)))
#else
#define ALIAS_OF(f) __attribute__((alias(#f), copy(f)))
#endif
/*
 * JUMPS_AT_END marks a function that ends with `JUMP return f(...)`, where f
 * has the same parameters. Then the call of f is a jump, even without
 * optimisation, and f sees the caller of the function as its own caller.
 */
#if defined(__has_attribute) && __has_attribute(musttail)
#define JUMPS_AT_END
#define JUMP __attribute__((musttail))
#else
#define JUMPS_AT_END __attribute__((optimize("O2")))
#define JUMP
#endif
#define CACHELINE     64
#define CACHE_ALIGNED __attribute__((aligned(CACHELINE)))

/*
 * For static data of many pages of which most processes touch none, or a few.
 * It lies apart, so that what every process touches shares its pages.
 */
#define SPARSE __attribute__((section(".bss.sparse")))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/*
 * Makes the compiler forget what it knows about a variable (in a register) or
 * about a place in memory. It generates no code. So the compiler adds in the
 * order in which the source adds, and updates memory in place instead of
 * storing a copy that it kept in a register.
 */
#define HIDE(x)        __asm__("" : "+r"(x))
#define HIDE_MEMORY(x) __asm__("" : "+m"(x))

/*
 * The same for a result in its register, so that the compiler does not merge
 * this end of the function with another one.
 */
#if defined(__x86_64__)
#define HIDE_RESULT(x) __asm__("" : "+a"(x))
#else
#define HIDE_RESULT(x) HIDE(x)
#endif

/*
 * For values that one thread at a time writes (the owner, or the holder of a
 * lock) and others read at any time. These are atomic in all builds, so the
 * race detector checks the code that is released.
 */
#define READ_RELAXED(x)       __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define SET_RELAXED(x, value) __atomic_store_n(&(x), (value), __ATOMIC_RELAXED)
#define ADD_RELAXED(x, n)     SET_RELAXED(x, READ_RELAXED(x) + (n))

/*
 * value == *place, and value + *place, where other threads may write *place.
 * gcc does not make an atomic load an operand of another instruction, so this
 * is written in assembly. The first one is an acquire: if they are equal, the
 * caller sees what the writer wrote before (each load of x86 is one).
 */
static ALWAYS_INLINE bool
equals_acquire(uintptr_t value, const uintptr_t *place)
{
#if defined(__x86_64__) && !defined(__ILP32__)
	bool equal;

	__asm__("cmpq %2, %1" : "=@ccz"(equal) : "r"(value), "m"(*place));
	return equal;
#else
	return value == __atomic_load_n(place, __ATOMIC_ACQUIRE);
#endif
}

/* value ^ *place, with a load as in equals_acquire(). */
static ALWAYS_INLINE uintptr_t
xor_acquire(uintptr_t value, const uintptr_t *place)
{
#if defined(__x86_64__) && !defined(__ILP32__)
	__asm__("xorq %1, %0" : "+r"(value) : "m"(*place) : "cc");
	return value;
#else
	return value ^ __atomic_load_n(place, __ATOMIC_ACQUIRE);
#endif
}

static ALWAYS_INLINE uintptr_t
add_relaxed(uintptr_t value, const intptr_t *place)
{
#if defined(__x86_64__) && !defined(__ILP32__)
	__asm__("addq %1, %0" : "+r"(value) : "m"(*place) : "cc");
	return value;
#else
	return value + (uintptr_t)READ_RELAXED(*place);
#endif
}

/*
 * --*place < 0, and *place += n, for the only writer of a place that others
 * read at any time. Compilers make one instruction of the first one, which
 * gives those readers what an atomic store would. As an atomic store, or in
 * assembly, it would cost calloc more, because gcc then chooses its registers
 * in another way. So it is atomic only where the compiler has to be told.
 */
static ALWAYS_INLINE bool
falls_below_0(int32_t *place)
{
#if defined(__x86_64__) && !RACE_DETECTOR
	HIDE_MEMORY(*place);
	return --*place < 0;
#else
	ADD_RELAXED(*place, -1);
	return *place < 0;
#endif
}

static ALWAYS_INLINE void
step_relaxed(void ***place, int n)
{
#if defined(__x86_64__) && !defined(__ILP32__)
	__asm__("addq %1, %0"
		: "+m"(*place)
		: "er"((intptr_t)n * (intptr_t)sizeof(void *))
		: "cc");
#else
	ADD_RELAXED(*place, n);
#endif
}

/* The struct of type `type` whose member `member` is at `ptr`. */
#define container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/*
 * A number that no other living thread has: the address of the C library's
 * record of the thread. 0 on machines where it is expensive to get.
 */
static ALWAYS_INLINE uintptr_t
thread_number(void)
{
	uintptr_t number = 0;

#if defined(__x86_64__) && !defined(__ILP32__)
	__asm__("mov %%fs:0, %0" : "=r"(number));
#elif defined(__i386__)
	__asm__("mov %%gs:0, %0" : "=r"(number));
#elif defined(__aarch64__)
	__asm__("mrs %0, tpidr_el0" : "=r"(number));
#elif defined(__arm__) && __ARM_ARCH >= 7
	__asm__("mrc p15, 0, %0, c13, c0, 3" : "=r"(number));
#endif
	return number;
}

/* A hint for the other hardware thread while spinning. */
static ALWAYS_INLINE void
cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
	__asm__ volatile("yield" ::: "memory");
#endif
}

/*
 * User addresses of Linux end at 2 to the power of this, unless a program asks
 * mmap() for more.
 */
#if !defined(__LP64__)
#define LG_USER_SPACE 32
#elif defined(__x86_64__) || defined(__powerpc64__)
#define LG_USER_SPACE 47
#else
#define LG_USER_SPACE 48
#endif

#endif
