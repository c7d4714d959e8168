#include "conf/options.h"

#include <string.h>

#include "conf/option_setters.h"
#include "conf/value.h"
#include "util/build.h"
#include "util/compiler.h"

struct options opt_at_start;

/* A row begins with its key, type and field, which mostly has the same name. */
#define KEY(name, type) #name, OPTION_##type, FIELD(name)
#define FIELD(name) \
	.offset = offsetof(struct options, name), \
	.size = sizeof(((struct options *)0)->name)
#define TEXT_OF(number)          TEXT_OF_EXPANDED(number)
#define TEXT_OF_EXPANDED(number) #number
#define DEBUG_TRUE               (BUILD_DEBUG ? "true" : "false")
/* A value that can't be stored is clipped, like -1 in a field of 32 bits. */
#define ANY                  .max = UINT64_MAX
#define CLIPPED(least, most) .clip = true, .min = (least), .max = (most)
#define ANY_UNSIGNED         CLIPPED(0, UINT_MAX)
#define ANY_SIZE             CLIPPED(0, SIZE_MAX)
#define AT_LEAST(n)          .min = (n), .max = INT64_MAX
#define AT_LEAST_SSIZE(n)    .min = (n), .max = PTRDIFF_MAX

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
#define WANTS_PROF    "prof:true, unless the profile is turned on later"
#define WANTS_HPA     "hpa:true"
#define WITH_PROF     .absent = !BUILD_PROF, .wants = WANTS_PROF
#define RANGES(value) "low-high:number, several separated by |, number " value

