#include "stats/report_sections.h"

#include <string.h>

#include "arena/arena.h"
#include "arena/arena_table.h"
#include "conf/conf.h"
#include "conf/options.h"
#include "conf/safety.h"
#include "extent/limit.h"
#include "guard/guard.h"
#include "os/cgroup.h"
#include "os/system.h"
#include "pages/guards.h"
#include "prof/prof.h"
#include "prof/prof_output.h"
#include "stats/events.h"
#include "stats/snapshot.h"
#include "upkeep/background.h"
#include "util/build.h"
#include "util/format.h"
#include "util/size_class.h"

static bool
lacks(const char *letters, char letter)
{
	return strchr(letters, letter) == NULL;
}

struct report_sections
report_sections_parse(const char *letters)
{
	const char *all = letters != NULL ? letters : "";
	struct report_sections show = {
		.form = REPORT_TEXT,
		.general = lacks(all, 'g'),
		.merged = lacks(all, 'm'),
		.destroyed = lacks(all, 'd'),
		.arenas = lacks(all, 'a'),
		.bins = lacks(all, 'b'),
		.large = lacks(all, 'l'),
		.mutexes = lacks(all, 'x'),
		.extents = lacks(all, 'e'),
		.hpa = lacks(all, 'h'),
	};

	/* The last form counts. */
	for (; *all != '\0'; all++)
		if (*all == 'J')
			show.form = REPORT_JSON;
		else if (*all == 'P')
			show.form = REPORT_METRICS;
	return show;
}

bool
report_shows_merged(const struct report *report)
{
	return report->show.merged &&
	    (report->snapshot->ninitialized > 1 || !report->show.arenas);
}

bool
report_shows_destroyed(const struct report *report)
{
	return report->show.destroyed && report->snapshot->any_destroyed;
}

bool
report_is_arena(const struct report *report, const struct arena_stats *stats)
{
	return stats != &report->snapshot->merged &&
	    stats != &report->snapshot->destroyed;
}

void
report_each_block(struct report *report, report_block *put)
{
	const struct stats_snapshot *snapshot = report->snapshot;
	char name[16];

	if (report_shows_merged(report))
		put(report, "merged", &snapshot->merged);
	if (report_shows_destroyed(report))
		put(report, "destroyed", &snapshot->destroyed);
	for (unsigned i = 0; report->show.arenas && i < snapshot->narenas;
	     i++) {
		const struct arena_stats *stats = snapshot_arena(snapshot, i);

		format_text(name, sizeof(name), "%u", i);
		if (stats != NULL)
			put(report, name, stats);
	}
}

const struct report_switch report_switches[] = {
	{ "cache_oblivious", BUILD_CACHE_OBLIVIOUS },
	{ "debug", BUILD_DEBUG },
	{ "fill", BUILD_FILL },
	{ "lazy_lock", BUILD_LAZY_LOCK },
	{ "opt_safety_checks", BUILD_OPT_SAFETY_CHECKS },
	{ "prof", BUILD_PROF },
	{ "prof_libgcc", false },
	{ "prof_libunwind", false },
	{ "prof_frameptr", false },
	{ "stats", BUILD_STATS },
	{ "utrace", BUILD_UTRACE },
	{ "xmalloc", BUILD_XMALLOC },
	{ NULL, false },
};

/* clang-format off */
static const char *const option_order[] = {
	"abort", "abort_conf", "cache_oblivious", "confirm_conf",
	"experimental_hpa_start_huge_if_thp_always",
	"experimental_hpa_enforce_hugify", "retain", "dss", "percpu_arena",
	"narenas", "oversize_threshold", "hpa", "hpa_slab_max_alloc",
	"hpa_hugification_threshold", "hpa_hugify_delay_ms",
	"hpa_min_purge_interval_ms", "hpa_purge_threshold",
	"hpa_min_purge_delay_ms", "hpa_hugify_sync",
	"experimental_hpa_max_purge_nhp", "hpa_dirty_mult", "hpa_hugify_style",
	"hpa_sec_nshards", "hpa_sec_max_alloc", "hpa_sec_max_bytes",
	"hpa_sec_batch_fill_extra", "huge_arena_pac_thp", "metadata_thp",
	"mutex_max_spin", "background_thread", "dirty_decay_ms",
	"muzzy_decay_ms", "lg_extent_max_active_fit", "junk", "zero", "utrace",
	"xmalloc", "experimental_infallible_new", "experimental_tcache_gc",
	"tcache", "tcache_max", "tcache_nslots_small_min",
	"tcache_nslots_small_max", "tcache_nslots_large",
	"lg_tcache_nslots_mul", "tcache_gc_incr_bytes",
	"tcache_gc_delay_bytes", "lg_tcache_flush_small_div",
	"lg_tcache_flush_large_div", "debug_double_free_max_scan", "thp",
	"prof", "prof_active", "prof_thread_active_init", "prof_accum",
	"prof_gdump", "prof_final", "prof_leak", "prof_leak_error",
	"prof_bt_max", "prof_prefix", "lg_prof_sample", "lg_prof_interval",
	"stats_print", "stats_print_opts", "stats_interval_opts",
	"stats_interval", "zero_realloc", "process_madvise_max_batch",
	"disable_large_size_classes",
};
/* clang-format on */

