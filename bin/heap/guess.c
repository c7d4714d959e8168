#include "guess.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "names.h"
#include "target.h"
#include "tool.h"
#include "words.h"

#define SHOWN        32 /* bytes of a text */
#define TEXT_LEAST   4
#define SMALL_NUMBER 1000000

static unsigned
width_of(const struct contents *contents)
{
	return contents->session->heap->layout->pointer_size;
}

static size_t
word_count(const struct contents *contents)
{
	return contents->size / width_of(contents);
}

static uint64_t
word_at(const struct contents *contents, size_t index)
{
	unsigned width = width_of(contents);

	return bytes_number(contents->bytes + index * width, width,
	    contents->session->heap->layout->big_endian);
}

/* ---- 1 and 2: the same byte everywhere ---- */

static bool
is_filled(const struct contents *contents, uint64_t byte)
{
	if (byte > UINT8_MAX || contents->size == 0)
		return false;
	return contents->bytes[0] == byte &&
	    memcmp(contents->bytes, contents->bytes + 1, contents->size - 1) ==
	    0;
}

static bool
guess_filled(const struct contents *contents, struct guess *guess)
{
	const uint64_t *c = contents->session->heap->layout->constants;

	if (is_filled(contents, 0))
		guess->label = "zero";
	else if ((c[HEAP_CONST_JUNK_ALLOC] != 0 &&
		     is_filled(contents, c[HEAP_CONST_JUNK_ALLOC])) ||
	    (c[HEAP_CONST_JUNK_FREE] != 0 &&
		is_filled(contents, c[HEAP_CONST_JUNK_FREE])))
		guess->label = "junk";
	return guess->label != NULL;
}

/* ---- 3 and 4: the first word leads to a vtable, a function, data ---- */

/* The class whose vtable this is, by the type information before it. */
static const char *
class_by_type(struct session *session, uint64_t vtable)
{
	unsigned width = session->heap->layout->pointer_size;
	struct target *target = session->target;
	unsigned char bytes[8];
	char name[256];

	if (!target_read(target, vtable - width, bytes, width))
		return NULL;
	uint64_t type = bytes_number(bytes, width, target->big_endian);

	if (modules_at(&session->modules, type) == NULL ||
	    !target_read(target, type + width, bytes, width))
		return NULL;
	uint64_t text = bytes_number(bytes, width, target->big_endian);

	if (modules_at(&session->modules, text) == NULL ||
	    !target_text(target, text, name, sizeof(name)))
		return NULL;
	const char *plain = name[0] == '*' ? name + 1 : name;

	if (!isdigit((unsigned char)plain[0]) && plain[0] != 'N' &&
	    plain[0] != 'S')
		return NULL;
	char *mangled = print("_ZTS%s", plain);
	const char *clear = name_demangle(mangled);
	static const char words[] = "typeinfo name for ";

	free(mangled);
	return strncmp(clear, words, sizeof(words) - 1) == 0
	    ? clear + sizeof(words) - 1
	    : NULL;
}

static const char *
label(const char *format, const char *text)
{
	char buffer[512];

	snprintf(buffer, sizeof(buffer), format, text);
	return intern(buffer);
}

static bool
guess_by_symbol(const struct contents *contents, struct guess *guess)
{
	struct session *session = contents->session;
	uint64_t value = word_count(contents) == 0 ? 0 : word_at(contents, 0);
	struct symbol symbol;

	if (value == 0 || !symbol_find(&session->modules, value, &symbol))
		return false;
	const char *class = symbol_class(&symbol);

	if (class == NULL && !module_is_code(symbol.module, value))
		class = class_by_type(session, value);
	if (class != NULL)
		guess->label = label("vtable for %s", class);
	else
		guess->label = label("symbol %s", symbol_title(&symbol));
	return true;
}

/* ---- 5: texts ---- */

/* Bytes of the printable character at `at`, UTF-8 too; 0: it is none. */
static size_t
character(const unsigned char *at, size_t left)
{
	size_t length = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;

	if ((at[0] >= 0x20 && at[0] < 0x7f) || at[0] == '\n' || at[0] == '\r' ||
	    at[0] == '\t')
		return 1;
	if (at[0] < 0xc2 || at[0] > 0xf4 || length > left)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	}
	return length;
}

static const char *
text_shown(const unsigned char *bytes, size_t size, size_t step)
{
	char shown[4 * SHOWN + 3] = "\"";
	size_t length = 1;

	for (size_t i = 0; i < size && i < SHOWN * step; i += step) {
		if (bytes[i] == '"' || bytes[i] == '\\')
			length += (size_t)sprintf(shown + length, "\\%c",
			    bytes[i]);
		else if (bytes[i] >= 0x20 && bytes[i] < 0x7f)
			shown[length++] = (char)bytes[i];
		else
			length += (size_t)sprintf(shown + length, "\\x%02x",
			    bytes[i]);
	}
	shown[length++] = '"';
	shown[length] = '\0';
	return intern(shown);
}

static bool
guess_text(const struct contents *contents, struct guess *guess)
{
	const unsigned char *bytes = contents->bytes;
	size_t size = contents->size, at = 0, step, wide = 0;

	while (at < size && (step = character(bytes + at, size - at)) > 0)
		at += step;
	/*
	 * The text ends with a zero, or continues behind the bytes that were
	 * read.
	 */
	if (at >= TEXT_LEAST &&
	    (at == size || bytes[at] == 0 || size - at < 4)) {
		guess->label = "string";
		guess->note = text_shown(bytes, at, 1);
		return true;
	}
	while (wide + 1 < size && bytes[wide] >= 0x20 && bytes[wide] < 0x7f &&
	    bytes[wide + 1] == 0)
		wide += 2;
	if (wide >= 2 * TEXT_LEAST &&
	    (wide + 1 >= size || (bytes[wide] == 0 && bytes[wide + 1] == 0))) {
		guess->label = "wstring";
		guess->note = text_shown(bytes, wide, 2);
		return true;
	}
	return false;
}

