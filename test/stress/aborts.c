/*
 * Each way in which the library ends a process: by a line on descriptor 2 and
 * SIGABRT; or, where the program has a function for that
 * (experimental.hooks.safety_check_abort), by calling this alone, after which
 * the call that went wrong fails or does nothing.
 *
 * Rows named in doc/OPTIONS.md by their option show what these options do.
 */
#include "stress.h"

#include <fcntl.h>

enum { HUGE_ALIGN = 1 << 24 };

/* Beyond all address space, but not beyond all size classes. */
#define MUCH ((size_t)1 << 60)
/* What no request can be. */
#define TOO_MUCH  ((size_t)(uintptr_t)hidden((void *)(SIZE_MAX / 2 + 1)))
#define CACHE(id) ((int)((unsigned)(id) + 2) << 8)

static mallctl_function *ctl;
static void *(*mallocx_)(size_t, int);
static void *(*rallocx_)(void *, size_t, int);
static void (*dallocx_)(void *, int);
static void (*sdallocx_)(void *, size_t, int);
static void *(*pvalloc_)(size_t);
static void *(*reallocarray_)(void *, size_t, size_t);

static char heard[600];
static unsigned calls;

static void
hear(const char *line)
{
	snprintf(heard, sizeof(heard), "%s", line);
	calls++;
}

/* ---- what goes wrong; each row says what happens when the hook returns --- */

static void
by_malloc(void)
{
	CHECK(hidden(malloc(MUCH)) == NULL && errno == ENOMEM);
}

static void
by_calloc(void)
{
	CHECK(hidden(calloc(1, MUCH)) == NULL && errno == ENOMEM);
}

static void
by_calloc_overflow(void)
{
	CHECK(hidden(calloc((size_t)(uintptr_t)hidden((void *)MUCH), 99)) ==
		NULL &&
	    errno == ENOMEM);
}

static void
by_realloc_nothing(void)
{
	CHECK(hidden(realloc(hidden(NULL), MUCH)) == NULL && errno == ENOMEM);
}

static void
by_realloc(void)
{
	char *block = needed(malloc(100));

	block[99] = 'x';
	CHECK(hidden(realloc(block, MUCH)) == NULL && errno == ENOMEM);
	CHECK(block[99] == 'x');
	free(block);
}

static void
by_realloc_too_much(void)
{
	void *block = needed(malloc(100));

	CHECK(hidden(realloc(block, TOO_MUCH)) == NULL && errno == ENOMEM);
	free(block);
}

static void
by_reallocarray(void)
{
	void *block = needed(malloc(100));

	CHECK(reallocarray_(block, MUCH, 99) == NULL && errno == ENOMEM);
	free(block);
}

static void
by_mallocx(void)
{
	CHECK(mallocx_(MUCH, 0) == NULL);
}

static void
by_mallocx_aligned(void)
{
	CHECK(mallocx_(MUCH, 24) == NULL);
}

static void
by_rallocx(void)
{
	void *block = needed(mallocx_(100, 0));

	CHECK(rallocx_(block, MUCH, 0) == NULL);
	dallocx_(block, 0);
}

static void
by_aligned_alloc(void)
{
	CHECK(hidden(aligned_alloc(HUGE_ALIGN, MUCH)) == NULL &&
	    errno == ENOMEM);
}

static void
by_aligned_alloc_1(void)
{
	CHECK(hidden(aligned_alloc(1, MUCH)) == NULL && errno == ENOMEM);
}

static void
by_posix_memalign(void)
{
	void *block = (void *)4711;

	errno = 99;
	CHECK(posix_memalign(&block, HUGE_ALIGN, MUCH) == ENOMEM);
	CHECK(block == (void *)4711 && errno == 99);
}

static void
by_memalign(void)
{
	CHECK(hidden(memalign(64, TOO_MUCH)) == NULL && errno == ENOMEM);
}

static void
by_valloc(void)
{
	CHECK(hidden(valloc(MUCH)) == NULL && errno == ENOMEM);
}

static void
by_pvalloc(void)
{
	CHECK(pvalloc_(SIZE_MAX - 5) == NULL && errno == ENOMEM);
}

static void
by_alignment(void)
{
	size_t odd = (size_t)(uintptr_t)hidden((void *)24);

	CHECK(hidden(aligned_alloc(odd, 100)) == NULL && errno == EINVAL);
}

static void
by_posix_alignment(void)
{
	size_t odd = (size_t)(uintptr_t)hidden((void *)24);
	void *block = (void *)4711;

	errno = 99;
	CHECK(posix_memalign(&block, odd, 100) == EINVAL);
	CHECK(block == (void *)4711 && errno == 99);
}

