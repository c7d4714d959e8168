#include "conf/conf.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit.h"
#include "conf/options.h"
#include "os/file.h"
#include "os/message.h"
#include "util/build.h"
#include "util/compiler.h"

#pragma GCC diagnostic ignored "-Wformat-nonliteral"

#define FUZZ_SEED 20240607u
/* Most of what random texts could do, a sanitizer sees. */
#define FUZZ_ROUNDS (UNDER_ASAN || test_is_long() ? 100000u : 20000u)

/* The program's own, in place of the weak ones of the library. */
const char *malloc_conf;
const char *malloc_conf_2_conf_harder;

static struct {
	struct options options;
	char said[65536]; /* all messages since the last look */
	size_t length;
	unsigned lines;
	const char *link; /* what /etc/malloc.conf points to, or NULL */
	bool is_file;     /* it is no link */
	bool privileged;
} fixture;

ssize_t __wrap_file_link(const char *path, char *buf, size_t size);
bool __wrap_message_privileged(void);

ssize_t
__wrap_file_link(const char *path, char *buf, size_t size)
{
	assert_string_equal(path, "/etc/" BUILD_PREFIX "malloc.conf");
	buf[0] = '\0';
	if (fixture.link == NULL)
		return fixture.is_file ? -EINVAL : -ENOENT;
	return snprintf(buf, size, "%s", fixture.link);
}

bool
__wrap_message_privileged(void)
{
	return fixture.privileged;
}

/* MALLOC_CONF, behind the prefix of the build in capital letters. */
static const char *
variable_name(void)
{
	static char name[sizeof(BUILD_PREFIX "MALLOC_CONF")];

	strcpy(name, BUILD_PREFIX "MALLOC_CONF");
	for (char *p = name; *p != '\0'; p++)
		*p = (char)toupper(*p);
	return name;
}

static void
hear(void *opaque, const char *s)
{
	size_t length = strlen(s);

	assert_null(opaque);
	fixture.lines++;
	if (fixture.length + length < sizeof(fixture.said)) {
		memcpy(fixture.said + fixture.length, s, length + 1);
		fixture.length += length;
	}
}

static void
forget(void)
{
	fixture.said[0] = '\0';
	fixture.length = 0;
	fixture.lines = 0;
}

static int
set_up(void **state)
{
	(void)state;
	malloc_message = hear;
	options_init(&fixture.options);
	fixture.options.abort_conf = false;
	fixture.link = NULL;
	fixture.is_file = false;
	fixture.privileged = false;
	malloc_conf = NULL;
	malloc_conf_2_conf_harder = NULL;
	unsetenv(variable_name());
	forget();
	return 0;
}

/* `said` goes without the name in front and the newline at the end. */
static void
check(const char *text, bool good, const char *said)
{
	char line[MESSAGE_MAX];

	forget();
	if (conf_parse(&fixture.options, text) != good)
		fail_msg("'%s' is %s", text, good ? "bad" : "good");
	snprintf(line, sizeof(line), "<jemalloc>: %s\n", said);
	assert_string_equal(fixture.said, *said == '\0' ? "" : line);
}

/* ---- grammar ---- */

#define UNKNOWN " -- there is no such key; the rest is used"
#define MEANT(key) \
	" -- there is no such key, maybe " key " is meant; " \
	"the rest is used"
#define ALLOWED(values) " -- allowed: " values "; the rest is used"
#if SIZE_MAX > UINT32_MAX
#define SSIZE_RANGE "of at least -1"
#else
#define SSIZE_RANGE "from -1 to 2147483647"
#endif
#define IGNORED      "the rest of this string is ignored"
#define KEY_BYTES    " -- keys consist of letters, digits and _, " IGNORED
#define NO_KEY       " -- a key is missing, " IGNORED
#define BLANK_IN_KEY " -- a blank is not allowed there, " IGNORED
#define NO_COLON     " -- a colon and a value must follow, it is ignored"
#define ONE_COMMA    " -- the last comma is not needed, the pair is used"
#define NARENAS      "default, or an integer of at least 1"
#define BROKEN(first) \
	" -- allowed: " first "low-high:number, several " \
	"separated by |, number "
#define BEFORE "; ranges before the mistake and the rest are used"

