#include "ctl/ctl_tree.h"

#include "arena/arena.h"
#include "cache/thread.h"
#include "conf/conf.h"
#include "conf/options.h"
#include "ctl/ctl.h"
#include "ctl/ctl_arena.h"
#include "ctl/ctl_experimental.h"
#include "ctl/ctl_opt.h"
#include "ctl/ctl_prof.h"
#include "ctl/ctl_stats.h"
#include "ctl/ctl_thread.h"
#include "extent/limit.h"
#include "guard/guard.h"
#include "os/cgroup.h"
#include "os/system.h"
#include "prof/prof_hooks.h"
#include "prof/prof_recent.h"
#include "prof/prof_stats.h"
#include "stats/events.h"
#include "stats/figure_rows.h"
#include "stats/report_sections.h"
#include "stats/snapshot.h"
#include "util/build.h"
#include "util/size_class.h"

/* clang-format off */
/* Short forms for the columns: name, type, access, gate, flags, and others. */
#define R	CTL_READ
#define W	CTL_WRITE
#define RW	CTL_BOTH
#define NO	CTL_NONE
#define ALWAYS	GATE_OPEN, 0
#define STATS	GATE_STATS, 0
#define PROF	GATE_PROF, 0
#define PROF_ON	GATE_PROF_ON, 0

#define AT(record, field)	.offset = offsetof(struct record, field)
#define CONSTANT(type, value)	.place = &(const type){ (value) }
/* For rows that share a function: see ctl_which() and ctl_read_field(). */
#define WHICH(number)		CONSTANT(unsigned, number)
#define FIELD(record, field)	WHICH(offsetof(struct record, field))
#define BRANCH(rows)		.children = (rows), .nchildren = ARRAY_LEN(rows)

/* --- thread, tcache --------------------------------------------------- */

static const struct ctl_node ncached_rows[] = {
	{ "read_sizeclass", CTL_OWN, RW, ALWAYS, .act = ctl_thread_ncached },
	{ "write", CTL_TEXT, W, ALWAYS, .write = ctl_thread_set_ncached },
};

static const struct ctl_node thread_tcache_rows[] = {
	{ "enabled", CTL_BOOL, RW, GATE_OPEN, CTL_WRITE_FIRST,
	  .read = ctl_thread_cached, .write = ctl_thread_set_cached },
	{ "max", CTL_SIZE, RW, ALWAYS, .read = ctl_thread_cache_max,
	  .write = ctl_thread_set_cache_max },
	{ "flush", CTL_VOID, NO, GATE_OPEN, CTL_ANY_ARGUMENTS,
	  .act = ctl_thread_flush },
	{ "ncached_max", BRANCH(ncached_rows) },
};

static const struct ctl_node peak_rows[] = {
	{ "read", CTL_UINT64, R, STATS, .read = ctl_thread_peak },
	{ "reset", CTL_VOID, NO, STATS, .act = ctl_thread_peak_reset },
};

static const struct ctl_node thread_prof_rows[] = {
	{ "name", CTL_OWN, RW, PROF_ON, .act = ctl_prof_thread_name },
	{ "active", CTL_BOOL, RW, GATE_PROF, CTL_WRITE_FIRST,
	  .read = ctl_prof_thread_active,
	  .write = ctl_prof_set_thread_active },
};

static const struct ctl_node thread_rows[] = {
	{ "arena", CTL_UNSIGNED, RW, ALWAYS, .read = ctl_thread_arena,
	  .write = ctl_thread_set_arena },
	{ "allocated", CTL_UINT64, R, ALWAYS, WHICH(0),
	  .read = ctl_thread_counter },
	{ "allocatedp", CTL_POINTER, R, ALWAYS, FIELD(thread, allocated),
	  .read = ctl_thread_counter_place },
	{ "deallocated", CTL_UINT64, R, ALWAYS, WHICH(1),
	  .read = ctl_thread_counter },
	{ "deallocatedp", CTL_POINTER, R, ALWAYS, FIELD(thread, deallocated),
	  .read = ctl_thread_counter_place },
	{ "tcache", BRANCH(thread_tcache_rows) },
	{ "peak", BRANCH(peak_rows) },
	{ "prof", BRANCH(thread_prof_rows) },
	{ "idle", CTL_VOID, NO, ALWAYS, .act = ctl_thread_idle },
};