/* Of the operators, all eight, by name: this program is no C++. */
static void
by_new(const char *name, bool aligned)
{
	void *(*plain)(size_t, const void *);
	void *(*with)(size_t, size_t, const void *);
	char tag;

	if (aligned) {
		CHECK(symbol_find(name, &with));
		CHECK(with(MUCH, 64, &tag) == NULL);
	} else {
		CHECK(symbol_find(name, &plain));
		CHECK(plain(MUCH, &tag) == NULL);
	}
}

#define BY_NEW(function, name, aligned) \
	static void function(void) \
	{ \
		by_new(name, aligned); \
	}
BY_NEW(by_new_1, "_Znw" SIZE_LETTER, false)
BY_NEW(by_new_2, "_Zna" SIZE_LETTER, false)
BY_NEW(by_new_3, "_Znw" SIZE_LETTER "RKSt9nothrow_t", false)
BY_NEW(by_new_4, "_Zna" SIZE_LETTER "RKSt9nothrow_t", false)
BY_NEW(by_new_5, "_Znw" SIZE_LETTER "St11align_val_t", true)
BY_NEW(by_new_6, "_Zna" SIZE_LETTER "St11align_val_t", true)
BY_NEW(by_new_7, "_Znw" SIZE_LETTER "St11align_val_tRKSt9nothrow_t", true)
BY_NEW(by_new_8, "_Zna" SIZE_LETTER "St11align_val_tRKSt9nothrow_t", true)

static void
by_zero_realloc(void)
{
	char *block = needed(malloc(100));

	block[99] = 'x';
	errno = 99;
	CHECK(hidden(realloc(block, 0)) == NULL && errno == ENOMEM);
	CHECK(block[99] == 'x');
	free(block);
}

static void
by_double_free(void)
{
	char *block = needed(malloc(100));
	char *kept = needed(malloc(100));

	kept[0] = 'k';
	free(block);
	free(hidden(block));
	CHECK(kept[0] == 'k');
	free(kept);
}

static void
by_inner_pointer(void)
{
	char *block = needed(malloc(100000));

	free(hidden(block + 4096));
	memset(block, 1, 100000);
	free(block);
}

static void
by_wrong_size(void)
{
	void (*free_sized_)(void *, size_t);
	void *block = needed(malloc(100));

	CHECK(symbol_find("free_sized", &free_sized_));
	free_sized_(block, 1000);
	free(block);
}

/* Of each kind of pointer that is none: realloc fails. */
static void
by_realloc_of(void *ptr)
{
	errno = 99;
	CHECK(hidden(realloc(hidden(ptr), 200)) == NULL && errno == ENOMEM);
}

static void
by_realloc_foreign(void)
{
	char here;

	by_realloc_of(&here);
}

static void
by_realloc_inner(void)
{
	char *block = needed(malloc(100000));

	by_realloc_of(block + 4096);
	free(block);
}

static void
by_realloc_misaligned(void)
{
	char *block = needed(malloc(100));

	by_realloc_of(block + 8);
	free(block);
}

static void
by_realloc_freed(void)
{
	void *block = needed(malloc(100));

	free(block);
	by_realloc_of(block);
}

static void
by_realloc_damaged(void)
{
	char *block = needed(malloc(100));

	((volatile char *)block)[100]++;
	by_realloc_of(block);
	((volatile char *)block)[100]--;
	free(block);
}

static void
by_cache_id(void)
{
	errno = 99;
	CHECK(mallocx_(100, CACHE(3000)) == NULL && errno == ENOMEM);
}

static void
by_cache_id_to_resize(void)
{
	char *block = needed(mallocx_(100, 0));

	block[99] = 'x';
	errno = 99;
	CHECK(rallocx_(block, 2000, CACHE(3000)) == NULL && errno == ENOMEM);
	CHECK(block[99] == 'x');
	free(block);
}

/* The object stays as it is, or the last free would be the second. */
static void
by_cache_id_to_free(void)
{
	void *block = needed(mallocx_(100, 0));

	dallocx_(block, CACHE(3000));
	free(block);
}

static void
by_cache_id_to_free_sized(void)
{
	void *block = needed(mallocx_(100, 0));

	sdallocx_(block, 100, CACHE(3000));
	free(block);
}

