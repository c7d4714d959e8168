#include "escape.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

#define NO_CHARACTER "\xef\xbf\xbd"

/* Lower limit of the characters with so many bytes. */
static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };

static size_t
sequence(const unsigned char *text, uint32_t *value)
{
	size_t length = text[0] < 0x80 ? 1
	    : text[0] < 0xc0           ? 0
	    : text[0] < 0xe0           ? 2
	    : text[0] < 0xf0           ? 3
	    : text[0] < 0xf8           ? 4
				       : 0;

	*value = length == 1 ? text[0] : text[0] & (0x7f >> length);
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		*value = *value << 6 | (text[i] & 0x3f);
	}
	return length;
}

size_t
escape_length(const char *text)
{
	uint32_t value;
	size_t length = sequence((const unsigned char *)text, &value);

	if (length == 0 || value < least[length] || value > 0x10ffff ||
	    (value >= 0xd800 && value < 0xe000))
		return 0;
	/* XML knows no control characters, and two more are none. */
	if ((value < 0x20 && value != '\t') || value == 0x7f ||
	    value == 0xfffe || value == 0xffff)
		return 0;
	return length;
}

size_t
escape_count(const char *text)
{
	size_t count = 0, length;

	for (; *text != '\0'; count++) {
		length = escape_length(text);
		text += length > 0 ? length : 1;
	}
	return count;
}

static size_t
write_character(FILE *to, const char *text)
{
	size_t length = escape_length(text);

	if (length == 0)
		fputs(NO_CHARACTER, to);
	else
		fwrite(text, 1, length, to);
	return length > 0 ? length : 1;
}

void
escape_xml_part(FILE *to, const char *text, size_t count)
{
	for (; *text != '\0' && count > 0; count--) {
		switch (*text) {
		/* clang-format off */
		case '<': fputs("&lt;", to); break;
		case '>': fputs("&gt;", to); break;
		case '&': fputs("&amp;", to); break;
		case '"': fputs("&quot;", to); break;
		/* clang-format on */
		default:
			if (*text >= ' ' && *text < 0x7f) {
				putc_unlocked(*text, to);
				break;
			}
			text += write_character(to, text);
			continue;
		}
		text++;
	}
}

void
escape_xml(FILE *to, const char *text)
{
	escape_xml_part(to, text, SIZE_MAX);
}

void
escape_xml_lines(FILE *to, const char *text)
{
	const char *end;

	for (; (end = strchr(text, '\n')) != NULL; text = end + 1) {
		char *line = print("%.*s", (int)(end - text), text);

		escape_xml(to, line);
		fputc('\n', to);
		free(line);
	}
	escape_xml(to, text);
}
