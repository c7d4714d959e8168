#include "names.h"

#include <ctype.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "rust_names.h"
#include "tool.h"
#include "util/build.h"

typedef char *demangle(const char *, char *, size_t *, int *);

/* These may also have a leading underscore, or one of the prefixes below. */
/* clang-format off */
static const char *const allocators[] = {
	"malloc", "calloc", "realloc", "free", "memalign", "posix_memalign",
	"aligned_alloc", "valloc", "pvalloc", "cfree", "reallocarray",
	"mallocx", "rallocx", "xallocx", "dallocx", "sdallocx",
	"sdallocx_noflags",
	"operator new", "operator new[]", "operator delete",
	"operator delete[]", "__builtin_new", "__builtin_vec_new",
	"__builtin_delete", "__builtin_vec_delete",
	"simple_alloc::allocate", "__malloc_alloc_template::allocate",
	"DoSampledAllocation", "malloc_zone_malloc", "malloc_zone_calloc",
	"malloc_zone_valloc", "malloc_zone_realloc", "malloc_zone_memalign",
	"malloc_zone_free", "newImpl", "fallbackNewImpl", "fallback_impl",
	"imalloc", "imalloc_body", "malloc_default", "prof_alloc_prep",
	"prof_backtrace_impl", "prof_backtrace", "prof_tctx_create",
	"irallocx_prof", "ixallocx_prof", "do_rallocx", "malloc_slow",
	"calloc_slow", "request_run", "resize_object", "resize_in_place",
};
/* clang-format on */

/* Prefixes of public names: this library's, the usual one, Rust's. */
static const char *const prefixes[] = { BUILD_PREFIX, "je_", "_rjem_" };

/* Uses libstdc++ only if it is installed; without it names stay mangled. */
const char *
name_demangle(const char *name)
{
	static demangle *function;
	static bool tried;
	int status = 0;
	char *rust = rust_demangle(name);

	if (rust != NULL) {
		const char *result = intern(rust);

		free(rust);
		return result;
	}
	if (strncmp(name, "_Z", 2) != 0)
		return intern(name);
	if (!tried) {
		void *library = dlopen("libstdc++.so.6", RTLD_LAZY);

		if (library != NULL)
			function = (demangle *)dlsym(library, "__cxa_demangle");
		tried = true;
	}
	char *clear = function == NULL ? NULL
				       : function(name, NULL, NULL, &status);

	if (clear == NULL)
		return intern(name);
	rust_clean(clear);
	const char *result = intern(clear);

	free(clear);
	return result;
}

/* How many characters after the word "operator" belong to the name. */
static size_t
operator_length(const char *name, const char *at)
{
	/* clang-format off */
	static const char *const signs[] = {
		"()", "<=>", "<<=", ">>=", "->*", "->", "<<", ">>", "<=", ">=",
		"<", ">",
	};
	/* clang-format on */

	if (at - name < 8 || strncmp(at - 8, "operator", 8) != 0)
		return 0;
	for (size_t i = 0; i < LENGTH(signs); i++) {
		if (strncmp(at, signs[i], strlen(signs[i])) == 0)
			return strlen(signs[i]);
	}
	return 0;
}

/* Copies a name without what is in ( ) and < >, and a const after that. */
static size_t
copy_outside(char *to, const char *name)
{
	static const char anonymous[] = "(anonymous namespace)";
	size_t length = 0, keep;
	int depth = 0;

	for (const char *at = name; *at != '\0';) {
		keep = strncmp(at, anonymous, sizeof(anonymous) - 1) == 0
		    ? sizeof(anonymous) - 1
		    : operator_length(name, at);
		/* In Rust, the type of a function's result follows. */
		if (keep == 0 && depth > 0 && strncmp(at, "->", 2) == 0) {
			at += 2;
			continue;
		}
		if (keep == 0 && (*at == '(' || *at == '<'))
			depth++;
		else if (keep == 0 && (*at == ')' || *at == '>') && depth > 0)
			depth--;
		else if (depth == 0) {
			keep = keep ? keep : 1;
			memcpy(to + length, at, keep);
			length += keep;
		}
		at += keep ? keep : 1;
		if (keep == 0 && depth == 0 && strncmp(at, " const", 6) == 0)
			at += 6;
	}
	to[length] = '\0';
	return length;
}

/*
 * "int a::b" -> "a::b"; blanks within an operator's name stay. Only a template
 * has its result in its name, or a function in one.
 */