/* What can't be written ends a process that wants that. */
static void
by_unwritten_profile(void)
{
	void *volatile kept = needed(malloc(10));
	bool on = true;

	(void)kept;
	CHECK(ctl("prof.gdump", NULL, NULL, &on, sizeof(on)) == 0);
	for (unsigned i = 0; i < 64 && calls == 0; i++) {
		kept = needed(malloc(2 * MIB));
		memset(kept, 1, 2 * MIB);
	}
}

#define OUT(name) "<jemalloc>: Error in " name "(): out of memory\n"
#define OUT_ALIGNED \
	"<jemalloc>: Error allocating aligned memory: out of memory\n"
#define BAD_ALIGN \
	"<jemalloc>: Error allocating aligned memory: invalid alignment\n"
#define NEW_FAILED \
	"<jemalloc>: Allocation of size 1152921504606846976 " \
	"failed. opt.experimental_infallible_new is true. Aborting.\n"
#define BAD_CACHE  "<jemalloc>: invalid tcache id (3000).\n"
#define XMALLOC    "xmalloc:true"
#define INFALLIBLE "experimental_infallible_new:true"

static const struct row {
	const char *conf;
	void (*act)(void);
	const char *line;  /* up to a '*', if there is one */
	const char *built; /* the switch it needs, or NULL */
} rows[] = {
	{ XMALLOC, by_malloc, OUT("malloc"), "config.xmalloc" },
	{ XMALLOC, by_calloc, OUT("calloc"), "config.xmalloc" },
	{ XMALLOC, by_calloc_overflow, OUT("calloc"), "config.xmalloc" },
	{ XMALLOC, by_realloc_nothing, OUT("realloc"), "config.xmalloc" },
	{ XMALLOC, by_realloc, OUT("rallocx"), "config.xmalloc" },
	{ XMALLOC, by_realloc_too_much, OUT("rallocx"), "config.xmalloc" },
	{ XMALLOC, by_reallocarray, OUT("reallocarray"), "config.xmalloc" },
	{ XMALLOC, by_mallocx, OUT("mallocx"), "config.xmalloc" },
	{ XMALLOC, by_mallocx_aligned, OUT("mallocx"), "config.xmalloc" },
	{ XMALLOC, by_rallocx, OUT("rallocx"), "config.xmalloc" },
	{ XMALLOC, by_aligned_alloc, OUT_ALIGNED, "config.xmalloc" },
	{ XMALLOC, by_aligned_alloc_1, OUT_ALIGNED, "config.xmalloc" },
	{ XMALLOC, by_posix_memalign, OUT_ALIGNED, "config.xmalloc" },
	{ XMALLOC, by_memalign, OUT_ALIGNED, "config.xmalloc" },
	{ XMALLOC, by_valloc, OUT_ALIGNED, "config.xmalloc" },
	{ XMALLOC, by_pvalloc, OUT_ALIGNED, "config.xmalloc" },
	{ XMALLOC, by_alignment, BAD_ALIGN, "config.xmalloc" },
	{ XMALLOC, by_posix_alignment, BAD_ALIGN, "config.xmalloc" },
	{ INFALLIBLE, by_new_1, NEW_FAILED, "opt.experimental_infallible_new" },
	{ INFALLIBLE, by_new_2, NEW_FAILED, "opt.experimental_infallible_new" },
	{ INFALLIBLE, by_new_3, NEW_FAILED, "opt.experimental_infallible_new" },
	{ INFALLIBLE, by_new_4, NEW_FAILED, "opt.experimental_infallible_new" },
	{ INFALLIBLE, by_new_5, NEW_FAILED, "opt.experimental_infallible_new" },
	{ INFALLIBLE, by_new_6, NEW_FAILED, "opt.experimental_infallible_new" },
	{ INFALLIBLE, by_new_7, NEW_FAILED, "opt.experimental_infallible_new" },
	{ INFALLIBLE, by_new_8, NEW_FAILED, "opt.experimental_infallible_new" },
	{ "zero_realloc:abort", by_zero_realloc,
	    "Called realloc(non-null-ptr, 0) with zero_realloc:abort set\n",
	    NULL },
	{ "junk:false", by_double_free, "<jemalloc>: safety: double-free: *",
	    NULL },
	{ "junk:false", by_inner_pointer, "<jemalloc>: safety: invalid-free: *",
	    NULL },
	{ "junk:false", by_wrong_size, "<jemalloc>: safety: size-mismatch: *",
	    NULL },
	{ "junk:false", by_realloc_foreign,
	    "<jemalloc>: safety: invalid-realloc: *", NULL },
	{ "junk:false", by_realloc_inner,
	    "<jemalloc>: safety: invalid-realloc: *", NULL },
	{ "junk:false", by_realloc_misaligned,
	    "<jemalloc>: safety: invalid-realloc: *", NULL },
	{ "junk:false", by_realloc_freed,
	    "<jemalloc>: safety: invalid-realloc: *", NULL },
	{ "safety:full", by_realloc_freed,
	    "<jemalloc>: safety: invalid-realloc: *", NULL },
	{ "canary:true", by_realloc_damaged, "<jemalloc>: safety: overflow: *",
	    NULL },
	{ "junk:false", by_cache_id, BAD_CACHE, NULL },
	{ XMALLOC, by_cache_id, BAD_CACHE, "config.xmalloc" },
	{ "junk:false", by_cache_id_to_resize, BAD_CACHE, NULL },
	{ "junk:false", by_cache_id_to_free, BAD_CACHE, NULL },
	{ "junk:false", by_cache_id_to_free_sized, BAD_CACHE, NULL },
	{ "abort:true,prof:true,prof_prefix:/proc/none/x", by_unwritten_profile,
	    "<jemalloc>: *", "config.prof" },
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static bool
is_line(const char *line, const struct row *row)
{
	size_t length = strcspn(row->line, "*");

	return strncmp(line, row->line, length) == 0 &&
	    (row->line[length] == '*' ? line[strlen(line) - 1] == '\n'
				      : line[length] == '\0');
}

static bool
is_built(const char *name)
{
	bool value;
	size_t size = sizeof(value);
	int error;

	if (name == NULL)
		return true;
	error = ctl(name, &value, &size, NULL, 0);
	return error == 0 && (strncmp(name, "opt.", 4) == 0 || value);
}

/* In a process of its own, with the options of the row. */
static void
act(const struct row *row, bool hooked)
{
	void (*hook)(const char *) = hear;

	if (hooked)
		CHECK(ctl("experimental.hooks.safety_check_abort", NULL, NULL,
			  &hook, sizeof(hook)) == 0);
	row->act();
	if (!hooked)
		stress_fail("is still here");
	if (calls != 1 || !is_line(heard, row))
		stress_fail("the function got %u calls, %s", calls, heard);
	/* The process is as it was. */
	for (unsigned i = 0; i < 3000; i++)
		free(needed(malloc(i)));
}

static void
check_row(char **argv, unsigned number, bool hooked)
{
	const struct row *row = &rows[number];
	char text[1000], what[16];
	int ends[2], status;
	ssize_t length, sum = 0;
	pid_t pid;

	CHECK(pipe(ends) == 0);
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], 2);
		close(ends[0]);
		snprintf(what, sizeof(what), "%u %d", number, hooked);
		setenv("ABORTS_ROW", what, 1);
		stress_conf(row->conf);
		execv("/proc/self/exe", argv);
		_exit(1);
	}
	close(ends[1]);
	while ((length = read(ends[0], text + sum,
		    sizeof(text) - 1 - (size_t)sum)) > 0)
		sum += length;
	close(ends[0]);
	text[sum] = '\0';
	waitpid(pid, &status, 0);
	if (hooked && (status != 0 || text[0] != '\0'))
		stress_fail("row %u, with a function: status %d, %s", number,
		    status, text);
	if (!hooked &&
	    (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT ||
		!is_line(text, row)))
		stress_fail("row %u: status %d, %s", number, status, text);
}

int
main(int argc, char **argv)
{
	const char *what = getenv("ABORTS_ROW");
	const struct rlimit no_core = { 0, 0 };
	unsigned number, done = 0;
	int hooked;

	stress_start(argc, argv, 120);
	if (!symbol_find("mallctl", &ctl) ||
	    !symbol_find("mallocx", &mallocx_) ||
	    !symbol_find("rallocx", &rallocx_) ||
	    !symbol_find("pvalloc", &pvalloc_) ||
	    !symbol_find("reallocarray", &reallocarray_) ||
	    !symbol_find("dallocx", &dallocx_) ||
	    !symbol_find("sdallocx", &sdallocx_))
		stress_skip_other("mallctl");
	setrlimit(RLIMIT_CORE, &no_core);
	if (what != NULL) {
		CHECK(sscanf(what, "%u %d", &number, &hooked) == 2);
		act(&rows[number], hooked != 0);
		return 0;
	}
	for (unsigned i = 0; i < ROWS; i++) {
		if (!is_built(rows[i].built))
			continue;
		check_row(argv, i, false);
		check_row(argv, i, true);
		done++;
	}
	printf("%u of %u ways\n", done, ROWS);
	return 0;
}