static void
good_pairs_apply_from_left_to_right_and_say_nothing(void **state)
{
	(void)state;
	check("", true, "");
	check("narenas:3", true, "");
	assert_int_equal(fixture.options.narenas, 3);
	check("narenas:4,dirty_decay_ms:-1,narenas:0x5,stats_print_opts:ab",
	    true, "");
	assert_int_equal(fixture.options.narenas, 5);
	assert_int_equal(fixture.options.dirty_decay_ms, -1);
	assert_string_equal(fixture.options.stats_print_opts, "ab");
}

static void
a_bad_key_byte_ends_the_text(void **state)
{
	(void)state;
	check(",", false, "Malformed conf string -- ," NO_KEY);
	check("narenas:2,,narenas:3", false,
	    "Malformed conf string -- ," NO_KEY);
	assert_int_equal(fixture.options.narenas, 2);
	check("narenas:6,nare nas:7", false,
	    "Malformed conf string -- nare " BLANK_IN_KEY);
	assert_int_equal(fixture.options.narenas, 6);
	check("a-b:1", false, "Malformed conf string -- a-" KEY_BYTES);
	check("narenas,retain:true", false,
	    "Malformed conf string -- narenas,"
	    " -- a colon and a value are missing, " IGNORED);
	check(" narenas:7", false, "Malformed conf string --  " BLANK_IN_KEY);
	check("\xff:7", false, "Malformed conf string -- \xff" KEY_BYTES);
	check("a\n:7", false, "Malformed conf string -- a?" BLANK_IN_KEY);
	check("%s%n", false, "Malformed conf string -- %" KEY_BYTES);
	assert_int_equal(fixture.options.narenas, 6);
}

static void
a_key_without_value_ends_the_text(void **state)
{
	(void)state;
	check("narenas", false,
	    "Conf string ends with key -- narenas" NO_COLON);
	check("narenas:2,abort", false,
	    "Conf string ends with key -- abort" NO_COLON);
	assert_int_equal(fixture.options.narenas, 2);
}

static void
a_trailing_comma_is_told_but_its_pair_applies(void **state)
{
	(void)state;
	check("narenas:2,narenas:3,", false,
	    "Conf string ends with comma -- narenas:3," ONE_COMMA);
	assert_int_equal(fixture.options.narenas, 3);
}

static void
quotes_are_cut_to_64_bytes(void **state)
{
	static const char sixty[] = "abcdefghij0123456789"
				    "abcdefghij0123456789abcdefghij0123456789";
	char text[256], said[256];

	(void)state;
	snprintf(text, sizeof(text), "%s1234567890", sixty);
	snprintf(said, sizeof(said),
	    "Conf string ends with key -- %s1234" NO_COLON, sixty);
	check(text, false, said);
	snprintf(text, sizeof(text), "%s1234567890!", sixty);
	snprintf(said, sizeof(said),
	    "Malformed conf string -- %s1234" KEY_BYTES, sixty);
	check(text, false, said);
	snprintf(text, sizeof(text), "prof_prefix:%s,", sixty);
	snprintf(said, sizeof(said),
	    "Conf string ends with comma -- prof_prefix:%.52s" ONE_COMMA,
	    sixty);
	if (BUILD_PROF)
		check(text, false, said);
}

static void
a_bad_pair_is_told_in_one_line_and_the_others_apply(void **state)
{
	(void)state;
	check("nare:1,narenas:2", false, "Invalid conf pair: nare:1" UNKNOWN);
	assert_int_equal(fixture.options.narenas, 2);
	check("narenas:x,dirty_decay_ms:5", false,
	    "Invalid conf value: narenas:x" ALLOWED(NARENAS));
	assert_int_equal(fixture.options.dirty_decay_ms, 5);
	check("narenas:0", false,
	    "Out-of-range conf value: narenas:0" ALLOWED(NARENAS));
	check("bin_shards:1-2:0,narenas:3", false,
	    "Invalid settings for bin_shards: bin_shards:1-2:0" BROKEN(
		"") "1 to 64" BEFORE);
	assert_int_equal(fixture.options.narenas, 3);
	check("slab_sizes:", false,
	    "Invalid settings for slab_sizes: "
	    "slab_sizes:" BROKEN("default, or ") "pages" BEFORE);
	check("tcache_ncached_max:8", false,
	    "Invalid settings for "
	    "tcache_ncached_max: tcache_ncached_max:8" BROKEN(
		"") "0 to 8191" BEFORE);
	check("narenas:18446744073709551616", false,
	    "Invalid conf value: "
	    "narenas:18446744073709551616" ALLOWED(NARENAS));
	check("retain:$(id)`id`%s%n", false,
	    "Invalid conf value: "
	    "retain:$(id)`id`%s%n" ALLOWED("true or false"));
	check("retain:a\b\x1b[m", false,
	    "Invalid conf value: retain:a??[m" ALLOWED("true or false"));
	check(":always", false, "Invalid conf pair: :always" UNKNOWN);
	check("thp:", false,
	    "Invalid conf value: thp: -- there is no value; "
	    "allowed: default, always or never; the rest is used");
}