static const struct ctl_node tcache_rows[] = {
	{ "create", CTL_UNSIGNED, R, GATE_OPEN, CTL_NEED_OUTPUT,
	  .read = ctl_tcache_create },
	{ "flush", CTL_UNSIGNED, W, GATE_OPEN, CTL_NEED_INPUT,
	  .write = ctl_tcache_flush },
	{ "destroy", CTL_UNSIGNED, W, GATE_OPEN, CTL_NEED_INPUT,
	  .write = ctl_tcache_destroy },
};

/* --- config ----------------------------------------------------------- */

#define SWITCH(name, value) \
	{ name, CTL_BOOL, R, ALWAYS, CONSTANT(bool, value) }

static const struct ctl_node config_rows[] = {
	SWITCH("cache_oblivious", BUILD_CACHE_OBLIVIOUS),
	SWITCH("debug", BUILD_DEBUG),
	SWITCH("fill", BUILD_FILL),
	SWITCH("lazy_lock", BUILD_LAZY_LOCK),
	{ "malloc_conf", CTL_TEXT, R, ALWAYS,
	  CONSTANT(char *const, BUILD_MALLOC_CONF) },
	SWITCH("opt_safety_checks", BUILD_OPT_SAFETY_CHECKS),
	SWITCH("prof", BUILD_PROF),
	SWITCH("prof_frameptr", false),
	SWITCH("prof_libgcc", false),
	SWITCH("prof_libunwind", false),
	/* This name is our own. */
	{ "release", CTL_TEXT, R, ALWAYS,
	  CONSTANT(char *const, BUILD_RELEASE) },
	SWITCH("stats", BUILD_STATS),
	SWITCH("utrace", BUILD_UTRACE),
	SWITCH("xmalloc", BUILD_XMALLOC),
};

/* --- opt: the other names are rows of conf/options.c ------------------ */

static const struct ctl_node opt_conf_rows[] = {
	{ "symlink", CTL_TEXT, R, ALWAYS, WHICH(CONF_LINK),
	  .read = ctl_opt_source },
	{ "env_var", CTL_TEXT, R, ALWAYS, WHICH(CONF_ENVIRONMENT),
	  .read = ctl_opt_source },
	{ "global_var", CTL_TEXT, R, ALWAYS, WHICH(CONF_SYMBOL),
	  .read = ctl_opt_source },
	{ "global_var_2_conf_harder", CTL_TEXT, R, ALWAYS,
	  WHICH(CONF_SYMBOL_HARDER), .read = ctl_opt_source },
};

static const struct ctl_node opt_rows[] = {
	{ "malloc_conf", BRANCH(opt_conf_rows) },
};

static const struct ctl_node opt_each = {
	NULL, CTL_OWN, R, GATE_OPEN, CTL_ANY_ARGUMENTS, .act = ctl_opt_read,
	.enter = ctl_opt_enter,
};

/* --- arena, arenas ---------------------------------------------------- */

