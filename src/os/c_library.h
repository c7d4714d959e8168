/*
 * c_library: the functions of the C library itself, whoever replaces them.
 *
 * Other libraries wrap functions such as pthread_create() and dlsym(), and take
 * locks or allocate in them. What this library calls while the program is in
 * the middle of free() must not lead there.
 *
 * Owns:       the addresses of the loaded objects that are the C library.
 * Invariants: the objects were loaded when the process started and stay. None
 *             are known in a static program, before c_library_init(), if this
 *             library is in another namespace of the loader than the program,
 *             and with a C library whose name is unusual.
 * Locking:    none; calls nobody that could be replaced.
 */
#ifndef OS_C_LIBRARY_H
#define OS_C_LIBRARY_H

/* Looks for the objects. Needs system_init(). */
void c_library_init(void);

/* Its function of this name, or NULL: none is known. */
void *c_library_find(const char *name);

/* dlsym(RTLD_NEXT, name), by the C library's dlsym() if that is known. */
void *c_library_next(const char *name);

#endif
