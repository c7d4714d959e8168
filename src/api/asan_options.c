/*
 * Tells a shared AddressSanitizer to accept that this library is loaded before
 * it. It would end the process otherwise, for fear that calls of malloc don't
 * reach it; but they do: see aside.h. A program, and ASAN_OPTIONS, may say
 * otherwise.
 */
#include "util/compiler.h"

/* AddressSanitizer calls this when it starts; anybody may define it. */
EXPORT WEAK const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "verify_asan_link_order=0";
}
