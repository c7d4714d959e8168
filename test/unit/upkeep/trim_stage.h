/* What tests of the trimmer start with: caches, and one arena. */
#ifndef TEST_UNIT_UPKEEP_TRIM_STAGE_H
#define TEST_UNIT_UPKEEP_TRIM_STAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "arena/arena_table.h"
#include "cache/thread.h"
#include "conf/conf.h"
#include "conf/options.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "os/system.h"

static inline bool
trim_stage_start(uint64_t key)
{
	static const char *const none[CONF_SOURCES];

	system_init();
	metadata_init();
	extent_records_init();
	conf_settle(&opt_at_start, none);
	opt_at_start.junk_alloc = opt_at_start.junk_free = false;
	size_class_init(system_info.page_size, opt.slab_sizes);
	thread_init(key);
	return arena_table_init(1, 0);
}

#endif
