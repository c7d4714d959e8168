#include "conf/options.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit.h"
#include "conf/conf.h"
#include "os/message.h"
#include "util/build.h"
#include "util/compiler.h"

/*
 * The manual once more, written down without a look at the table: every key,
 * its C type as a mallctl, its default, and what becomes of values beyond the
 * range.
 */
enum kind { BOOL, NUMBER, SIGNED, WORD, TEXT, OTHER };
enum beyond { CLIP, REJECT };

#define MAX32       ((int64_t)UINT32_MAX)
#define MAX63       INT64_MAX
#define MAX64       (-1)           /* all 64 bits */
#define SIZE        sizeof(size_t) /* of pointers, too */
#define MOST        (WORD_BITS == 64 ? MAX64 : MAX32)
#define MOST_SIGNED PTRDIFF_MAX

#define FLAG(n, p) .name = n, .kind = BOOL, .size = 1, .preset = p
#define CHOICE(n, p, w) \
	.name = n, .kind = WORD, .size = SIZE, .preset = p, .words = w
#define STRING(n, p) .name = n, .kind = TEXT, .size = SIZE, .preset = p
#define OTHERS(n)    .name = n, .kind = OTHER
#define RANGE(n, k, s, p, l, h, b) \
	.name = n, .kind = k, .size = s, .preset = p, .low = l, .high = h, \
	.beyond = b

