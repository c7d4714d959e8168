/* doc/OPTIONS.md against the table in conf/options.c. */
#include "conf/options.h"

#include <limits.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/compiler.h"

/* The text behind the `n`th bar of a table line, without blanks. */
static const char *
cell(const char *line, unsigned n)
{
	static char text[256];
	const char *end;
	size_t length;

	for (; n > 0; n--) {
		line = strchr(line, '|');
		if (line == NULL)
			return "";
		line++;
	}
	while (*line == ' ')
		line++;
	end = strchr(line, '|');
	if (end == NULL)
		return "";
	length = (size_t)(end - line);
	while (length > 0 && line[length - 1] == ' ')
		length--;
	snprintf(text, sizeof(text), "%.*s", (int)length, line);
	return text;
}

/* Whether the default differs between builds; the manual is then let off. */
static bool
preset_varies(const struct option_row *row)
{
	static const char *const names[] = { "abort", "abort_conf", "junk",
		"debug_double_free_max_scan", "cache_oblivious" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(row->name, names[i]) == 0)
			return true;
	return false;
}

/* Each word that can be set stands in the second cell. */
static void
check_words(const char *line, const struct option_row *row)
{
	char word[64];

	for (unsigned i = 0; row->words != NULL && row->words[i] != NULL; i++) {
		snprintf(word, sizeof(word), "`%s`", row->words[i]);
		if (strstr(cell(line, 2), word) == NULL)
			fail_msg("%s: the manual lacks %s", row->name, word);
	}
}

/* What the operator who sets the key is told, the reader is told as well. */
static void
check_works(const char *line, const char *name, const struct option_row *row)
{
	bool works = row->idle == NULL && strcmp(name, "log") != 0;

	if (strcmp(cell(line, 4), works ? "yes" : "no") != 0)
		fail_msg("%s works: the manual says %s", name, cell(line, 4));
}

static void
check_line(const char *line, const char *name, const struct option_row *row)
{
	char preset[128];

	if (row->preset == NULL)
		strcpy(preset, "-");
	else if (row->preset[0] == '\0')
		strcpy(preset, "empty");
	else
		snprintf(preset, sizeof(preset), "`%s`", row->preset);
	if (!preset_varies(row) && strcmp(cell(line, 3), preset) != 0)
		fail_msg("%s: the manual says %s, the table %s", name,
		    cell(line, 3), preset);
}

static void
the_manual_has_the_same_keys_and_defaults(void **state)
{
	const char *folder = getenv("srcdir");
	char path[PATH_MAX], line[1024], name[64];
	unsigned present = 0, documented = 0;
	FILE *file;

	(void)state;
	snprintf(path, sizeof(path), "%s/doc/OPTIONS.md",
	    folder != NULL ? folder : ".");
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		const struct option_row *row;
		int end = 0;

		if (sscanf(line, "| `%63[a-z_0-9]` |%n", name, &end) != 1 ||
		    end == 0)
			continue;
		check_works(line, name, options_any_row(documented));
		documented++;
		row = options_find(name, strlen(name));
		if (row == NULL)
			continue; /* not compiled in */
		if (row != options_row(present))
			fail_msg("%s is out of place in the manual", name);
		present++;
		check_line(line, name, row);
		check_words(line, row);
	}
	fclose(file);
	assert_null(options_row(present));
	assert_int_equal(documented, 91 + 21);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_manual_has_the_same_keys_and_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
