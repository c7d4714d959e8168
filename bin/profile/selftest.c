#include "selftest.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "names.h"
#include "pattern.h"
#include "tool.h"

static const struct {
	const char *full, *brief;
	bool allocator;
} names[] = {
	{ "malloc", "malloc", true },
	{ "operator new[](unsigned long)", "operator new[]", true },
	{ "realloc.cold", "realloc.cold", true },
	{ "_rjem_mallocx", "_rjem_mallocx", true },
	{ "mallocate", "mallocate", false },
	{ "<alloc::vec::Vec<T> as core::ops::Drop>::drop",
	    "alloc::vec::Vec::drop", false },
	{ "<a<b as c> as d>::e", "a::e", false },
	{ "map<fn(&str) -> u8, ()>", "map", false },
	{ "<[T]>::sort", "[T]::sort", false },
	{ "<[u8; 4] as a::Grow>::grow", "[u8; 4]::grow", false },
	{ "<(u8, &str) as a::Grow>::grow", "(u8, &str)::grow", false },
	{ "<fn(u32) -> u64 as a::Grow>::grow", "fn(u32) -> u64::grow", false },
	{ "<<a::B<c> as D>::from as E>::call", "a::B::from::call", false },
	{ "main", "main", false },
	{ "main.(*Server).handle", "main.(*Server).handle", false },
	{ "a.B.<init>", "a.B.<init>", false },
	{ "a::run(int) [clone .isra.0]", "a::run", false },
	{ "a::f()::{lambda(int)#2}::operator()(int) const",
	    "a::f::{lambda#2}::operator()", false },
	{ "a::get(int) const", "a::get", false },
	{ "void a::put<b<int> >(b<int>)", "a::put", false },
	{ "a::operator<<(int)", "a::operator<<", false },
	{ "(anonymous namespace)::f(void (*)(int))", "(anonymous namespace)::f",
	    false },
};

static int
expect(bool good, const char *what)
{
	if (!good)
		printf("wrong: %s\n", what);
	return !good;
}

static int
test_names(void)
{
	int errors = 0;

	for (size_t i = 0; i < LENGTH(names); i++) {
		const char *brief = name_short(names[i].full);

		errors += expect(strcmp(brief, names[i].brief) == 0 &&
			name_is_allocator(brief) == names[i].allocator,
		    names[i].full);
	}
	return errors;
}

static int
test_mangled(void)
{
	static const char name[] = "_ZN40_$LT$a..b$u20$as$u20$core..ops..Drop"
				   "$GT$4drop17h0123456789abcdefE";
	const char *clear = name_demangle(name);

	static const struct {
		const char *mangled, *clear;
	} rust[] = {
		/* An impl for an array, a tuple, a function, in crate a. */
		{ "_RNvXC1aAhj4_NtC1a4Grow4grow",
		    "<[u8; 4] as a::Grow>::grow" },
		{ "_RNvXC1aThReENtC1a4Grow4grow",
		    "<(u8, &str) as a::Grow>::grow" },
		{ "_RNvXC1aFmEyNtC1a4Grow4grow",
		    "<fn(u32) -> u64 as a::Grow>::grow" },
		{ "_RNvXC1aFEuNtC1a4Grow4grow", "<fn() as a::Grow>::grow" },
	};
	int errors = expect(strcmp(name_demangle("_RNvMs_CsgStHSCytQ6I_4task"
						 "NtB4_4Unit3run"),
				"<task::Unit>::run") == 0,
	    "Rust's names");

	for (size_t i = 0; i < LENGTH(rust); i++)
		errors += expect(strcmp(name_demangle(rust[i].mangled),
				     rust[i].clear) == 0,
		    name_demangle(rust[i].mangled));
	/* Without libstdc++ names stay mangled. */
	return errors +
	    expect(clear == intern(name) ||
		    strcmp(clear, "<a::b as core::ops::Drop>::drop") == 0,
		clear);
}

static int
test_search(void)
{
	static const uint64_t rows[] = { 2, 4, 4, 7 };
	static const size_t counts[] = { 0, 0, 1, 1, 3, 3, 3, 4, 4 };
	int errors = 0;

	for (uint64_t value = 0; value < LENGTH(counts); value++)
		errors += expect(rows_upto(rows, LENGTH(rows), sizeof(rows[0]),
				     value) == counts[value],
		    "search in sorted rows");
	return errors;
}

static int
test_patterns(void)
{
	struct pattern pattern = { 0 };

	pattern_compile(&pattern, "test", "a+?b(?!c)");
	return expect(pattern_matches(&pattern, "xaab") &&
		!pattern_matches(&pattern, "aabc"),
	    "patterns");
}

int
selftest(void)
{
	int errors = test_names() + test_mangled() + test_search() +
	    test_patterns();

	errors += expect(intern("x") == intern_bytes("xy", 1), "strings");
	if (errors == 0)
		puts("PASS");
	else
		printf("%d errors\n", errors);
	return errors;
}
