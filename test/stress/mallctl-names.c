/*
 * Each name of test/data/mallctl-names.txt: is it there, with its type, access
 * and gate? Are wrong lengths and wrong accesses refused without effect?
 */
#include "stress.h"

typedef int nametomib_function(const char *, size_t *, size_t *);
typedef int bymib_function(const size_t *, size_t, void *, size_t *, void *,
    size_t);

enum { DEPTH_MAX = 7, VALUE_MAX = 64 };

static struct {
	mallctl_function *mallctl;
	nametomib_function *nametomib;
	bymib_function *bymib;
} ctl;

struct entry {
	char pattern[128]; /* as in the file */
	char name[128];    /* with indices filled in */
	char type[16];
	char access[4];
	char gate[16];
	size_t size; /* of the value; 0 if it has none, or one of its own */
};

static bool failed;

__attribute__((format(printf, 2, 3))) static void
complain(const struct entry *entry, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	printf("%s: ", entry->name);
	vprintf(format, arguments);
	putchar('\n');
	va_end(arguments);
	failed = true;
}

#define EXPECT(entry, call, wanted) \
	do { \
		int got_ = (call); \
		if (got_ != (wanted)) \
			complain(entry, "%s: %d, not %d", #call, got_, \
			    wanted); \
	} while (0)

static size_t
type_size(const char *type)
{
	static const struct {
		const char *type;
		size_t size;
	} sizes[] = {
		{ "bool", sizeof(bool) },
		{ "unsigned", sizeof(unsigned) },
		{ "uint32", 4 },
		{ "uint64", 8 },
		{ "int64", 8 },
		{ "size", sizeof(size_t) },
		{ "ssize", sizeof(ssize_t) },
		{ "text", sizeof(char *) },
		{ "pointer", sizeof(void *) },
		{ "pair", 16 },
		{ "void", 0 },
		{ "struct", 0 },
	};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (strcmp(sizes[i].type, type) == 0)
			return sizes[i].size;
	stress_fail("unknown type %s", type);
}

static bool
flag(const char *name)
{
	bool value = false;
	size_t size = sizeof(value);

	CHECK(ctl.mallctl(name, &value, &size, NULL, 0) == 0);
	return value;
}

static bool
gate_is_open(const struct entry *entry)
{
	static const char *const built[] = { "stats", "fill", "utrace",
		"xmalloc", "prof" };
	char name[32];

	for (size_t i = 0; i < sizeof(built) / sizeof(built[0]); i++) {
		if (strcmp(entry->gate, built[i]) != 0)
			continue;
		snprintf(name, sizeof(name), "config.%s", built[i]);
		return flag(name);
	}
	if (strcmp(entry->gate, "-") == 0)
		return true;
	if (strcmp(entry->gate, "retain") == 0)
		return flag("opt.retain");
	if (strcmp(entry->gate, "cxx") == 0)
		return dlsym(RTLD_DEFAULT, "_Znw" SIZE_LETTER) != NULL;
	if (strcmp(entry->gate, "uaf") == 0)
		return flag("config.debug");
	if (strcmp(entry->gate, "prof-on") == 0)
		return flag("config.prof") && flag("opt.prof");
	if (strcmp(entry->gate, "prof-stats") == 0)
		return flag("config.prof") && flag("opt.prof") &&
		    flag("opt.prof_stats");
	if (strcmp(entry->gate, "never") == 0)
		return false;
	CHECK(strcmp(entry->gate, "bg") == 0);
	return true;
}

/* Arena 0, and class 3 of anything else. */
static void
fill_in(struct entry *entry)
{
	const char *from = entry->pattern;
	char *to = entry->name;

	while (*from != '\0') {
		if (*from != '<') {
			*to++ = *from++;
			continue;
		}
		*to = '\0';
		*to++ = strcmp(entry->name, "arena.") == 0 ||
			strcmp(entry->name, "stats.arenas.") == 0 ||
			strcmp(entry->name, "experimental.arenas.") == 0
		    ? '0'
		    : '3';
		from += 3;
	}
	*to = '\0';
}

static bool
is(const struct entry *entry, const char *name)
{
	return strcmp(entry->pattern, name) == 0;
}

/* ---- the path ---- */

static size_t
depth_of(const char *name)
{
	size_t depth = 1;

	for (; *name != '\0'; name++)
		depth += *name == '.';
	return depth;
}

