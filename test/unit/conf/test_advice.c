#include "conf/advice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf/conf.h"
#include "os/message.h"
#include "util/build.h"
#include "util/compiler.h"

/* The largest numbers that a limit and a decay time can be. */
#if SIZE_MAX > UINT32_MAX
#define MOST    "9223372036854775807"
#define LONGEST "18446744072000"
#else
#define MOST    "2147483647"
#define LONGEST "2147483647"
#endif

static struct {
	struct options options;
	char said[65536];
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

/* What is said about one source with this text, all notices included. */
static const char *
said_about(const char *text)
{
	const char *texts[CONF_SOURCES] = {
		"abort_conf:false", [CONF_ENVIRONMENT] = text
	};

	fixture.said[0] = '\0';
	conf_settle(&fixture.options, texts);
	return fixture.said;
}

static void
assert_says(const char *text, const char *line)
{
	char whole[1024];

	snprintf(whole, sizeof(whole), "<jemalloc>: %s\n", line);
	assert_string_equal(said_about(text), whole);
}

/* ---- values ---- */

/* A bad value of a row of any kind, or NULL: there are none. */
static const char *
bad_value(const struct option_row *row)
{
	if (row->type == OPTION_LETTERS)
		return "?";
	if (row->type == OPTION_STRING && row->set == NULL)
		return NULL;
	return "wrong!";
}

/* Each allowed value that a message names can be set, or begins a range. */
static void
assert_words_are_true(const struct option_row *row, const char *allowed)
{
	for (unsigned i = 0; row->words != NULL && row->words[i] != NULL; i++) {
		const char *word = row->words[i];

		if (strstr(allowed, word) == NULL)
			fail_msg("%s: %s is not in '%s'", row->name, word,
			    allowed);
		assert_int_equal(option_set(row, &fixture.options, word,
				     strlen(word)),
		    OPTION_SET);
	}
}

/* Both ends of "from A to B" can be set, and their neighbours can't. */
static void
assert_range_is_true(const struct option_row *row, const char *allowed)
{
	long long low, high;
	const char *from = strstr(allowed, "an integer from ");
	char text[32];

	if (from == NULL ||
	    sscanf(from, "an integer from %lld to %lld", &low, &high) != 2)
		return;
	for (int beyond = 0; beyond <= 1; beyond++) {
		for (int end = 0; end <= 1; end++) {
			if (end == 0)
				snprintf(text, sizeof(text), "%lld",
				    low - beyond);
			else
				snprintf(text, sizeof(text), "%llu",
				    (unsigned long long)high +
					(unsigned)beyond);
			/* -1 may have a meaning of its own. */
			if (strcmp(text, "-1") == 0)
				continue;
			assert_true((option_set(row, &fixture.options, text,
					 strlen(text)) == OPTION_SET) ==
			    (beyond == 0));
		}
	}
}

static void
each_bad_value_is_told_with_what_is_allowed(void **state)
{
	const struct option_row *row;
	char pair[128], allowed[ADVICE_MAX];

	(void)state;
	for (unsigned i = 0; (row = options_row(i)) != NULL; i++) {
		const char *value = bad_value(row), *said;

		if (value == NULL)
			continue;
		snprintf(pair, sizeof(pair), "%s:%s", row->name, value);
		advice_allowed(row, allowed);
		assert_in_range(strlen(allowed), 1, ADVICE_MAX - 8);
		fixture.said[0] = '\0';
		conf_parse(&fixture.options, pair);
		said = fixture.said;
		if (strstr(said, pair) == NULL ||
		    strstr(said, "allowed: ") == NULL ||
		    strstr(said, allowed) == NULL ||
		    strchr(said, '\n') != said + strlen(said) - 1)
			fail_msg("%s says '%s'", pair, said);
		assert_words_are_true(row, allowed);
		assert_range_is_true(row, allowed);
	}
}

static void
a_suffix_a_blank_and_nothing_are_named(void **state)
{
	(void)state;
	assert_says("limit_hard:2G",
	    "Invalid conf value: limit_hard:2G -- "
	    "numbers have no suffix, write 2147483648; "
	    "allowed: an integer from 0 to " MOST "; the rest is used");
	assert_says("limit_soft:10kiB",
	    "Invalid conf value: limit_soft:10kiB "
	    "-- numbers have no suffix, write 10240; "
	    "allowed: an integer from 0 to " MOST "; the rest is used");
	assert_says("limit_soft:-1",
	    "Out-of-range conf value: limit_soft:-1 "
	    "-- allowed: an integer from 0 to " MOST "; the rest is used");
	assert_says("dirty_decay_ms:10s",
	    "Invalid conf value: "
	    "dirty_decay_ms:10s -- numbers have no suffix; allowed: an integer "
	    "from -1 to " LONGEST "; the rest is used");
	assert_says("tcache:false ",
	    "Invalid conf value: tcache:false  -- "
	    "there is a blank in it; allowed: true or false; the rest is used");
	assert_says("tcache:",
	    "Invalid conf value: tcache: -- there is no "
	    "value; allowed: true or false; the rest is used");
}

/* ---- keys ---- */

static void
a_misspelt_key_is_told_what_was_meant(void **state)
{
	static const char *const meant[][2] = {
		{ "narena", "narenas" },
		{ "nareans", "narenas" },
		{ "Narenas", "narenas" },
		{ "NARENAS", "narenas" },
		{ "dirty_decay", "dirty_decay_ms" },
		{ "dirty-decay_ms", "dirty_decay_ms" },
		{ "background_threads", "background_thread" },
		{ "abort_con", "abort_conf" },
		{ "thb", "thp" },
		{ "sfaety", "safety" },
		{ "hps", "hpa" },
	};
	static const char *const unknown[] = {
		"", "x", "ms", "no_such_key", "lg_chunk", "redzone",
		"dirty_decay_milliseconds",
		"a_key_that_is_far_longer_than_any_that_there_is_in_this_world"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(meant); i++) {
		const char *nearest = advice_nearest(meant[i][0],
		    strlen(meant[i][0]));

		if (nearest == NULL || strcmp(nearest, meant[i][1]) != 0)
			fail_msg("%s: %s", meant[i][0], nearest);
	}
	for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
		assert_null(advice_nearest(unknown[i], strlen(unknown[i])));
}

/* With each byte left out, doubled, replaced, or exchanged with the next. */
static void
one_slip_leads_back_to_each_key_or_to_another_one_as_near(void **state)
{
	const struct option_row *row;
	char key[64];

	(void)state;
	for (unsigned i = 0; (row = options_any_row(i)) != NULL; i++) {
		size_t length = strlen(row->name);

		for (size_t at = 0; at < length; at++) {
			memcpy(key, row->name, at);
			memcpy(key + at, row->name + at + 1, length - at);
			assert_non_null(advice_nearest(key, length - 1));
			memcpy(key + at, row->name + at, length - at + 1);
			key[at] = 'Z';
			assert_non_null(advice_nearest(key, length));
			memcpy(key + at + 1, row->name + at, length - at + 1);
			assert_non_null(advice_nearest(key, length + 1));
			memcpy(key, row->name, length + 1);
			if (at + 1 < length) {
				key[at] = row->name[at + 1];
				key[at + 1] = row->name[at];
			}
			assert_non_null(advice_nearest(key, length));
		}
		assert_string_equal(advice_nearest(row->name, length),
		    row->name);
	}
}

/* ---- no effect ---- */

/* A value other than the default. */
static const char *
other_value(const struct option_row *row)
{
	if (row->type == OPTION_BOOL)
		return strcmp(row->preset, "true") == 0 ? "false" : "true";
	if (row->words != NULL)
		return row->words[strcmp(row->preset, row->words[0]) == 0];
	if (row->type == OPTION_LETTERS)
		return "J";
	if (row->type == OPTION_RATIO)
		return "0.125";
	if (row->clip && row->min > 4096)
		return "524288";
	if (row->clip && row->min == 4096)
		return "8192";
	return strcmp(row->preset, "13") == 0 ? "14"
	    : row->min > 1                    ? "4097"
					      : "13";
}

static void
each_option_without_effect_says_so_once_if_it_is_set(void **state)
{
	const struct option_row *row;
	char text[256], line[256];
	unsigned idle = 0, wanting = 0;

	(void)state;
	for (unsigned i = 0; (row = options_row(i)) != NULL; i++) {
		if (row->preset == NULL ||
		    (row->idle == NULL && row->wants == NULL))
			continue;
		/* In two sources, and told once. */
		snprintf(text, sizeof(text), "%s:%s,%s:%s", row->name,
		    other_value(row), row->name, other_value(row));
		if (row->idle != NULL)
			snprintf(line, sizeof(line), "%s has no effect: %s",
			    row->name, row->idle);
		else
			snprintf(line, sizeof(line),
			    "%s has no effect without %s", row->name,
			    row->wants);
		assert_says(text, line);
		idle += row->idle != NULL;
		wanting += row->idle == NULL;
		snprintf(text, sizeof(text), "%s:%s", row->name, row->preset);
		assert_string_equal(said_about(text), "");
	}
	assert_true(idle > 0 && wanting > 0);
}

static void
with_what_it_wants_an_option_says_nothing(void **state)
{
	(void)state;
	assert_string_equal(
	    said_about(
		"stats_print:true,stats_print_opts:J,"
		"stats_interval:1,stats_interval_opts:J,hpa:true,"
		"hpa_sec_nshards:0,metadata_thp:auto,huge_arena_pac_thp:true"),
	    "");
	if (!BUILD_PROF)
		return;
	assert_string_equal(said_about("prof:true,prof_final:true,"
				       "lg_prof_sample:3"),
	    "");
	assert_string_equal(said_about("prof_leak:true,prof_final:true,"
				       "lg_prof_sample:3"),
	    "");
	assert_string_equal(said_about("prof_leak_error:true,prof_final:true"),
	    "");
	assert_string_equal(said_about("prof_signal:USR2,lg_prof_sample:3,"
				       "prof_signal_action:dump"),
	    "");
	assert_string_equal(said_about("prof_prefix:x"), "");
	assert_says("prof_leak:true",
	    "prof_leak has no effect without prof_final:true");
}

/* What is written without being asked for has no name then. */
static void
without_a_prefix_no_profile_is_promised(void **state)
{
	static const char *const keys[] = { "prof_final:true",
		"prof_gdump:true", "lg_prof_interval:20" };
	char text[128], line[128];

	(void)state;
	if (!BUILD_PROF)
		return;
	for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		snprintf(text, sizeof(text), "prof:true,prof_prefix:,%s",
		    keys[i]);
		snprintf(line, sizeof(line),
		    "%.*s has no effect without "
		    "prof_prefix:PREFIX",
		    (int)strcspn(keys[i], ":"), keys[i]);
		assert_says(text, line);
		snprintf(text, sizeof(text), "prof:true,prof_prefix:x,%s",
		    keys[i]);
		assert_string_equal(said_about(text), "");
		/* One line, of the first thing that is missing. */
		snprintf(text, sizeof(text), "prof_prefix:,%s", keys[i]);
		snprintf(line, sizeof(line),
		    "%.*s has no effect without "
		    "prof:true, unless the profile is turned on later",
		    (int)strcspn(keys[i], ":"), keys[i]);
		assert_says(text, line);
	}
	assert_string_equal(said_about("prof_leak:true,prof_final:true,"
				       "prof_prefix:"),
	    "<jemalloc>: prof_final has no effect without "
	    "prof_prefix:PREFIX\n"
	    "<jemalloc>: prof_leak has no effect without "
	    "prof_prefix:PREFIX\n");
	assert_non_null(strstr(said_about("prof_leak_error:true,"
					  "prof_final:true,prof_prefix:"),
	    "<jemalloc>: prof_leak_error has no effect without "
	    "prof_prefix:PREFIX\n"));
	assert_string_equal(said_about("prof:true,prof_prefix:"), "");
}

/* A name in the table that no option has would never be met. */
static void
what_an_option_wants_can_be_set(void **state)
{
	const struct option_row *row, *other;

	(void)state;
	for (unsigned i = 0; (row = options_row(i)) != NULL; i++) {
		if (row->wants == NULL)
			continue;
		other = options_find(row->wants, strcspn(row->wants, ":"));
		assert_non_null(other);
		assert_true(option_is_preset(other, &fixture.options));
	}
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_bad_value_is_told_with_what_is_allowed),
		TEST(a_suffix_a_blank_and_nothing_are_named),
		TEST(a_misspelt_key_is_told_what_was_meant),
		TEST(one_slip_leads_back_to_each_key_or_to_another_one_as_near),
		TEST(each_option_without_effect_says_so_once_if_it_is_set),
		TEST(with_what_it_wants_an_option_says_nothing),
		TEST(without_a_prefix_no_profile_is_promised),
		TEST(what_an_option_wants_can_be_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
