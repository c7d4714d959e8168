/*
 * The extended family: decodes the flags, then calls request.c and resize.c.
 *
 *	bits  0-5   log2 of the alignment, 0 = natural
 *	bit   6     zero
 *	bits  8-19  cache: 0 = the thread's, 1 = none, else id + 2
 *	bits 20-31  arena: 0 = the thread's, else index + 1
 */
#include <errno.h>
#include <stdint.h>

#include "api/aside.h"
#include "api/batch.h"
#include "api/boot.h"
#include "api/fast.h"
#include "api/inspect.h"
#include "api/release.h"
#include "api/request.h"
#include "api/resize.h"
#include "arena/arena_table.h"
#include "cache/tcache_table.h"
#include "cache/thread.h"
#include "conf/options.h"
#include "extent/pagemap.h"
#include "os/message.h"
#include "util/size_class.h"

#define FLAG_ALIGN_MASK  0x3f
#define FLAG_ZERO        0x40
#define FLAG_CACHE_SHIFT 8
#define FLAG_CACHE_MASK  0xfff
#define FLAG_CACHE_NONE  1
#define FLAG_ARENA_SHIFT 20

static size_t
align_of(int flags)
{
	return (size_t)1 << (flags & FLAG_ALIGN_MASK);
}

/*
 * Sets the cache that the flags name, or NULL, and whether they ask for none.
 * False: there is no such cache; the program's abort hook has returned.
 */
static bool
tcache_of(int flags, struct tcache **tcache, bool *uncached)
{
	unsigned field = (unsigned)flags >> FLAG_CACHE_SHIFT & FLAG_CACHE_MASK;

	*tcache = NULL;
	*uncached = field == FLAG_CACHE_NONE;
	if (field <= FLAG_CACHE_NONE)
		return true;
	*tcache = tcache_table_get(field - 2);
	if (*tcache == NULL)
		fatal("invalid tcache id (%u).", field - 2);
	return *tcache != NULL;
}

/*
 * Decodes the flags into a request. False: the cache or the arena does not
 * exist; errno is set.
 */
static bool
decode(struct request *request, int flags)
{
	unsigned arena = (unsigned)flags >> FLAG_ARENA_SHIFT;

	request->align = align_of(flags);
	request->zero = (flags & FLAG_ZERO) != 0;
	/* Caches are made after the start-up, so their table exists here. */
	if (!tcache_of(flags, &request->tcache, &request->uncached)) {
		errno = ENOMEM;
		return false;
	}
	if (arena == 0)
		return true;
	if (boot_ready())
		request->arena = arena_table_need(arena - 1);
	if (request->arena == NULL)
		request_failed(request);
	return request->arena != NULL;
}

/* Do the flags have nothing but an alignment? */
static ALWAYS_INLINE bool
flags_are_plain(int flags)
{
	return (flags & ~FLAG_ALIGN_MASK) == 0;
}

/* An object from the thread's cache, as for malloc, or NULL. */
static ALWAYS_INLINE void *
take_quickly(size_t size, int flags)
{
	size_t align = align_of(flags), rounded;

	if (likely(flags == 0))
		return take_watched(thread_self, size);
	rounded = round_up(max_size(size, 1), align);
	/* The class of a multiple of `align` has at least this alignment. */
	return flags_are_plain(flags) && align <= UNIT && size <= SMALL_MAX &&
		rounded <= SMALL_MAX
	    ? take_watched(thread_self, rounded)
	    : NULL;
}

/**
 * Memory as the flags describe it.
 * @param size   bytes
 * @param flags  MALLOCX_*
 * @return       an object, or NULL
 * Contract:     api.md 4.2
 */
EXPORT void *
mallocx(size_t size, int flags)
{
	struct request request;
	void *object = take_quickly(size, flags);

	if (likely(object != NULL))
		return object;
	request = (struct request){ .size = size, .function = "mallocx" };
	if (!decode(&request, flags))
		return NULL;
	return request_run(&request);
}

/**
 * Does the same as `count` calls of mallocx(), for experimental.batch_alloc.
 * @param objects  receives the objects
 * @return         how many were allocated
 */