static void
check_path(const struct entry *entry)
{
	size_t mib[DEPTH_MAX + 2], length = DEPTH_MAX, depth;
	char longer[160];

	depth = depth_of(entry->name);
	memset(mib, 0x55, sizeof(mib));
	EXPECT(entry, ctl.nametomib(entry->name, mib, &length), 0);
	if (length != depth)
		complain(entry, "%zu numbers, not %zu", length, depth);
	for (size_t i = depth; i < DEPTH_MAX + 2; i++)
		CHECK(mib[i] == (size_t)0x5555555555555555);
	length = depth - 1;
	mib[depth - 1] = 77;
	EXPECT(entry, ctl.nametomib(entry->name, mib, &length), 0);
	CHECK(length == depth - 1 && mib[depth - 1] == 77);
	EXPECT(entry, ctl.bymib(mib, depth - 1, NULL, NULL, NULL, 0), ENOENT);
	length = DEPTH_MAX;
	CHECK(ctl.nametomib(entry->name, mib, &length) == 0);
	mib[depth] = 0;
	EXPECT(entry, ctl.bymib(mib, depth + 1, NULL, NULL, NULL, 0), ENOENT);
	mib[depth - 1] = SIZE_MAX;
	EXPECT(entry, ctl.bymib(mib, depth, NULL, NULL, NULL, 0), ENOENT);
	for (const char *const *tail =
		 (const char *const[]){ ".", ".0", "x", ".x", " ", NULL };
	     *tail != NULL; tail++) {
		snprintf(longer, sizeof(longer), "%s%s", entry->name, *tail);
		EXPECT(entry, ctl.mallctl(longer, NULL, NULL, NULL, 0), ENOENT);
		length = DEPTH_MAX;
		EXPECT(entry, ctl.nametomib(longer, mib, &length), ENOENT);
	}
}

/* An index out of range is found by both ways. */
static void
check_indices(const struct entry *entry)
{
	size_t mib[DEPTH_MAX], length = DEPTH_MAX;
	const char *at = strchr(entry->pattern, '<');
	char name[160];
	size_t part = 0;

	if (at == NULL)
		return;
	for (const char *p = entry->pattern; p < at; p++)
		part += *p == '.';
	CHECK(ctl.nametomib(entry->name, mib, &length) == 0);
	CHECK(mib[part] == 0 || mib[part] == 3);
	for (const size_t *bad = (const size_t[]){ 100000, 4098, UINT32_MAX,
		 (size_t)UINT32_MAX + 1, SIZE_MAX, 0 };
	     *bad != 0; bad++) {
		mib[part] = *bad;
		EXPECT(entry, ctl.bymib(mib, length, NULL, NULL, NULL, 0),
		    ENOENT);
		snprintf(name, sizeof(name), "%.*s%zu%s",
		    (int)(at - entry->pattern), entry->pattern, *bad,
		    entry->name + (at - entry->pattern) + 1);
		EXPECT(entry, ctl.mallctl(name, NULL, NULL, NULL, 0), ENOENT);
	}
}

/* ---- the value ---- */

struct buffer {
	unsigned char before[8];
	unsigned char value[VALUE_MAX];
};

static void
buffer_fill(struct buffer *buffer)
{
	memset(buffer, 0xa5, sizeof(*buffer));
}

/* How many bytes from the start may have changed? The others have not. */
static bool
buffer_kept(const struct buffer *buffer, size_t from)
{
	for (size_t i = 0; i < sizeof(buffer->before); i++)
		if (buffer->before[i] != 0xa5)
			return false;
	for (size_t i = from; i < VALUE_MAX; i++)
		if (buffer->value[i] != 0xa5)
			return false;
	return true;
}

/* The result of reading with the right length. */
static int
right_result(const struct entry *entry)
{
	/* Sources of options that this process does not have. */
	if (strncmp(entry->name, "opt.malloc_conf.", 16) == 0) {
		struct buffer buffer;
		size_t length = entry->size;

		return ctl.mallctl(entry->name, buffer.value, &length, NULL,
			   0) == 0
		    ? 0
		    : ENOENT;
	}
	return 0;
}

