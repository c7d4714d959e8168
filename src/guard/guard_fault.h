/*
 * guard_fault: the handler of SIGSEGV, which reports accesses to guard pages.
 *
 * Owns:       the handlers of the program that ours came before.
 * Invariants: there is a handler of ours only if an object was guarded. A fault
 *             that does not concern a guarded object goes to the handler that
 *             the program has set, with its flags and its mask, as if ours did
 *             not exist. The old handler that the program gets always leads to
 *             the one that it replaced.
 * Locking:    none; the handler may run while its thread holds any lock.
 *
 * A program may set its own handler at any time, which removes ours. So for
 * each guarded object, guard_fault_prepare() checks this, and puts ours in
 * front again. There are several handlers of ours, one for each handler of the
 * program; so each "old handler" that the program got keeps its meaning, and a
 * handler that calls the one before it never causes a cycle:
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
 * Makes sure that our handler is the first one. False: the kernel refuses it,
 * or the program has had more handlers than we can remember.
 */
bool guard_fault_prepare(void);

#endif