/* In the order of doc/OPTIONS.md; a test compares them. */
static const struct option_row rows[] = {
	/* General */
	{ KEY(abort, BOOL), .preset = DEBUG_TRUE },
	{ KEY(abort_conf, BOOL), .preset = DEBUG_TRUE },
	{ KEY(confirm_conf, BOOL), .preset = "false" },
	{ KEY(zero_realloc, WORD), .preset = "free",
	    .words = zero_realloc_words },
	{ "junk", OPTION_SPECIAL, .set = option_set_junk,
	    .get = option_get_junk, .preset = DEBUG_TRUE, .absent = !BUILD_FILL,
	    .words = junk_words },
	{ KEY(zero, BOOL), .preset = "false", .absent = !BUILD_FILL },
	{ KEY(utrace, BOOL), .preset = "false", .absent = !BUILD_UTRACE,
	    .idle = "calls are not traced" },
	{ KEY(xmalloc, BOOL), .preset = "false", .absent = !BUILD_XMALLOC },
	{ "experimental_infallible_new", OPTION_BOOL, FIELD(infallible_new),
	    .preset = "false", .absent = !BUILD_CXX },
	{ KEY(mutex_max_spin, INT64), AT_LEAST(-1), .preset = "600",
	    .idle = "locks decide themselves how long they spin" },
	{ KEY(stats_print, BOOL), .preset = "false" },
	{ KEY(stats_print_opts, LETTERS), .preset = "",
	    .wants = "stats_print:true" },
	{ KEY(stats_interval, INT64), AT_LEAST(-1), .preset = "-1" },
	{ KEY(stats_interval_opts, LETTERS), .preset = "",
	    .wants = "stats_interval:BYTES" },
	/* For debugging the library, which has no log points. */
	{ KEY(log, STRING), .preset = "", .no_ctl = true, .absent = true },
	{ "debug_double_free_max_scan", OPTION_UNSIGNED,
	    FIELD(double_free_max_scan), ANY_UNSIGNED,
	    .preset = BUILD_DEBUG ? "32" : "0",
	    .idle = "the option safety finds double frees" },

	/* Safety: ours */
	{ KEY(safety, WORD), .preset = "basic", .words = safety_words },
	{ KEY(safety_action, WORD), .preset = "abort",
	    .words = safety_action_words },
	{ KEY(canary, BOOL), .preset = "false", .set = option_set_part },
	{ KEY(zero_free, BOOL), .preset = "false", .set = option_set_part },
	{ KEY(uaf_check, BOOL), .preset = "false", .set = option_set_part },
	{ KEY(quarantine, SIZE), AT_LEAST_SSIZE(0), .preset = "0",
	    .set = option_set_quarantine },
	{ KEY(random_slots, BOOL), .preset = "false", .set = option_set_part },
	{ KEY(guard_large, BOOL), .preset = "false", .set = option_set_part },
	{ KEY(guard_sample, UNSIGNED), ANY_UNSIGNED, .preset = "0" },
	{ KEY(guard_slots, UNSIGNED), CLIPPED(1, 4096), .preset = "64" },
	{ KEY(foreign, WORD), .preset = "auto", .words = foreign_words },
	{ KEY(deepbind, BOOL), .preset = "false", .absent = !BUILD_DLOPEN },

	/* Limits: ours */
	{ KEY(limit_soft, SIZE), AT_LEAST_SSIZE(0), .preset = "0" },
	{ KEY(limit_hard, SIZE), AT_LEAST_SSIZE(0), .preset = "0" },

	/* Arenas, pages, purging */
	{ KEY(narenas, UNSIGNED), .min = 1, .max = UINT_MAX, .word = "default",
	    .word_value = 0, .preset = "default",
	    .allowed = "default, or an integer of at least 1" },
	{ KEY(narenas_ratio, RATIO), .preset = "4", .no_ctl = true },
	{ KEY(percpu_arena, WORD), .preset = "disabled",
	    .words = percpu_words },
	{ KEY(oversize_threshold, SIZE), .max = LARGE_MAXCLASS,
	    .preset = "8388608" },
	{ KEY(background_thread, BOOL), .preset = "auto",
	    .set = option_set_background, .allowed = "true, false or auto" },
	{ KEY(max_background_threads, SIZE), CLIPPED(1, 4095), .preset = "4" },
	{ KEY(dirty_decay_ms, SSIZE), .min = -1, .max = DECAY_MS_MAX,
	    .preset = "10000" },
	{ KEY(muzzy_decay_ms, SSIZE), .min = -1, .max = DECAY_MS_MAX,
	    .preset = "0" },
	{ KEY(retain, BOOL), .preset = "true" },
	{ KEY(core_dump_free, BOOL), .preset = "true" },
	{ KEY(dss, WORD), .preset = "secondary", .words = dss_words },
	{ KEY(thp, WORD), .preset = "default", .words = thp_words },
	{ KEY(metadata_thp, WORD), .preset = "disabled",
	    .words = metadata_thp_words },
	{ KEY(huge_arena_pac_thp, BOOL), .preset = "false",
	    .wants = "metadata_thp:auto" },
	{ KEY(trust_madvise, BOOL), .preset = "false",
	    .idle = "MADV_DONTNEED is always tested where it matters" },
	{ KEY(lg_extent_max_active_fit, SIZE), .max = 64, .preset = "6" },
	{ KEY(process_madvise_max_batch, SIZE), CLIPPED(0, 128), .preset = "0",
	    .idle = "pages are purged by madvise" },
	{ KEY(cache_oblivious, BOOL),
	    .preset = BUILD_CACHE_OBLIVIOUS ? "true" : "false",
	    .idle = "large objects start at a page" },
	{ KEY(disable_large_size_classes, BOOL), .preset = "true" },
	{ KEY(calloc_madvise_threshold, SIZE), .max = LARGE_MAXCLASS,
	    .preset = "8388608", .no_ctl = true },
	{ "slab_sizes", OPTION_SPECIAL, .set = option_set_slab_sizes,
	    .no_ctl = true, .allowed = "default, or " RANGES("pages") },
	{ "bin_shards", OPTION_SPECIAL, .set = option_set_bin_shards,
	    .no_ctl = true, .allowed = RANGES("1 to 64") },

	/* Thread cache */
	{ KEY(tcache, BOOL), .preset = "true" },
	{ KEY(tcache_trim, BOOL), .preset = "false" }, /* ours */
	{ KEY(tcache_max, SIZE), CLIPPED(0, TCACHE_MAX_LIMIT),
	    .preset = TEXT_OF(TCACHE_MAX_DEFAULT) },
	{ "lg_tcache_max", OPTION_SPECIAL, CLIPPED(0, 23),
	    .set = option_set_lg_tcache_max, .no_ctl = true,
	    .allowed = "an integer from 0 to 23" },
	{ "tcache_ncached_max", OPTION_SPECIAL, .set = option_set_ncached_max,
	    .no_ctl = true, .allowed = RANGES("0 to 8191") },
	{ KEY(tcache_nslots_small_min, UNSIGNED), CLIPPED(1, 2048),
	    .preset = "20", .idle = CACHES_ADAPT },
	{ KEY(tcache_nslots_small_max, UNSIGNED), CLIPPED(1, 2048),
	    .preset = "200", .idle = CACHES_ADAPT },
	{ KEY(tcache_nslots_large, UNSIGNED), CLIPPED(1, 2048), .preset = "20",
	    .idle = CACHES_ADAPT },
	{ KEY(lg_tcache_nslots_mul, SSIZE), .min = -16, .max = 16,
	    .preset = "1", .idle = CACHES_ADAPT },
	{ KEY(tcache_gc_incr_bytes, SIZE), CLIPPED(1024, SIZE_MAX),
	    .preset = "65536", .idle = CACHES_AGE },
	{ KEY(tcache_gc_delay_bytes, SIZE), ANY_SIZE, .preset = "0",
	    .idle = CACHES_AGE },
	{ KEY(lg_tcache_flush_small_div, UNSIGNED), CLIPPED(1, 16),
	    .preset = "1", .idle = CACHES_ADAPT },
	{ KEY(lg_tcache_flush_large_div, UNSIGNED), CLIPPED(1, 16),
	    .preset = "1", .idle = CACHES_ADAPT },
	{ KEY(experimental_tcache_gc, BOOL), .preset = "true",
	    .idle = CACHES_AGE },

	/* Huge page allocator */
	{ KEY(hpa, BOOL), .preset = "false" },
	{ KEY(hpa_slab_max_alloc, SIZE), CLIPPED(UNIT, HUGE_PAGE),
	    .preset = "65536", .wants = WANTS_HPA },
	{ KEY(hpa_hugification_threshold, SIZE), CLIPPED(UNIT, HUGE_PAGE),
	    .preset = "1992294", .wants = WANTS_HPA },
	{ "hpa_hugification_threshold_ratio", OPTION_SPECIAL,
	    FIELD(hpa_hugification_threshold), .max = RATIO_ONE,
	    .set = option_set_huge_page_part, .no_ctl = true,
	    .wants = WANTS_HPA, .allowed = "a decimal fraction from 0 to 1" },
	{ KEY(hpa_hugify_delay_ms, UINT64), ANY, .preset = "10000",
	    .wants = WANTS_HPA },
	{ KEY(hpa_hugify_sync, BOOL), .preset = "false", .wants = WANTS_HPA },
	{ KEY(hpa_hugify_style, WORD), .preset = "lazy", .words = hugify_words,
	    .wants = WANTS_HPA },
	{ KEY(hpa_min_purge_interval_ms, UINT64), ANY, .preset = "5000",
	    .wants = WANTS_HPA },
	{ KEY(hpa_min_purge_delay_ms, UINT64), ANY, .preset = "0",
	    .wants = WANTS_HPA },
	{ KEY(hpa_purge_threshold, SIZE), CLIPPED(UNIT, HUGE_PAGE),
	    .preset = "4096", .wants = WANTS_HPA },
	{ "hpa_purge_threshold_ratio", OPTION_SPECIAL,
	    FIELD(hpa_purge_threshold), .max = RATIO_ONE,
	    .set = option_set_huge_page_part, .no_ctl = true,
	    .wants = WANTS_HPA, .allowed = "a decimal fraction from 0 to 1" },
	{ KEY(hpa_dirty_mult, RATIO), .word = "-1", .word_value = RATIO_NEVER,
	    .preset = "0.25", .wants = WANTS_HPA,
	    .allowed = "-1, or a decimal fraction below 65536" },
	{ "experimental_hpa_max_purge_nhp", OPTION_SSIZE,
	    FIELD(hpa_max_purge_nhp), AT_LEAST_SSIZE(-1), .preset = "-1",
	    .wants = WANTS_HPA },
	{ "experimental_hpa_start_huge_if_thp_always", OPTION_BOOL,
	    FIELD(hpa_start_huge_if_thp_always), .preset = "true",
	    .wants = WANTS_HPA },
	{ "experimental_hpa_enforce_hugify", OPTION_BOOL,
	    FIELD(hpa_enforce_hugify), .preset = "false", .wants = WANTS_HPA },
	{ KEY(hpa_sec_nshards, SIZE), CLIPPED(0, 64), .preset = "2",
	    .wants = WANTS_HPA },
	{ KEY(hpa_sec_max_alloc, SIZE), CLIPPED(UNIT, 32768), .preset = "32768",
	    .wants = WANTS_HPA },
	{ KEY(hpa_sec_max_bytes, SIZE), CLIPPED(262144, SIZE_MAX),
	    .preset = "262144", .wants = WANTS_HPA },
	{ KEY(hpa_sec_batch_fill_extra, SIZE), CLIPPED(1, 512), .preset = "3",
	    .wants = WANTS_HPA },

	/* Profiling */
	{ KEY(prof, BOOL), .preset = "false", .absent = !BUILD_PROF },
	{ KEY(prof_active, BOOL), .preset = "true", WITH_PROF },
	{ KEY(prof_thread_active_init, BOOL), .preset = "true", WITH_PROF },
	{ KEY(prof_prefix, STRING), .preset = "jeprof", .absent = !BUILD_PROF },
	{ KEY(lg_prof_sample, SIZE), CLIPPED(0, 63), .preset = "19",
	    WITH_PROF },
	{ KEY(lg_prof_interval, SSIZE), .min = -1, .max = 63, .preset = "-1",
	    WITH_PROF, .wants_prefix = true },
	{ KEY(prof_gdump, BOOL), .preset = "false", WITH_PROF,
	    .wants_prefix = true },
	{ KEY(prof_dump_most, SSIZE), AT_LEAST_SSIZE(-1), .preset = "64",
	    WITH_PROF }, /* ours */
	{ KEY(prof_final, BOOL), .preset = "false", WITH_PROF,
	    .wants_prefix = true },
	{ KEY(prof_leak, BOOL), .preset = "false", .absent = !BUILD_PROF,
	    .wants = "prof_final:true", .wants_prefix = true },
	{ KEY(prof_leak_error, BOOL), .preset = "false", .absent = !BUILD_PROF,
	    .wants_prefix = true },
	{ KEY(prof_accum, BOOL), .preset = "false", WITH_PROF },
	{ KEY(prof_bt_max, UNSIGNED), CLIPPED(1, PROF_BT_LIMIT),
	    .preset = "128", WITH_PROF },
	{ KEY(prof_pid_namespace, BOOL), .preset = "false", WITH_PROF },
	{ KEY(prof_recent_alloc_max, SSIZE), AT_LEAST_SSIZE(-1), .preset = "0",
	    WITH_PROF },
	{ KEY(prof_stats, BOOL), .preset = "false", WITH_PROF },
	{ KEY(prof_holes, BOOL), .preset = "false", WITH_PROF }, /* ours */
	{ KEY(prof_sys_thread_name, BOOL), .preset = "false", WITH_PROF },
	{ KEY(prof_time_resolution, WORD), .preset = "default",
	    .words = prof_time_words, WITH_PROF },
	{ KEY(prof_format, WORD), .preset = "text", .words = prof_format_words,
	    WITH_PROF }, /* ours */
	{ KEY(prof_log, BOOL), .preset = "false", .no_ctl = true, WITH_PROF },
	{ KEY(prof_signal, STRING), /* ours */
	    .set = option_set_signal, .preset = "", .absent = !BUILD_PROF,
	    .allowed = "HUP, USR1, USR2, ALRM, VTALRM, PROF, URG, WINCH, IO, "
		       "PWR, or a number of these or of a real-time signal" },
	{ KEY(prof_signal_action, WORD), .preset = "toggle",
	    .words = prof_signal_words, .absent = !BUILD_PROF,
	    .wants = "prof_signal:SIGNAL" },
	{ KEY(prof_unbias, BOOL), .preset = "true", .no_ctl = true, WITH_PROF },

	/* Guards */
	{ KEY(san_guard_small, SIZE), ANY_SIZE, .preset = "0", .no_ctl = true,
	    .idle = "no slab gets guard pages" },
	{ KEY(san_guard_large, SIZE), ANY_SIZE, .preset = "0", .no_ctl = true,
	    .idle = "no large object gets guard pages" },
	{ KEY(lg_san_uaf_align, SSIZE), .min = -1, .max = 63,
	    .set = option_set_uaf_align, .preset = "-1",
	    .absent = !BUILD_UAF_DETECTION && !BUILD_DEBUG,
	    .idle = "no use after free is looked for",
	    .allowed = "-1, or an integer from 12 to 63" },
};

AT_START void
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

AT_START bool
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

static size_t
large_class(size_t size)
{
	if (size <= LARGE_MIN)
		return LARGE_MIN;
	if (size > LARGE_MAXCLASS)
		return 0;
	if (opt.disable_large_size_classes)
		return round_up(size, UNIT);
	return size_class_size(size_class_of(size));
}

size_t
options_class(size_t size, size_t align)
{
	size_t padded = size;

	if (opt.canary && size <= LARGE_MAXCLASS)
		padded += CANARY_MIN;
	if (padded <= SMALL_MAX && align <= UNIT) {
		size_t rounded = round_up(max_size(padded, 1), align);

		if (rounded <= SMALL_MAX)
			return small_class_size(small_class_of(rounded));
	}
	if (align > LARGE_MAXCLASS)
		return 0;
	/* An object with a guard needs no canary. */
	return large_class(opt.guard_large ? size : padded);
}
