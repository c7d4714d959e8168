#include "rust_names.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

#define DEPTH_MAX 200
#define STEPS_MAX 100000 /* back references could form a loop */

struct parser {
	const char *start; /* after _R: back references count from here */
	const char *at;
	FILE *to;
	unsigned silent; /* above 0: this part is left out */
	unsigned depth, steps;
	bool bad;
};

static void parse_path(struct parser *parser);
static void parse_type(struct parser *parser);

static bool
take(struct parser *parser, char letter)
{
	if (parser->bad || *parser->at != letter)
		return false;
	parser->at++;
	return true;
}

static void
say(struct parser *parser, const char *text)
{
	if (parser->silent == 0 && !parser->bad)
		fputs(text, parser->to);
}

/* Digits up to an underscore: none mean 0, others one more than their value. */
static uint64_t
parse_base62(struct parser *parser)
{
	uint64_t value = 0;

	if (take(parser, '_'))
		return 0;
	while (!parser->bad && !take(parser, '_')) {
		char c = *parser->at++;
		int digit = c >= '0' && c <= '9' ? c - '0'
		    : c >= 'a' && c <= 'z'       ? c - 'a' + 10
		    : c >= 'A' && c <= 'Z'       ? c - 'A' + 36
						 : -1;

		if (digit < 0)
			parser->bad = true;
		else
			value = 62 * value + (uint64_t)digit;
	}
	return value + 1;
}

static uint64_t
parse_disambiguator(struct parser *parser)
{
	return take(parser, 's') ? parse_base62(parser) + 1 : 0;
}

/* The bytes of an identifier; if it is not ASCII, the encoded ones. */
static size_t
parse_bytes(struct parser *parser, const char **bytes)
{
	size_t length = 0;

	take(parser, 'u');
	if (*parser->at < '0' || *parser->at > '9')
		parser->bad = true;
	while (!parser->bad && *parser->at >= '0' && *parser->at <= '9') {
		length = 10 * length + (size_t)(*parser->at++ - '0');
		if (length > 100000 || length == 0)
			break;
	}
	take(parser, '_');
	if (parser->bad || strnlen(parser->at, length) < length) {
		parser->bad = true;
		return 0;
	}
	*bytes = parser->at;
	parser->at += length;
	return length;
}

static void
parse_identifier(struct parser *parser)
{
	const char *bytes = "";
	size_t length;

	parse_disambiguator(parser);
	length = parse_bytes(parser, &bytes);
	if (parser->silent == 0 && !parser->bad)
		fprintf(parser->to, "%.*s", (int)length, bytes);
}

/* N namespace path identifier; closures have a capital namespace. */
static void
parse_nested(struct parser *parser)
{
	char space = *parser->at;
	const char *bytes = "";
	uint64_t number;
	size_t length;

	if (space == '\0') {
		parser->bad = true;
		return;
	}
	parser->at++;
	parse_path(parser);
	number = parse_disambiguator(parser);
	length = parse_bytes(parser, &bytes);
	if (parser->silent != 0 || parser->bad)
		return;
	if (space >= 'a')
		fprintf(parser->to, "%s%.*s", length > 0 ? "::" : "",
		    (int)length, bytes);
	else
		fprintf(parser->to, "::{%s%s%.*s#%llu}",
		    space == 'C' ? "closure" : "shim", length > 0 ? ":" : "",
		    (int)length, bytes, (unsigned long long)number);
}

static void
parse_silently(struct parser *parser, void (*parse)(struct parser *))
{
	parser->silent++;
	parse(parser);
	parser->silent--;
}

/* A back reference: parses another place in the name. */
static void
parse_back(struct parser *parser, void (*parse)(struct parser *))
{
	const char *here = parser->at;
	uint64_t place = parse_base62(parser);
	const char *next = parser->at;

	if (parser->bad || place >= (uint64_t)(here - parser->start)) {
		parser->bad = true;
		return;
	}
	parser->at = parser->start + place;
	parse(parser);
	parser->at = next;
}

static void
parse_lifetime(struct parser *parser)
{
	if (take(parser, 'L'))
		parse_base62(parser);
}