static const struct expected {
	const char *name;
	enum kind kind;
	size_t size;        /* of the mallctl value; 0 without one */
	const char *preset; /* as read back */
	int64_t low, high;  /* of numbers */
	enum beyond beyond;
	const char *words; /* separated by blanks */
	bool absent;
} expected[] = {
	{ FLAG("abort", BUILD_DEBUG ? "1" : "0") },
	{ FLAG("abort_conf", BUILD_DEBUG ? "1" : "0") },
	{ FLAG("confirm_conf", "0") },
	{ CHOICE("zero_realloc", "free", "alloc free abort") },
	{ CHOICE("junk", BUILD_DEBUG ? "true" : "false",
	      "true false alloc free"),
	    .absent = !BUILD_FILL },
	{ FLAG("zero", "0"), .absent = !BUILD_FILL },
	{ FLAG("utrace", "0"), .absent = !BUILD_UTRACE },
	{ FLAG("xmalloc", "0"), .absent = !BUILD_XMALLOC },
	{ FLAG("experimental_infallible_new", "0"), .absent = !BUILD_CXX },
	{ RANGE("mutex_max_spin", SIGNED, 8, "600", -1, MAX63, REJECT) },
	{ FLAG("stats_print", "0") },
	{ STRING("stats_print_opts", "") },
	{ RANGE("stats_interval", SIGNED, 8, "-1", -1, MAX63, REJECT) },
	{ STRING("stats_interval_opts", "") },
	{ OTHERS("log"), .absent = true },
	{ RANGE("debug_double_free_max_scan", NUMBER, 4,
	    BUILD_DEBUG ? "32" : "0", 0, MAX32, CLIP) },
	{ CHOICE("safety", "basic", "off basic full") },
	{ CHOICE("safety_action", "abort", "abort report") },
	{ FLAG("canary", "0") },
	{ FLAG("zero_free", "0") },
	{ FLAG("uaf_check", "0") },
	{ RANGE("quarantine", NUMBER, SIZE, "0", 0, MOST_SIGNED, REJECT) },
	{ FLAG("random_slots", "0") },
	{ FLAG("guard_large", "0") },
	{ RANGE("guard_sample", NUMBER, 4, "0", 0, MAX32, CLIP) },
	{ RANGE("guard_slots", NUMBER, 4, "64", 1, 4096, CLIP) },
	{ CHOICE("foreign", "auto", "auto forward abort") },
	{ FLAG("deepbind", "0"), .absent = !BUILD_DLOPEN },
	{ RANGE("limit_soft", NUMBER, SIZE, "0", 0, MOST_SIGNED, REJECT) },
	{ RANGE("limit_hard", NUMBER, SIZE, "0", 0, MOST_SIGNED, REJECT) },
	{ RANGE("narenas", NUMBER, 4, "0", 1, MAX32, REJECT) },
	{ OTHERS("narenas_ratio") },
	{ CHOICE("percpu_arena", "disabled", "disabled percpu phycpu") },
	{ RANGE("oversize_threshold", NUMBER, SIZE, "8388608", 0,
	    LARGE_MAXCLASS, REJECT) },
	{ FLAG("background_thread", "0") },
	{ RANGE("max_background_threads", NUMBER, SIZE, "4", 1, 4095, CLIP) },
	{ RANGE("dirty_decay_ms", SIGNED, SIZE, "10000", -1, DECAY_MS_MAX,
	    REJECT) },
	{ RANGE("muzzy_decay_ms", SIGNED, SIZE, "0", -1, DECAY_MS_MAX,
	    REJECT) },
	{ FLAG("retain", "1") },
	{ FLAG("core_dump_free", "1") },
	{ CHOICE("dss", "secondary", "disabled primary secondary") },
	{ CHOICE("thp", "default", "default always never") },
	{ CHOICE("metadata_thp", "disabled", "disabled auto always") },
	{ FLAG("huge_arena_pac_thp", "0") },
	{ FLAG("trust_madvise", "0") },
	{ RANGE("lg_extent_max_active_fit", NUMBER, SIZE, "6", 0, 64, REJECT) },
	{ RANGE("process_madvise_max_batch", NUMBER, SIZE, "0", 0, 128, CLIP) },
	{ FLAG("cache_oblivious", BUILD_CACHE_OBLIVIOUS ? "1" : "0") },
	{ FLAG("disable_large_size_classes", "1") },
	{ OTHERS("calloc_madvise_threshold") },
	{ OTHERS("slab_sizes") },
	{ OTHERS("bin_shards") },
	{ FLAG("tcache", "1") },
	{ FLAG("tcache_trim", "0") },
	{ RANGE("tcache_max", NUMBER, SIZE, "262144", 0, 8388608, CLIP) },
	{ OTHERS("lg_tcache_max") },
	{ OTHERS("tcache_ncached_max") },
	{ RANGE("tcache_nslots_small_min", NUMBER, 4, "20", 1, 2048, CLIP) },
	{ RANGE("tcache_nslots_small_max", NUMBER, 4, "200", 1, 2048, CLIP) },
	{ RANGE("tcache_nslots_large", NUMBER, 4, "20", 1, 2048, CLIP) },
	{ RANGE("lg_tcache_nslots_mul", SIGNED, SIZE, "1", -16, 16, REJECT) },
	{ RANGE("tcache_gc_incr_bytes", NUMBER, SIZE, "65536", 1024, MOST,
	    CLIP) },
	{ RANGE("tcache_gc_delay_bytes", NUMBER, SIZE, "0", 0, MOST, CLIP) },
	{ RANGE("lg_tcache_flush_small_div", NUMBER, 4, "1", 1, 16, CLIP) },
	{ RANGE("lg_tcache_flush_large_div", NUMBER, 4, "1", 1, 16, CLIP) },
	{ FLAG("experimental_tcache_gc", "1") },
	{ FLAG("hpa", "0") },
	{ RANGE("hpa_slab_max_alloc", NUMBER, SIZE, "65536", 4096, 2097152,
	    CLIP) },
	{ RANGE("hpa_hugification_threshold", NUMBER, SIZE, "1992294", 4096,
	    2097152, CLIP) },
	{ OTHERS("hpa_hugification_threshold_ratio") },
	{ RANGE("hpa_hugify_delay_ms", NUMBER, 8, "10000", 0, MAX64, CLIP) },
	{ FLAG("hpa_hugify_sync", "0") },
	{ CHOICE("hpa_hugify_style", "lazy", "auto none eager lazy") },
	{ RANGE("hpa_min_purge_interval_ms", NUMBER, 8, "5000", 0, MAX64,
	    CLIP) },
	{ RANGE("hpa_min_purge_delay_ms", NUMBER, 8, "0", 0, MAX64, CLIP) },
	{ RANGE("hpa_purge_threshold", NUMBER, SIZE, "4096", 4096, 2097152,
	    CLIP) },
	{ OTHERS("hpa_purge_threshold_ratio") },
	{ OTHERS("hpa_dirty_mult"), .size = 4, .preset = "16384" },
	{ RANGE("experimental_hpa_max_purge_nhp", SIGNED, SIZE, "-1", -1,
	    MOST_SIGNED, REJECT) },
	{ FLAG("experimental_hpa_start_huge_if_thp_always", "1") },
	{ FLAG("experimental_hpa_enforce_hugify", "0") },
	{ RANGE("hpa_sec_nshards", NUMBER, SIZE, "2", 0, 64, CLIP) },
	{ RANGE("hpa_sec_max_alloc", NUMBER, SIZE, "32768", 4096, 32768,
	    CLIP) },
	{ RANGE("hpa_sec_max_bytes", NUMBER, SIZE, "262144", 262144, MOST,
	    CLIP) },
	{ RANGE("hpa_sec_batch_fill_extra", NUMBER, SIZE, "3", 1, 512, CLIP) },
	{ FLAG("prof", "0"), .absent = !BUILD_PROF },
	{ FLAG("prof_active", "1"), .absent = !BUILD_PROF },
	{ FLAG("prof_thread_active_init", "1"), .absent = !BUILD_PROF },
	{ STRING("prof_prefix", "jeprof"), .absent = !BUILD_PROF },
	{ RANGE("lg_prof_sample", NUMBER, SIZE, "19", 0, 63, CLIP),
	    .absent = !BUILD_PROF },
	{ RANGE("lg_prof_interval", SIGNED, SIZE, "-1", -1, 63, REJECT),
	    .absent = !BUILD_PROF },
	{ FLAG("prof_gdump", "0"), .absent = !BUILD_PROF },
	{ RANGE("prof_dump_most", SIGNED, SIZE, "64", -1, MOST_SIGNED, REJECT),
	    .absent = !BUILD_PROF },
	{ FLAG("prof_final", "0"), .absent = !BUILD_PROF },
	{ FLAG("prof_leak", "0"), .absent = !BUILD_PROF },
	{ FLAG("prof_leak_error", "0"), .absent = !BUILD_PROF },
	{ FLAG("prof_accum", "0"), .absent = !BUILD_PROF },
	{ RANGE("prof_bt_max", NUMBER, 4, "128", 1, 1024, CLIP),
	    .absent = !BUILD_PROF },
	{ FLAG("prof_pid_namespace", "0"), .absent = !BUILD_PROF },
	{ RANGE("prof_recent_alloc_max", SIGNED, SIZE, "0", -1, MOST_SIGNED,
	      REJECT),
	    .absent = !BUILD_PROF },
	{ FLAG("prof_stats", "0"), .absent = !BUILD_PROF },
	{ FLAG("prof_holes", "0"), .absent = !BUILD_PROF },
	{ FLAG("prof_sys_thread_name", "0"), .absent = !BUILD_PROF },
	{ CHOICE("prof_time_resolution", "default", "default high"),
	    .absent = !BUILD_PROF },
	{ CHOICE("prof_format", "text", "text pprof"), .absent = !BUILD_PROF },
	{ OTHERS("prof_log"), .absent = !BUILD_PROF },
	{ STRING("prof_signal", ""), .absent = !BUILD_PROF },
	{ CHOICE("prof_signal_action", "toggle", "toggle dump"),
	    .absent = !BUILD_PROF },
	{ OTHERS("prof_unbias"), .absent = !BUILD_PROF },
	{ OTHERS("san_guard_small") },
	{ OTHERS("san_guard_large") },
	{ OTHERS("lg_san_uaf_align"), .size = SIZE, .preset = "-1",
	    .absent = !BUILD_UAF_DETECTION && !BUILD_DEBUG },
};

