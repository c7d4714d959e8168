#include "api/foreign.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "api/boot.h"
#include "conf/options.h"
#include "conf/safety.h"
#include "extent/extent.h"
#include "extent/metadata.h"
#include "extent/pagemap.h"
#include "os/c_library.h"
#include "os/dss.h"
#include "os/system.h"
#include "stats/events.h"

/* malloc is the one that the process uses; do_malloc is always ours. */
extern void *malloc(size_t);
extern void free(void *);
extern void *do_malloc(size_t);

/* Is it where the C library's heap may be, between program and break? */
static bool
in_brk_heap(const void *ptr)
{
	uintptr_t low = system_program().end, top = (uintptr_t)sbrk(0);

	/*
	 * If the kernel randomises the break, there is a gap above the
	 * program's data. The kernel puts no other mapping into it.
	 */
	if (low == 0 || top == (uintptr_t)-1)
		return false;
	return (uintptr_t)ptr >= low && (uintptr_t)ptr < top &&
	    !dss_contains(ptr);
}

/*
 * malloc may be a stub in the program, or a function that only counts and then
 * calls ours. So its address does not say enough: we call it, and look whose
 * object it returns. A function that is just starting may have memory of its
 * own at first, so after a `no` we ask again, less and less often.
 */
static COLD bool
try_process_malloc(void)
{
	enum { TRIES_END = 100 };
	static _Atomic int known; /* 1: yes, -1: no, 0: not yet */
	static _Atomic unsigned asked;
	int answer = atomic_load_explicit(&known, memory_order_relaxed);
	unsigned times = atomic_fetch_add_explicit(&asked, 1,
	    memory_order_relaxed);
	void *object;

	if (answer > 0 ||
	    (answer < 0 && (times >= TRIES_END || (times & (times + 1)) != 0)))
		return answer > 0;
	object = malloc(1);
	if (object == NULL)
		return answer > 0;
	answer = boot_owns(object) || pagemap_kind(object) != KIND_NONE ? 1
									: -1;
	/* The process's free may be ours, which asks this. */
	atomic_store_explicit(&known, answer, memory_order_relaxed);
	free(object);
	return answer > 0;
}

bool
foreign_process_malloc_is_ours(void)
{
	uintptr_t used = (uintptr_t)malloc, own = (uintptr_t)do_malloc;

	/* A compiler would assume that two functions differ. */
	HIDE(used);
	HIDE(own);
	return used == own || try_process_malloc();
}

static bool
is_passed_on(const void *ptr)
{
	switch (opt.foreign) {
	case FOREIGN_FORWARD:
		return true;
	case FOREIGN_ABORT:
		return false;
	default:
		return !foreign_process_malloc_is_ours() || in_brk_heap(ptr);
	}
}

static void *
next_function(const char *name)
{
	event_count(&stats_events.foreign_forwarded);
	return c_library_next(name);
}

void
foreign_report(const char *kind, const void *ptr)
{
	struct extent *e = pagemap_find_any(ptr);

	if (metadata_contains(ptr))
		safety_report(kind, ptr, "inside the allocator's records");
	else if (e == NULL)
		safety_report(kind, ptr,
		    "not a heap pointer; "
		    "foreign:forward passes such pointers on");
	else if (e->is_slab)
		safety_report(kind, ptr, "not the start of an object");
	else if (extent_state(e) != EXTENT_ACTIVE || e->object == ptr)
		safety_report(strcmp(kind, "invalid-free") == 0 ? "double-free"
								: kind,
		    ptr, "this memory is free");
	else
		safety_report(kind, ptr,
		    "inside the object at 0x%lx "
		    "of %zu bytes",
		    (unsigned long)(uintptr_t)e->object, e->usable);
}

void
foreign_free(void *ptr)
{
	if (is_passed_on(ptr)) {
		int saved = errno;
		void (*next)(void *) = next_function("free");

		errno = saved;
		if (next != NULL) {
			next(ptr);
			return;
		}
	}
	foreign_report("invalid-free", ptr);
}

void *
foreign_realloc(void *ptr, size_t size)
{
	if (is_passed_on(ptr)) {
		void *(*next)(void *, size_t) = next_function("realloc");

		if (next != NULL)
			return next(ptr, size);
	}
	foreign_report("invalid-realloc", ptr);
	errno = ENOMEM;
	return NULL;
}

size_t
foreign_usable(const void *ptr)
{
	if (is_passed_on(ptr)) {
		size_t (*next)(const void *) =
		    next_function("malloc_usable_size");

		if (next != NULL)
			return next(ptr);
	}
	foreign_report("invalid-query", ptr);
	return 0;
}