static void
check_read(const struct entry *entry)
{
	bool needed = is(entry, "tcache.create");
	bool required = needed || is(entry, "experimental.arenas.<i>.pactivep");
	int right = right_result(entry), without = right;
	struct buffer buffer;
	size_t length;

	buffer_fill(&buffer);
	length = entry->size;
	EXPECT(entry, ctl.mallctl(entry->name, buffer.value, &length, NULL, 0),
	    right);
	if (length != entry->size || !buffer_kept(&buffer, entry->size))
		complain(entry, "wrong length, or written beyond it");
	if (required)
		without = EINVAL;
	EXPECT(entry, ctl.mallctl(entry->name, NULL, NULL, NULL, 0), without);
	EXPECT(entry, ctl.mallctl(entry->name, buffer.value, NULL, NULL, 0),
	    without);
	EXPECT(entry, ctl.mallctl(entry->name, NULL, &length, NULL, 0),
	    without);
	if (right != 0)
		return;
	for (size_t wrong = 0; wrong <= entry->size + 9; wrong++) {
		size_t want = wrong < entry->size ? wrong : entry->size;

		if (wrong == entry->size)
			continue;
		if (needed)
			want = 0;
		buffer_fill(&buffer);
		length = wrong;
		EXPECT(entry,
		    ctl.mallctl(entry->name, buffer.value, &length, NULL, 0),
		    EINVAL);
		if (length != want || !buffer_kept(&buffer, want))
			complain(entry, "length %zu: got %zu", wrong, length);
	}
}

static void
check_no_write(const struct entry *entry)
{
	/* What is not there can't be refused either. */
	int right = right_result(entry) != 0 ? ENOENT : EPERM;
	struct buffer buffer;
	size_t length = entry->size;

	buffer_fill(&buffer);
	EXPECT(entry,
	    ctl.mallctl(entry->name, NULL, NULL, &buffer, entry->size), right);
	EXPECT(entry, ctl.mallctl(entry->name, NULL, NULL, &buffer, 0), right);
	EXPECT(entry, ctl.mallctl(entry->name, NULL, NULL, NULL, 1), right);
	EXPECT(entry,
	    ctl.mallctl(entry->name, buffer.value, &length, &buffer, 8), right);
	CHECK(buffer_kept(&buffer, 0));
}

static void
check_write(const struct entry *entry)
{
	unsigned char value[VALUE_MAX], again[VALUE_MAX];
	size_t length = entry->size;

	CHECK(ctl.mallctl(entry->name, value, &length, NULL, 0) == 0);
	memset(again, 0x5a, sizeof(again));
	for (size_t wrong = 0; wrong <= entry->size + 9; wrong++)
		if (wrong != entry->size)
			EXPECT(entry,
			    ctl.mallctl(entry->name, NULL, NULL, again, wrong),
			    EINVAL);
	/* A length without a value is nothing. */
	EXPECT(entry, ctl.mallctl(entry->name, NULL, NULL, NULL, 5), 0);
	CHECK(ctl.mallctl(entry->name, again, &length, NULL, 0) == 0);
	if (memcmp(value, again, entry->size) != 0)
		complain(entry, "a wrong length has an effect");
	/* Switches of profiling can't be moved while there is none. */
	EXPECT(entry,
	    ctl.mallctl(entry->name, again, &length, value, entry->size),
	    strcmp(entry->gate, "prof") == 0 && !is(entry, "prof.active")
		? ENOENT
		: 0);
	CHECK(ctl.mallctl(entry->name, again, &length, NULL, 0) == 0);
	if (memcmp(value, again, entry->size) != 0 && !is(entry, "epoch"))
		complain(entry, "is not what was written");
}

static void
check_write_only(const struct entry *entry)
{
	unsigned char value[VALUE_MAX];
	size_t length = sizeof(value);

	memset(value, 0x5a, sizeof(value));
	EXPECT(entry, ctl.mallctl(entry->name, value, &length, NULL, 0), EPERM);
	EXPECT(entry, ctl.mallctl(entry->name, NULL, &length, NULL, 0), EPERM);
	EXPECT(entry, ctl.mallctl(entry->name, value, NULL, NULL, 0), EPERM);
	for (size_t wrong = 0; entry->size > 0 && wrong < 20; wrong++)
		if (wrong != entry->size)
			EXPECT(entry,
			    ctl.mallctl(entry->name, NULL, NULL, value, wrong),
			    EINVAL);
}

