#include "conf/conf.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "conf/advice.h"
#include "conf/options.h"
#include "os/file.h"
#include "os/message.h"
#include "util/build.h"
#include "util/compiler.h"
#include "util/format.h"

/* The text of a symbol must end within this many bytes. */
#define SYMBOL_TEXT_MAX 4096
/* Texts up to this are copied: some programs write over their environment. */
#define ENVIRONMENT_COPY_MAX 4096
/* How many bytes of a broken text a message quotes. */
#define QUOTE_MAX 64
/* How many bytes of a key or a value, so that there is room for the reason. */
#define PAIR_QUOTE_MAX 200

#define LINK_PATH     "/etc/" BUILD_PREFIX "malloc.conf"
#define VARIABLE_NAME BUILD_PREFIX "MALLOC_CONF"

EXPORT WEAK const char *malloc_conf;
EXPORT WEAK const char *malloc_conf_2_conf_harder;

static struct {
	const char *texts[CONF_SOURCES];
} conf;

/* Copies of texts; most processes have none. */
static SPARSE struct {
	char link[PATH_MAX];
	char environment[ENVIRONMENT_COPY_MAX];
} copies;

static const char *const labels[CONF_SOURCES] = {
	[CONF_CONFIGURE] = "string specified via --with-malloc-conf",
	[CONF_SYMBOL] = "string pointed to by the global variable malloc_conf",
	[CONF_LINK] = "\"name\" of the file referenced by the symbolic link "
		      "named /etc/malloc.conf",
	[CONF_ENVIRONMENT] = "value of the environment variable MALLOC_CONF",
	[CONF_SYMBOL_HARDER] = "string pointed to by the global variable "
			       "malloc_conf_2_conf_harder",
};

/* One key:value; both point into the text of the source. */
struct pair {
	const char *key;
	const char *value;
	int key_length;
	int value_length;
};

/* A mistake after which the rest of a text is not read. */
struct complaint {
	const char *what; /* NULL: there is none */
	const char *why;
	const char *quote;
	const char *quote_end;
};

static int
int_length(const char *start, const char *end)
{
	return end - start < INT_MAX ? (int)(end - start) : INT_MAX;
}

static bool
is_key_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '_';
}

/* `p` is the end of a key that has no colon after it. */
static void
complain_of_key(struct complaint *complaint, const char *p)
{
	if (*p == '\0') {
		complaint->what = "Conf string ends with key";
		complaint->why = "a colon and a value must follow, it is "
				 "ignored";
		complaint->quote_end = p;
		return;
	}
	complaint->what = "Malformed conf string";
	complaint->quote_end = p + 1;
	if (*p == ',')
		complaint->why = p == complaint->quote
		    ? "a key is missing, "
		      "the rest of this string is ignored"
		    : "a colon and a "
		      "value are missing, the rest of this string is ignored";
	else if (*p == ' ' || *p == '\t' || *p == '\n')
		complaint->why = "a blank is not allowed there, the rest of "
				 "this string is ignored";
	else
		complaint->why = "keys consist of letters, digits and _, the "
				 "rest of this string is ignored";
}

/*
 * Takes the next pair from the text; false: there is none. There may be a
 * complaint in both cases.
 */
static AT_START bool
pair_next(const char **text, struct pair *pair, struct complaint *complaint)
{
	const char *start = *text, *p = start;

	*complaint = (struct complaint){ .quote = start };
	while (is_key_byte(*p))
		p++;
	if (*p != ':') {
		if (p > start || *p != '\0')
			complain_of_key(complaint, p);
		return false;
	}
	pair->key = start;
	pair->key_length = int_length(start, p);
	pair->value = ++p;
	while (*p != ',' && *p != '\0')
		p++;
	pair->value_length = int_length(pair->value, p);
	if (*p == ',' && *++p == '\0') {
		complaint->what = "Conf string ends with comma";
		complaint->why = "the last comma is not needed, the pair is "
				 "used";
		complaint->quote_end = p;
	}
	*text = p;
	return true;
}

static void
complain(const struct complaint *complaint)
{
	int length = int_length(complaint->quote, complaint->quote_end);

	message("%s -- %.*s -- %s", complaint->what,
	    length < QUOTE_MAX ? length : QUOTE_MAX, complaint->quote,
	    complaint->why);
}

