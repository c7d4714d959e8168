#include "conf/options.h"

#include <string.h>

#include "conf/option_setters.h"
#include "conf/value.h"
#include "util/build.h"
#include "util/compiler.h"

struct options opt_at_start;

#define FIELD(name) \
	.offset = offsetof(struct options, name), \
	.size = sizeof(((struct options *)0)->name)
#define TEXT_OF(number)          TEXT_OF_EXPANDED(number)
#define TEXT_OF_EXPANDED(number) #number
#define DEBUG_TRUE               (BUILD_DEBUG ? "true" : "false")
/* A value that can't be stored is clipped, like -1 in a field of 32 bits. */
#define ANY               .max = UINT64_MAX
#define ANY_UNSIGNED      .clip = true, .max = UINT_MAX
#define ANY_SIZE          .clip = true, .max = SIZE_MAX
#define AT_LEAST(n)       .min = (n), .max = INT64_MAX
#define AT_LEAST_SSIZE(n) .min = (n), .max = PTRDIFF_MAX

/* clang-format off */
static const char *const zero_realloc_words[] =
    { "alloc", "free", "abort", NULL };
static const char *const percpu_words[] =
    { "disabled", "percpu", "phycpu", NULL };
static const char *const dss_words[] =
    { "disabled", "primary", "secondary", NULL };
static const char *const thp_words[] = { "default", "always", "never", NULL };
static const char *const metadata_thp_words[] =
    { "disabled", "auto", "always", NULL };
static const char *const hugify_words[] =
    { "auto", "none", "eager", "lazy", NULL };
static const char *const prof_signal_words[] = { "toggle", "dump", NULL };
static const char *const prof_format_words[] = { "text", "pprof", NULL };
static const char *const prof_time_words[] = { "default", "high", NULL };
static const char *const safety_words[] = { "off", "basic", "full", NULL };
static const char *const safety_action_words[] = { "abort", "report", NULL };
static const char *const foreign_words[] =
    { "auto", "forward", "abort", NULL };

static const char *const junk_words[] =
    { "true", "false", "alloc", "free", NULL };
/* clang-format on */

/* Why some keys have no effect, and which option other keys need. */
#define CACHES_ADAPT  "caches grow and shrink by themselves"
#define CACHES_AGE    "caches age by themselves"
#define WANTS_PROF    "prof:true"
#define WANTS_HPA     "hpa:true"
#define RANGES(value) "low-high:number, several separated by |, number " value