static void
a_value_beyond_its_range_is_clipped_in_one_line(void **state)
{
	(void)state;
	check("tcache_max:99999999,narenas:2", true,
	    "Clipped conf value: tcache_max:99999999"
	    " -- allowed: an integer from 0 to 8388608; the nearest is used");
	assert_int_equal(fixture.options.tcache_max, 8 << 20);
	assert_int_equal(fixture.options.narenas, 2);
	check("stats_print_opts:Jz", true,
	    "Clipped conf value: "
	    "stats_print_opts:Jz -- allowed: letters of " STATS_LETTERS
	    "; other letters are ignored");
}

static void
keys_and_words_match_exactly(void **state)
{
	(void)state;
	check("metadata:always", false,
	    "Invalid conf pair: metadata:always" MEANT("metadata_thp"));
	check("d:primary", false, "Invalid conf pair: d:primary" UNKNOWN);
	check("metadata_thp:al", false,
	    "Invalid conf value: metadata_thp:al" ALLOWED(
		"disabled, auto or always"));
	check("percpu_arena:p", false,
	    "Invalid conf value: percpu_arena:p" ALLOWED(
		"disabled, percpu or phycpu"));
	check("THP:always", false,
	    "Invalid conf pair: THP:always" MEANT("thp"));
	assert_int_equal(fixture.options.metadata_thp, METADATA_THP_DISABLED);
}

static void
names_of_the_past_are_invalid_pairs(void **state)
{
	static const char *const names[] = { "lg_chunk", "lg_dirty_mult",
		"decay_time", "purge", "redzone", "valgrind" };
	char text[64], said[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(text, sizeof(text), "%s:1", names[i]);
		snprintf(said, sizeof(said), "Invalid conf pair: %s" UNKNOWN,
		    text);
		check(text, false, said);
	}
}

static void
experimental_keys_are_told_but_do_not_count(void **state)
{
	(void)state;
	check("experimental_x:1", true,
	    "Invalid conf pair: experimental_x:1" UNKNOWN);
	check("experimental_tcache_gc:1", true,
	    "Invalid conf value: "
	    "experimental_tcache_gc:1" ALLOWED("true or false"));
	check("experimental_hpa_max_purge_nhp:-2", true,
	    "Out-of-range conf value: "
	    "experimental_hpa_max_purge_nhp:-2" ALLOWED(
		"an integer " SSIZE_RANGE));
	check("hpa_sec_bytes_after_flush:1", true,
	    "Invalid conf pair: hpa_sec_bytes_after_flush:1" UNKNOWN);
	check("expermental:1", false,
	    "Invalid conf pair: expermental:1" UNKNOWN);
}

static void
confirm_conf_echoes_what_is_set(void **state)
{
	(void)state;
	fixture.options.confirm_conf = true;
	check("narenas:3", true, "-- Set conf value: narenas:3");
	check("narenas:0", false,
	    "Out-of-range conf value: narenas:0" ALLOWED(NARENAS));
	check("confirm_conf:false,narenas:4", true, "");
}

/* ---- long and raw texts ---- */

static void
a_text_of_100_kilobytes_is_read_to_its_end(void **state)
{
	static char text[100 * 1024 + 64];
	size_t length = 0;

	(void)state;
	while (length < 100 * 1024)
		length += (size_t)sprintf(text + length, "narenas:%zu,",
		    length + 1);
	strcpy(text + length, "narenas:77");
	check(text, true, "");
	assert_int_equal(fixture.options.narenas, 77);
}

static void
a_value_of_100_kilobytes_is_told_in_one_line(void **state)
{
	static char text[100 * 1024 + 64] = "narenas:";
	static const char behind[] = ",dirty_decay_ms:9";

	(void)state;
	memset(text + 8, '9', 100 * 1024);
	strcpy(text + 8 + 100 * 1024, behind);
	assert_false(conf_parse(&fixture.options, text));
	assert_int_equal(fixture.lines, 1);
	/* Its beginning is enough, and the reason is there. */
	assert_in_range(fixture.length, 200, 511);
	assert_non_null(strstr(fixture.said,
	    "9999... -- allowed: " NARENAS "; the rest is used\n"));
	assert_int_equal(fixture.options.dirty_decay_ms, 9);
}