/* Is it a key whose errors are reported without aborting the process? */
static bool
pair_is_tolerated(const struct pair *pair)
{
	static const char *const prefixes[] = { "experimental_",
		"hpa_sec_bytes_after_flush" };

	for (unsigned i = 0; i < ARRAY_LEN(prefixes); i++) {
		size_t length = strlen(prefixes[i]);

		if ((size_t)pair->key_length >= length &&
		    memcmp(pair->key, prefixes[i], length) == 0)
			return true;
	}
	return false;
}

/* @param row  NULL: there is no such key */
static enum option_result
pair_apply(const struct pair *pair, const struct option_row *row,
    struct options *options)
{
	if (row == NULL)
		return OPTION_UNKNOWN;
	return option_set(row, options, pair->value,
	    (size_t)pair->value_length);
}

/* Prints what happened, the pair as it was read, and why. */
static void
pair_quote(const struct pair *pair, const char *what, const char *why)
{
	int key = pair->key_length, value = pair->value_length;
	bool long_key = key > PAIR_QUOTE_MAX,
	     long_value = value > PAIR_QUOTE_MAX;

	message("%s: %.*s%s:%.*s%s%s", what, long_key ? PAIR_QUOTE_MAX : key,
	    pair->key, long_key ? "..." : "",
	    long_value ? PAIR_QUOTE_MAX : value, pair->value,
	    long_value ? "..." : "", why);
}

static void
report_unknown(const struct pair *pair)
{
	size_t length = (size_t)pair->key_length;
	const char *nearest = advice_nearest(pair->key, length);
	char why[ADVICE_MAX];

	if (nearest == NULL)
		format_text(why, sizeof(why),
		    " -- there is no such key; the "
		    "rest is used");
	else if (length == strlen(nearest) &&
	    memcmp(nearest, pair->key, length) == 0)
		format_text(why, sizeof(why),
		    " -- that part is not in this "
		    "build; the rest is used");
	else
		format_text(why, sizeof(why),
		    " -- there is no such key, "
		    "maybe %s is meant; the rest is used",
		    nearest);
	pair_quote(pair, "Invalid conf pair", why);
}

static void
report_value(const struct pair *pair, const struct option_row *row,
    enum option_result result)
{
	char allowed[ADVICE_MAX], mistake[ADVICE_MAX] = "";
	char why[2 * ADVICE_MAX + 64], what[64];
	const char *then = "the rest is used";

	format_text(what, sizeof(what), "Invalid conf value");
	if (result == OPTION_BAD_VALUE)
		advice_mistake(row, pair->value, (size_t)pair->value_length,
		    mistake);
	else if (result == OPTION_OUT_OF_RANGE)
		format_text(what, sizeof(what), "Out-of-range conf value");
	else if (result == OPTION_BAD_RANGES)
		format_text(what, sizeof(what), "Invalid settings for %s",
		    row->name);
	else
		format_text(what, sizeof(what), "Clipped conf value");
	if (result == OPTION_BAD_RANGES)
		then = "ranges before the mistake and the rest are used";
	if (result == OPTION_CLIPPED)
		then = row->type == OPTION_LETTERS ? "other letters are ignored"
		    : row->type == OPTION_STRING   ? "the end is cut"
						   : "the nearest is used";
	advice_allowed(row, allowed);
	format_text(why, sizeof(why), " -- %sallowed: %s; %s", mistake, allowed,
	    then);
	pair_quote(pair, what, why);
}

/* Reports a pair that is wrong; false: that is a reason to abort. */
static bool
pair_report(const struct pair *pair, const struct option_row *row,
    enum option_result result, const struct options *options)
{
	bool good = result == OPTION_SET || result == OPTION_CLIPPED;

	if (good && options->confirm_conf)
		message("-- Set conf value: %.*s:%.*s", pair->key_length,
		    pair->key, pair->value_length, pair->value);
	if (row == NULL)
		report_unknown(pair);
	else if (result != OPTION_SET)
		report_value(pair, row, result);
	return good || pair_is_tolerated(pair);
}

bool
conf_parse(struct options *options, const char *text)
{
	struct complaint complaint;
	struct pair pair;
	const struct option_row *row;
	bool good = true;

	while (pair_next(&text, &pair, &complaint)) {
		row = options_find(pair.key, (size_t)pair.key_length);
		good &= pair_report(&pair, row, pair_apply(&pair, row, options),
		    options);
		if (complaint.what != NULL)
			break;
	}
	if (complaint.what != NULL)
		complain(&complaint);
	return good && complaint.what == NULL;
}

