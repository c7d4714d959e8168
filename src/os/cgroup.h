/*
 * cgroup: how much memory the process's control group may have.
 *
 * Owns:       nothing; reads files when asked.
 * Invariants: never allocates; a file that is missing or not understood counts
 *             as no limit.
 * Locking:    none.
 */
#ifndef OS_CGROUP_H
#define OS_CGROUP_H

#include <stddef.h>

/* In bytes; 0 = no limit, or not known. Groups are nested. */
struct cgroup_memory {
	size_t high;    /* above it the kernel slows the process down (v2) */
	size_t max;     /* the lowest limit of its group and its parents */
	size_t current; /* what its group uses, including page cache */
};

struct cgroup_memory cgroup_memory(void);

/*
 * The least limit in the files of /sys/fs/cgroup itself, in bytes; 0 = none.
 * They exist in a container that sees its own group as the outermost one. This
 * takes at most two system calls, and one on other machines. Reading all of the
 * above would take too long at the start of a process.
 */
size_t cgroup_container_limit(void);

#endif