static void
parse_const(struct parser *parser)
{
	if (take(parser, 'B')) {
		parse_back(parser, parse_const);
		return;
	}
	if (take(parser, 'p'))
		return;
	if (*parser->at < 'a' || *parser->at > 'z') {
		parser->bad = true;
		return;
	}
	parser->at++;
	/* Hex digits; n is the sign of a negative number. */
	bool negative = take(parser, 'n');
	char *end;
	unsigned long long value = strtoull(parser->at, &end, 16);

	if (parser->silent == 0 && !parser->bad)
		fprintf(parser->to, "%s%llu", negative ? "-" : "", value);
	parser->at = end;
	while (*parser->at != '\0' && !take(parser, '_'))
		parser->at++;
}

/* Types up to an E; returns how many. */
static unsigned
parse_list(struct parser *parser)
{
	unsigned count = 0;

	for (; !parser->bad && !take(parser, 'E'); count++) {
		if (count > 0)
			say(parser, ", ");
		parse_type(parser);
	}
	return count;
}

static void
parse_generic(struct parser *parser)
{
	if (*parser->at == 'L')
		parse_lifetime(parser);
	else if (take(parser, 'K'))
		parse_const(parser);
	else
		parse_type(parser);
}

static void
parse_impl_place(struct parser *parser)
{
	parse_disambiguator(parser);
	parse_path(parser);
}

static void
parse_path_here(struct parser *parser)
{
	if (take(parser, 'C')) {
		parse_identifier(parser);
	} else if (take(parser, 'N')) {
		parse_nested(parser);
	} else if (take(parser, 'M')) {
		parse_silently(parser, parse_impl_place);
		say(parser, "<");
		parse_type(parser);
		say(parser, ">");
	} else if (*parser->at == 'X' || *parser->at == 'Y') {
		if (*parser->at++ == 'X')
			parse_silently(parser, parse_impl_place);
		say(parser, "<");
		parse_type(parser);
		say(parser, " as ");
		parse_path(parser);
		say(parser, ">");
	} else if (take(parser, 'I')) {
		parse_path(parser);
		while (!parser->bad && !take(parser, 'E'))
			parse_silently(parser, parse_generic);
	} else if (take(parser, 'B')) {
		parse_back(parser, parse_path);
	} else {
		parser->bad = true;
	}
}

static void
parse_path(struct parser *parser)
{
	if (parser->bad || ++parser->depth > DEPTH_MAX ||
	    ++parser->steps > STEPS_MAX) {
		parser->bad = true;
		return;
	}
	parse_path_here(parser);
	parser->depth--;
}

static void
parse_function(struct parser *parser)
{
	const char *bytes;

	if (take(parser, 'G'))
		parse_base62(parser);
	take(parser, 'U');
	if (take(parser, 'K') && !take(parser, 'C'))
		parse_bytes(parser, &bytes);
	say(parser, "fn(");
	parse_list(parser);
	say(parser, ")");
	/* u is the empty tuple: there is no result. */
	if (take(parser, 'u'))
		return;
	say(parser, " -> ");
	parse_type(parser);
}

/* The traits after dyn; only the first one is printed. */
static void
parse_bounds(struct parser *parser)
{
	bool first = true;

	if (take(parser, 'G'))
		parse_base62(parser);
	say(parser, "dyn ");
	while (!parser->bad && !take(parser, 'E')) {
		parser->silent += !first;
		parse_path(parser);
		parser->silent += 1;
		while (take(parser, 'p')) {
			parse_identifier(parser);
			if (take(parser, 'K'))
				parse_const(parser);
			else
				parse_type(parser);
		}
		parser->silent -= 1 + !first;
		first = false;
	}
	parse_lifetime(parser);
}

static bool
parse_basic(struct parser *parser)
{
	/* clang-format off */
	static const char *const names[26] = {
		"i8", "bool", "char", "f64", "str", "f32", NULL, "u8", "isize",
		"usize", NULL, "i32", "u32", "i128", "u128", "_", NULL, NULL,
		"i16", "u16", "()", "...", NULL, "i64", "u64", "!",
	};
	/* clang-format on */
	char letter = *parser->at;

	if (letter < 'a' || letter > 'z' || names[letter - 'a'] == NULL)
		return false;
	parser->at++;
	say(parser, names[letter - 'a']);
	return true;
}