static const struct ctl_node arena_rows[] = {
	{ "initialized", CTL_BOOL, R, ALWAYS, .read = ctl_arena_initialized },
	{ "decay", CTL_VOID, NO, ALWAYS, .act = ctl_arena_decay },
	{ "purge", CTL_VOID, NO, ALWAYS, .act = ctl_arena_purge },
	{ "reset", CTL_VOID, NO, ALWAYS, .act = ctl_arena_reset },
	{ "destroy", CTL_VOID, NO, ALWAYS, .act = ctl_arena_destroy },
	{ "dss", CTL_TEXT, RW, GATE_OPEN, CTL_WRITE_FIRST | CTL_READ_NEW,
	  .read = ctl_arena_dss, .write = ctl_arena_set_dss },
	{ "oversize_threshold", CTL_SIZE, RW, ALWAYS,
	  .read = ctl_arena_oversize, .write = ctl_arena_set_oversize },
	{ "dirty_decay_ms", CTL_SSIZE, RW, ALWAYS, WHICH(0),
	  .read = ctl_arena_decay_ms, .write = ctl_arena_set_decay_ms },
	{ "muzzy_decay_ms", CTL_SSIZE, RW, ALWAYS, WHICH(1),
	  .read = ctl_arena_decay_ms, .write = ctl_arena_set_decay_ms },
	{ "extent_hooks", CTL_POINTER, RW, GATE_OPEN, CTL_WRITE_FIRST,
	  .read = ctl_arena_hooks, .write = ctl_arena_set_hooks },
	{ "retain_grow_limit", CTL_SIZE, RW, GATE_RETAIN, CTL_WRITE_FIRST,
	  .read = ctl_arena_grow_limit, .write = ctl_arena_set_grow_limit },
	{ "name", CTL_OWN, RW, ALWAYS, .act = ctl_arena_name },
};

static const struct ctl_node arena_each = {
	NULL, .enter = ctl_arena_enter, BRANCH(arena_rows),
};

static const struct ctl_node arenas_bin_rows[] = {
	{ "size", CTL_SIZE, R, ALWAYS, .read = ctl_bin_size },
	{ "nregs", CTL_UINT32, R, ALWAYS, AT(slab_geometry, nregions) },
	{ "slab_size", CTL_SIZE, R, ALWAYS, .read = ctl_bin_slab_size },
	{ "nshards", CTL_UINT32, R, ALWAYS, .read = ctl_bin_nshards },
};

static const struct ctl_node arenas_bin_each = {
	NULL, .enter = ctl_bin_enter, BRANCH(arenas_bin_rows),
};

static const struct ctl_node arenas_lextent_rows[] = {
	{ "size", CTL_SIZE, R, ALWAYS, .read = ctl_lextent_size },
};

static const struct ctl_node arenas_lextent_each = {
	NULL, .limit = LARGE_CLASSES_MAX, BRANCH(arenas_lextent_rows),
};

static const struct ctl_node arenas_rows[] = {
	{ "narenas", CTL_UNSIGNED, R, ALWAYS, FIELD(report_geometry, narenas),
	  .read = ctl_arenas_geometry },
	{ "dirty_decay_ms", CTL_SSIZE, RW, ALWAYS,
	  .place = &arena_defaults.dirty_decay_ms,
	  .write = ctl_arenas_set_dirty_decay },
	{ "muzzy_decay_ms", CTL_SSIZE, RW, ALWAYS,
	  .place = &arena_defaults.muzzy_decay_ms,
	  .write = ctl_arenas_set_muzzy_decay },
	{ "quantum", CTL_SIZE, R, ALWAYS, CONSTANT(size_t, QUANTUM) },
	{ "page", CTL_SIZE, R, ALWAYS, .place = &system_info.page_size },
	{ "hugepage", CTL_SIZE, R, ALWAYS, .place = &system_info.huge_page },
	{ "tcache_max", CTL_SIZE, R, ALWAYS, .place = &opt.tcache_max },
	{ "nbins", CTL_UNSIGNED, R, ALWAYS, CONSTANT(unsigned, SMALL_CLASSES) },
	{ "nhbins", CTL_UNSIGNED, R, ALWAYS, FIELD(report_geometry, nhbins),
	  .read = ctl_arenas_geometry },
	{ "nlextents", CTL_UNSIGNED, R, ALWAYS,
	  CONSTANT(unsigned, LARGE_CLASSES_MAX) },
	{ "bin", .each = &arenas_bin_each },
	{ "lextent", .each = &arenas_lextent_each },
	{ "create", CTL_UNSIGNED, RW, GATE_OPEN, CTL_NEED_OUTPUT,
	  .act = ctl_arenas_create },
	{ "lookup", CTL_UNSIGNED, RW, ALWAYS, .act = ctl_arenas_lookup },
};