static bool
is_ordered(const char *name)
{
	for (unsigned i = 0; i < ARRAY_LEN(option_order); i++)
		if (strcmp(option_order[i], name) == 0)
			return true;
	return false;
}

const struct option_row *
report_option(unsigned i)
{
	const struct option_row *row;

	for (unsigned k = 0; k < ARRAY_LEN(option_order); k++) {
		row = options_find(option_order[k], strlen(option_order[k]));
		if (row != NULL && !row->no_ctl && i-- == 0)
			return row;
	}
	for (unsigned k = 0; (row = options_row(k)) != NULL; k++)
		if (!row->no_ctl && !is_ordered(row->name) && i-- == 0)
			return row;
	return NULL;
}

/* Writes a ratio as a decimal fraction without zeros at its end. */
static void
ratio_text(uint32_t ratio, char *buf, size_t size)
{
	unsigned fraction = (unsigned)((uint64_t)(ratio & (RATIO_ONE - 1)) *
	    100000 / RATIO_ONE);
	size_t length;

	if (ratio == RATIO_NEVER) {
		format_text(buf, size, "-1");
		return;
	}
	length = format_text(buf, size, "%u.%05u", ratio / RATIO_ONE, fraction);
	while (buf[length - 1] == '0')
		buf[--length] = '\0';
	if (buf[length - 1] == '.')
		buf[length - 1] = '\0';
}

void
report_option_value(const struct option_row *row, struct report_value *value)
{
	union {
		bool b;
		unsigned u;
		uint32_t ratio;
		size_t size;
		ssize_t ssize;
		uint64_t u64;
		int64_t i64;
		const char *text;
	} raw = { .u64 = 0 };

	option_get(row, &opt, &raw);
	value->type = VALUE_UNSIGNED;
	switch (row->type) {
	case OPTION_BOOL:
		value->type = VALUE_BOOL;
		value->number = raw.b;
		break;
	case OPTION_UNSIGNED:
		value->number = raw.u;
		break;
	case OPTION_SIZE:
		value->number = raw.size;
		break;
	case OPTION_UINT64:
		value->number = raw.u64;
		break;
	case OPTION_SSIZE:
		value->type = VALUE_SIGNED;
		value->number = (uint64_t)(int64_t)raw.ssize;
		break;
	case OPTION_INT64:
		value->type = VALUE_SIGNED;
		value->number = (uint64_t)raw.i64;
		break;
	case OPTION_RATIO:
		value->type = VALUE_TEXT;
		ratio_text(raw.ratio, value->buffer, sizeof(value->buffer));
		value->text = value->buffer;
		break;
	default:
		value->type = VALUE_TEXT;
		value->text = raw.text != NULL ? raw.text : "";
		break;
	}
}

static uint64_t
read_size(const _Atomic size_t *place)
{
	return atomic_load_explicit(place, memory_order_relaxed);
}

const char *
report_option_current(const struct option_row *row, struct report_value *value)
{
	struct report_prof state = report_prof();
	struct report_geometry geometry = report_geometry();
	const struct {
		const char *option;
		const char *ctl;
		enum report_value_type type;
		uint64_t number;
	} settings[] = {
		{ "background_thread", "background_thread", VALUE_BOOL,
		    background_is_on() },
		{ "max_background_threads", "max_background_threads",
		    VALUE_UNSIGNED, background_max() },
		{ "dirty_decay_ms", "arenas.dirty_decay_ms", VALUE_SIGNED,
		    (uint64_t)geometry.dirty_decay_ms },
		{ "muzzy_decay_ms", "arenas.muzzy_decay_ms", VALUE_SIGNED,
		    (uint64_t)geometry.muzzy_decay_ms },
		{ "prof_active", "prof.active", VALUE_BOOL, state.active },
		{ "prof_thread_active_init", "prof.thread_active_init",
		    VALUE_BOOL, state.thread_active_init },
		{ "prof_gdump", "prof.gdump", VALUE_BOOL, state.gdump },
		{ "lg_prof_sample", "prof.lg_sample", VALUE_UNSIGNED,
		    state.lg_sample },
		{ "limit_soft", "experimental.x.limit.soft", VALUE_UNSIGNED,
		    read_size(&limit.soft) },
		{ "limit_hard", "experimental.x.limit.hard", VALUE_UNSIGNED,
		    read_size(&limit.hard) },
		{ "guard_sample", "experimental.x.guard.sample", VALUE_UNSIGNED,
		    guard_every() },
	};

	for (unsigned i = 0; i < ARRAY_LEN(settings); i++)
		if (strcmp(settings[i].option, row->name) == 0) {
			value->type = settings[i].type;
			value->number = settings[i].number;
			return settings[i].ctl;
		}
	return NULL;
}

