/*
 * guard_fault: the handler of SIGSEGV, which reports accesses to guard pages.
 *
 * Owns:       the handlers of the program that ours came before.
 * Invariants: there is a handler of ours only if an object was guarded. A fault
 *             that is not about a guarded object goes to the handler that the
 *             program has set, with its flags and its mask, as if ours did not
 *             exist. What the program gets as the old handler always leads to
 *             what it replaced.
 * Locking:    none; the handler may run while its thread holds any lock.
 *
 * A program may set its own handler at any time, which removes ours. So each
 * time that an object is guarded, guard_fault_prepare() looks, and puts ours in
 * front again. There are several handlers of ours, one for each handler of the
 * program; so what the program has got as "the old handler" keeps its meaning,
 * and a handler that calls the one before it does not end up in a circle:
 *
 *	program sets A                          A
 *	an object is guarded       handler 0 -> A
 *	program sets B             B (it knows handler 0 as the old one)
 *	an object is guarded       handler 1 -> B -> handler 0 -> A
 */
#ifndef GUARD_GUARD_FAULT_H
#define GUARD_GUARD_FAULT_H

#include <stdbool.h>

/*
 * Sees to it that our handler is the first one. False: the kernel refuses it,
 * or the program has had more handlers than we can remember.
 */
bool guard_fault_prepare(void);

#endif