/* --- prof ------------------------------------- */

static const struct ctl_node prof_class_rows[] = {
	{ "live", CTL_PAIR, R, GATE_PROF_STATS, 0,
	  FIELD(prof_class_stats, live), .read = ctl_prof_class },
	{ "accum", CTL_PAIR, R, GATE_PROF_STATS, 0,
	  FIELD(prof_class_stats, ever), .read = ctl_prof_class },
};

static const struct ctl_node prof_bins_each = {
	NULL, .limit = SMALL_CLASSES, BRANCH(prof_class_rows),
};
static const struct ctl_node prof_lextents_each = {
	NULL, .limit = LARGE_CLASSES_MAX, BRANCH(prof_class_rows),
};

static const struct ctl_node prof_stats_rows[] = {
	{ "bins", .each = &prof_bins_each },
	{ "lextents", .each = &prof_lextents_each },
};

static const struct ctl_node prof_rows[] = {
	{ "thread_active_init", CTL_BOOL, RW, GATE_PROF, CTL_WRITE_FIRST,
	  FIELD(report_prof, thread_active_init), .read = ctl_prof_state,
	  .write = ctl_prof_set_thread_init },
	{ "active", CTL_BOOL, RW, GATE_PROF, CTL_WRITE_FIRST,
	  FIELD(report_prof, active), .read = ctl_prof_state,
	  .write = ctl_prof_set_active },
	{ "dump", CTL_TEXT, W, PROF_ON, .act = ctl_prof_dump },
	{ "gdump", CTL_BOOL, RW, GATE_PROF, CTL_WRITE_FIRST,
	  FIELD(report_prof, gdump), .read = ctl_prof_state,
	  .write = ctl_prof_set_gdump },
	{ "prefix", CTL_TEXT, W, PROF_ON, .act = ctl_prof_prefix },
	{ "reset", CTL_SIZE, W, PROF_ON, .act = ctl_prof_reset },
	{ "interval", CTL_UINT64, R, PROF, FIELD(report_prof, interval),
	  .read = ctl_prof_state },
	{ "lg_sample", CTL_SIZE, R, PROF, FIELD(report_prof, lg_sample),
	  .read = ctl_prof_state },
	{ "log_start", CTL_TEXT, W, PROF_ON, .act = ctl_prof_log_start },
	{ "log_stop", CTL_VOID, NO, GATE_PROF, CTL_ANY_ARGUMENTS,
	  .act = ctl_prof_log_stop },
	{ "stats", BRANCH(prof_stats_rows) },
};

/* --- stats ------------------------------------------------------------ */

