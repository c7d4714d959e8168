#include "stats/emitter.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "os/message.h"
#include "os/pages.h"
#include "os/system.h"
#include "util/bits.h"
#include "util/format.h"

#define BUFFER_FIRST ((size_t)64 << 10)
/* Bytes of the longest number, and of the longest key. */
#define NUMBER_MAX 24
#define KEY_MAX    64

static void
write_message(void *opaque, const char *text)
{
	if (malloc_message != NULL)
		malloc_message(opaque, text);
	else
		message_write(text);
}

void
emitter_begin(struct emitter *emitter, emitter_callback *write, void *opaque)
{
	emitter->write = write != NULL ? write : write_message;
	emitter->opaque = opaque;
	emitter->buffer = emitter->small;
	emitter->capacity = sizeof(emitter->small);
	emitter->length = 0;
	emitter->comma = emitter->written = false;
}

static void
hand_over(struct emitter *emitter)
{
	emitter->buffer[emitter->length] = '\0';
	emitter->write(emitter->opaque, emitter->buffer);
	emitter->written = true;
	emitter->length = 0;
}

static void
give_buffer(struct emitter *emitter)
{
	if (emitter->buffer != emitter->small)
		pages_unmap(emitter->buffer, emitter->capacity);
}

void
emitter_end(struct emitter *emitter)
{
	if (emitter->length != 0 || !emitter->written)
		hand_over(emitter);
	give_buffer(emitter);
	emitter->buffer = emitter->small;
	emitter->capacity = sizeof(emitter->small);
}

/* Gets a larger buffer. False: there is no memory for it. */
static bool
grow(struct emitter *emitter)
{
	size_t capacity = round_up(max_size(emitter->capacity * 4,
				       BUFFER_FIRST),
	    system_info.page_size);
	char *buffer = pages_map(capacity, system_info.page_size);

	if (buffer == NULL)
		return false;
	memcpy(buffer, emitter->buffer, emitter->length);
	give_buffer(emitter);
	emitter->buffer = buffer;
	emitter->capacity = capacity;
	return true;
}

/* Makes room for one byte or more, and for the terminating zero. */
static size_t
room(struct emitter *emitter)
{
	if (emitter->length + 1 >= emitter->capacity && !grow(emitter))
		hand_over(emitter);
	return emitter->capacity - emitter->length - 1;
}

void
emitter_put(struct emitter *emitter, const char *text, size_t length)
{
	while (length > 0) {
		size_t n = min_size(length, room(emitter));

		memcpy(emitter->buffer + emitter->length, text, n);
		emitter->length += n;
		text += n;
		length -= n;
	}
}

static void
put_char(struct emitter *emitter, char c)
{
	room(emitter);
	emitter->buffer[emitter->length++] = c;
}

void
emitter_text(struct emitter *emitter, const char *text)
{
	emitter_put(emitter, text, strlen(text));
}

/*
 * If there is no memory for a buffer that the text fits into, the text is cut.
 * So templates are for single lines. Texts of the program may be long: they go
 * through emitter_put().
 */
void
emitter_print(struct emitter *emitter, const char *template, ...)
{
	size_t need, space;
	va_list args;

	for (unsigned tries = 0;; tries++) {
		space = emitter->capacity - emitter->length;
		va_start(args, template);
		need = format_text_va(emitter->buffer + emitter->length, space,
		    template, args);
		va_end(args);
		if (need < space)
			break;
		if (tries > 0 && emitter->length == 0) {
			need = space - 1;
			break;
		}
		if (!grow(emitter) && emitter->length != 0)
			hand_over(emitter);
	}
	emitter->length += need;
}

/* --- tables --------------------------------------------------------------- */

void
emitter_cell_text(struct emitter *emitter, unsigned width, const char *text)
{
	size_t length = strlen(text);

	for (size_t i = length; i < width; i++)
		put_char(emitter, ' ');
	emitter_put(emitter, text, length);
	put_char(emitter, ' ');
}

void
emitter_cell(struct emitter *emitter, unsigned width, uint64_t value)
{
	char text[NUMBER_MAX];

	format_text(text, sizeof(text), "%ju", (uintmax_t)value);
	emitter_cell_text(emitter, width, text);
}

void
emitter_row_end(struct emitter *emitter)
{
	/* If there was no memory, the blank may already be handed over. */
	if (emitter->length > 0 && emitter->buffer[emitter->length - 1] == ' ')
		emitter->length--;
	put_char(emitter, '\n');
}

/* --- JSON ----------------------------------------------------------------- */

static void
put_string(struct emitter *emitter, const char *text)
{
	char character[FORMAT_JSON_MAX];

	put_char(emitter, '"');
	while (*text != '\0')
		emitter_put(emitter, character, format_json(&text, character));
	put_char(emitter, '"');
}

/* All keys come from this library: they are short and need no escapes. */
static void
put_key(struct emitter *emitter, const char *key)
{
	size_t length = key == NULL ? 0 : strlen(key);
	char text[KEY_MAX + 4], *end = text;

	assert(length <= KEY_MAX);
	if (emitter->comma)
		*end++ = ',';
	emitter->comma = true;
	if (key != NULL) {
		*end++ = '"';
		memcpy(end, key, length);
		end += length;
		*end++ = '"';
		*end++ = ':';
	}
	emitter_put(emitter, text, (size_t)(end - text));
}

static void
open_bracket(struct emitter *emitter, const char *key, char bracket)
{
	put_key(emitter, key);
	put_char(emitter, bracket);
	emitter->comma = false;
}

static void
close_bracket(struct emitter *emitter, char bracket)
{
	put_char(emitter, bracket);
	emitter->comma = true;
}

void
emitter_object(struct emitter *emitter, const char *key)
{
	open_bracket(emitter, key, '{');
}

void
emitter_object_end(struct emitter *emitter)
{
	close_bracket(emitter, '}');
}

void
emitter_array(struct emitter *emitter, const char *key)
{
	open_bracket(emitter, key, '[');
}

void
emitter_array_end(struct emitter *emitter)
{
	close_bracket(emitter, ']');
}

void
emitter_bool(struct emitter *emitter, const char *key, bool value)
{
	put_key(emitter, key);
	emitter_text(emitter, value ? "true" : "false");
}

void
emitter_unsigned(struct emitter *emitter, const char *key, uint64_t value)
{
	char text[NUMBER_MAX];
	char *digit = text + sizeof(text);

	/* A report has thousands of numbers, and format_text() is slower. */
	do {
		*--digit = (char)('0' + value % 10);
		value /= 10;
	} while (value != 0);
	put_key(emitter, key);
	emitter_put(emitter, digit, (size_t)(text + sizeof(text) - digit));
}

void
emitter_signed(struct emitter *emitter, const char *key, int64_t value)
{
	char text[NUMBER_MAX];

	format_text(text, sizeof(text), "%jd", (intmax_t)value);
	put_key(emitter, key);
	emitter_text(emitter, text);
}

void
emitter_string(struct emitter *emitter, const char *key, const char *value)
{
	put_key(emitter, key);
	put_string(emitter, value != NULL ? value : "");
}
