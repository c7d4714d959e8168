/*
 * loaded_symbol: where is this function, in one loaded object?
 *
 * dlsym() says which function of a name the process uses. This says which one
 * an object has, whoever else has one of that name.
 *
 * Owns:       nothing.
 * Invariants: allocates nothing, calls nobody, not even memcmp(). It reads
 *             nothing outside what the object's program headers say is loaded
 *             and readable, so a damaged table leads to no fault, only to no
 *             answer.
 * Locking:    none; the object must stay loaded meanwhile.
 */
#ifndef OS_LOADED_SYMBOL_H
#define OS_LOADED_SYMBOL_H

#include <stdint.h>

/* The program headers are looked for in so many bytes of the object. */
enum { LOADED_HEADERS_SIZE = 4096 };

/**
 * Finds a function. Of several versions it is the default one.
 * @param object  the address of the ELF header; LOADED_HEADERS_SIZE bytes must
 *                be readable there
 * @return        0: there is no such function, or the loader would have to run
 *                code to choose one (an indirect function)
 */
uintptr_t loaded_symbol(uintptr_t object, const char *name);

#endif