static struct {
	struct options options;
	char said[1024]; /* all messages since the last look */
} fixture;

static void
hear(void *opaque, const char *s)
{
	size_t length = strlen(fixture.said);

	(void)opaque;
	snprintf(fixture.said + length, sizeof(fixture.said) - length, "%s", s);
}

static int
set_up(void **state)
{
	(void)state;
	malloc_message = hear;
	options_init(&fixture.options);
	fixture.said[0] = '\0';
	return 0;
}

/* The value as text, whatever its type. */
static const char *
read_back(const struct expected *e)
{
	static char text[32];
	union {
		char bytes[8];
		bool flag;
		uint32_t word;
		uint64_t number;
		const char *text;
	} value;
	const struct option_row *row = options_find(e->name, strlen(e->name));
	size_t size;

	assert_non_null(row);
	size = option_get(row, &fixture.options, &value);
	if (size != e->size)
		fail_msg("%s has %zu bytes", e->name, size);
	if (e->kind == WORD || e->kind == TEXT)
		return value.text;
	if (size == sizeof(bool))
		snprintf(text, sizeof(text), "%d", value.flag);
	else if (size == sizeof(uint32_t))
		snprintf(text, sizeof(text),
		    e->kind == SIGNED || (e->kind == OTHER && e->size == SIZE)
			? "%d"
			: "%u",
		    value.word);
	else if (e->kind == SIGNED || value.number == UINT64_MAX)
		snprintf(text, sizeof(text), "%lld", (long long)value.number);
	else
		snprintf(text, sizeof(text), "%llu",
		    (unsigned long long)value.number);
	return text;
}

/* One line that begins so and goes on with a reason; NULL: none at all. */
static void
check_said(const char *pair, const char *complaint)
{
	char start[256];
	size_t length;

	if (complaint == NULL) {
		if (fixture.said[0] != '\0')
			fail_msg("%s says '%s'", pair, fixture.said);
		return;
	}
	length = (size_t)snprintf(start, sizeof(start),
	    "<jemalloc>: %s: %s -- ", complaint, pair);
	if (strncmp(fixture.said, start, length) != 0 ||
	    strchr(fixture.said, '\n') != strrchr(fixture.said, '\n') ||
	    strlen(fixture.said) < length + 10)
		fail_msg("%s says '%s'", pair, fixture.said);
}