/* In the order of doc/OPTIONS.md; a test compares them. */
static const struct option_row rows[] = {
	/* General */
	{ "abort", OPTION_BOOL, FIELD(abort), .preset = DEBUG_TRUE },
	{ "abort_conf", OPTION_BOOL, FIELD(abort_conf), .preset = DEBUG_TRUE },
	{ "confirm_conf", OPTION_BOOL, FIELD(confirm_conf), .preset = "false" },
	{ "zero_realloc", OPTION_WORD, FIELD(zero_realloc), .preset = "free",
	    .words = zero_realloc_words },
	{ "junk", OPTION_SPECIAL, .set = option_set_junk,
	    .get = option_get_junk, .preset = DEBUG_TRUE, .absent = !BUILD_FILL,
	    .words = junk_words },
	{ "zero", OPTION_BOOL, FIELD(zero), .preset = "false",
	    .absent = !BUILD_FILL },
	{ "utrace", OPTION_BOOL, FIELD(utrace), .preset = "false",
	    .absent = !BUILD_UTRACE, .idle = "calls are not traced" },
	{ "xmalloc", OPTION_BOOL, FIELD(xmalloc), .preset = "false",
	    .absent = !BUILD_XMALLOC },
	{ "experimental_infallible_new", OPTION_BOOL, FIELD(infallible_new),
	    .preset = "false", .absent = !BUILD_CXX },
	{ "mutex_max_spin", OPTION_INT64, FIELD(mutex_max_spin), AT_LEAST(-1),
	    .preset = "600",
	    .idle = "locks decide themselves how long they spin" },
	{ "stats_print", OPTION_BOOL, FIELD(stats_print), .preset = "false" },
	{ "stats_print_opts", OPTION_LETTERS, FIELD(stats_print_opts),
	    .preset = "", .wants = "stats_print:true" },
	{ "stats_interval", OPTION_INT64, FIELD(stats_interval), AT_LEAST(-1),
	    .preset = "-1" },
	{ "stats_interval_opts", OPTION_LETTERS, FIELD(stats_interval_opts),
	    .preset = "", .wants = "stats_interval:BYTES" },
	/* For debugging the library, which has no log points. */
	{ "log", OPTION_STRING, FIELD(log), .preset = "", .no_ctl = true,
	    .absent = true },
	{ "debug_double_free_max_scan", OPTION_UNSIGNED,
	    FIELD(double_free_max_scan), ANY_UNSIGNED,
	    .preset = BUILD_DEBUG ? "32" : "0",
	    .idle = "the option safety finds double frees" },

	/* Safety: ours */
	{ "safety", OPTION_WORD, FIELD(safety), .preset = "basic",
	    .words = safety_words },
	{ "safety_action", OPTION_WORD, FIELD(safety_action), .preset = "abort",
	    .words = safety_action_words },
	{ "canary", OPTION_BOOL, FIELD(canary), .preset = "false",
	    .set = option_set_part },
	{ "zero_free", OPTION_BOOL, FIELD(zero_free), .preset = "false",
	    .set = option_set_part },
	{ "uaf_check", OPTION_BOOL, FIELD(uaf_check), .preset = "false",
	    .set = option_set_part },
	{ "quarantine", OPTION_SIZE, FIELD(quarantine), AT_LEAST_SSIZE(0),
	    .preset = "0", .set = option_set_quarantine },
	{ "random_slots", OPTION_BOOL, FIELD(random_slots), .preset = "false",
	    .set = option_set_part },
	{ "guard_large", OPTION_BOOL, FIELD(guard_large), .preset = "false",
	    .set = option_set_part },
	{ "guard_sample", OPTION_UNSIGNED, FIELD(guard_sample), ANY_UNSIGNED,
	    .preset = "0" },
	{ "guard_slots", OPTION_UNSIGNED, FIELD(guard_slots), .clip = true,
	    .min = 1, .max = 4096, .preset = "64" },
	{ "foreign", OPTION_WORD, FIELD(foreign), .preset = "auto",
	    .words = foreign_words },
	{ "deepbind", OPTION_BOOL, FIELD(deepbind), .preset = "false",
	    .absent = !BUILD_DLOPEN },

	/* Limits: ours */
	{ "limit_soft", OPTION_SIZE, FIELD(limit_soft), AT_LEAST_SSIZE(0),
	    .preset = "0" },
	{ "limit_hard", OPTION_SIZE, FIELD(limit_hard), AT_LEAST_SSIZE(0),
	    .preset = "0" },

	/* Arenas, pages, purging */
	{ "narenas", OPTION_UNSIGNED, FIELD(narenas), .min = 1, .max = UINT_MAX,
	    .set = option_set_narenas, .preset = "default",
	    .allowed = "default, or an integer of at least 1" },
	{ "narenas_ratio", OPTION_RATIO, FIELD(narenas_ratio), .preset = "4",
	    .no_ctl = true },
	{ "percpu_arena", OPTION_WORD, FIELD(percpu_arena),
	    .preset = "disabled", .words = percpu_words },
	{ "oversize_threshold", OPTION_SIZE, FIELD(oversize_threshold),
	    .max = LARGE_MAXCLASS, .preset = "8388608" },
	{ "background_thread", OPTION_BOOL, FIELD(background_thread),
	    .preset = "auto", .set = option_set_background,
	    .allowed = "true, false or auto" },
	{ "max_background_threads", OPTION_SIZE, FIELD(max_background_threads),
	    .clip = true, .min = 1, .max = 4095, .preset = "4" },
	{ "dirty_decay_ms", OPTION_SSIZE, FIELD(dirty_decay_ms), .min = -1,
	    .max = DECAY_MS_MAX, .preset = "10000" },
	{ "muzzy_decay_ms", OPTION_SSIZE, FIELD(muzzy_decay_ms), .min = -1,
	    .max = DECAY_MS_MAX, .preset = "0" },
	{ "retain", OPTION_BOOL, FIELD(retain), .preset = "true" },
	{ "dss", OPTION_WORD, FIELD(dss), .preset = "secondary",
	    .words = dss_words },
	{ "thp", OPTION_WORD, FIELD(thp), .preset = "default",
	    .words = thp_words },
	{ "metadata_thp", OPTION_WORD, FIELD(metadata_thp),
	    .preset = "disabled", .words = metadata_thp_words },
	{ "huge_arena_pac_thp", OPTION_BOOL, FIELD(huge_arena_pac_thp),
	    .preset = "false", .wants = "metadata_thp:auto" },
	{ "trust_madvise", OPTION_BOOL, FIELD(trust_madvise), .preset = "false",
	    .idle = "MADV_DONTNEED is always tested where it matters" },
	{ "lg_extent_max_active_fit", OPTION_SIZE,
	    FIELD(lg_extent_max_active_fit), .max = 64, .preset = "6" },
	{ "process_madvise_max_batch", OPTION_SIZE,
	    FIELD(process_madvise_max_batch), .clip = true, .max = 128,
	    .preset = "0", .idle = "pages are purged by madvise" },
	{ "cache_oblivious", OPTION_BOOL, FIELD(cache_oblivious),
	    .preset = BUILD_CACHE_OBLIVIOUS ? "true" : "false",
	    .idle = "large objects start at a page" },
	{ "disable_large_size_classes", OPTION_BOOL,
	    FIELD(disable_large_size_classes), .preset = "true" },
	{ "calloc_madvise_threshold", OPTION_SIZE,
	    FIELD(calloc_madvise_threshold), .max = LARGE_MAXCLASS,
	    .preset = "8388608", .no_ctl = true },
	{ "slab_sizes", OPTION_SPECIAL, .set = option_set_slab_sizes,
	    .no_ctl = true, .allowed = "default, or " RANGES("pages") },
	{ "bin_shards", OPTION_SPECIAL, .set = option_set_bin_shards,
	    .no_ctl = true, .allowed = RANGES("1 to 64") },

	/* Thread cache */
	{ "tcache", OPTION_BOOL, FIELD(tcache), .preset = "true" },
	{ "tcache_trim", OPTION_BOOL, FIELD(tcache_trim), /* ours */
	    .preset = "false" },
	{ "tcache_max", OPTION_SIZE, FIELD(tcache_max), .clip = true,
	    .max = TCACHE_MAX_LIMIT, .preset = TEXT_OF(TCACHE_MAX_DEFAULT) },
	{ "lg_tcache_max", OPTION_SPECIAL, .clip = true, .max = 23,
	    .set = option_set_lg_tcache_max, .no_ctl = true,
	    .allowed = "an integer from 0 to 23" },
	{ "tcache_ncached_max", OPTION_SPECIAL, .set = option_set_ncached_max,
	    .no_ctl = true, .allowed = RANGES("0 to 8191") },
	{ "tcache_nslots_small_min", OPTION_UNSIGNED,
	    FIELD(tcache_nslots_small_min), .clip = true, .min = 1, .max = 2048,
	    .preset = "20", .idle = CACHES_ADAPT },
	{ "tcache_nslots_small_max", OPTION_UNSIGNED,
	    FIELD(tcache_nslots_small_max), .clip = true, .min = 1, .max = 2048,
	    .preset = "200", .idle = CACHES_ADAPT },
	{ "tcache_nslots_large", OPTION_UNSIGNED, FIELD(tcache_nslots_large),
	    .clip = true, .min = 1, .max = 2048, .preset = "20",
	    .idle = CACHES_ADAPT },
	{ "lg_tcache_nslots_mul", OPTION_SSIZE, FIELD(lg_tcache_nslots_mul),
	    .min = -16, .max = 16, .preset = "1", .idle = CACHES_ADAPT },
	{ "tcache_gc_incr_bytes", OPTION_SIZE, FIELD(tcache_gc_incr_bytes),
	    .clip = true, .min = 1024, .max = SIZE_MAX, .preset = "65536",
	    .idle = CACHES_AGE },
	{ "tcache_gc_delay_bytes", OPTION_SIZE, FIELD(tcache_gc_delay_bytes),
	    ANY_SIZE, .preset = "0", .idle = CACHES_AGE },
	{ "lg_tcache_flush_small_div", OPTION_UNSIGNED,
	    FIELD(lg_tcache_flush_small_div), .clip = true, .min = 1, .max = 16,
	    .preset = "1", .idle = CACHES_ADAPT },
	{ "lg_tcache_flush_large_div", OPTION_UNSIGNED,
	    FIELD(lg_tcache_flush_large_div), .clip = true, .min = 1, .max = 16,
	    .preset = "1", .idle = CACHES_ADAPT },
	{ "experimental_tcache_gc", OPTION_BOOL, FIELD(experimental_tcache_gc),
	    .preset = "true", .idle = CACHES_AGE },

	/* Huge page allocator */
	{ "hpa", OPTION_BOOL, FIELD(hpa), .preset = "false" },
	{ "hpa_slab_max_alloc", OPTION_SIZE, FIELD(hpa_slab_max_alloc),
	    .clip = true, .min = UNIT, .max = HUGE_PAGE, .preset = "65536",
	    .wants = WANTS_HPA },
	{ "hpa_hugification_threshold", OPTION_SIZE,
	    FIELD(hpa_hugification_threshold), .clip = true, .min = UNIT,
	    .max = HUGE_PAGE, .preset = "1992294", .wants = WANTS_HPA },
	{ "hpa_hugification_threshold_ratio", OPTION_SPECIAL,
	    FIELD(hpa_hugification_threshold), .max = RATIO_ONE,
	    .set = option_set_huge_page_part, .no_ctl = true,
	    .wants = WANTS_HPA, .allowed = "a decimal fraction from 0 to 1" },
	{ "hpa_hugify_delay_ms", OPTION_UINT64, FIELD(hpa_hugify_delay_ms), ANY,
	    .preset = "10000", .wants = WANTS_HPA },
	{ "hpa_hugify_sync", OPTION_BOOL, FIELD(hpa_hugify_sync),
	    .preset = "false", .wants = WANTS_HPA },
	{ "hpa_hugify_style", OPTION_WORD, FIELD(hpa_hugify_style),
	    .preset = "lazy", .words = hugify_words, .wants = WANTS_HPA },
	{ "hpa_min_purge_interval_ms", OPTION_UINT64,
	    FIELD(hpa_min_purge_interval_ms), ANY, .preset = "5000",
	    .wants = WANTS_HPA },
	{ "hpa_min_purge_delay_ms", OPTION_UINT64,
	    FIELD(hpa_min_purge_delay_ms), ANY, .preset = "0",
	    .wants = WANTS_HPA },
	{ "hpa_purge_threshold", OPTION_SIZE, FIELD(hpa_purge_threshold),
	    .clip = true, .min = UNIT, .max = HUGE_PAGE, .preset = "4096",
	    .wants = WANTS_HPA },
	{ "hpa_purge_threshold_ratio", OPTION_SPECIAL,
	    FIELD(hpa_purge_threshold), .max = RATIO_ONE,
	    .set = option_set_huge_page_part, .no_ctl = true,
	    .wants = WANTS_HPA, .allowed = "a decimal fraction from 0 to 1" },
	{ "hpa_dirty_mult", OPTION_RATIO, FIELD(hpa_dirty_mult),
	    .set = option_set_dirty_mult, .preset = "0.25", .wants = WANTS_HPA,
	    .allowed = "-1, or a decimal fraction below 65536" },
	{ "experimental_hpa_max_purge_nhp", OPTION_SSIZE,
	    FIELD(hpa_max_purge_nhp), AT_LEAST_SSIZE(-1), .preset = "-1",
	    .wants = WANTS_HPA },
	{ "experimental_hpa_start_huge_if_thp_always", OPTION_BOOL,
	    FIELD(hpa_start_huge_if_thp_always), .preset = "true",
	    .wants = WANTS_HPA },
	{ "experimental_hpa_enforce_hugify", OPTION_BOOL,
	    FIELD(hpa_enforce_hugify), .preset = "false", .wants = WANTS_HPA },
	{ "hpa_sec_nshards", OPTION_SIZE, FIELD(hpa_sec_nshards), .clip = true,
	    .max = 64, .preset = "2", .wants = WANTS_HPA },
	{ "hpa_sec_max_alloc", OPTION_SIZE, FIELD(hpa_sec_max_alloc),
	    .clip = true, .min = UNIT, .max = 32768, .preset = "32768",
	    .wants = WANTS_HPA },
	{ "hpa_sec_max_bytes", OPTION_SIZE, FIELD(hpa_sec_max_bytes),
	    .clip = true, .min = 262144, .max = SIZE_MAX, .preset = "262144",
	    .wants = WANTS_HPA },
	{ "hpa_sec_batch_fill_extra", OPTION_SIZE,
	    FIELD(hpa_sec_batch_fill_extra), .clip = true, .min = 1, .max = 512,
	    .preset = "3", .wants = WANTS_HPA },

	/* Profiling */
	{ "prof", OPTION_BOOL, FIELD(prof), .preset = "false",
	    .absent = !BUILD_PROF },
	{ "prof_active", OPTION_BOOL, FIELD(prof_active), .preset = "true",
	    .absent = !BUILD_PROF, .wants = WANTS_PROF },
	{ "prof_thread_active_init", OPTION_BOOL,
	    FIELD(prof_thread_active_init), .preset = "true",
	    .absent = !BUILD_PROF, .wants = WANTS_PROF },
	{ "prof_prefix", OPTION_STRING, FIELD(prof_prefix), .preset = "jeprof",
	    .absent = !BUILD_PROF },
	{ "lg_prof_sample", OPTION_SIZE, FIELD(lg_prof_sample), .clip = true,
	    .max = 63, .preset = "19", .absent = !BUILD_PROF,
	    .wants = WANTS_PROF },
	{ "lg_prof_interval", OPTION_SSIZE, FIELD(lg_prof_interval), .min = -1,
	    .max = 63, .preset = "-1", .absent = !BUILD_PROF,
	    .wants = WANTS_PROF, .wants_prefix = true },
	{ "prof_gdump", OPTION_BOOL, FIELD(prof_gdump), .preset = "false",
	    .absent = !BUILD_PROF, .wants = WANTS_PROF, .wants_prefix = true },
	{ "prof_dump_most", OPTION_SSIZE, /* ours */
	    FIELD(prof_dump_most), AT_LEAST_SSIZE(-1), .preset = "64",
	    .absent = !BUILD_PROF, .wants = WANTS_PROF },
	{ "prof_final", OPTION_BOOL, FIELD(prof_final), .preset = "false",
	    .absent = !BUILD_PROF, .wants = WANTS_PROF, .wants_prefix = true },
	{ "prof_leak", OPTION_BOOL, FIELD(prof_leak), .preset = "false",
	    .absent = !BUILD_PROF, .wants = "prof_final:true",
	    .wants_prefix = true },
	{ "prof_leak_error", OPTION_BOOL, FIELD(prof_leak_error),
	    .preset = "false", .absent = !BUILD_PROF, .wants_prefix = true },
	{ "prof_accum", OPTION_BOOL, FIELD(prof_accum), .preset = "false",
	    .absent = !BUILD_PROF, .wants = WANTS_PROF },
	{ "prof_bt_max", OPTION_UNSIGNED, FIELD(prof_bt_max), .clip = true,
	    .min = 1, .max = PROF_BT_LIMIT, .preset = "128",
	    .absent = !BUILD_PROF, .wants = WANTS_PROF },
	{ "prof_pid_namespace", OPTION_BOOL, FIELD(prof_pid_namespace),
	    .preset = "false", .absent = !BUILD_PROF, .wants = WANTS_PROF },
	{ "prof_recent_alloc_max", OPTION_SSIZE, FIELD(prof_recent_alloc_max),
	    AT_LEAST_SSIZE(-1), .preset = "0", .absent = !BUILD_PROF,
	    .wants = WANTS_PROF },
	{ "prof_stats", OPTION_BOOL, FIELD(prof_stats), .preset = "false",
	    .absent = !BUILD_PROF, .wants = WANTS_PROF },
	{ "prof_holes", OPTION_BOOL, FIELD(prof_holes), /* ours */
	    .preset = "false", .absent = !BUILD_PROF, .wants = WANTS_PROF },
	{ "prof_sys_thread_name", OPTION_BOOL, FIELD(prof_sys_thread_name),
	    .preset = "false", .absent = !BUILD_PROF, .wants = WANTS_PROF },
	{ "prof_time_resolution", OPTION_WORD, FIELD(prof_time_resolution),
	    .preset = "default", .words = prof_time_words,
	    .absent = !BUILD_PROF, .wants = WANTS_PROF },
	{ "prof_format", OPTION_WORD, FIELD(prof_format), /* ours */
	    .preset = "text", .words = prof_format_words, .absent = !BUILD_PROF,
	    .wants = WANTS_PROF },
	{ "prof_log", OPTION_BOOL, FIELD(prof_log), .preset = "false",
	    .no_ctl = true, .absent = !BUILD_PROF, .wants = WANTS_PROF },
	{ "prof_signal", OPTION_STRING, FIELD(prof_signal), /* ours */
	    .set = option_set_signal, .preset = "", .absent = !BUILD_PROF,
	    .allowed = "HUP, USR1, USR2, ALRM, VTALRM, PROF, URG, WINCH, IO, "
		       "PWR, or a number of these or of a real-time signal" },
	{ "prof_signal_action", OPTION_WORD, FIELD(prof_signal_action),
	    .preset = "toggle", .words = prof_signal_words,
	    .absent = !BUILD_PROF, .wants = "prof_signal:SIGNAL" },
	{ "prof_unbias", OPTION_BOOL, FIELD(prof_unbias), .preset = "true",
	    .no_ctl = true, .absent = !BUILD_PROF, .wants = WANTS_PROF },

	/* Guards */
	{ "san_guard_small", OPTION_SIZE, FIELD(san_guard_small), ANY_SIZE,
	    .preset = "0", .no_ctl = true, .idle = "no slab gets guard pages" },
	{ "san_guard_large", OPTION_SIZE, FIELD(san_guard_large), ANY_SIZE,
	    .preset = "0", .no_ctl = true,
	    .idle = "no large object gets guard pages" },
	{ "lg_san_uaf_align", OPTION_SSIZE, FIELD(lg_san_uaf_align), .min = -1,
	    .max = 63, .set = option_set_uaf_align, .preset = "-1",
	    .absent = !BUILD_UAF_DETECTION && !BUILD_DEBUG,
	    .idle = "no use after free is looked for",
	    .allowed = "-1, or an integer from 12 to 63" },
};

