#include "stats/report_sections.h"

#include <string.h>

#include "../unit.h"
#include "conf/conf.h"
#include "conf/options.h"
#include "guard/guard.h"
#include "os/system.h"
#include "stats/snapshot.h"

/* --- the sources of options, which this program has none of ------------- */

static const char *sources_now[CONF_SOURCES];

const char *__wrap_conf_source(enum conf_source source);

const char *
__wrap_conf_source(enum conf_source source)
{
	return sources_now[source];
}

/* --- guards that are missing -------------------------------------------- */

static uint64_t missing;

uint64_t __wrap_guards_missing(void);

uint64_t
__wrap_guards_missing(void)
{
	return missing;
}

/* The report has the same figure as the mallctl: guards of both kinds. */
static void
missing_guards_of_both_kinds_are_counted(void **state)
{
	struct report_own own[REPORT_OWN];
	uint64_t value = 0;

	(void)state;
	missing = 5;
	atomic_store(&guard.unguarded, 2);
	report_own(own);
	for (unsigned i = 0; i < REPORT_OWN; i++)
		if (strcmp(own[i].name, "safety_unguarded") == 0)
			value = own[i].value;
	assert_int_equal(value, 7);
	assert_int_equal(report_unguarded(), 7);
	missing = 0;
	atomic_store(&guard.unguarded, 0);
}

/* --- letters ------------------------------------------------------------ */

/* Each section by the letter that leaves it out. */
static bool
shows(const struct report_sections *show, char letter)
{
	switch (letter) {
	/* clang-format off */
	case 'g': return show->general;
	case 'm': return show->merged;
	case 'd': return show->destroyed;
	case 'a': return show->arenas;
	case 'b': return show->bins;
	case 'l': return show->large;
	case 'x': return show->mutexes;
	case 'e': return show->extents;
	default: return show->hpa;
		/* clang-format on */
	}
}

static void
each_letter_leaves_out_its_section(void **state)
{
	static const char all[] = "gmdablxeh";

	(void)state;
	for (unsigned set = 0; set < 1 << 9; set++) {
		struct report_sections show;
		char letters[16] = "z";
		size_t n = 1;

		for (unsigned i = 0; i < 9; i++)
			if ((set >> i & 1) != 0)
				letters[n++] = all[i];
		letters[n] = '\0';
		show = report_sections_parse(letters);
		for (unsigned i = 0; i < 9; i++)
			assert_int_equal(shows(&show, all[i]),
			    (set >> i & 1) == 0);
		assert_int_equal(show.form, REPORT_TEXT);
	}
	assert_int_equal(report_sections_parse(NULL).form, REPORT_TEXT);
	assert_true(report_sections_parse(NULL).general);
	assert_int_equal(report_sections_parse("gJ").form, REPORT_JSON);
	assert_int_equal(report_sections_parse("Pg").form, REPORT_METRICS);
}

static void
a_sum_is_shown_where_there_are_several(void **state)
{
	struct stats_snapshot snapshot = { .ninitialized = 1 };
	struct report report = { .snapshot = &snapshot };

	(void)state;
	report.show = report_sections_parse("");
	assert_false(report_shows_merged(&report));
	assert_false(report_shows_destroyed(&report));
	snapshot.ninitialized = 2;
	snapshot.any_destroyed = true;
	assert_true(report_shows_merged(&report));
	assert_true(report_shows_destroyed(&report));
	report.show = report_sections_parse("md");
	assert_false(report_shows_merged(&report));
	assert_false(report_shows_destroyed(&report));
	/* Without the single ones the sum is all that there is. */
	snapshot.ninitialized = 1;
	report.show = report_sections_parse("a");
	assert_true(report_shows_merged(&report));
}

/* --- options -------------------------------------------------------------- */

static const struct option_row *
row_of(const char *name)
{
	return options_find(name, strlen(name));
}