/*
 * Reads only confirm_conf: whether the first source is echoed depends on all of
 * them, even on the last one.
 */
static void
find_confirm_conf(struct options *options, const char *text)
{
	struct complaint complaint;
	struct pair pair;
	static const char key[] = "confirm_conf";

	while (pair_next(&text, &pair, &complaint))
		if (pair.key_length == sizeof(key) - 1 &&
		    memcmp(pair.key, key, sizeof(key) - 1) == 0)
			pair_apply(&pair, options_find(key, sizeof(key) - 1),
			    options);
}

static COLD void
abort_on_bad_option(void)
{
	fatal("Abort (abort_conf:true) on invalid conf value (see above).");
}

AT_START void
conf_settle(struct options *options, const char *const texts[CONF_SOURCES])
{
	const char *contradiction;
	bool good = true, any = false;

	options_init(options);
	for (unsigned i = 0; i < CONF_SOURCES; i++)
		if (texts[i] != NULL)
			find_confirm_conf(options, texts[i]);
	for (unsigned i = 0; i < CONF_SOURCES; i++) {
		if (options->confirm_conf)
			message("malloc_conf #%u (%s): \"%s\"", i + 1,
			    labels[i], texts[i] != NULL ? texts[i] : "");
		if (texts[i] != NULL && *texts[i] != '\0') {
			any = true;
			good &= conf_parse(options, texts[i]);
		}
		if (!good && options->abort_conf)
			abort_on_bad_option();
	}
	if (any)
		advice_idle(options);
	if (!options_finish(options, &contradiction)) {
		message("%s", contradiction);
		if (options->abort_conf)
			abort_on_bad_option();
	}
}

/* The text of a symbol, unless the program forgot to end it with a zero. */
static const char *
symbol_text(const char *text, enum conf_source source)
{
	if (text == NULL || memchr(text, '\0', SYMBOL_TEXT_MAX) != NULL)
		return text;
	message("Conf string has no end -- %s -- it has no zero within %u "
		"bytes and is ignored",
	    labels[source], SYMBOL_TEXT_MAX);
	return NULL;
}

static const char *
link_text(void)
{
	ssize_t length = file_link(LINK_PATH, copies.link, sizeof(copies.link));

	if (length == -EINVAL)
		message(
		    "%s is not a symbolic link: it is not read. Its text is "
		    "to be what the link points to",
		    LINK_PATH);
	return length > 0 ? copies.link : NULL;
}

/* The value, if `entry` sets our variable, or NULL. */
static const char *
variable_value(const char *entry)
{
	for (const char *name = VARIABLE_NAME; *name != '\0'; name++, entry++) {
		bool lower = *name >= 'a' && *name <= 'z';

		if (*entry != (lower ? *name - 'a' + 'A' : *name))
			return NULL;
	}
	return *entry == '=' ? entry + 1 : NULL;
}

/* Doesn't use getenv(): a program may have replaced it, which may allocate. */
static const char *
environment_text(void)
{
	const char *text = NULL;
	size_t length;

	for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
		text = variable_value(*entry);
		if (text != NULL)
			break;
	}
	if (text == NULL)
		return NULL;
	length = strlen(text);
	if (length >= sizeof(copies.environment))
		return text;
	memcpy(copies.environment, text, length + 1);
	return copies.environment;
}

AT_START void
conf_init(void)
{
	/*
	 * A program may have more rights than the user who starts it (set-uid).
	 * Then the options of that user must not change its behaviour.
	 */
	bool trusted = !message_privileged();

	conf.texts[CONF_CONFIGURE] = BUILD_MALLOC_CONF;
	conf.texts[CONF_SYMBOL] = symbol_text(malloc_conf, CONF_SYMBOL);
	conf.texts[CONF_LINK] = BUILD_USER_CONFIG && trusted ? link_text()
							     : NULL;
	conf.texts[CONF_ENVIRONMENT] = BUILD_USER_CONFIG &&
		(trusted || BUILD_FORCE_GETENV)
	    ? environment_text()
	    : NULL;
	conf.texts[CONF_SYMBOL_HARDER] = symbol_text(malloc_conf_2_conf_harder,
	    CONF_SYMBOL_HARDER);
	conf_settle(&opt_at_start, conf.texts);
}

AT_START const char *
conf_source(enum conf_source source)
{
	return conf.texts[source];
}