/* Sets name:value and looks at what is read back and what is said. */
static void
check(const struct expected *e, const char *value, const char *after,
    const char *complaint)
{
	char pair[128];

	snprintf(pair, sizeof(pair), "%s:%s", e->name, value);
	fixture.said[0] = '\0';
	conf_parse(&fixture.options, pair);
	if (strcmp(read_back(e), after) != 0)
		fail_msg("%s reads %s, not %s", pair, read_back(e), after);
	check_said(pair, complaint);
}

static void
safety_full_has_each_part_that_is_not_set_by_name(void **state)
{
	struct options o;
	const char *complaint;

	(void)state;
	options_init(&o);
	assert_true(options_finish(&o, &complaint));
	assert_false(o.canary || o.zero_free || o.uaf_check || o.random_slots ||
	    o.guard_large || o.checked);
	assert_int_equal(o.quarantine, 0);
	for (unsigned first = 0; first < 2; first++) {
		static const char *const keys[] = { "safety", "canary",
			"quarantine" };
		static const char *const values[] = { "full", "false", "5" };

		options_init(&o);
		for (unsigned i = 0; i < 3; i++) {
			unsigned k = first != 0 ? 2 - i : i;

			assert_int_equal(option_set(options_find(keys[k],
							strlen(keys[k])),
					     &o, values[k], strlen(values[k])),
			    OPTION_SET);
		}
		assert_true(options_finish(&o, &complaint));
		assert_false(o.canary || o.quarantine_by_heap);
		assert_true(o.zero_free && o.uaf_check && o.random_slots &&
		    o.guard_large && o.checked);
		assert_int_equal(o.quarantine, 5);
	}
}

static void
the_table_has_the_keys_of_the_manual_in_its_order(void **state)
{
	unsigned present = 0;

	(void)state;
	/* 91 of jemalloc 5.3.1, and 21 of ours. */
	assert_int_equal(ARRAY_LEN(expected), 91 + 21);
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		const char *name = expected[i].name;

		if (expected[i].absent) {
			assert_null(options_find(name, strlen(name)));
			continue;
		}
		assert_non_null(options_row(present));
		assert_string_equal(options_row(present)->name, name);
		assert_ptr_equal(options_find(name, strlen(name)),
		    options_row(present));
		present++;
	}
	assert_null(options_row(present));
}

static void
keys_match_whole(void **state)
{
	(void)state;
	assert_null(options_find("", 0));
	assert_null(options_find("metadata_thp", 11));
	assert_null(options_find("tcache_maxx", 11));
	assert_null(options_find("ABORT", 5));
	assert_non_null(options_find("tcache_maxx", 10));
	assert_string_equal(options_find("tcache_max", 6)->name, "tcache");
}

static void
keys_that_are_not_compiled_in_are_unknown(void **state)
{
	char pair[64], said[192];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		if (!expected[i].absent)
			continue;
		snprintf(pair, sizeof(pair), "%s:true", expected[i].name);
		snprintf(said, sizeof(said),
		    "<jemalloc>: Invalid conf pair: "
		    "%s -- that part is not in this build; the rest is used\n",
		    pair);
		fixture.said[0] = '\0';
		conf_parse(&fixture.options, pair);
		assert_string_equal(fixture.said, said);
	}
}

static void
defaults_are_those_of_the_manual(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		const struct expected *e = &expected[i];

		if (e->absent || e->preset == NULL)
			continue;
		if (strcmp(read_back(e), e->preset) != 0)
			fail_msg("%s is %s", e->name, read_back(e));
	}
	assert_int_equal(TCACHE_MAX_DEFAULT, 262144);
}

static void
rows_without_a_mallctl_are_those_of_the_manual(void **state)
{
	static const char names[] =
	    " bin_shards calloc_madvise_threshold "
	    "hpa_hugification_threshold_ratio hpa_purge_threshold_ratio "
	    "lg_tcache_max log narenas_ratio prof_log prof_unbias "
	    "san_guard_large san_guard_small slab_sizes tcache_ncached_max ";
	const struct option_row *row;
	char name[64], value[8];

	(void)state;
	for (unsigned i = 0; (row = options_row(i)) != NULL; i++) {
		snprintf(name, sizeof(name), " %s ", row->name);
		assert_int_equal(row->no_ctl, strstr(names, name) != NULL);
		if (row->no_ctl)
			assert_int_equal(option_get(row, &fixture.options,
					     value),
			    0);
	}
}

static void
bools_are_true_or_false(void **state)
{
	static const char *const wrong[] = { "", "1", "yes", "True", "tru",
		"true ", "truee", "off" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		const struct expected *e = &expected[i];

		if (e->absent || e->kind != BOOL)
			continue;
		if (strcmp(e->name, "confirm_conf") != 0)
			check(e, "true", "1", NULL);
		check(e, "false", "0", NULL);
		for (size_t j = 0; j < ARRAY_LEN(wrong); j++)
			check(e, wrong[j], "0", "Invalid conf value");
	}
}

