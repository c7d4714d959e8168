/*
 * larger_pages: a test that runs as under a kernel with larger pages.
 *
 * The library asks for the size of a page once, at start, and much follows from
 * it: how long a record is, where pages of records begin. So such a test has a
 * process of its own, in which the size is set before anything else is. And
 * the kernel must answer as one with such pages would: the program is linked
 * with --wrap=pages_map, and its __wrap_pages_map() calls map_larger_pages().
 */
#ifndef LARGER_PAGES_H
#define LARGER_PAGES_H

#include <sys/wait.h>
#include <unistd.h>

#include "os/system.h"
#include "unit.h"

void *__real_pages_map(size_t size, size_t align);

/* Maps at a multiple of system_info.page_size, whatever the kernel's is. */
static inline void *
map_larger_pages(size_t size, size_t align)
{
	size_t page = system_info.page_size;
	size_t small = (size_t)sysconf(_SC_PAGESIZE);
	void *addr;

	if (page == small)
		return __real_pages_map(size, align);
	/* The library's own way to an alignment that the kernel has not. */
	system_info.page_size = small;
	addr = __real_pages_map(size, align < page ? page : align);
	system_info.page_size = page;
	return addr;
}

/**
 * Runs `group`, which returns how many tests failed, in a child with pages of
 * `size` bytes. `init` starts the layers below after system_init().
 * @return  0: all tests passed; 1: not, or the child came to an end too soon
 */
static inline int
run_with_larger_pages(size_t size, void (*init)(void), int (*group)(void))
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		system_init();
		if (system_info.page_size < size)
			system_info.page_size = size;
		init();
		exit(group() != 0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return 1;
	return !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#endif
