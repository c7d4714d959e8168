/*
 * smallocx: mallocx() that also returns the usable size. Compiled only with
 * --enable-experimental-smallocx. Its name ends with that of the commit, so
 * that nobody takes it for a part of the contract.
 */
#include <stddef.h>

#include "util/build.h"
#include "util/compiler.h"

#define JOIN_TOKENS(a, b) a##b
#define JOIN(a, b)        JOIN_TOKENS(a, b)
#define SMALLOCX          JOIN(smallocx_, BUILD_GID)

/* Callers must declare this type themselves: the header does not have it. */
typedef struct {
	void *ptr;   /* NULL: no memory */
	size_t size; /* bytes usable */
} smallocx_return_t;

void *mallocx(size_t size, int flags);
size_t nallocx(size_t size, int flags);

/**
 * Memory as the flags describe it, and its size.
 * @param size   bytes, not 0
 * @param flags  MALLOCX_*
 * @return       ptr: an object, or NULL; size: nallocx(size, flags)
 */
EXPORT smallocx_return_t
SMALLOCX(size_t size, int flags)
{
	return (smallocx_return_t){ mallocx(size, flags),
		nallocx(size, flags) };
}