static void
words_are_taken_whole_or_refused(void **state)
{
	static const char *const wrong[] = { "", "x", "true1", "default1",
		"not supported" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		const struct expected *e = &expected[i];
		char words[64], before[16], *word, *rest = words;

		if (e->absent || e->kind != WORD)
			continue;
		snprintf(words, sizeof(words), "%s", e->words);
		while ((word = strsep(&rest, " ")) != NULL) {
			check(e, word, word, NULL);
			snprintf(before, sizeof(before), "%s", word);
			for (size_t j = 0; j < ARRAY_LEN(wrong); j++)
				check(e, wrong[j], before,
				    "Invalid conf value");
			/* The word without its last letter. */
			word[strlen(word) - 1] = '\0';
			check(e, word, before, "Invalid conf value");
		}
	}
}

static const char *
number_text(const struct expected *e, int64_t value)
{
	static char text[24];

	if (e->kind == NUMBER && value >= 0)
		snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	else
		snprintf(text, sizeof(text), "%lld", (long long)value);
	return text;
}

/* `value` lies beyond the range, next to `bound`. */
static void
check_beyond(const struct expected *e, int64_t value, int64_t bound)
{
	char text[24], before[24], after[24];

	snprintf(text, sizeof(text), "%s", number_text(e, value));
	snprintf(before, sizeof(before), "%s", read_back(e));
	snprintf(after, sizeof(after), "%s", number_text(e, bound));
	if (e->beyond == CLIP)
		check(e, text, after, "Clipped conf value");
	else
		check(e, text, before, "Out-of-range conf value");
}

static void
numbers_keep_to_their_range(void **state)
{
	char text[24];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		const struct expected *e = &expected[i];

		if (e->absent || (e->kind != NUMBER && e->kind != SIGNED))
			continue;
		snprintf(text, sizeof(text), "%s", number_text(e, e->low));
		check(e, text, text, NULL);
		snprintf(text, sizeof(text), "%s", number_text(e, e->high));
		check(e, text, text, NULL);
		/* Below zero, an unsigned number becomes a huge one. */
		if (e->low > 0 || (e->kind == SIGNED))
			check_beyond(e, e->low - 1, e->low);
		else if (e->high != MAX64)
			check_beyond(e, -1, e->high);
		if (e->high != MAX64 && e->high != MAX63)
			check_beyond(e, e->high + 1, e->high);
	}
}

static void
what_is_no_number_is_refused(void **state)
{
	static const char *const wrong[] = { "", "x", "1k", "0x", "08", "1 ",
		"--1", "1.0", "99999999999999999999", "0x10000000000000000" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		const struct expected *e = &expected[i];

		if (e->absent || (e->kind != NUMBER && e->kind != SIGNED))
			continue;
		for (size_t j = 0; j < ARRAY_LEN(wrong); j++)
			check(e, wrong[j], e->preset, "Invalid conf value");
		if (e->low <= 16)
			check(e, " +0x10", "16", NULL);
	}
}

/* ---- rows with a mind of their own ---- */

static void
assert_set(const char *text)
{
	fixture.said[0] = '\0';
	assert_true(conf_parse(&fixture.options, text));
	assert_string_equal(fixture.said, "");
}

static void
assert_refused(const char *pair, const char *complaint)
{
	fixture.said[0] = '\0';
	assert_false(conf_parse(&fixture.options, pair));
	check_said(pair, complaint);
}

static void
assert_clipped(const char *pair)
{
	fixture.said[0] = '\0';
	assert_true(conf_parse(&fixture.options, pair));
	check_said(pair, "Clipped conf value");
}

static void
junk_can_fill_at_either_end(void **state)
{
	(void)state;
	if (!BUILD_FILL)
		SKIP_TEST("built without filling");
	assert_set("junk:true");
	assert_true(fixture.options.junk_alloc && fixture.options.junk_free);
	assert_set("junk:alloc");
	assert_true(fixture.options.junk_alloc && !fixture.options.junk_free);
	assert_set("junk:free");
	assert_true(!fixture.options.junk_alloc && fixture.options.junk_free);
	assert_set("junk:false");
	assert_true(!fixture.options.junk_alloc && !fixture.options.junk_free);
}

static void
narenas_default_is_zero(void **state)
{
	(void)state;
	assert_set("narenas:3");
	assert_int_equal(fixture.options.narenas, 3);
	assert_set("narenas:default");
	assert_int_equal(fixture.options.narenas, 0);
	assert_refused("narenas:defaul", "Invalid conf value");
	assert_refused("narenas:0", "Out-of-range conf value");
}