static void
every_bad_pair_of_a_long_text_has_its_line(void **state)
{
	static char text[8192];
	size_t length = 0;

	(void)state;
	for (unsigned i = 0; i < 500; i++)
		length += (size_t)sprintf(text + length, "%sx%u:y",
		    i == 0 ? "" : ",", i);
	assert_false(conf_parse(&fixture.options, text));
	assert_int_equal(fixture.lines, 500);
}

static void
every_byte_may_stand_in_a_value(void **state)
{
	char text[] = "prof_prefix:?,narenas:9";

	(void)state;
	if (!BUILD_PROF)
		SKIP_TEST("built without heap profiles");
	for (unsigned c = 1; c < 256; c++) {
		if (c == ',')
			continue;
		text[12] = (char)c;
		fixture.options.narenas = 0;
		check(text, true, "");
		assert_int_equal((unsigned char)fixture.options.prof_prefix[0],
		    c);
		assert_int_equal(fixture.options.narenas, 9);
	}
}

/* ---- sources ---- */

static void
later_sources_win_key_by_key(void **state)
{
	static const char *const texts[CONF_SOURCES] = {
		("abort_conf:false,narenas:1,dirty_decay_ms:1,muzzy_decay_ms:1,"
		 "lg_extent_max_active_fit:1,oversize_threshold:16385"),
		("narenas:2,dirty_decay_ms:2,muzzy_decay_ms:2,"
		 "lg_extent_max_active_fit:2"),
		"narenas:3,dirty_decay_ms:3,muzzy_decay_ms:3",
		"narenas:4,dirty_decay_ms:4",
		"narenas:5",
	};

	(void)state;
	memset(&fixture.options, 0xff, sizeof(fixture.options));
	conf_settle(&fixture.options, texts);
	assert_int_equal(fixture.options.narenas, 5);
	assert_int_equal(fixture.options.dirty_decay_ms, 4);
	assert_int_equal(fixture.options.muzzy_decay_ms, 3);
	assert_int_equal(fixture.options.lg_extent_max_active_fit, 2);
	assert_int_equal(fixture.options.oversize_threshold, 16385);
	assert_int_equal(fixture.options.tcache_max, TCACHE_MAX_DEFAULT);
	assert_string_equal(fixture.said, "");
}

static void
sources_without_text_leave_the_defaults(void **state)
{
	static const char *const texts[CONF_SOURCES];
	struct options defaults;
	const char *complaint;

	(void)state;
	options_init(&defaults);
	options_finish(&defaults, &complaint);
	conf_settle(&fixture.options, texts);
	assert_memory_equal(&fixture.options, &defaults,
	    offsetof(struct options, prof_prefix));
	assert_string_equal(fixture.options.prof_prefix, "jeprof");
	assert_string_equal(fixture.said, "");
}

static void
confirm_conf_of_the_last_source_shows_them_all(void **state)
{
	static const char *const texts[CONF_SOURCES] = { "abort_conf:false",
		[CONF_LINK] = "x,", [CONF_ENVIRONMENT] = "narenas:4,a:b",
		[CONF_SYMBOL_HARDER] = "confirm_conf:true" };

	(void)state;
	conf_settle(&fixture.options, texts);
	assert_string_equal(fixture.said,
	    "<jemalloc>: malloc_conf #1 (string specified via "
	    "--with-malloc-conf): \"abort_conf:false\"\n"
	    "<jemalloc>: -- Set conf value: abort_conf:false\n"
	    "<jemalloc>: malloc_conf #2 (string pointed to by the global "
	    "variable malloc_conf): \"\"\n"
	    "<jemalloc>: malloc_conf #3 (\"name\" of the file referenced by "
	    "the symbolic link named /etc/malloc.conf): \"x,\"\n"
	    "<jemalloc>: Malformed conf string -- x, -- a colon and a value "
	    "are missing, " IGNORED "\n"
	    "<jemalloc>: malloc_conf #4 (value of the environment variable "
	    "MALLOC_CONF): \"narenas:4,a:b\"\n"
	    "<jemalloc>: -- Set conf value: narenas:4\n"
	    "<jemalloc>: Invalid conf pair: a:b" UNKNOWN "\n"
	    "<jemalloc>: malloc_conf #5 (string pointed to by the global "
	    "variable malloc_conf_2_conf_harder): \"confirm_conf:true\"\n"
	    "<jemalloc>: -- Set conf value: confirm_conf:true\n");
}