/* These make a row here of each row in the tables of stats/figure_rows. */
#define FIGURE_WITH(gate, record, field, name, type) \
	{ name, CTL_##type, R, gate, AT(record, field) },
#define FIGURE(record, field, name, title, type, ...) \
	FIGURE_WITH(STATS, record, field, name, type)
#define FIGURE_ALWAYS(record, field, name, title, type, ...) \
	FIGURE_WITH(ALWAYS, record, field, name, type)
#define FIGURE_SEC(record, field, name, title, type, ...) \
	FIGURE_WITH(STATS, arena_stats, hpa_sec.field, "hpa_" name, type)

/* The figures of one lock: they are the same for all locks. */
static const struct ctl_node mutex_rows[] = { FIGURES_LOCK(FIGURE) };

#define GLOBAL_MUTEX(which, name) \
	{ name, BRANCH(mutex_rows), \
	  AT(stats_snapshot, totals.mutexes[GLOBAL_MUTEX_##which]) },

static const struct ctl_node mutexes_rows[] = {
	GLOBAL_MUTEX_ROWS(GLOBAL_MUTEX)
	{ "reset", CTL_VOID, NO, GATE_STATS, CTL_ANY_ARGUMENTS,
	  .act = ctl_stats_reset_mutexes },
};

#define ARENA_MUTEX(which, name) \
	{ name, BRANCH(mutex_rows), \
	  AT(arena_stats, mutexes[ARENA_MUTEX_##which]) },

static const struct ctl_node arena_mutexes_rows[] = {
	ARENA_MUTEX_ROWS(ARENA_MUTEX)
};

static const struct ctl_node small_rows[] = { FIGURES_CLASS(FIGURE) };

static const struct ctl_node bin_rows[] = {
	FIGURES_BIN(FIGURE)
	FIGURES_BIN_SLABS(FIGURE)
	FIGURES_BIN_CTL(FIGURE)
	{ "mutex", BRANCH(mutex_rows), AT(bin_snapshot, mutex) },
};

static const struct ctl_node bins_each = {
	NULL, .limit = SMALL_CLASSES, .stride = sizeof(struct bin_snapshot),
	BRANCH(bin_rows),
};

static const struct ctl_node lextent_rows[] = {
	FIGURES_LEXTENT(FIGURE)
	FIGURES_LEXTENT_CTL(FIGURE)
};

static const struct ctl_node lextents_each = {
	NULL, .limit = LARGE_CLASSES_MAX,
	.stride = sizeof(struct lextent_snapshot), BRANCH(lextent_rows),
};

static const struct ctl_node extent_rows[] = { FIGURES_EXTENTS(FIGURE) };

static const struct ctl_node extents_each = {
	NULL, .limit = PAGE_CLASSES,
	.stride = sizeof(struct page_class_snapshot), BRANCH(extent_rows),
};

static const struct ctl_node hpa_slab_rows[] = {
	FIGURES_HPA_NONHUGE(FIGURE)
	FIGURES_HPA_HUGE(FIGURE)
};

static const struct ctl_node hpa_nonfull_each = {
	NULL, .limit = HUGE_RUN_CLASSES, .stride = sizeof(struct huge_group),
	BRANCH(hpa_slab_rows),
};

static const struct ctl_node hpa_rows[] = {
	FIGURES_HPA(FIGURE)
	{ "slabs", BRANCH(hpa_slab_rows), AT(huge_stats, all) },
	{ "full_slabs", BRANCH(hpa_slab_rows), AT(huge_stats, full) },
	{ "empty_slabs", BRANCH(hpa_slab_rows), AT(huge_stats, empty) },
	{ "nonfull_slabs", .each = &hpa_nonfull_each,
	  AT(huge_stats, nonfull) },
};

static const struct ctl_node stats_arena_rows[] = {
	{ "nthreads", CTL_UNSIGNED, R, ALWAYS, AT(arena_stats, nthreads) },
	{ "uptime", CTL_UINT64, R, ALWAYS, AT(arena_stats, uptime) },
	{ "dss", CTL_TEXT, R, ALWAYS, AT(arena_stats, dss) },
	FIGURES_PAGES(FIGURE_ALWAYS)
	FIGURES_PURGES(FIGURE)
	FIGURES_MEMORY(FIGURE)
	FIGURES_HPA_SEC(FIGURE_SEC)
	{ "small", BRANCH(small_rows), AT(arena_stats, small) },
	{ "large", BRANCH(small_rows), AT(arena_stats, large) },
	{ "bins", .each = &bins_each, AT(arena_stats, bins) },
	{ "lextents", .each = &lextents_each, AT(arena_stats, lextents) },
	{ "extents", .each = &extents_each, AT(arena_stats, extents) },
	{ "mutexes", BRANCH(arena_mutexes_rows) },
	{ "hpa_shard", BRANCH(hpa_rows), AT(arena_stats, hpa) },
};

static const struct ctl_node stats_arenas_each = {
	NULL, .enter = ctl_stats_arena_enter, BRANCH(stats_arena_rows),
};

static const struct ctl_node stats_background_rows[] = {
	FIGURES_BACKGROUND(FIGURE)
};

/* These names are our own. */
static const struct ctl_node stats_safety_rows[] = {
	{ "reports", CTL_UINT64, R, ALWAYS, .read = ctl_stats_safety_reports },
	{ "guarded", CTL_UINT64, R, ALWAYS, .place = &guard.guarded },
	{ "guarded_now", CTL_SIZE, R, ALWAYS, .read = ctl_stats_guarded_now },
	{ "unguarded", CTL_UINT64, R, ALWAYS, .read = ctl_stats_unguarded },
};

static const struct ctl_node stats_rows[] = {
	FIGURES_TOTALS(FIGURE)
	{ "zero_reallocs", CTL_SIZE, R, STATS,
	  .place = &stats_events.zero_reallocs },
	{ "background_thread", BRANCH(stats_background_rows) },
	{ "mutexes", BRANCH(mutexes_rows) },
	{ "arenas", .each = &stats_arenas_each },
	{ "safety", BRANCH(stats_safety_rows) },
};

static const struct ctl_node approximate_rows[] = {
	{ "active", CTL_SIZE, R, ALWAYS, .read = ctl_stats_active_now },
};

/* --- experimental ----------------------------------------------------- */

#define PROF_HOOK(name, which) \
	{ name, CTL_POINTER, RW, ALWAYS, .act = ctl_prof_hook, \
	  WHICH(PROF_HOOK_##which) }

static const struct ctl_node hooks_rows[] = {
	/* Left out on purpose: jemalloc dropped these two after 5.3.1. */
	{ "install", CTL_OWN, RW, GATE_OPEN, CTL_ANY_ARGUMENTS,
	  .act = ctl_hooks_none },
	{ "remove", CTL_POINTER, W, GATE_OPEN, CTL_ANY_ARGUMENTS,
	  .act = ctl_hooks_none },
	PROF_HOOK("prof_backtrace", BACKTRACE),
	PROF_HOOK("prof_dump", DUMP),
	PROF_HOOK("prof_sample", SAMPLE),
	PROF_HOOK("prof_sample_free", FREE),
	{ "safety_check_abort", CTL_POINTER, W, ALWAYS,
	  .write = ctl_hooks_safety },
	{ "thread_event", CTL_OWN, W, ALWAYS, .act = ctl_hooks_thread_event },
};

static const struct ctl_node utilization_rows[] = {
	{ "query", CTL_OWN, RW, ALWAYS, .act = ctl_utilization_query },
	{ "batch_query", CTL_OWN, RW, ALWAYS, .act = ctl_utilization_batch },
};

static const struct ctl_node experimental_arena_rows[] = {
	{ "pactivep", CTL_POINTER, R, STATS, .act = ctl_arena_pactivep },
};

static const struct ctl_node experimental_arenas_each = {
	NULL, .enter = ctl_experimental_arena_enter,
	BRANCH(experimental_arena_rows),
};

static const struct ctl_node recent_rows[] = {
	{ "alloc_max", CTL_SSIZE, RW, GATE_PROF_ON, CTL_WRITE_FIRST,
	  .place = &prof_recent_max, .write = ctl_prof_set_recent_max },
	{ "alloc_dump", CTL_OWN, W, PROF_ON, .act = ctl_prof_recent_dump },
};

static const struct ctl_node limit_rows[] = {
	{ "soft", CTL_SIZE, RW, ALWAYS, .place = &limit.soft,
	  .write = ctl_limit_set_soft },
	{ "hard", CTL_SIZE, RW, ALWAYS, .place = &limit.hard,
	  .write = ctl_limit_set_hard },
	{ "callback", CTL_OWN, W, ALWAYS, .act = ctl_limit_set_callback },
	{ "in_memory", CTL_SIZE, R, ALWAYS, .place = &limit.in_memory },
};

static const struct ctl_node cgroup_rows[] = {
	{ "high", CTL_SIZE, R, ALWAYS, FIELD(cgroup_memory, high),
	  .read = ctl_cgroup },
	{ "max", CTL_SIZE, R, ALWAYS, FIELD(cgroup_memory, max),
	  .read = ctl_cgroup },
	{ "current", CTL_SIZE, R, ALWAYS, FIELD(cgroup_memory, current),
	  .read = ctl_cgroup },
};

static const struct ctl_node x_prof_rows[] = {
	{ "enable", CTL_BOOL, RW, PROF, .read = ctl_prof_enabled,
	  .write = ctl_prof_set_enabled },
	{ "dump_holes", CTL_TEXT, W, PROF_ON, .act = ctl_prof_dump_holes },
};

static const struct ctl_node guard_rows[] = {
	{ "sample", CTL_UNSIGNED, RW, ALWAYS, .read = ctl_guard_sample,
	  .write = ctl_guard_set_sample },
};

static const struct ctl_node x_arena_rows[] = {
	{ "node", CTL_SSIZE, R, ALWAYS, .read = ctl_arena_node },
};

static const struct ctl_node x_arenas_each = {
	NULL, .enter = ctl_experimental_arena_enter, BRANCH(x_arena_rows),
};

static const struct ctl_node x_rows[] = {
	{ "prof", BRANCH(x_prof_rows) },
	{ "guard", BRANCH(guard_rows) },
	{ "limit", BRANCH(limit_rows) },
	{ "cgroup", BRANCH(cgroup_rows) },
	{ "arenas", .each = &x_arenas_each },
};

static const struct ctl_node heap_rows[] = {
	{ "walk", CTL_OWN, RW, ALWAYS, .act = ctl_heap_walk },
	{ "lookup", CTL_OWN, RW, ALWAYS, .act = ctl_heap_lookup },
};

static const struct ctl_node experimental_rows[] = {
	{ "x", BRANCH(x_rows) },
	{ "heap", BRANCH(heap_rows) },
	{ "hooks", BRANCH(hooks_rows) },
	{ "utilization", BRANCH(utilization_rows) },
	{ "arenas", .each = &experimental_arenas_each },
	{ "arenas_create_ext", CTL_UNSIGNED, RW, GATE_OPEN, CTL_NEED_OUTPUT,
	  .act = ctl_arenas_create_ext },
	{ "prof_recent", BRANCH(recent_rows) },
	{ "batch_alloc", CTL_OWN, RW, ALWAYS, .act = ctl_batch_alloc },
};

/* --- the root --------------------------------------------------------- */

static const struct ctl_node root_rows[] = {
	{ "version", CTL_TEXT, R, ALWAYS,
	  CONSTANT(char *const, BUILD_VERSION) },
	{ "epoch", CTL_UINT64, RW, GATE_OPEN, CTL_WRITE_FIRST | CTL_READ_NEW,
	  .read = ctl_stats_epoch, .write = ctl_stats_refresh },
	{ "background_thread", CTL_BOOL, RW, ALWAYS,
	  .read = ctl_background, .write = ctl_background_set },
	{ "max_background_threads", CTL_SIZE, RW, ALWAYS,
	  .read = ctl_background_max, .write = ctl_background_set_max },
	{ "thread", BRANCH(thread_rows) },
	{ "config", BRANCH(config_rows) },
	{ "opt", BRANCH(opt_rows), .each = &opt_each, .find = ctl_opt_find },
	{ "tcache", BRANCH(tcache_rows) },
	{ "arena", .each = &arena_each },
	{ "arenas", BRANCH(arenas_rows) },
	{ "prof", BRANCH(prof_rows) },
	{ "stats", BRANCH(stats_rows), .enter = ctl_stats_enter,
	  .leave = ctl_stats_leave },
	{ "approximate_stats", BRANCH(approximate_rows) },
	{ "experimental", BRANCH(experimental_rows) },
};
/* clang-format on */

const struct ctl_node ctl_tree = { NULL, BRANCH(root_rows) };