static void
ratios_are_fixed_point(void **state)
{
	(void)state;
	assert_int_equal(fixture.options.narenas_ratio, 4 * RATIO_ONE);
	assert_set("narenas_ratio:0.5,hpa_dirty_mult:1.25");
	assert_int_equal(fixture.options.narenas_ratio, RATIO_ONE / 2);
	assert_int_equal(fixture.options.hpa_dirty_mult, 5 * RATIO_ONE / 4);
	assert_set("hpa_dirty_mult:-1");
	assert_int_equal(fixture.options.hpa_dirty_mult, RATIO_NEVER);
	assert_refused("narenas_ratio:-1", "Invalid conf value");
	assert_refused("hpa_dirty_mult:-2", "Invalid conf value");
	assert_refused("hpa_dirty_mult:65536", "Invalid conf value");
	assert_int_equal(fixture.options.hpa_dirty_mult, RATIO_NEVER);
}

static void
ratios_of_a_huge_page_set_the_threshold_in_bytes(void **state)
{
	(void)state;
	assert_set("hpa_hugification_threshold_ratio:0.5,"
		   "hpa_purge_threshold_ratio:1");
	assert_int_equal(fixture.options.hpa_hugification_threshold, 1 << 20);
	assert_int_equal(fixture.options.hpa_purge_threshold, 2 << 20);
	assert_set("hpa_hugification_threshold_ratio:0.95");
	assert_in_range(fixture.options.hpa_hugification_threshold,
	    1992294 - 64, 1992294);
	assert_set("hpa_purge_threshold_ratio:0");
	assert_int_equal(fixture.options.hpa_purge_threshold, 4096);
	assert_refused("hpa_purge_threshold_ratio:1.01", "Invalid conf value");
	assert_refused("hpa_hugification_threshold_ratio:-1",
	    "Invalid conf value");
}

static void
statistics_letters_accumulate_once_each(void **state)
{
	(void)state;
	assert_clipped("stats_print_opts:zJaaJ");
	assert_set("stats_interval_opts:");
	assert_string_equal(fixture.options.stats_print_opts, "Ja");
	assert_clipped("stats_print_opts:ga!b");
	assert_string_equal(fixture.options.stats_print_opts, "Jagb");
	assert_set("stats_print_opts:hexlbadmgJ");
	assert_string_equal(fixture.options.stats_print_opts, "Jagbhexldm");
	assert_string_equal(fixture.options.stats_interval_opts, "");
}

static void
lg_tcache_max_and_tcache_max_are_one_setting(void **state)
{
	(void)state;
	assert_set("lg_tcache_max:15");
	assert_int_equal(fixture.options.tcache_max, 32768);
	assert_clipped("lg_tcache_max:24");
	assert_int_equal(fixture.options.tcache_max, 8 << 20);
	assert_set("lg_tcache_max:0");
	assert_int_equal(fixture.options.tcache_max, 1);
	assert_set("lg_tcache_max:20,tcache_max:4096");
	assert_int_equal(fixture.options.tcache_max, 4096);
	assert_refused("lg_tcache_max:x", "Invalid conf value");
}

static void
texts_are_cut_to_their_field(void **state)
{
	static char text[PATH_MAX + 64] = "prof_prefix:";

	(void)state;
	if (!BUILD_PROF)
		SKIP_TEST("built without heap profiles");
	assert_set("prof_prefix:");
	assert_string_equal(fixture.options.prof_prefix, "");
	assert_set("prof_prefix:/tmp/a b.%d");
	assert_string_equal(fixture.options.prof_prefix, "/tmp/a b.%d");
	memset(text + 12, 'x', PATH_MAX + 10);
	fixture.said[0] = '\0';
	assert_true(conf_parse(&fixture.options, text));
	assert_non_null(strstr(fixture.said,
	    "xxx... -- allowed: up to 4095 "
	    "bytes; the end is cut\n"));
	assert_int_equal(strlen(fixture.options.prof_prefix), PATH_MAX - 1);
}

static void
numbers_without_a_mallctl_are_stored(void **state)
{
	(void)state;
	assert_int_equal(fixture.options.calloc_madvise_threshold, 8 << 20);
	assert_set("calloc_madvise_threshold:0,san_guard_small:7,"
		   "san_guard_large:0x10");
	assert_int_equal(fixture.options.calloc_madvise_threshold, 0);
	assert_int_equal(fixture.options.san_guard_small, 7);
	assert_int_equal(fixture.options.san_guard_large, 16);
	assert_refused("calloc_madvise_threshold:-1",
	    "Out-of-range conf value");
	assert_refused("san_guard_small:x", "Invalid conf value");
}

static void
profiling_switches_without_a_mallctl_are_stored(void **state)
{
	(void)state;
	if (!BUILD_PROF)
		SKIP_TEST("built without heap profiles");
	assert_true(!fixture.options.prof_log && fixture.options.prof_unbias);
	assert_set("prof_log:true,prof_unbias:false");
	assert_true(fixture.options.prof_log && !fixture.options.prof_unbias);
	assert_refused("prof_log:on", "Invalid conf value");
}