void
options_init(struct options *options)
{
	memset(options, 0, offsetof(struct options, prof_prefix));
	memset(options->bin_shards, 1, sizeof(options->bin_shards));
	for (unsigned i = 0; i < TCACHE_CLASSES_MAX; i++)
		options->tcache_ncached_max[i] = NCACHED_COMPUTED;
	/*
	 * Also sets options that are not compiled in, because code behind a
	 * build switch reads them.
	 */
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].preset != NULL)
			option_set(&rows[i], options, rows[i].preset,
			    strlen(rows[i].preset));
	options->parts_given = 0;
	options->quarantine_given = false;
}

const struct option_row *
options_row(unsigned i)
{
	for (unsigned j = 0; j < ARRAY_LEN(rows); j++)
		if (!rows[j].absent && i-- == 0)
			return &rows[j];
	return NULL;
}

const struct option_row *
options_any_row(unsigned i)
{
	return i < ARRAY_LEN(rows) ? &rows[i] : NULL;
}

const struct option_row *
options_find(const char *key, size_t length)
{
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (value_is(key, length, rows[i].name))
			return rows[i].absent ? NULL : &rows[i];
	return NULL;
}

bool
option_is_preset(const struct option_row *row, const struct options *options)
{
	static SPARSE struct options other; /* some setters set two fields */
	const char *field = (const char *)options + row->offset;

	if (row->type == OPTION_LETTERS || row->type == OPTION_STRING)
		return value_is(field, strlen(field), row->preset);
	if (row->preset == NULL || row->size > sizeof(uint64_t))
		return true;
	option_set(row, &other, row->preset, strlen(row->preset));
	return memcmp(field, (const char *)&other + row->offset, row->size) ==
	    0;
}

