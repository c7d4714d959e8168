#include "util/format.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

/* Where the text goes; behind the end of the buffer it only counts. */
struct sink {
	char *buf;
	size_t size;
	size_t length;
};

/* One conversion, from its % to the letter that ends it. */
struct conversion {
	bool left;
	bool zero_pad;
	bool has_precision;
	size_t width;
	size_t precision;
	size_t argument_size; /* of an integer: from l ll z j t */
};

static void
sink_put(struct sink *sink, char c)
{
	if (sink->length + 1 < sink->size)
		sink->buf[sink->length] = c;
	sink->length++;
}

static void
sink_pad(struct sink *sink, char c, size_t count)
{
	while (count-- > 0)
		sink_put(sink, c);
}

static void
sink_text(struct sink *sink, const char *text, size_t length,
    const struct conversion *c)
{
	size_t blanks = c->width > length ? c->width - length : 0;

	if (!c->left)
		sink_pad(sink, ' ', blanks);
	for (size_t i = 0; i < length; i++)
		sink_put(sink, text[i]);
	if (c->left)
		sink_pad(sink, ' ', blanks);
}

static AT_START void
sink_number(struct sink *sink, uint64_t value, unsigned base,
    const char *prefix, const struct conversion *c)
{
	char digits[24]; /* 64 bits in octal would take 22 */
	size_t start = sizeof(digits), length, blanks;

	do {
		digits[--start] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value != 0);
	length = strlen(prefix) + sizeof(digits) - start;
	blanks = c->width > length ? c->width - length : 0;

	if (!c->left && !c->zero_pad)
		sink_pad(sink, ' ', blanks);
	while (*prefix != '\0')
		sink_put(sink, *prefix++);
	if (!c->left && c->zero_pad)
		sink_pad(sink, '0', blanks);
	while (start < sizeof(digits))
		sink_put(sink, digits[start++]);
	if (c->left)
		sink_pad(sink, ' ', blanks);
}

static void
sink_signed(struct sink *sink, int64_t value, const struct conversion *c)
{
	/* Negated as unsigned, since -INT64_MIN does not fit. */
	uint64_t magnitude = value < 0 ? -(uint64_t)value : (uint64_t)value;

	sink_number(sink, magnitude, 10, value < 0 ? "-" : "", c);
}

static size_t
text_length(const char *text, const struct conversion *c)
{
	size_t length = 0;

	/* If there is a precision, the text need not end with a zero. */
	while (!(c->has_precision && length == c->precision) &&
	    text[length] != '\0')
		length++;
	return length;
}

static const char *
parse_count(const char *p, size_t *count)
{
	size_t value = 0;

	for (; *p >= '0' && *p <= '9'; p++)
		if (value < 100000)
			value = value * 10 + (size_t)(*p - '0');
	*count = value;
	return p;
}

static const char *
parse_length(const char *p, size_t *size)
{
	*size = sizeof(int);
	switch (*p) {
	case 'l':
		*size = sizeof(long);
		if (*++p != 'l')
			return p;
		*size = sizeof(long long);
		return p + 1;
	case 'z':
		*size = sizeof(size_t);
		return p + 1;
	case 'j':
		*size = sizeof(intmax_t);
		return p + 1;
	case 't':
		*size = sizeof(ptrdiff_t);
		return p + 1;
	default:
		return p;
	}
}

/*
 * A struct, because va_list may be an array type, and an array that is a
 * parameter has no usable address.
 */
struct arguments {
	va_list list;
};

/* Reads flags, width, precision and length; returns where the letter is. */
static const char *
parse_conversion(const char *p, struct conversion *c, struct arguments *args)
{
	int value;

	*c = (struct conversion){ .left = false };
	for (; *p == '-' || *p == '0'; p++) {
		c->left |= *p == '-';
		c->zero_pad |= *p == '0';
	}
	if (*p == '*') {
		value = va_arg(args->list, int);
		c->left |= value < 0;
		c->width = value < 0 ? -(size_t)value : (size_t)value;
		p++;
	} else {
		p = parse_count(p, &c->width);
	}
	if (*p == '.') {
		c->has_precision = true;
		if (*++p == '*') {
			value = va_arg(args->list, int);
			c->has_precision = value >= 0;
			c->precision = value < 0 ? 0 : (size_t)value;
			p++;
		} else {
			p = parse_count(p, &c->precision);
		}
	}
	return parse_length(p, &c->argument_size);
}