static void
a_leak_error_without_final_report_is_told(void **state)
{
	static const char *const texts[CONF_SOURCES] = {
		"abort_conf:false,prof_leak_error:true"
	};

	(void)state;
	if (!BUILD_PROF)
		SKIP_TEST("built without heap profiles");
	conf_settle(&fixture.options, texts);
	assert_string_equal(fixture.said,
	    "<jemalloc>: prof_leak_error is set w/o prof_final.\n");
	assert_true(fixture.options.prof && fixture.options.prof_leak);
}

/* ---- abort_conf ---- */

static void
write_out(void *opaque, const char *s)
{
	(void)opaque;
	if (write(STDOUT_FILENO, s, strlen(s)) < 0)
		_exit(1);
}

/* What a process with these sources says, and whether it survives. */
static void
check_end(const char *symbol, const char *environment, bool survives,
    const char *said)
{
	const char *const texts[CONF_SOURCES] = {
		[CONF_SYMBOL] = symbol, [CONF_ENVIRONMENT] = environment
	};
	const struct rlimit none = { 0, 0 };
	char text[4096];
	size_t length = 0;
	ssize_t got;
	int ends[2], status;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(ends[1], STDOUT_FILENO);
		setrlimit(RLIMIT_CORE, &none);
		signal(SIGABRT, SIG_DFL);
		malloc_message = write_out;
		conf_settle(&fixture.options, texts);
		_exit(0);
	}
	close(ends[1]);
	while ((got = read(ends[0], text + length, sizeof(text) - 1 - length)) >
	    0)
		length += (size_t)got;
	text[length] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WIFEXITED(status), survives);
	if (!survives)
		assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_string_equal(text, said);
}

#define ABORTING \
	"<jemalloc>: Abort (abort_conf:true) on invalid conf value " \
	"(see above).\n"

static void
abort_conf_ends_the_process_after_all_lines(void **state)
{
	(void)state;
	check_end("abort_conf:true,narenas:2", NULL, true, "");
	check_end("abort_conf:true,x:1,narenas:0,y", NULL, false,
	    "<jemalloc>: Invalid conf pair: x:1" UNKNOWN "\n"
	    "<jemalloc>: Out-of-range conf value: narenas:0" ALLOWED(
		NARENAS) "\n"
			 "<jemalloc>: Conf string ends with key -- y" NO_COLON
			 "\n" ABORTING);
}

static void
abort_conf_counts_errors_before_it_too(void **state)
{
	(void)state;
	check_end("abort_conf:false,x:1", "narenas:2,abort_conf:true", false,
	    "<jemalloc>: Invalid conf pair: x:1" UNKNOWN "\n" ABORTING);
	check_end("x:1,abort_conf:true", NULL, false,
	    "<jemalloc>: Invalid conf pair: x:1" UNKNOWN "\n" ABORTING);
	check_end("abort_conf:true,narenas:2,", NULL, false,
	    "<jemalloc>: Conf string ends with comma -- narenas:2," ONE_COMMA
	    "\n" ABORTING);
}

static void
abort_conf_is_looked_at_after_each_source(void **state)
{
	(void)state;
	check_end("x:1,abort_conf:true", "abort_conf:false", false,
	    "<jemalloc>: Invalid conf pair: x:1" UNKNOWN "\n" ABORTING);
	check_end("abort_conf:true", "x:1,abort_conf:false", true,
	    "<jemalloc>: Invalid conf pair: x:1" UNKNOWN "\n");
}

static void
abort_conf_tolerates_experimental_keys(void **state)
{
	(void)state;
	check_end("abort_conf:true,experimental_x:1", NULL, true,
	    "<jemalloc>: Invalid conf pair: experimental_x:1" UNKNOWN "\n");
	check_end("abort_conf:true,hpa_sec_bytes_after_flush:1", NULL, true,
	    "<jemalloc>: Invalid conf pair: hpa_sec_bytes_after_flush:1" UNKNOWN
	    "\n");
}

static void
abort_conf_minds_a_leak_error_without_final_report(void **state)
{
	(void)state;
	if (!BUILD_PROF)
		SKIP_TEST("built without heap profiles");
	check_end("abort_conf:true,prof_leak_error:true", NULL, false,
	    "<jemalloc>: prof_leak_error is set w/o prof_final.\n" ABORTING);
	check_end("abort_conf:true,prof_leak_error:true,prof_final:true", NULL,
	    true, "");
}