static bool
is_small(uint64_t value, unsigned width)
{
	int64_t number = width == 8 ? (int64_t)value : (int32_t)(uint32_t)value;

	return number > -SMALL_NUMBER && number < SMALL_NUMBER;
}

/* ---- 6 and 7: pointers ---- */

struct pointers {
	size_t words, zero, small, heap, stack, image, mapped, same;
	bool first_is_same;
};

static void
pointers_count(const struct contents *contents, struct pointers *sum)
{
	struct word word;

	sum->words = word_count(contents);
	for (size_t i = 0; i < sum->words; i++) {
		word_look(contents->session, word_at(contents, i), false,
		    &word);
		sum->zero += word.kind == WORD_ZERO;
		sum->small += word.kind == WORD_OTHER &&
		    is_small(word.value,
			contents->session->heap->layout->pointer_size);
		sum->heap += word.kind == WORD_LIVE;
		sum->stack += word.kind == WORD_STACK;
		sum->image += word.kind == WORD_IMAGE;
		sum->mapped += word.kind == WORD_MAPPED;
		bool same = word.kind == WORD_LIVE &&
		    word.region.address == word.value &&
		    word.region.size == contents->region->size;

		sum->same += same;
		sum->first_is_same |= same && i == 0;
	}
}

/* Three words: begin, end and end of capacity, all in one object. */
static bool
is_vector(const struct contents *contents)
{
	struct heap *heap = contents->session->heap;
	struct region region;

	for (size_t i = 0; i + 2 < word_count(contents); i++) {
		uint64_t begin = word_at(contents, i);
		uint64_t end = word_at(contents, i + 1);
		uint64_t room = word_at(contents, i + 2);

		if (begin != 0 && begin <= end && end <= room && begin < room &&
		    heap_find(heap, begin, &region) &&
		    region.state == REGION_LIVE && region.address == begin &&
		    room - begin <= region.size)
			return true;
	}
	return false;
}

static bool
guess_pointers(const struct contents *contents, struct guess *guess)
{
	struct pointers p = { 0 };

	pointers_count(contents, &p);
	size_t pointing = p.heap + p.stack + p.image + p.mapped;

	bool found = pointing >= 2 && 4 * (pointing + p.zero) >= 3 * p.words;

	/*
	 * A node of a list or a tree may have numbers beside its pointers, and
	 * bytes that nobody uses.
	 */
	if (p.same > 0)
		found |= p.first_is_same ||
		    2 * (pointing + p.zero + p.small) >= p.words;
	if (!found) {
		if (!is_vector(contents))
			return false;
		guess->label = "vector-like";
		return true;
	}
	if (is_vector(contents))
		guess->label = "vector-like";
	else if (p.same > 0)
		guess->label = "pointers, list node";
	else if (p.heap >= p.stack && p.heap >= p.image && p.heap > 0)
		guess->label = "pointers, to heap";
	else if (p.stack > p.image)
		guess->label = "pointers, to stack";
	else
		guess->label = p.image > 0 ? "pointers, to image" : "pointers";
	char note[64];

	snprintf(note, sizeof(note), "(%zu/%zu words to heap)", p.heap,
	    p.words);
	guess->note = intern(note);
	return true;
}

/* ---- 8: numbers ---- */

static bool
is_number(uint64_t value, unsigned width)
{
	uint32_t low = (uint32_t)value;
	double real;
	float single;

	if (is_small(value, width))
		return true;
	if (width == 8) {
		memcpy(&real, &value, 8);
	} else {
		memcpy(&single, &low, 4);
		real = single;
	}
	real = fabs(real);
	return real > 1e-6 && real < 1e12;
}

/* Is it a pointer, or a half of one? */
static bool
is_pointing(const struct contents *contents, size_t at)
{
	size_t width = contents->session->heap->layout->pointer_size;
	struct word word;

	if (at / width >= word_count(contents))
		return false;
	word_look(contents->session, word_at(contents, at / width), false,
	    &word);
	return word.kind == WORD_LIVE || word.kind == WORD_STACK ||
	    word.kind == WORD_IMAGE || word.kind == WORD_MAPPED;
}

static bool
guess_numbers(const struct contents *contents, struct guess *guess)
{
	bool big = contents->session->heap->layout->big_endian;

	for (unsigned width = 8; width >= 4; width -= 4) {
		size_t count = contents->size / width, numbers = 0;

		for (size_t i = 0; i < count; i++)
			numbers += !is_pointing(contents, i * width) &&
			    is_number(bytes_number(contents->bytes + i * width,
					  width, big),
				width);
		if (count > 0 && 4 * numbers >= 3 * count) {
			guess->label = "numbers";
			return true;
		}
	}
	return false;
}

struct guess
guess_object(const struct contents *contents)
{
	struct guess guess = { 0 };

	if (!guess_filled(contents, &guess) &&
	    !guess_by_symbol(contents, &guess) &&
	    !guess_text(contents, &guess) &&
	    !guess_pointers(contents, &guess) &&
	    !guess_numbers(contents, &guess))
		guess.label = "binary";
	guess.label = intern(guess.label);
	return guess;
}

double
guess_entropy(const struct contents *contents)
{
	size_t count[256] = { 0 };
	double entropy = 0;

	for (size_t i = 0; i < contents->size; i++)
		count[contents->bytes[i]]++;
	for (unsigned i = 0; i < 256; i++) {
		double share = (double)count[i] / (double)contents->size;

		if (count[i] > 0)
			entropy -= share * log2(share);
	}
	return entropy;
}