static uint64_t
take_unsigned(const struct conversion *c, struct arguments *args)
{
	if (c->argument_size == sizeof(unsigned))
		return va_arg(args->list, unsigned);
	return va_arg(args->list, uint64_t);
}

static int64_t
take_signed(const struct conversion *c, struct arguments *args)
{
	if (c->argument_size == sizeof(int))
		return va_arg(args->list, int);
	return va_arg(args->list, int64_t);
}

/* Writes one conversion; false: the letter is unknown, and took no argument. */
static bool
convert(struct sink *sink, char letter, const struct conversion *c,
    struct arguments *args)
{
	const char *text;
	char character;

	switch (letter) {
	case 's':
		text = va_arg(args->list, const char *);
		if (text == NULL)
			text = "(null)";
		sink_text(sink, text, text_length(text, c), c);
		return true;
	case 'd':
	case 'i':
		sink_signed(sink, take_signed(c, args), c);
		return true;
	case 'u':
		sink_number(sink, take_unsigned(c, args), 10, "", c);
		return true;
	case 'x':
		sink_number(sink, take_unsigned(c, args), 16, "", c);
		return true;
	case 'p':
		sink_number(sink, (uintptr_t)va_arg(args->list, void *), 16,
		    "0x", c);
		return true;
	case 'c':
		character = (char)va_arg(args->list, int);
		sink_text(sink, &character, 1, c);
		return true;
	case '%':
		sink_put(sink, '%');
		return true;
	default:
		return false;
	}
}

AT_START size_t
format_text_va(char *buf, size_t size, const char *template, va_list args)
{
	struct sink sink = { .buf = buf, .size = size };
	struct arguments arguments;
	struct conversion c;
	const char *letter;

	va_copy(arguments.list, args);
	for (const char *p = template; *p != '\0'; p++) {
		if (*p != '%') {
			sink_put(&sink, *p);
			continue;
		}
		letter = parse_conversion(p + 1, &c, &arguments);
		if (*letter != '\0' && convert(&sink, *letter, &c, &arguments))
			p = letter;
		else
			sink_put(&sink, '%');
	}
	va_end(arguments.list);
	if (size > 0)
		buf[sink.length < size ? sink.length : size - 1] = '\0';
	return sink.length;
}

AT_START size_t
format_text(char *buf, size_t size, const char *template, ...)
{
	va_list args;
	size_t length;

	va_start(args, template);
	length = format_text_va(buf, size, template, args);
	va_end(args);
	return length;
}

void
format_make_printable(char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			text[i] = '?';
}

/* --- JSON ----------------------------------------------------------------- */

/*
 * The length of the UTF-8 sequence at `text`, which is not ASCII; 0 = it is not
 * valid.
 */
static size_t
utf8_length(const unsigned char *text)
{
	unsigned char second = text[0] < 0xc2 ? 0 : text[1];
	size_t length = text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;

	if (text[0] < 0xc2 || text[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	/* Invalid: overlong forms, surrogates, and past the last character. */
	if ((text[0] == 0xe0 && second < 0xa0) ||
	    (text[0] == 0xed && second > 0x9f) ||
	    (text[0] == 0xf0 && second < 0x90) ||
	    (text[0] == 0xf4 && second > 0x8f))
		return 0;
	return length;
}

size_t
format_json(const char **text, char to[FORMAT_JSON_MAX])
{
	const unsigned char *from = (const unsigned char *)*text;
	size_t length = *from >= 0x20 && *from < 0x7f ? 1 : utf8_length(from);

	if (*from == '"' || *from == '\\') {
		*text += 1;
		to[0] = '\\';
		to[1] = (char)*from;
		return 2;
	}
	if (length == 0) {
		*text += 1;
		return format_text(to, FORMAT_JSON_MAX, "\\u%04x", *from);
	}
	memcpy(to, from, length);
	*text += length;
	return length;
}
