#include "os/node.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/auxv.h>

#include "os/loaded_symbol.h"
#include "util/compiler.h"

typedef long node_reader(unsigned *cpu, unsigned *node, void *unused);

static node_reader *reader; /* NULL: there is none */

AT_START void
node_init(void)
{
#if defined(__x86_64__) || defined(__i386__)
	int saved = errno; /* getauxval() sets it for an unknown entry */
	uintptr_t object = getauxval(AT_SYSINFO_EHDR);

	errno = saved;
	if (object != 0)
		reader = (node_reader *)loaded_symbol(object, "__vdso_getcpu");
#endif
}

unsigned
node_now(void)
{
	unsigned node = UINT_MAX;

	return reader == NULL || reader(NULL, &node, NULL) != 0 ? 0 : node + 1;
}