static void
a_use_after_free_check_is_of_pages_or_off(void **state)
{
	static const struct {
		const char *text;
		ssize_t value;
	} cases[] = { { "12", 12 }, { "63", 63 }, { "0", 12 }, { "11", 12 },
		{ "64", 63 }, { "9999", 63 }, { "-1", -1 } };
	char text[64];

	(void)state;
	if (options_find("lg_san_uaf_align", 16) == NULL)
		SKIP_TEST("the check for uses after free is not chosen "
			  "(configure)");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(text, sizeof(text), "lg_san_uaf_align:%s",
		    cases[i].text);
		if (strtol(cases[i].text, NULL, 10) == cases[i].value)
			assert_set(text);
		else
			assert_clipped(text);
		assert_int_equal(fixture.options.lg_san_uaf_align,
		    cases[i].value);
	}
	assert_refused("lg_san_uaf_align:-2", "Out-of-range conf value");
	assert_refused("lg_san_uaf_align:x", "Invalid conf value");
}

static void
slab_sizes_apply_to_the_classes_between(void **state)
{
	const uint16_t *units = fixture.options.slab_sizes;

	(void)state;
	for (unsigned i = 0; i < SMALL_CLASSES_MAX; i++)
		assert_int_equal(units[i], 0);
	/* 9 to 100 holds 16 to 96, and neither 8 nor 112. */
	assert_set("slab_sizes:9-100:2");
	for (unsigned i = 0; i < SMALL_CLASSES; i++) {
		size_t size = size_class_size(i);

		assert_int_equal(units[i], size > 8 && size <= 100 ? 2 : 0);
	}
	/* At least one region, and at most 512; later parts win. */
	assert_set("slab_sizes:1-999999:1|16-16:1000|32-32:3");
	assert_int_equal(units[size_class_of(14336)], 4);
	assert_int_equal(units[size_class_of(16)], 2);
	assert_int_equal(units[size_class_of(32)], 3);
	assert_int_equal(units[size_class_of(64)], 1);
	assert_refused("slab_sizes:99-1:7", "Invalid settings for slab_sizes");
	assert_int_equal(units[size_class_of(64)], 1);
	assert_set("slab_sizes:64-64:1");
	assert_set("slab_sizes:default");
	assert_int_equal(units[size_class_of(64)], 0);
	assert_refused("slab_sizes:64-64:2|x",
	    "Invalid settings for slab_sizes");
	assert_int_equal(units[size_class_of(64)], 2);
}

static void
bin_shards_apply_to_the_classes_that_cover(void **state)
{
	const uint8_t *shards = fixture.options.bin_shards;

	(void)state;
	for (unsigned i = 0; i < SMALL_CLASSES_MAX; i++)
		assert_int_equal(shards[i], 1);
	assert_set("bin_shards:9-100:4");
	for (unsigned i = 0; i < SMALL_CLASSES; i++) {
		size_t size = size_class_size(i);

		assert_int_equal(shards[i], size > 8 && size <= 112 ? 4 : 1);
	}
	assert_set("bin_shards:1-160:16|129-512:8|100000-200000:3");
	assert_int_equal(shards[size_class_of(128)], 16);
	assert_int_equal(shards[size_class_of(160)], 8);
	assert_int_equal(shards[SMALL_CLASSES - 1], 1);
	assert_set("bin_shards:14000-18446744073709551615:64");
	assert_int_equal(shards[SMALL_CLASSES - 1], 64);
	assert_refused("bin_shards:8-8:2|16-16:65",
	    "Invalid settings for bin_shards");
	assert_refused("bin_shards:9-8:4", "Invalid settings for bin_shards");
	assert_refused("bin_shards:8-8:0", "Invalid settings for bin_shards");
	assert_refused("bin_shards:default", "Invalid settings for bin_shards");
	assert_int_equal(shards[0], 2);
	assert_int_equal(shards[size_class_of(16)], 16);
}

static void
cache_depths_apply_to_the_classes_that_cover(void **state)
{
	const int16_t *depths = fixture.options.tcache_ncached_max;

	(void)state;
	assert_true(size_class_of(TCACHE_MAX_LIMIT) < TCACHE_CLASSES_MAX);
	for (unsigned i = 0; i < TCACHE_CLASSES_MAX; i++)
		assert_int_equal(depths[i], NCACHED_COMPUTED);
	assert_set("tcache_ncached_max:9-100:5|32768-40000:0");
	assert_int_equal(depths[0], NCACHED_COMPUTED);
	assert_int_equal(depths[size_class_of(16)], 5);
	assert_int_equal(depths[size_class_of(112)], 5);
	assert_int_equal(depths[size_class_of(113)], NCACHED_COMPUTED);
	assert_int_equal(depths[size_class_of(32768)], 0);
	assert_int_equal(depths[size_class_of(40960)], 0);
	assert_clipped("tcache_ncached_max:0-18446744073709551615:99999|9-1:1");
	for (unsigned i = 0; i <= size_class_of(TCACHE_MAX_LIMIT); i++)
		assert_int_equal(depths[i], TCACHE_NCACHED_LIMIT);
	assert_refused("tcache_ncached_max:8-8:7|8-x:1",
	    "Invalid settings for tcache_ncached_max");
	assert_int_equal(depths[0], 7);
}