size_t
mallocx_many(size_t size, int flags, void **objects, size_t count)
{
	struct request request = { .size = size, .function = "mallocx" };

	if (count == 0)
		return 0;
	if (!decode(&request, flags))
		return 0;
	return batch_run(&request, objects, count);
}

/**
 * Resizes an object, maybe moving it.
 * @param ptr    an object
 * @param size   bytes, not 0
 * @param flags  MALLOCX_*; MALLOCX_ZERO zeroes bytes behind the old usable size
 * @return       the object, or NULL with `ptr` as it was
 */
EXPORT void *
rallocx(void *ptr, size_t size, int flags)
{
	struct request request = { .size = size, .function = "rallocx" };

	if (flags == 0 && ptr != NULL && likely(fast_keep(ptr, size)))
		return ptr;
	if (!decode(&request, flags))
		return NULL;
	if (ptr == NULL)
		return request_run(&request);
	return resize_object(ptr, &request);
}

/**
 * Resizes an object without moving it.
 * @param size   bytes that are needed
 * @param extra  more bytes that are wanted, if possible
 * @return       the usable size afterwards; less than `size` if it could not
 *               grow
 */
EXPORT size_t
xallocx(void *ptr, size_t size, size_t extra, int flags)
{
	struct request request = {
		.size = size,
		.align = 1,
		.zero = (flags & FLAG_ZERO) != 0,
		.keep_errno = true,
	};
	size_t old_usable = inspect_query(ptr), usable;

	if (size > LARGE_MAXCLASS ||
	    ((uintptr_t)ptr & (align_of(flags) - 1)) != 0)
		return old_usable;
	if (extra > LARGE_MAXCLASS - size)
		extra = LARGE_MAXCLASS - size;
	/* 0: no object, or one of no bytes, which stays as it is. */
	if (opt.canary && pagemap_kind(ptr) != KIND_NONE)
		return old_usable == 0 ? 0 : resize_with_canary(ptr, &request);
	request.size = size + extra;
	usable = resize_in_place(ptr, &request);
	/* It could not get `extra`, or too much was left: tries `size`. */
	request.size = size;
	if (extra != 0 &&
	    (usable < size || usable > request_usable(size + extra, 1)))
		usable = resize_in_place(ptr, &request);
	return usable;
}

/**
 * @return  the usable size of an object in bytes
 */
EXPORT size_t
sallocx(const void *ptr, int flags)
{
	(void)flags;
	return inspect_query(ptr);
}

/**
 * Frees an object. It goes into the cache that the flags name.
 */
EXPORT void
dallocx(void *ptr, int flags)
{
	bool uncached;
	struct tcache *tcache;

	if (likely(flags_are_plain(flags))) {
		fast_free(ptr);
		return;
	}
	if (!tcache_of(flags, &tcache, &uncached) || ptr == NULL)
		return;
	release_as_asked(tcache, uncached, ptr);
}

/**
 * dallocx with the size that the caller knows.
 * @param size  any value from the requested to the usable size, in bytes
 */
EXPORT void
sdallocx(void *ptr, size_t size, int flags)
{
	bool uncached;
	struct tcache *tcache;

	if (likely(flags_are_plain(flags))) {
		fast_free_sized(ptr, size, align_of(flags));
		return;
	}
	if (!tcache_of(flags, &tcache, &uncached) || ptr == NULL ||
	    !inspect_size_fits(ptr, size, align_of(flags)))
		return;
	release_as_asked(tcache, uncached, ptr);
}

/**
 * @return  the usable size that mallocx(size, flags) would give, in bytes, if
 *          there were memory for it; 0: there is no such size
 */
EXPORT size_t
nallocx(size_t size, int flags)
{
	size_t usable;

	if (!boot_ready())
		return 0;
	/* A checker reports each use of a byte behind the requested ones. */
	if (aside_active())
		return size > LARGE_MAXCLASS ? 0 : size;
	usable = options_class(size, align_of(flags));
	return opt.canary && usable != 0 ? size : usable;
}
