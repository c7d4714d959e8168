/*
 * The standard family: malloc calloc realloc free, aligned and sized. Here are
 * only fast paths and argument checks; the rest is in request.c and resize.c.
 *
 * malloc, from the caller to the kernel:
 *
 *	malloc > request_run > tcache_take_slow > refill > bin_take >
 *	slab_create > page_source_take > grow > pages_map > mmap
 *
 * free:
 *
 *	free > release_object > tcache_give_slow > drop_oldest > bin_give >
 *	page_source_give > (ageing) pages_purge_forced > madvise
 *
 * Unusual cases make one of the fast path's usual branches fail, so they cost
 * no branch of their own: see fast.h.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/aside.h"
#include "api/boot.h"
#include "api/checked_quick.h"
#include "api/fast.h"
#include "api/inspect.h"
#include "api/request.h"
#include "api/resize.h"
#include "arena/slab.h"
#include "cache/thread.h"
#include "conf/options.h"
#include "extent/pagemap.h"
#include "os/message.h"
#include "os/system.h"
#include "prof/prof.h"
#include "stats/events.h"

/*
 * Second names of our functions, because another library may define malloc.
 * Tools may show these names instead of the public ones. Profilers know names
 * that begin with do_malloc and do_free as those of an allocator.
 */
void *do_malloc(size_t size) ALIAS_OF(malloc);
void *do_malloc_zeroed(size_t count, size_t size) ALIAS_OF(calloc);
void *do_malloc_aligned(size_t align, size_t size) ALIAS_OF(aligned_alloc);
void do_free(void *ptr) ALIAS_OF(free);

/*
 * The functions that fast paths jump to when they fail. A jump leaves no frame
 * of the public function on the stack. But readers of the heap profile need its
 * name: the program's part of the stack begins behind it. So a return address
 * in one of these functions stands for the public function. Each is in a
 * section of its own and has SLOW_SIZE bytes for itself.
 */
