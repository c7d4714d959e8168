/*
 * node: on which NUMA node does the calling thread run?
 *
 * Owns:       the kernel's function that tells.
 * Invariants: makes no system call, which a filter of the program may forbid.
 *             Where the kernel has no function for it in the process (AArch64,
 *             for one, or under valgrind), no node is known.
 * Locking:    none; node_init() before threads start.
 */
#ifndef OS_NODE_H
#define OS_NODE_H

void node_init(void);

/*
 * 1 + the kernel's number of the node; 0: not known. The thread may be on
 * another one as soon as this returns.
 */
unsigned node_now(void);

#endif