/* ---- conf_init: where the texts come from ---- */

static void
options_come_from_symbols_link_and_environment(void **state)
{
	(void)state;
	malloc_conf = "abort_conf:false,narenas:2,dirty_decay_ms:2,"
		      "muzzy_decay_ms:2,lg_extent_max_active_fit:2";
	fixture.link = "narenas:3,dirty_decay_ms:3,muzzy_decay_ms:3";
	setenv(variable_name(), "narenas:4,dirty_decay_ms:4", 1);
	malloc_conf_2_conf_harder = "narenas:5";
	errno = ERANGE;
	conf_init();
	assert_int_equal(errno, ERANGE);
	assert_string_equal(conf_source(CONF_CONFIGURE), BUILD_MALLOC_CONF);
	assert_string_equal(conf_source(CONF_SYMBOL), malloc_conf);
	assert_string_equal(conf_source(CONF_SYMBOL_HARDER), "narenas:5");
	assert_int_equal(opt.narenas, 5);
	assert_int_equal(opt.lg_extent_max_active_fit, 2);
	if (!BUILD_USER_CONFIG)
		return;
	assert_string_equal(conf_source(CONF_LINK), fixture.link);
	assert_string_equal(conf_source(CONF_ENVIRONMENT),
	    "narenas:4,dirty_decay_ms:4");
	assert_int_equal(opt.dirty_decay_ms, 4);
	assert_int_equal(opt.muzzy_decay_ms, 3);
}

static void
absent_sources_read_as_null(void **state)
{
	(void)state;
	conf_init();
	assert_non_null(conf_source(CONF_CONFIGURE));
	assert_null(conf_source(CONF_SYMBOL));
	assert_null(conf_source(CONF_LINK));
	assert_null(conf_source(CONF_ENVIRONMENT));
	assert_null(conf_source(CONF_SYMBOL_HARDER));
	fixture.link = "";
	setenv(variable_name(), "", 1);
	conf_init();
	assert_null(conf_source(CONF_LINK));
	if (BUILD_USER_CONFIG)
		assert_string_equal(conf_source(CONF_ENVIRONMENT), "");
}

static void
a_file_instead_of_a_link_is_not_read_in_silence(void **state)
{
	(void)state;
	fixture.is_file = true;
	fixture.lines = 0;
	conf_init();
	assert_null(conf_source(CONF_LINK));
	assert_int_equal(fixture.lines, BUILD_USER_CONFIG ? 1 : 0);
	if (BUILD_USER_CONFIG)
		assert_non_null(strstr(fixture.said, "not a symbolic link"));
	fixture.privileged = true;
	conf_init();
	assert_int_equal(fixture.lines, BUILD_USER_CONFIG ? 1 : 0);
}

static void
privileged_processes_listen_to_the_program_only(void **state)
{
	(void)state;
	malloc_conf = "abort_conf:false,narenas:2";
	fixture.link = "narenas:3";
	setenv(variable_name(), "narenas:4", 1);
	fixture.privileged = true;
	conf_init();
	assert_null(conf_source(CONF_LINK));
	if (BUILD_USER_CONFIG && BUILD_FORCE_GETENV) {
		assert_int_equal(opt.narenas, 4);
		return;
	}
	assert_int_equal(opt.narenas, 2);
	assert_null(conf_source(CONF_ENVIRONMENT));
}

static void
the_name_of_the_variable_matches_whole(void **state)
{
	static const char *const formats[] = { "%s_", "X%s", "x%.3s", "%.8s",
		"ma%s" };
	char name[64];

	(void)state;
	malloc_conf = "abort_conf:false";
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		snprintf(name, sizeof(name), formats[i], variable_name());
		setenv(name, "narenas:x", 1);
	}
	setenv(BUILD_PREFIX "malloc_conf", "narenas:x", 1);
	conf_init();
	assert_null(conf_source(CONF_ENVIRONMENT));
	assert_string_equal(fixture.said, "");
}

static void
the_text_survives_a_program_that_reuses_its_environment(void **state)
{
	(void)state;
	if (!BUILD_USER_CONFIG)
		SKIP_TEST("built without user options");
	malloc_conf = "abort_conf:false";
	setenv(variable_name(), "narenas:4", 1);
	conf_init();
	memset(getenv(variable_name()), 'x', 9);
	assert_string_equal(conf_source(CONF_ENVIRONMENT), "narenas:4");
}

