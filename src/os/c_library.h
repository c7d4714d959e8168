/*
 * c_library: the functions of the C library itself, whoever replaces them.
 *
 * Other libraries wrap functions such as pthread_create() and dlsym(), and take
 * locks or allocate in them. What this library calls while the program is in
 * the middle of free() must not lead there.
 *
 * Owns:       the addresses of the loaded objects that are the C library.
 * Invariants: the objects were loaded when the process started, or before this
 *             library, and stay. None are known in a static program and before
 *             c_library_init().
 * Locking:    none; calls nobody that could be replaced.
 */
#ifndef OS_C_LIBRARY_H
#define OS_C_LIBRARY_H

/*
 * Looks for the objects. This may be the first that the library does: before a
 * sanitizer has started. Again it has no effect.
 */
void c_library_init(void);

/* Its function of this name, or NULL: none is known. */
void *c_library_find(const char *name);

/*
 * dlsym(RTLD_NEXT, name), by the C library's dlsym() if that is known, and else
 * by the one of the process, which may be that of api/dlsym.c.
 */
void *c_library_next(const char *name);

/*
 * The function behind `own`, which is ours and has the same name: that of the
 * next library, which may wrap the C library's. NULL: none is known.
 */
void *c_library_behind(const char *name, const void *own);

#endif