static void
a_kernel_without_huge_pages_reads_not_supported(void **state)
{
	const struct option_row *row = options_find("thp", 3);
	const char *text;

	(void)state;
	fixture.options.thp = THP_UNSUPPORTED;
	assert_int_equal(option_get(row, &fixture.options, &text), SIZE);
	assert_string_equal(text, "not supported");
}

/* ---- what start-up makes of the settings ---- */

static void
finish_rounds_tcache_max_up_to_a_class(void **state)
{
	static const struct {
		size_t wish, result;
	} cases[] = { { 0, 8 }, { 1, 8 }, { 17, 32 }, { 4097, 5120 },
		{ 262144, 262144 }, { (8 << 20) - 1, 8 << 20 } };
	const char *complaint;

	(void)state;
	if (LG_QUANTUM != 4)
		SKIP_TEST("quanta are not of 16 bytes here");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		fixture.options.tcache_max = cases[i].wish;
		assert_true(options_finish(&fixture.options, &complaint));
		assert_int_equal(fixture.options.tcache_max, cases[i].result);
	}
}

static void
finish_turns_off_an_oversize_threshold_of_small_objects(void **state)
{
	const char *complaint;

	(void)state;
	fixture.options.oversize_threshold = LARGE_MIN - 1;
	assert_true(options_finish(&fixture.options, &complaint));
	assert_int_equal(fixture.options.oversize_threshold, 0);
	fixture.options.oversize_threshold = LARGE_MIN;
	assert_true(options_finish(&fixture.options, &complaint));
	assert_int_equal(fixture.options.oversize_threshold, LARGE_MIN);
}

static void
finish_allows_the_double_free_scan_in_debug_builds_only(void **state)
{
	const char *complaint;

	(void)state;
	assert_set("debug_double_free_max_scan:5");
	assert_true(options_finish(&fixture.options, &complaint));
	assert_int_equal(fixture.options.double_free_max_scan,
	    BUILD_DEBUG ? 5 : 0);
}

static void
finish_turns_on_what_a_leak_report_needs(void **state)
{
	const char *complaint = NULL;

	(void)state;
	fixture.options.prof_leak = true;
	assert_true(options_finish(&fixture.options, &complaint));
	assert_true(fixture.options.prof);
	options_init(&fixture.options);
	fixture.options.prof_leak_error = true;
	fixture.options.prof_final = true;
	assert_true(options_finish(&fixture.options, &complaint));
	assert_true(fixture.options.prof && fixture.options.prof_leak);
	assert_null(complaint);
	fixture.options.prof_final = false;
	assert_false(options_finish(&fixture.options, &complaint));
	assert_string_equal(complaint,
	    "prof_leak_error is set w/o prof_final.");
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_table_has_the_keys_of_the_manual_in_its_order),
		TEST(safety_full_has_each_part_that_is_not_set_by_name),
		TEST(keys_match_whole),
		TEST(keys_that_are_not_compiled_in_are_unknown),
		TEST(defaults_are_those_of_the_manual),
		TEST(rows_without_a_mallctl_are_those_of_the_manual),
		TEST(bools_are_true_or_false),
		TEST(words_are_taken_whole_or_refused),
		TEST(numbers_keep_to_their_range),
		TEST(what_is_no_number_is_refused),
		TEST(junk_can_fill_at_either_end),
		TEST(narenas_default_is_zero),
		TEST(ratios_are_fixed_point),
		TEST(ratios_of_a_huge_page_set_the_threshold_in_bytes),
		TEST(statistics_letters_accumulate_once_each),
		TEST(lg_tcache_max_and_tcache_max_are_one_setting),
		TEST(texts_are_cut_to_their_field),
		TEST(numbers_without_a_mallctl_are_stored),
		TEST(profiling_switches_without_a_mallctl_are_stored),
		TEST(a_use_after_free_check_is_of_pages_or_off),
		TEST(slab_sizes_apply_to_the_classes_between),
		TEST(bin_shards_apply_to_the_classes_that_cover),
		TEST(cache_depths_apply_to_the_classes_that_cover),
		TEST(a_kernel_without_huge_pages_reads_not_supported),
		TEST(finish_rounds_tcache_max_up_to_a_class),
		TEST(finish_turns_off_an_oversize_threshold_of_small_objects),
		TEST(finish_allows_the_double_free_scan_in_debug_builds_only),
		TEST(finish_turns_on_what_a_leak_report_needs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