static void
a_long_variable_is_used_and_can_be_read_back(void **state)
{
	static char text[100 * 1024];
	size_t length = 0;

	(void)state;
	if (!BUILD_USER_CONFIG)
		SKIP_TEST("built without user options");
	while (length < sizeof(text) - 32)
		length += (size_t)sprintf(text + length, "narenas:%zu,",
		    length + 1);
	strcpy(text + length, "narenas:77");
	malloc_conf = "abort_conf:false";
	setenv(variable_name(), text, 1);
	conf_init();
	assert_int_equal(opt.narenas, 77);
	assert_string_equal(conf_source(CONF_ENVIRONMENT), text);
	assert_string_equal(fixture.said, "");
}

static void
a_symbol_without_end_is_told_and_ignored(void **state)
{
	static char text[8192];

	(void)state;
	memset(text, 'x', sizeof(text));
	malloc_conf = text;
	malloc_conf_2_conf_harder = "abort_conf:false,narenas:5";
	conf_init();
	assert_string_equal(fixture.said,
	    "<jemalloc>: Conf string has no end "
	    "-- string pointed to by the global variable malloc_conf -- it has "
	    "no zero within 4096 bytes and is ignored\n");
	assert_null(conf_source(CONF_SYMBOL));
	assert_int_equal(opt.narenas, 5);
	text[4095] = '\0';
	memset(text, '1', 4095);
	memcpy(text, "abort_conf:false,prof_prefix:", 29);
	forget();
	conf_init();
	assert_ptr_equal(conf_source(CONF_SYMBOL), text);
	if (BUILD_PROF)
		assert_string_equal(fixture.said, "");
}

static void
a_link_as_long_as_a_path_can_be_is_used(void **state)
{
	static char text[PATH_MAX];

	(void)state;
	if (!BUILD_USER_CONFIG || !BUILD_PROF)
		SKIP_TEST("built without user options or profiles");
	memset(text, 'p', sizeof(text) - 1);
	memcpy(text, "prof_prefix:", 12);
	fixture.link = text;
	conf_init();
	assert_string_equal(conf_source(CONF_LINK), text);
	assert_string_equal(opt.prof_prefix, text + 12);
	assert_string_equal(fixture.said, "");
}

/* ---- random texts ---- */

static uint64_t random_state = FUZZ_SEED;

static uint64_t
random_word(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static size_t
put_random_value(char *out)
{
	static const char *const values[] = { "true", "false", "0", "-1",
		"4096", "1.5", "default", "always", "1-8:3",
		"8-64:2|1-4096:200|", "18446744073709551615",
		"18446744073709551616", "lazy", "0x", "%s%n", "report", ".",
		"-", "|", ":" };

	if (random_word() % 4 != 0)
		return (size_t)sprintf(out, "%s",
		    values[random_word() % ARRAY_LEN(values)]);
	return (size_t)sprintf(out, "%lld",
	    (long long)random_word() >> random_word() % 64);
}

/* Mostly sound, with damage at random places. */
static void
make_random_text(char *text)
{
	unsigned npairs = (unsigned)(random_word() % 8);
	size_t length = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < npairs; i++) {
		const struct option_row *row =
		    options_row((unsigned)(random_word() % 97));

		length += (size_t)sprintf(text + length,
		    "%s%s:", i == 0 ? "" : ",",
		    row != NULL ? row->name : "nothing");
		length += put_random_value(text + length);
	}
	for (uint64_t n = random_word() % 4; n > 0 && length > 0; n--)
		text[random_word() % length] = (char)(random_word() % 256);
}

/* How many pairs a reader counts: the most lines there may be, but for one. */
static unsigned
count_commas(const char *text)
{
	unsigned count = 0;

	for (; *text != '\0'; text++)
		count += *text == ',';
	return count;
}