#define SLOW_SIZE 256
#define STANDS_FOR(function) \
	NOINLINE \
	__attribute__((aligned(SLOW_SIZE), section("je_slow_" #function)))

static STANDS_FOR(malloc) void *
malloc_slow(size_t size)
{
	void *object;

	/* While a checker allocates, no cache has an object. */
	if (opt.checked) {
		object = checked_quick_take(size, 1, false);
		if (likely(object != NULL))
			return object;
	}
	if (aside_active())
		return aside_malloc(size);
	return request_run(&(struct request){
	    .size = size, .align = 1, .function = "malloc" });
}

/**
 * Memory for one object.
 * @param size  bytes; 0 gives the smallest object
 * @return      uninitialised memory, or NULL with errno = ENOMEM
 * Contract:    C23 7.24.4.6
 */
EXPORT void *
malloc(size_t size)
{
	struct thread *thread = thread_self;
	void *object;

	/* Each branch has its own end, so that the compiler adds no jump. */
	if (likely(size <= CLASS_FINE_MAX)) {
		object = cache_bin_take(bin_for(thread, size));
		if (unlikely(object == NULL))
			return malloc_slow(size);
		HIDE_RESULT(object);
		return object;
	}
	object = take_watched(thread, size);
	if (unlikely(object == NULL))
		return malloc_slow(size);
	return object;
}

static STANDS_FOR(calloc) void *
calloc_slow(size_t size)
{
	if (aside_active())
		return aside_allocate(size, 1, true);
	return request_run(&(struct request){
	    .size = size, .align = 1, .zero = true, .function = "calloc" });
}

static COLD void *
calloc_overflow(void)
{
	return request_failed(&(struct request){
	    .align = 1, .function = "calloc" });
}

/* What 32 bytes may leave of a class below 64: of 48, or of 56. */
#define ZEROED_TAIL (LG_QUANTUM == 4 ? 16 : 24)

/*
 * Zeroes an object of a small class. Most sizes are short and multiples of 16.
 * For these a few stores, which may overlap at the end, are faster than
 * memset().
 */
static ALWAYS_INLINE void *
zero_object(void *object, size_t usable)
{
	char *p = object, *end = p + usable;

	if (unlikely(usable > 128))
		return memset(object, 0, usable);
	if (usable >= 64) {
		__builtin_memset(p, 0, 64);
		if (usable > 64)
			__builtin_memset(end - 64, 0, 64);
	} else if (usable >= 32) {
		__builtin_memset(p, 0, 32);
		__builtin_memset(end - ZEROED_TAIL, 0, ZEROED_TAIL);
	} else if (usable >= 16) {
		__builtin_memset(p, 0, 16);
		__builtin_memset(end - 8, 0, 8);
	} else if (sizeof(uintptr_t) < 8) {
		/* Else the cache has zeroed all of it, with the mark. */
		__builtin_memset(p, 0, 8);
	}
	return object;
}

/**
 * Zeroed memory for an array.
 * @param count  elements
 * @param size   bytes of each
 * @return       memory that is zero up to its usable size, or NULL with
 *               errno = ENOMEM, also when the product overflows
 * Contract:     C23 7.24.4.2
 */
EXPORT void *
calloc(size_t count, size_t size)
{
	struct thread *thread = thread_self;
	struct cache_bin *bin;
	size_t total;
	void *object;

	if (unlikely(__builtin_mul_overflow(count, size, &total)))
		return calloc_overflow();
	/*
	 * Pages from the kernel are zero. The slow path knows which pages are.
	 */
	if (unlikely(total > SMALL_MAX))
		return calloc_slow(total);
	bin = bin_for(thread, total);
	object = likely(total <= CLASS_FINE_MAX) ? cache_bin_take(bin)
						 : take_watched(thread, total);
	if (unlikely(object == NULL))
		return calloc_slow(total);
	return zero_object(object, bin->usable);
}

const struct prof_entry malloc_entries[PROF_ENTRIES] = {
	{ (const char *)malloc_slow, (const char *)malloc_slow + SLOW_SIZE,
	    (const void *)do_malloc },
	{ (const char *)calloc_slow, (const char *)calloc_slow + SLOW_SIZE,
	    (const void *)do_malloc_zeroed },
};

/**
 * Frees an object of ours. Another pointer is passed on or reported (see
 * foreign.h); a double free is reported.
 * @param ptr  the object, or NULL
 * Errors:     none; errno is kept.
 * Contract:   C23 7.24.4.3
 */
EXPORT void
free(void *ptr)
{
	fast_free(ptr);
}

/**
 * Frees an object whose size the caller knows.
 * @param ptr   the object, or NULL
 * @param size  any value from the requested to the usable size, in bytes
 * Errors:      none; errno is kept. A wrong size is reported.
 * Contract:    C23 7.24.4.4
 */
EXPORT void
free_sized(void *ptr, size_t size)
{
	fast_free_sized(ptr, size, 1);
}

/**
 * Frees an object of aligned_alloc.
 * @param align  the alignment it was requested with, in bytes
 * @param size   any value from the requested to the usable size, in bytes
 * Errors:       none; errno is kept. A wrong size is reported.
 * Contract:     C23 7.24.4.5
 */
EXPORT void
free_aligned_sized(void *ptr, size_t align, size_t size)
{
	fast_free_sized(ptr, size, align);
}

static void *
realloc_zero_size(void *ptr)
{
	if (aside_active())
		return aside_resize(ptr, 0, 1, false);
	event_count(&stats_events.zero_reallocs);
	switch (opt.zero_realloc) {
	case ZERO_REALLOC_ALLOC:
		return resize_object(ptr,
		    &(struct request){
			.size = 1, .align = 1, .function = "rallocx" });
	case ZERO_REALLOC_FREE:
		free(ptr);
		return NULL;
	default:
		fatal_as_it_is("Called realloc(non-null-ptr, 0) with "
			       "zero_realloc:abort set\n");
		errno = ENOMEM;
		return NULL;
	}
}

/* realloc(NULL, size). With xmalloc a failure is reported for realloc. */
static void *
realloc_nothing(size_t size)
{
	if (likely(!opt.xmalloc))
		return do_malloc(size);
	return request_run(&(struct request){
	    .size = size, .align = 1, .function = "realloc" });
}

/**
 * Changes the size of an object, maybe moving it.
 * @param ptr   the object, or NULL for malloc(size)
 * @param size  bytes; 0 as opt.zero_realloc says (default: frees)
 * @return      the object with its first bytes kept, or NULL with
 *              errno = ENOMEM and `ptr` as it was
 * Contract:    C23 7.24.4.7, api.md 3.1
 */
EXPORT void *
realloc(void *ptr, size_t size)
{
	if (unlikely(ptr == NULL))
		return realloc_nothing(size);
	if (unlikely(size == 0))
		return realloc_zero_size(ptr);
	if (likely(fast_keep(ptr, size)))
		return ptr;
	return resize_object(ptr,
	    &(struct request){
		.size = size, .align = 1, .function = "rallocx" });
}

/* --- aligned ---------------------------------------------------------- */

static COLD int
invalid_alignment(void)
{
	if (opt.xmalloc)
		fatal("Error allocating aligned memory: invalid alignment");
	return EINVAL;
}

static COLD void *
refuse_alignment(void)
{
	errno = invalid_alignment();
	return NULL;
}

/**
 * Aligned memory.
 * @param align  power of two
 * @param size   bytes; need not be a multiple of `align`
 * @return       NULL with errno = EINVAL or ENOMEM
 * Contract:     C23 7.24.4.1
 */
EXPORT void *
aligned_alloc(size_t align, size_t size)
{
	if (unlikely(!is_pow2(align)))
		return refuse_alignment();
	return fast_aligned(align, size);
}

/**
 * As aligned_alloc. An alignment that is not a power of two is rounded up to
 * one.
 * @return  NULL with errno = EINVAL (no such power) or ENOMEM
 * Contract: glibc
 */
EXPORT void *
memalign(size_t align, size_t size)
{
	if (unlikely(!is_pow2(align))) {
		if (align > SIZE_MAX / 2)
			return refuse_alignment();
		align = align == 0 ? 1 : (size_t)1 << lg_ceil(align);
	}
	return fast_aligned(align, size);
}

/**
 * Aligned memory through a pointer argument.
 * @param result  set on success only
 * @param align   power of two, multiple of sizeof(void *)
 * @return        0, EINVAL or ENOMEM; errno is kept
 * Contract:      POSIX
 */
EXPORT int
posix_memalign(void **result, size_t align, size_t size)
{
	int saved = errno;
	void *object;

	if (unlikely(!is_pow2(align) || align < sizeof(void *)))
		return invalid_alignment();
	object = fast_aligned(align, size);
	if (unlikely(object == NULL)) {
		errno = saved;
		return ENOMEM;
	}
	*result = object;
	return 0;
}

/**
 * Page-aligned memory.
 * @return  NULL with errno = ENOMEM
 * Contract: glibc
 */
EXPORT void *
valloc(size_t size)
{
	return fast_aligned(system_info.page_size, size);
}

/**
 * Page-aligned memory of whole pages.
 * @return  NULL with errno = ENOMEM, also when rounding up overflows
 * Contract: glibc
 */
EXPORT void *
pvalloc(size_t size)
{
	size_t page = system_info.page_size;

	if (unlikely(size > SIZE_MAX - page))
		return request_failed(&(struct request){ .align = page });
	return fast_aligned(page, round_up(size, page));
}

/**
 * Bytes usable at `ptr`, at least as many as were requested.
 * @param ptr  an object, or NULL
 * @return     bytes; 0 for NULL
 * Errors:     none; errno is kept. A foreign pointer is handled as by free.
 */
EXPORT size_t
malloc_usable_size(void *ptr)
{
	return inspect_query(ptr);
}

#if CONFIG_LIBC_NAMES
/*
 * glibc exports its functions by these names, too. A program may free by one
 * name what it took by the other. A malloc of the program's own that calls them
 * must not be called back, so they are the same functions, not callers of them.
 * Contract: api.md 8
 */
EXPORT void *__libc_malloc(size_t size) ALIAS_OF(malloc);
EXPORT void *__libc_calloc(size_t count, size_t size) ALIAS_OF(calloc);
EXPORT void *__libc_realloc(void *ptr, size_t size) ALIAS_OF(realloc);
EXPORT void __libc_free(void *ptr) ALIAS_OF(free);
EXPORT void *__libc_memalign(size_t align, size_t size) ALIAS_OF(memalign);
EXPORT void *__libc_valloc(size_t size) ALIAS_OF(valloc);
EXPORT void *__libc_pvalloc(size_t size) ALIAS_OF(pvalloc);
#endif