static void
a_ratio_is_a_fraction_without_zeros_at_its_end(void **state)
{
	static const struct {
		uint32_t ratio;
		const char *text;
	} cases[] = {
		{ 0, "0" },
		{ RATIO_ONE / 4, "0.25" },
		{ RATIO_ONE / 2, "0.5" },
		{ RATIO_ONE, "1" },
		{ 10 * RATIO_ONE, "10" },
		{ 100 * RATIO_ONE + RATIO_ONE / 2, "100.5" },
		{ 1, "0.00001" },
		{ RATIO_ONE - 1, "0.99998" },
		{ RATIO_ONE / 8 * 3, "0.375" },
		{ RATIO_NEVER, "-1" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct report_value value;

		opt_at_start.hpa_dirty_mult = cases[i].ratio;
		report_option_value(row_of("hpa_dirty_mult"), &value);
		assert_int_equal(value.type, VALUE_TEXT);
		assert_string_equal(value.text, cases[i].text);
	}
}

/* Not as a very large one. */
static void
a_negative_number_is_shown_as_one(void **state)
{
	static const char *const names[] = { "dirty_decay_ms", "mutex_max_spin",
		"stats_interval" };
	const struct options before = opt;

	(void)state;
	opt_at_start.dirty_decay_ms = -1;
	opt_at_start.mutex_max_spin = opt_at_start.stats_interval = -1;
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		struct report_value value;

		report_option_value(row_of(names[i]), &value);
		assert_int_equal(value.type, VALUE_SIGNED);
		assert_true((int64_t)value.number == -1);
	}
	opt_at_start = before;
}

static void
every_option_is_shown_once(void **state)
{
	const struct option_row *row, *shown;
	unsigned n = 0, there = 0;

	(void)state;
	for (unsigned i = 0; (row = options_row(i)) != NULL; i++)
		there += !row->no_ctl;
	for (; (shown = report_option(n)) != NULL; n++) {
		assert_false(shown->no_ctl);
		for (unsigned k = 0; k < n; k++)
			assert_ptr_not_equal(shown, report_option(k));
	}
	assert_int_equal(n, there);
	/* In the contract's order, ours after those. */
	assert_string_equal(report_option(0)->name, "abort");
	assert_string_equal(report_option(1)->name, "abort_conf");
	for (unsigned i = 0; i < n; i++)
		if (strcmp(report_option(i)->name, "safety") == 0)
			assert_true(i > n / 2);
}

static void
sources_have_their_names(void **state)
{
	static const struct {
		const char *name;
		enum conf_source source;
		bool always;
	} wanted[] = {
		{ "global_var", CONF_SYMBOL, true },
		{ "symlink", CONF_LINK, true },
		{ "env_var", CONF_ENVIRONMENT, true },
		{ "global_var_2_conf_harder", CONF_SYMBOL_HARDER, false },
	};
	static const char *const texts[] = { "narenas:1", "narenas:2",
		"narenas:3", "narenas:4" };
	struct report_source sources[REPORT_SOURCES];

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(wanted); i++)
		sources_now[wanted[i].source] = texts[i];
	report_sources(sources);
	for (unsigned i = 0; i < REPORT_SOURCES; i++) {
		assert_string_equal(sources[i].name, wanted[i].name);
		assert_string_equal(sources[i].text, texts[i]);
		assert_int_equal(sources[i].always, wanted[i].always);
	}
	memset(sources_now, 0, sizeof(sources_now));
	report_sources(sources);
	for (unsigned i = 0; i < REPORT_SOURCES; i++)
		assert_string_equal(sources[i].text, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(missing_guards_of_both_kinds_are_counted),
		cmocka_unit_test(each_letter_leaves_out_its_section),
		cmocka_unit_test(a_sum_is_shown_where_there_are_several),
		cmocka_unit_test(
		    a_ratio_is_a_fraction_without_zeros_at_its_end),
		cmocka_unit_test(a_negative_number_is_shown_as_one),
		cmocka_unit_test(every_option_is_shown_once),
		cmocka_unit_test(sources_have_their_names),
	};

	system_init();
	options_init(&opt_at_start);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
