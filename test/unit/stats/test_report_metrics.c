#include "stats/report_metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/tcache_table.h"
#include "cache/thread.h"
#include "conf/options.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "os/system.h"
#include "pages/ageing.h"
#include "stats/report.h"
#include "stats/snapshot.h"

#define NAME  "a \"b\" \\ c\nd"
#define SHOWN "name=\"a \\\"b\\\" \\\\ c\\nd\"}"

static struct {
	char text[1 << 20];
	size_t length;
} report;

static void
keep(void *unused, const char *text)
{
	size_t length = strlen(text);

	(void)unused;
	assert_true(report.length + length < sizeof(report.text));
	memcpy(report.text + report.length, text, length + 1);
	report.length += length;
}

/* Readers take a label to its end: what would end it too soon is escaped. */
static void
labels_are_escaped(void **state)
{
	struct arena *arena = arena_table_create(NULL, true);
	char name[ARENA_NAME_SIZE] = NAME;

	(void)state;
	arena_table_set_name(arena, name);
	assert_true(snapshot_refresh());
	report_print(keep, NULL, "P");
	assert_non_null(strstr(report.text, SHOWN));
	assert_null(strstr(report.text, "d\"}\n\n"));
	assert_non_null(strstr(report.text, "# EOF\n"));
	/* Nowhere is it as it is. */
	assert_null(strstr(report.text, NAME));
}

/* A sample's name is that of the family above it, with what its type adds. */
static void
each_sample_stands_below_its_family(void **state)
{
	char family[128] = "", *line, *rest = report.text;
	unsigned samples = 0;

	(void)state;
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (sscanf(line, "# TYPE %127s", family) == 1 ||
		    line[0] == '#' || line[0] == '\0')
			continue;
		if (strncmp(line, family, strlen(family)) != 0)
			fail_msg("'%s' below %s", line, family);
		samples++;
	}
	assert_true(samples > 100);
}

static void
milliseconds_are_shown_as_seconds(void **state)
{
	struct arena *arena = arena_table_create(NULL, true);

	(void)state;
	ageing_set_decay(&arena->pages, 0, 999, 0);
	ageing_set_decay(&arena->pages, 1, 123456, 0);
	assert_true(snapshot_refresh());
	report.length = 0;
	report_print(keep, NULL, "P");
	assert_non_null(strstr(report.text, "} 0.999\n"));
	assert_non_null(strstr(report.text, "} 123.456\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(labels_are_escaped),
		cmocka_unit_test(each_sample_stands_below_its_family),
		cmocka_unit_test(milliseconds_are_shown_as_seconds),
	};

	system_init();
	metadata_init();
	extent_records_init();
	snapshot_init();
	options_init(&opt_at_start);
	size_class_init(system_info.page_size, NULL);
	thread_init(0x5a5a5a5b);
	tcache_table_init(0x5a5a5a5b);
	if (!arena_table_init(1, 0) || thread_birth() == NULL)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
