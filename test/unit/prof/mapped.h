/*
 * mapped: memory from pages_map that is counted, and refused when the test
 * wants that. at_map does what is to happen meanwhile. For programs that wrap
 * pages_map and pages_unmap.
 */
#ifndef UNIT_PROF_MAPPED_H
#define UNIT_PROF_MAPPED_H

#include "../unit.h"
#include "os/pages.h"

static struct fault map_fault;
static size_t mapped; /* bytes */
static void (*at_map)(void);

void *__real_pages_map(size_t size, size_t align);
void *__wrap_pages_map(size_t size, size_t align);
bool __real_pages_unmap(void *addr, size_t size);
bool __wrap_pages_unmap(void *addr, size_t size);

void *
__wrap_pages_map(size_t size, size_t align)
{
	void *addr = fault_hits(&map_fault) ? NULL
					    : __real_pages_map(size, align);

	mapped += addr == NULL ? 0 : size;
	if (at_map != NULL)
		at_map();
	return addr;
}

bool
__wrap_pages_unmap(void *addr, size_t size)
{
	assert_int_not_equal(size, 0);
	mapped -= size;
	return __real_pages_unmap(addr, size);
}

#endif
