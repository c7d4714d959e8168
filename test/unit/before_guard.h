/*
 * before_guard: memory behind which nothing can be read or written.
 */
#ifndef BEFORE_GUARD_H
#define BEFORE_GUARD_H

#include <sys/mman.h>
#include <unistd.h>

#include "unit.h"

/* At most one page; the next call gives the same memory. */
static inline void *
before_guard(size_t size)
{
	static char *end;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (end == NULL) {
		char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		assert_true(pages != MAP_FAILED);
		end = pages + page;
		assert_int_equal(mprotect(end, page, PROT_NONE), 0);
	}
	assert_true(size <= page);
	return end - size;
}

#endif