/* What is set stays within the range that the row promises. */
static void
check_ranges(const struct options *options)
{
	const struct option_row *row;
	int64_t number;
	unsigned word;
	size_t size;

	for (unsigned i = 0; (row = options_row(i)) != NULL; i++) {
		const char *field = (const char *)options + row->offset;

		if (row->type == OPTION_WORD) {
			memcpy(&word, field, sizeof(word));
			for (unsigned j = 0; j < word; j++)
				assert_non_null(row->words[j]);
			assert_non_null(row->words[word]);
		} else if (row->type == OPTION_BOOL) {
			assert_in_range(*(const uint8_t *)field, 0, 1);
		} else if (row->type == OPTION_SSIZE ||
		    row->type == OPTION_INT64) {
			number = row->size == sizeof(ssize_t)
			    ? *(const ssize_t *)(const void *)field
			    : *(const int64_t *)(const void *)field;
			assert_true(number >= row->min);
			assert_true(number <= (int64_t)row->max);
		} else if (row->type == OPTION_SIZE) {
			memcpy(&size, field, sizeof(size));
			assert_true(size >= (uint64_t)row->min ||
			    row->set != NULL);
			assert_true(size <= row->max);
		}
	}
	for (unsigned i = 0; i < SMALL_CLASSES; i++)
		assert_in_range(options->bin_shards[i], 1, BIN_SHARDS_LIMIT);
	for (unsigned i = 0; i < TCACHE_CLASSES_MAX; i++)
		assert_in_range(options->tcache_ncached_max[i] -
			NCACHED_COMPUTED,
		    0, TCACHE_NCACHED_LIMIT + 1);
}

static void
assert_each_line_is_ours(void)
{
	const char *line = fixture.said, *end;
	unsigned lines = 0;

	for (; *line != '\0'; line = end + 1, lines++) {
		assert_memory_equal(line, "<jemalloc>: ", 12);
		end = strchr(line, '\n');
		assert_non_null(end);
		for (const char *p = line; p < end; p++)
			assert_true((unsigned char)*p >= ' ' && *p != 0x7f);
	}
	assert_int_equal(lines, fixture.lines);
}

static void
random_texts_do_no_harm(void **state)
{
	char text[1024];

	(void)state;
	for (unsigned i = 0; i < FUZZ_ROUNDS; i++) {
		char *copy;
		bool good;

		if (i % 64 == 0)
			options_init(&fixture.options);
		fixture.options.confirm_conf = false;
		make_random_text(text);
		forget();
		/* On the heap, where a sanitizer sees a byte too many read. */
		copy = strdup(text);
		good = conf_parse(&fixture.options, copy);
		if (!good && fixture.lines == 0)
			fail_msg("refused in silence: '%s'", text);
		if (fixture.lines > count_commas(text) + 2 &&
		    !fixture.options.confirm_conf)
			fail_msg("too many lines for '%s'", text);
		assert_each_line_is_ours();
		check_ranges(&fixture.options);
		free(copy);
	}
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(good_pairs_apply_from_left_to_right_and_say_nothing),
		TEST(a_bad_key_byte_ends_the_text),
		TEST(a_key_without_value_ends_the_text),
		TEST(a_trailing_comma_is_told_but_its_pair_applies),
		TEST(quotes_are_cut_to_64_bytes),
		TEST(a_bad_pair_is_told_in_one_line_and_the_others_apply),
		TEST(a_value_beyond_its_range_is_clipped_in_one_line),
		TEST(keys_and_words_match_exactly),
		TEST(names_of_the_past_are_invalid_pairs),
		TEST(experimental_keys_are_told_but_do_not_count),
		TEST(confirm_conf_echoes_what_is_set),
		TEST(a_text_of_100_kilobytes_is_read_to_its_end),
		TEST(a_value_of_100_kilobytes_is_told_in_one_line),
		TEST(every_bad_pair_of_a_long_text_has_its_line),
		TEST(every_byte_may_stand_in_a_value),
		TEST(later_sources_win_key_by_key),
		TEST(sources_without_text_leave_the_defaults),
		TEST(confirm_conf_of_the_last_source_shows_them_all),
		TEST(a_leak_error_without_final_report_is_told),
		TEST(abort_conf_ends_the_process_after_all_lines),
		TEST(abort_conf_counts_errors_before_it_too),
		TEST(abort_conf_is_looked_at_after_each_source),
		TEST(abort_conf_tolerates_experimental_keys),
		TEST(abort_conf_minds_a_leak_error_without_final_report),
		TEST(options_come_from_symbols_link_and_environment),
		TEST(absent_sources_read_as_null),
		TEST(a_file_instead_of_a_link_is_not_read_in_silence),
		TEST(privileged_processes_listen_to_the_program_only),
		TEST(the_name_of_the_variable_matches_whole),
		TEST(the_text_survives_a_program_that_reuses_its_environment),
		TEST(a_long_variable_is_used_and_can_be_read_back),
		TEST(a_symbol_without_end_is_told_and_ignored),
		TEST(a_link_as_long_as_a_path_can_be_is_used),
		TEST(random_texts_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
