#include "api/aside.h"

#include <string.h>

#include "os/message.h"
#include "os/system.h"

/* Functions that every sanitizer with a malloc of its own defines. */
extern void *__interceptor_calloc(size_t count, size_t size) WEAK;
extern void *__interceptor_realloc(void *ptr, size_t size) WEAK;
extern void *__interceptor_memalign(size_t align, size_t size) WEAK;
extern void __interceptor_free(void *ptr) WEAK;
extern size_t __interceptor_malloc_usable_size(const void *ptr) WEAK;

/*
 * Functions that only one sanitizer defines. RealtimeSanitizer has the names
 * above, too, but they call the next malloc, which may be ours.
 */
extern void __asan_init(void) WEAK;
extern void __tsan_init(void) WEAK;
extern void __msan_init(void) WEAK;
extern void __lsan_init(void) WEAK;

/* The functions that the process uses. valgrind replaces them. */
extern void *malloc(size_t size);
extern void *calloc(size_t count, size_t size);
extern void *realloc(void *ptr, size_t size);
extern void *memalign(size_t align, size_t size);
extern void free(void *ptr);
extern size_t malloc_usable_size(void *ptr);

bool aside_for_valgrind;

static const char *
sanitizer(void)
{
	return __asan_init != NULL ? "AddressSanitizer"
	    : __tsan_init != NULL  ? "ThreadSanitizer"
	    : __msan_init != NULL  ? "MemorySanitizer"
	    : __lsan_init != NULL  ? "LeakSanitizer"
				   : NULL;
}

bool
aside_for_sanitizer(void)
{
	return sanitizer() != NULL && __interceptor_malloc != NULL &&
	    __interceptor_calloc != NULL && __interceptor_realloc != NULL &&
	    __interceptor_memalign != NULL && __interceptor_free != NULL &&
	    __interceptor_malloc_usable_size != NULL;
}

AT_START void
aside_look_for_valgrind(bool (*is_own)(const void *object))
{
	void *object;

	if (!BUILD_DLOPEN || !system_on_valgrind())
		return;
	/*
	 * Other tools than memcheck don't replace malloc; options can prevent
	 * it, too.
	 */
	object = malloc(1);
	HIDE(object);
	aside_for_valgrind = object != NULL && !is_own(object);
	free(object);
}

void
aside_tell(void)
{
	const char *name = sanitizer();

	if (name != NULL)
		message("%s is in this process: its own malloc serves all "
			"objects, jemalloc none",
		    name);
}

/*
 * The sanitizers print the stack of each call. So these functions and their
 * callers end with a jump where possible: a jump adds no frame.
 */
void *
aside_malloc(size_t size)
{
	return aside_for_valgrind ? malloc(size) : __interceptor_malloc(size);
}

static void *
allocate_aligned(size_t size, size_t align, bool zero)
{
	void *object = aside_for_valgrind ? memalign(align, size)
					  : __interceptor_memalign(align, size);

	if (object != NULL && zero)
		memset(object, 0, size);
	return object;
}

void *
aside_allocate(size_t size, size_t align, bool zero)
{
	/* All sanitizers align each object at least this much. */
	if (align > 2 * sizeof(void *))
		return allocate_aligned(size, align, zero);
	if (!zero)
		return aside_malloc(size);
	return aside_for_valgrind ? calloc(1, size)
				  : __interceptor_calloc(1, size);
}

static void *
resize_by_copy(void *ptr, size_t size, size_t align, bool zero)
{
	size_t old = aside_usable(ptr);
	void *object = aside_allocate(size, align, zero);

	if (object == NULL)
		return NULL;
	memcpy(object, ptr, old < size ? old : size);
	aside_free(ptr);
	return object;
}

void *
aside_resize(void *ptr, size_t size, size_t align, bool zero)
{
	if (zero || align > 2 * sizeof(void *))
		return resize_by_copy(ptr, size, align, zero);
	return aside_for_valgrind ? realloc(ptr, size)
				  : __interceptor_realloc(ptr, size);
}

void
aside_free(void *ptr)
{
	if (aside_for_valgrind)
		free(ptr);
	else
		__interceptor_free(ptr);
}

size_t
aside_usable(const void *ptr)
{
	return aside_for_valgrind ? malloc_usable_size((void *)(uintptr_t)ptr)
				  : __interceptor_malloc_usable_size(ptr);
}