void
report_sources(struct report_source sources[REPORT_SOURCES])
{
	static const struct {
		const char *name;
		enum conf_source source;
	} order[REPORT_SOURCES] = {
		{ "global_var", CONF_SYMBOL },
		{ "symlink", CONF_LINK },
		{ "env_var", CONF_ENVIRONMENT },
		{ "global_var_2_conf_harder", CONF_SYMBOL_HARDER },
	};

	for (unsigned i = 0; i < REPORT_SOURCES; i++) {
		const char *text = conf_source(order[i].source);

		sources[i] = (struct report_source){
			.name = order[i].name,
			.text = text != NULL ? text : "",
			.always = order[i].source != CONF_SYMBOL_HARDER,
		};
	}
}

struct report_geometry
report_geometry(void)
{
	return (struct report_geometry){
		.narenas = arena_table_count(),
		.dirty_decay_ms = atomic_load_explicit(
		    &arena_defaults.dirty_decay_ms, memory_order_relaxed),
		.muzzy_decay_ms = atomic_load_explicit(
		    &arena_defaults.muzzy_decay_ms, memory_order_relaxed),
		.quantum = QUANTUM,
		.page = system_info.page_size,
		.hugepage = system_info.huge_page,
		.tcache_max = opt.tcache_max,
		.nbins = SMALL_CLASSES,
		.nhbins = size_class_of(opt.tcache_max) + 1,
		.nlextents = SIZE_CLASSES - SMALL_CLASSES,
	};
}

uint64_t
report_unguarded(void)
{
	return guards_missing() +
	    atomic_load_explicit(&guard.unguarded, memory_order_relaxed);
}

void
report_own(struct report_own own[REPORT_OWN])
{
	struct cgroup_memory group = cgroup_memory();
	const struct report_own all[REPORT_OWN] = {
		{ "safety_reports", "safety_reports",
		    "Mistakes of the program that were reported.", true,
		    safety_reports() },
		{ "foreign_forwarded", "foreign_forwarded",
		    "Pointers passed on to another allocator.", true,
		    event_read(&stats_events.foreign_forwarded) },
		{ "limit_in_memory", "limit_in_memory_bytes",
		    "Bytes that the limits count.", false,
		    read_size(&limit.in_memory) },
		{ "limit_soft", "limit_soft_bytes",
		    "Bytes at which purging starts; 0: no limit.", false,
		    read_size(&limit.soft) },
		{ "limit_hard", "limit_hard_bytes",
		    "Bytes that are never exceeded; 0: no limit.", false,
		    read_size(&limit.hard) },
		{ "cgroup_high", "cgroup_high_bytes",
		    "memory.high of the control group; 0: none or unknown.",
		    false, group.high },
		{ "cgroup_max", "cgroup_max_bytes",
		    "memory.max of the control group; 0: none or unknown.",
		    false, group.max },
		{ "cgroup_current", "cgroup_current_bytes",
		    "Bytes that the control group uses.", false,
		    group.current },
		{ "safety_guarded", "safety_guarded",
		    "Objects that were put between guard pages.", true,
		    atomic_load_explicit(&guard.guarded,
			memory_order_relaxed) },
		{ "safety_unguarded", "safety_unguarded",
		    "Guard pages that the kernel refused.", true,
		    report_unguarded() },
	};

	memcpy(own, all, sizeof(all));
}

struct report_prof
report_prof(void)
{
	if (!prof_is_on())
		return (struct report_prof){ .active = false };
	return (struct report_prof){
		.thread_active_init = atomic_load_explicit(
		    &prof.thread_active_init, memory_order_relaxed),
		.active = atomic_load_explicit(&prof.active,
		    memory_order_relaxed),
		.gdump = prof_gdump(),
		.interval = opt.lg_prof_interval >= 0
		    ? UINT64_C(1) << opt.lg_prof_interval
		    : 0,
		.lg_sample = atomic_load_explicit(&prof.lg_sample,
		    memory_order_relaxed),
	};
}

bool
report_shows_samples(const struct report *report,
    const struct arena_stats *stats)
{
	return stats == &report->snapshot->merged && opt.prof_stats &&
	    prof_is_on();
}
