/*
 * cgroup: how much memory the process's control group may have.
 *
 * Owns:       nothing; reads files when asked.
 * Invariants: never allocates; a file that is missing or odd is no limit.
 * Locking:    none.
 */
#ifndef OS_CGROUP_H
#define OS_CGROUP_H

#include <stddef.h>

/* Bytes; 0 = no limit, or not known. */
struct cgroup_memory {
	size_t high;	/* from where on the kernel slows it down (v2) */
	size_t max;	/* what it may have: the least of its group's and of all
			   groups around that */
	size_t current;	/* what its group has, page cache included */
};

struct cgroup_memory cgroup_memory(void);

/* The same with all paths below `root`, for tests; "" = the real ones. */
struct cgroup_memory cgroup_memory_at(const char *root);

#endif