enum option_result
option_set(const struct option_row *row, struct options *options,
    const char *value, size_t length)
{
	option_setter *set = row->set != NULL ? row->set : option_set_typed;

	return set(row, options, value, length);
}

static const char *
option_text(const struct option_row *row, const struct options *options)
{
	const char *field = (const char *)options + row->offset;
	unsigned word;

	if (row->type == OPTION_SPECIAL)
		return row->get(options);
	if (row->type != OPTION_WORD)
		return field;
	memcpy(&word, field, sizeof(word));
	for (unsigned i = 0; row->words[i] != NULL; i++)
		if (i == word)
			return row->words[i];
	/* THP_UNSUPPORTED has an index one above the words that can be set. */
	return "not supported";
}

size_t
option_get(const struct option_row *row, const struct options *options,
    void *value)
{
	const char *text;

	if (row->no_ctl)
		return 0;
	switch (row->type) {
	case OPTION_WORD:
	case OPTION_LETTERS:
	case OPTION_STRING:
	case OPTION_SPECIAL:
		text = option_text(row, options);
		memcpy(value, &text, sizeof(text));
		return sizeof(text);
	default:
		memcpy(value, (const char *)options + row->offset, row->size);
		return row->size;
	}
}

/* safety:full turns on all parts that were not set by name. */
static void
settle_parts(struct options *options)
{
	bool full = options->safety == SAFETY_FULL;
	bool *const parts[] = { &options->canary, &options->zero_free,
		&options->uaf_check, &options->random_slots,
		&options->guard_large };

	for (unsigned i = 0; full && i < ARRAY_LEN(parts); i++)
		if ((options->parts_given & 1u << i) == 0)
			*parts[i] = true;
	if (full && !options->quarantine_given) {
		options->quarantine = QUARANTINE_FULL;
		options->quarantine_by_heap = true;
	}
	options->checked = full || options->canary || options->zero_free ||
	    options->uaf_check || options->quarantine != 0;
}

bool
options_finish(struct options *options, const char **complaint)
{
	bool consistent = true;

	options->tcache_max =
	    size_class_size(size_class_of(options->tcache_max));
	if (options->oversize_threshold < LARGE_MIN)
		options->oversize_threshold = 0;
	if (!BUILD_DEBUG)
		options->double_free_max_scan = 0;
	if (options->prof_leak_error) {
		options->prof_leak = true;
		if (!options->prof_final) {
			*complaint = "prof_leak_error is set w/o prof_final.";
			consistent = false;
		}
	}
	if (options->prof_leak)
		options->prof = true;
	settle_parts(options);
	return consistent;
}
