/*
 * Any name and any numbers as a mallctl that reads.
 *
 * The first byte says how: a name, a name cut into numbers, or raw numbers.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arena/arena_table.h"
#include "cache/tcache_table.h"
#include "cache/thread.h"
#include "conf/conf.h"
#include "conf/options.h"
#include "ctl/ctl.h"
#include "ctl/ctl_tree.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "os/system.h"
#include "stats/snapshot.h"

#define KEY     ((uintptr_t)UINT64_C(0x1234567887654321))
#define MIB_MAX 20

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(bool truth)
{
	if (!truth)
		abort();
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char *const none[CONF_SOURCES];

	(void)argc;
	(void)argv;
	system_init();
	metadata_init();
	extent_records_init();
	snapshot_init();
	conf_settle(&opt_at_start, none);
	opt_at_start.narenas = 4;
	size_class_init(system_info.page_size, opt.slab_sizes);
	thread_init(KEY);
	tcache_table_init(KEY);
	expect(arena_table_init(opt.narenas, 1));
	expect(thread_birth() != NULL);
	return 0;
}

static void
check(int error, size_t given, size_t length)
{
	expect(error == 0 || error == EINVAL || error == EPERM ||
	    error == ENOENT || error == EFAULT || error == EAGAIN);
	expect(length <= given);
}

/* Reads into a block of exactly that length, so that ASan sees all beyond. */
static void
by_name(const char *name, size_t given)
{
	size_t length = given;
	char *old = calloc(1, given != 0 ? given : 1);
	char *text = calloc(1, 64);

	/* Where arena.<i>.name puts it. */
	if (given == sizeof(text))
		memcpy(old, &text, sizeof(text));
	check(ctl_by_name(&ctl_tree, name,
		  &(struct ctl_arguments){ .oldp = old, .oldlenp = &length }),
	    given, length);
	free(old);
	free(text);
}

static void
by_numbers(const size_t *mib, size_t miblen, size_t given)
{
	size_t length = given;
	char *old = calloc(1, given != 0 ? given : 1);
	char *text = calloc(1, 64);

	if (given == sizeof(text))
		memcpy(old, &text, sizeof(text));
	check(ctl_by_path(&ctl_tree, mib, miblen,
		  &(struct ctl_arguments){ .oldp = old, .oldlenp = &length }),
	    given, length);
	free(old);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t mib[MIB_MAX], miblen = 0, given;
	char *name;

	if (size < 2)
		return 0;
	given = data[1] % 20;
	name = calloc(1, size);
	memcpy(name, data + 2, size - 2);
	switch (data[0] % 3) {
	case 0:
		by_name(name, given);
		break;
	case 1:
		miblen = data[0] / 3 % 8;
		if (ctl_path(&ctl_tree, name, mib, &miblen) == 0)
			by_numbers(mib, miblen, given);
		break;
	default:
		miblen = (size - 2) / sizeof(size_t);
		if (miblen > MIB_MAX)
			miblen = MIB_MAX;
		memcpy(mib, data + 2, miblen * sizeof(size_t));
		by_numbers(mib, miblen, given);
	}
	free(name);
	return 0;
}
