/*
 * operators_runtime: functions of the C++ run-time library that the operators
 * need when memory is out.
 *
 * A C program may open a C++ library while it runs, and for that library alone.
 * So what is found depends on who calls, and it is looked for at each call.
 *
 * Owns:       nothing.
 * Locking:    no lock of the heap may be held: the loader takes its own.
 */
#ifndef API_OPERATORS_RUNTIME_H
#define API_OPERATORS_RUNTIME_H

#include "util/compiler.h"

/*
 * The function of that name, or NULL: `own`, which is ours, is none. The order
 * is that of the linker: what all can see, then what the library needs in which
 * `caller` is an address; then the C++ libraries that are loaded.
 */
COLD void *operators_runtime(const char *name, const void *own,
    const void *caller);

/* The same, only in the library of `caller` and those that it needs. */
COLD void *operators_runtime_near(const char *name, const void *own,
    const void *caller);

#endif
