#include "conf/value.h"

#include <signal.h>
#include <string.h>

#include "util/compiler.h"

struct number {
	uint64_t magnitude;
	bool negative;
};

AT_START bool
value_is(const char *text, size_t length, const char *word)
{
	return strlen(word) == length && memcmp(text, word, length) == 0;
}

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The value of a digit; 16 for all other characters. */
static unsigned
digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (unsigned)(c - 'A') + 10;
	return 16;
}

/*
 * Scans the longest integer at `p`. Returns where it ends, or NULL if there is
 * none or it needs more than 64 bits.
 */
static AT_START const char *
number_scan(const char *p, const char *end, struct number *number)
{
	const char *digits;
	unsigned base = 10;

	*number = (struct number){ .magnitude = 0 };
	while (p < end && is_blank(*p))
		p++;
	if (p < end && (*p == '+' || *p == '-'))
		number->negative = *p++ == '-';
	if (p < end && *p == '0')
		base = 8;
	if (end - p > 2 && p[0] == '0' && (p[1] == 'x' || p[1] == 'X')) {
		base = 16;
		p += 2;
	}
	for (digits = p; p < end && digit_of(*p) < base; p++) {
		if (__builtin_mul_overflow(number->magnitude, base,
			&number->magnitude) ||
		    __builtin_add_overflow(number->magnitude, digit_of(*p),
			&number->magnitude))
			return NULL;
	}
	return p > digits ? p : NULL;
}

static uint64_t
number_unsigned(const struct number *number)
{
	return number->negative ? -number->magnitude : number->magnitude;
}

AT_START bool
value_unsigned(const char *text, size_t length, uint64_t *value)
{
	struct number number;

	if (number_scan(text, text + length, &number) != text + length)
		return false;
	*value = number_unsigned(&number);
	return true;
}

AT_START bool
value_signed(const char *text, size_t length, int64_t *value)
{
	struct number number;

	if (number_scan(text, text + length, &number) != text + length)
		return false;
	if (number.magnitude > (uint64_t)INT64_MAX + number.negative)
		return false;
	*value = (int64_t)number_unsigned(&number);
	return true;
}

AT_START bool
value_ratio(const char *text, size_t length, uint32_t *value)
{
	const char *p = text, *end = text + length, *digits;
	uint64_t integer = 0, fraction = 0, scale = 1;

	for (; p < end && digit_of(*p) < 10; p++) {
		integer = integer * 10 + digit_of(*p);
		if (integer > UINT16_MAX)
			return false;
	}
	if (p == end && p > text) {
		*value = (uint32_t)integer << 16;
		return true;
	}
	if (p == end || *p++ != '.')
		return false;
	for (digits = p; p < end && digit_of(*p) < 10; p++) {
		/*
		 * Further digits are skipped, because the sum below would
		 * overflow. Five digits are enough for 2^-16.
		 */
		if (scale < 100000000000000) {
			fraction = fraction * 10 + digit_of(*p);
			scale *= 10;
		}
	}
	if (p == digits || p < end)
		return false;
	*value = (uint32_t)(integer << 16 | (fraction << 16) / scale);
	return true;
}

const char *const value_bool_words[] = { "false", "true", NULL };

AT_START bool
value_word(const char *text, size_t length, const char *const *words,
    unsigned *value)
{
	for (unsigned i = 0; words[i] != NULL; i++) {
		if (value_is(text, length, words[i])) {
			*value = i;
			return true;
		}
	}
	return false;
}

bool
value_range_next(const char **text, size_t *length, struct value_range *range)
{
	const char *p = *text, *end = p + *length;
	struct number low, high, value;

	p = number_scan(p, end, &low);
	if (p == NULL || p == end || *p != '-')
		return false;
	p = number_scan(p + 1, end, &high);
	if (p == NULL || p == end || *p != ':')
		return false;
	p = number_scan(p + 1, end, &value);
	if (p == NULL || (p < end && *p != '|') || p + 1 == end)
		return false;
	range->low = number_unsigned(&low);
	range->high = number_unsigned(&high);
	range->value = number_unsigned(&value);
	p += p < end;
	*length = (size_t)(end - p);
	*text = p;
	return true;
}

bool
value_signal(const char *text, size_t length, int *number)
{
	/* clang-format off */
	static const struct {
		const char *name;
		int number;
	} signals[] = {
		{ "HUP", SIGHUP }, { "USR1", SIGUSR1 }, { "USR2", SIGUSR2 },
		{ "ALRM", SIGALRM }, { "VTALRM", SIGVTALRM },
		{ "PROF", SIGPROF }, { "URG", SIGURG }, { "WINCH", SIGWINCH },
		{ "IO", SIGIO }, { "PWR", SIGPWR },
	};
	/* clang-format on */
	uint64_t value = 0;

	if (length >= 3 && memcmp(text, "SIG", 3) == 0) {
		text += 3;
		length -= 3;
	} else if (value_unsigned(text, length, &value) &&
	    value >= (uint64_t)SIGRTMIN && value <= (uint64_t)SIGRTMAX) {
		*number = (int)value;
		return true;
	}
	for (unsigned i = 0; i < ARRAY_LEN(signals); i++)
		if (value_is(text, length, signals[i].name) ||
		    value == (uint64_t)signals[i].number) {
			*number = signals[i].number;
			return true;
		}
	return false;
}