static void
check_action(const struct entry *entry)
{
	bool stop = is(entry, "prof.log_stop");
	bool unchecked = is(entry, "stats.mutexes.reset") || stop;
	/* Arena 0 is not one that the program made. */
	bool manual = is(entry, "arena.<i>.reset") ||
	    is(entry, "arena.<i>.destroy");
	/* Asked before arguments are looked at. */
	bool disabled = is(entry, "thread.tcache.flush") &&
	    !flag("thread.tcache.enabled");
	char value[8];
	size_t length = sizeof(value);

	for (unsigned i = 0; i < 4; i++)
		EXPECT(entry,
		    ctl.mallctl(entry->name, i == 0 ? value : NULL,
			i == 1 ? &length : NULL, i == 2 ? value : NULL,
			i == 3 ? 8 : 0),
		    disabled || stop ? EFAULT
			: unchecked  ? 0
				     : EPERM);
	EXPECT(entry, ctl.mallctl(entry->name, NULL, NULL, NULL, 0),
	    manual || disabled || stop ? EFAULT : 0);
}

/* Names with rules of their own: without input they do nothing. */
static void
check_own(const struct entry *entry)
{
	bool optional = is(entry, "arena.<i>.name") ||
	    is(entry, "thread.prof.name");
	int without = optional ? 0 : EINVAL;

	EXPECT(entry, ctl.mallctl(entry->name, NULL, NULL, NULL, 0), without);
}

static bool
has_own_rules(const struct entry *entry)
{
	static const char *const names[] = {
		"thread.tcache.ncached_max.read_sizeclass",
		"arena.<i>.name",
		"thread.prof.name",
		"arenas.create",
		"arenas.lookup",
		"experimental.batch_alloc",
		"experimental.arenas_create_ext",
		"experimental.hooks.prof_backtrace",
		"experimental.hooks.prof_dump",
		"experimental.hooks.prof_sample",
		"experimental.hooks.prof_sample_free",
	};

	if (strcmp(entry->type, "struct") == 0)
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (is(entry, names[i]))
			return true;
	return false;
}

static void
check_entry(const struct entry *entry)
{
	char value[VALUE_MAX];
	size_t length = entry->size;

	check_path(entry);
	check_indices(entry);
	if (!gate_is_open(entry)) {
		EXPECT(entry, ctl.mallctl(entry->name, value, &length, NULL, 0),
		    ENOENT);
		EXPECT(entry,
		    ctl.mallctl(entry->name, NULL, NULL, value, length),
		    ENOENT);
	} else if (has_own_rules(entry)) {
		check_own(entry);
	} else if (strcmp(entry->access, "r-") == 0) {
		check_read(entry);
		check_no_write(entry);
	} else if (strcmp(entry->access, "rw") == 0) {
		check_read(entry);
		check_write(entry);
	} else if (strcmp(entry->access, "-w") == 0) {
		check_write_only(entry);
	} else {
		check_action(entry);
	}
}

int
main(int argc, char **argv)
{
	const char *folder = getenv("srcdir");
	unsigned entries = 0, good = 0;
	char path[512], line[256];
	struct entry entry;
	FILE *file;

	stress_start(argc, argv, 60);
	if (!symbol_find("mallctl", &ctl.mallctl) ||
	    !symbol_find("mallctlnametomib", &ctl.nametomib) ||
	    !symbol_find("mallctlbymib", &ctl.bymib))
		stress_skip_other("mallctl");
	snprintf(path, sizeof(path), "%s/test/data/mallctl-names.txt",
	    folder != NULL ? folder : ".");
	file = fopen(path, "r");
	if (file == NULL)
		stress_fail("can't read %s", path);
	while (fgets(line, sizeof(line), file) != NULL) {
		if (line[0] == '#')
			continue;
		CHECK(sscanf(line, "%127s %15s %3s %15s", entry.pattern,
			  entry.type, entry.access, entry.gate) == 4);
		entry.size = type_size(entry.type);
		fill_in(&entry);
		failed = false;
		errno = 4711;
		check_entry(&entry);
		if (errno != 4711)
			complain(&entry, "errno has changed");
		entries++;
		good += !failed;
	}
	fclose(file);
	printf("%u/%u\n", good, entries);
	return good == entries && entries == 440 ? 0 : 1;
}