static const char *
without_result(const char *name, bool is_template)
{
	const char *operator= strstr(name, "operator");
	const char *end = operator!= NULL ? operator: name + strlen(name);
	int depth = 0;

	for (const char *at = end; at > name; at--) {
		depth += (at[-1] == ')') - (at[-1] == '(');
		if (depth == 0 && at[-1] == ' ')
			return is_template || strstr(at, "::") != NULL ? at
								       : name;
	}
	return name;
}

/* Without what stands between < and >, which may be in a path. */
static char *
without_generics(const char *type, size_t length)
{
	char *text = memory(length + 1, 1);
	size_t used = 0;
	int depth = 0;

	for (size_t i = 0; i < length; i++) {
		bool arrow = type[i] == '>' && i > 0 && type[i - 1] == '-';

		if (type[i] == '<')
			depth++;
		else if (type[i] == '>' && !arrow && depth > 0)
			depth--;
		else if (depth == 0)
			text[used++] = type[i];
	}
	return text;
}

/*
 * Rust's <type as trait>::f becomes type::f, and so does <type>::f. The type
 * may be an array, a tuple, or a function's, whose signs are no arguments.
 * NULL: it is none of these.
 */
static const char *
rust_short(const char *name)
{
	const char *as = NULL, *end = name + 1, *result;
	char *type, *text, *rest;
	int depth = 1;

	for (; *end != '\0' && depth > 0; end++) {
		depth += (*end == '<') - (*end == '>' && end[-1] != '-');
		if (depth == 1 && as == NULL && strncmp(end, " as ", 4) == 0)
			as = end;
	}
	if (depth != 0 || strncmp(end, "::", 2) != 0)
		return NULL;
	if (as == NULL)
		as = end - 1;
	text = print("%.*s", (int)(as - name - 1), name + 1);
	type = text[0] == '<' && rust_short(text) != NULL
	    ? print("%s", rust_short(text))
	    : without_generics(text, strlen(text));
	rest = memory(strlen(end) + 1, 1);
	copy_outside(rest, end);
	free(text);
	text = print("%s%s", type, rest);
	result = intern(text);
	free(text);
	free(type);
	free(rest);
	return result;
}

/*
 * Go's main.(*Server).handle, Java's a.B.<init>, Python's f.<locals>.g: what is
 * in brackets there is a part of the name.
 */
static bool
is_dotted(const char *name)
{
	return strstr(name, "::") == NULL &&
	    (strstr(name, ".(*") != NULL || strstr(name, ".<") != NULL);
}

const char *
name_short(const char *name)
{
	const char *rust = name[0] == '<' ? rust_short(name) : NULL;
	const char *clone = strstr(name, " [clone "), *result;
	char *whole, *text;
	size_t length;

	if (rust != NULL)
		return rust;
	if (is_dotted(name))
		return intern(name);
	/* A part of a function is shown as the function. */
	length = clone != NULL ? (size_t)(clone - name) : strlen(name);
	whole = print("%.*s", (int)length, name);
	text = memory(length + 1, 1);
	length = copy_outside(text, whole);
	while (length > 0 && isspace((unsigned char)text[length - 1]))
		text[--length] = '\0';
	result = intern(length == 0
		? name
		: without_result(text, strchr(whole, '<') != NULL));
	free(whole);
	free(text);
	return result;
}

/* Compilers split functions: f.cold, f.part.0 and others. */
static bool
is_or_part_of(const char *name, const char *function)
{
	size_t length = strlen(function);

	return strncmp(name, function, length) == 0 &&
	    (name[length] == '\0' || name[length] == '.');
}

bool
name_is_allocator(const char *name)
{
	if (strncmp(name, "tc_", 3) == 0 || strstr(name, "TCMalloc") != NULL ||
	    strncmp(name, "tcmalloc::", 10) == 0 ||
	    strncmp(name, "do_malloc", 9) == 0)
		return true;
	for (size_t i = 0; i < LENGTH(allocators); i++) {
		if (is_or_part_of(name, allocators[i]))
			return true;
	}
	for (size_t i = 0; i < LENGTH(prefixes); i++) {
		size_t length = strlen(prefixes[i]);

		if (length > 0 && strncmp(name, prefixes[i], length) == 0)
			return name_is_allocator(name + length);
	}
	return name[0] == '_' && name_is_allocator(name + 1);
}