/* Types that contain other types. */
static void
parse_type_here(struct parser *parser)
{
	char kind = *parser->at;

	if (kind == '\0' || strchr("ASTRQPOFDB", kind) == NULL) {
		parse_path(parser);
		return;
	}
	parser->at++;
	switch (kind) {
	case 'A':
	case 'S':
		say(parser, "[");
		parse_type(parser);
		if (kind == 'A') {
			say(parser, "; ");
			parse_const(parser);
		}
		say(parser, "]");
		break;
	case 'T':
		say(parser, "(");
		say(parser, parse_list(parser) == 1 ? ",)" : ")");
		break;
	case 'F':
		parse_function(parser);
		break;
	case 'D':
		parse_bounds(parser);
		break;
	case 'B':
		parse_back(parser, parse_type);
		break;
	default:
		say(parser,
		    kind == 'R'       ? "&"
			: kind == 'Q' ? "&mut "
			: kind == 'P' ? "*const "
				      : "*mut ");
		parse_lifetime(parser);
		parse_type(parser);
		break;
	}
}

static void
parse_type(struct parser *parser)
{
	if (parser->bad || ++parser->depth > DEPTH_MAX ||
	    ++parser->steps > STEPS_MAX) {
		parser->bad = true;
		return;
	}
	if (!parse_basic(parser))
		parse_type_here(parser);
	parser->depth--;
}

char *
rust_demangle(const char *name)
{
	char *text = NULL;
	size_t length;
	struct parser parser = { .start = name + 2, .at = name + 2 };

	if (strncmp(name, "_R", 2) != 0)
		return NULL;
	parser.to = open_memstream(&text, &length);
	if (parser.to == NULL)
		fail("out of memory");
	parse_path(&parser);
	fclose(parser.to);
	/* Ignore what follows: the crate it was made for, or a suffix. */
	if (!parser.bad && length > 0)
		return text;
	free(text);
	return NULL;
}

/* How the older kind writes signs. */
/* clang-format off */
static const struct {
	const char *escape, *sign;
} rust_signs[] = {
	{ ".$GT$", "->" },
	{ "$LT$", "<" }, { "$GT$", ">" }, { "$RF$", "&" }, { "$BP$", "*" },
	{ "$LP$", "(" }, { "$RP$", ")" }, { "$C$", "," }, { "$SP$", "@" },
	{ "$u20$", " " }, { "$u5b$", "[" }, { "$u5d$", "]" }, { "$u7b$", "{" },
	{ "$u7d$", "}" }, { "$u27$", "'" }, { "$u3b$", ";" }, { "$u2b$", "+" },
	{ "..", "::" },
};
/* clang-format on */

/* A name of the older kind ends in ::h and 16 hex digits. */
static bool
is_rust(const char *name, size_t length)
{
	return length > 19 && strncmp(name + length - 19, "::h", 3) == 0 &&
	    strspn(name + length - 16, "0123456789abcdef") == 16;
}

/* This works in place, because no sign is longer than its escape. */
void
rust_clean(char *name)
{
	size_t length = strlen(name), done = 0;

	if (!is_rust(name, length))
		return;
	name[length - 19] = '\0';
	for (const char *at = name; *at != '\0';) {
		size_t i = 0, taken = 1;

		/* A name that begins with an escape has an underscore first. */
		if ((at == name || at[-1] == ':') && strncmp(at, "_$", 2) == 0)
			at++;
		while (i < LENGTH(rust_signs) &&
		    strncmp(at, rust_signs[i].escape,
			strlen(rust_signs[i].escape)) != 0)
			i++;
		if (i < LENGTH(rust_signs)) {
			taken = strlen(rust_signs[i].escape);
			for (const char *c = rust_signs[i].sign; *c; c++)
				name[done++] = *c;
		} else {
			name[done++] = *at;
		}
		at += taken;
	}
	name[done] = '\0';
}
