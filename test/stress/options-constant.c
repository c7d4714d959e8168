/*
 * opt.* says what the process was started with: whatever the program writes to
 * any name that can be written, no reading of an option changes. Each writable
 * name of test/data/mallctl-names.txt, and of the library's own, is given a
 * value that differs from what it has.
 */
#include "stress.h"

enum { OPTIONS_MAX = 120, TEXT_SIZE = 80 };

static mallctl_function *ctl;

struct option {
	char name[TEXT_SIZE];
	bool is_text;
	bool is_there;
	uint64_t number;
	char text[TEXT_SIZE];
};

static struct option options[OPTIONS_MAX];
static unsigned noptions;

static void
option_read(struct option *option)
{
	const char *text = NULL;
	size_t length;

	option->is_there = false;
	option->number = 0;
	if (option->is_text) {
		length = sizeof(text);
		option->is_there = ctl(option->name, &text, &length, NULL, 0) ==
		    0;
		snprintf(option->text, TEXT_SIZE, "%s",
		    option->is_there ? text : "");
		return;
	}
	for (size_t size = 8; size >= 1 && !option->is_there; size /= 2) {
		length = size;
		option->number = 0;
		option->is_there = ctl(option->name, &option->number, &length,
				       NULL, 0) == 0;
	}
}

static void
expect_options_as_they_were(const char *writer)
{
	for (unsigned i = 0; i < noptions; i++) {
		struct option now = options[i];

		option_read(&now);
		if (now.is_there != options[i].is_there ||
		    now.number != options[i].number ||
		    strcmp(now.text, options[i].text) != 0)
			stress_fail("writing %s has changed %s", writer,
			    now.name);
	}
}

/* ---- writing something else ---- */

static bool
starts(const char *name, const char *with)
{
	return strncmp(name, with, strlen(with)) == 0;
}

/* A number that the name accepts and does not have. */
static void
write_number(const char *name, size_t size)
{
	uint64_t before = 0, after = 0, value;
	size_t length = size;

	CHECK(ctl(name, &before, &length, NULL, 0) == 0);
	if (size == sizeof(bool))
		value = before == 0;
	else if (strcmp(name, "max_background_threads") == 0)
		value = before - 1;
	else if (strcmp(name, "thread.arena") == 0)
		value = before == 0;
	else if (strcmp(name, "arena.0.retain_grow_limit") == 0)
		value = 1 << 22;
	else if (strcmp(name, "thread.tcache.max") == 0)
		value = 4096;
	else if (starts(name, "experimental.x.limit."))
		value = UINT64_C(1) << 40;
	else
		value = before + 1234;
	if (ctl(name, NULL, NULL, &value, size) != 0)
		stress_fail("%s can't be written", name);
	length = size;
	CHECK(ctl(name, &after, &length, NULL, 0) == 0);
	if (after == before)
		stress_fail("%s is as it was", name);
}

static void
write_text(const char *name, const char *text)
{
	if (ctl(name, NULL, NULL, &text, sizeof(text)) != 0)
		stress_fail("%s can't be written", name);
}

static void
watch(bool is_alloc, uint64_t allocated, uint64_t deallocated)
{
	(void)is_alloc;
	(void)allocated;
	(void)deallocated;
}

/* The cache may have been turned off by an earlier name. */
static void
write_bins(const char *name)
{
	bool on = true;

	CHECK(ctl("thread.tcache.enabled", NULL, NULL, &on, sizeof(on)) == 0);
	write_text(name, "8-128:7");
}

/* Names whose value is none of the plain types. */
static bool
write_special(const char *name)
{
	unsigned index;
	size_t length = sizeof(index), size = 6, filled;
	void *pointer = NULL, *object[6];
	struct {
		void (*callback)(bool, uint64_t, uint64_t);
		uint64_t interval;
		bool only_alloc;
	} event = { watch, 1 << 20, false };
	struct {
		void *hooks;
		bool metadata;
	} config = { NULL, false };
	struct {
		void **objects;
		size_t count;
		size_t size;
		int flags;
	} batch = { object, 6, 100, 0 };

	if (strcmp(name, "arenas.create") == 0)
		CHECK(ctl(name, &index, &length, NULL, 0) == 0);
	else if (strcmp(name, "experimental.arenas_create_ext") == 0)
		CHECK(ctl(name, &index, &length, &config, sizeof(config)) == 0);
	else if (starts(name, "tcache.")) {
		CHECK(ctl("tcache.create", &index, &length, NULL, 0) == 0);
		CHECK(ctl(name, NULL, NULL, &index, sizeof(index)) == 0);
	} else if (strcmp(name, "thread.tcache.ncached_max.write") == 0)
		write_bins(name);
	else if (strcmp(name, "arena.0.extent_hooks") == 0) {
		length = sizeof(pointer);
		CHECK(ctl(name, &pointer, &length, NULL, 0) == 0);
		CHECK(ctl(name, NULL, NULL, &pointer, length) == 0);
	} else if (strcmp(name, "arena.0.dss") == 0) {
		write_text(name, "disabled");
		write_text("arena.4096.dss", "disabled");
	} else if (strcmp(name, "experimental.hooks.thread_event") == 0)
		CHECK(ctl(name, NULL, NULL, &event, sizeof(event)) == 0);
	else if (strcmp(name, "experimental.batch_alloc") == 0) {
		length = sizeof(filled);
		CHECK(ctl(name, &filled, &length, &batch, sizeof(batch)) == 0);
	} else if (strcmp(name, "prof.reset") == 0)
		CHECK(ctl(name, NULL, NULL, &size, sizeof(size)) == 0);
	else if (starts(name, "experimental.hooks.prof_") ||
	    strcmp(name, "experimental.hooks.safety_check_abort") == 0)
		CHECK(ctl(name, NULL, NULL, &pointer, sizeof(pointer)) == 0 ||
		    strcmp(name, "experimental.hooks.prof_backtrace") == 0);
	else
		/* Questions, and what has no lasting effect. */
		return strcmp(name, "arenas.lookup") == 0 ||
		    starts(name, "experimental.utilization.") ||
		    starts(name, "thread.tcache.ncached_max.read") ||
		    strcmp(name, "prof.dump") == 0 ||
		    strcmp(name, "experimental.prof_recent.alloc_dump") == 0 ||
		    strcmp(name, "experimental.hooks.install") == 0 ||
		    strcmp(name, "experimental.hooks.remove") == 0;
	return true;
}

static void
write_name(const char *name, const char *type)
{
	if (write_special(name))
		return;
	if (strcmp(type, "bool") == 0)
		write_number(name, sizeof(bool));
	else if (strcmp(type, "unsigned") == 0)
		write_number(name, sizeof(unsigned));
	else if (strcmp(type, "uint64") == 0 || strcmp(type, "size") == 0 ||
	    strcmp(type, "ssize") == 0)
		write_number(name, 8);
	else if (strcmp(type, "text") == 0)
		write_text(name,
		    strcmp(name, "prof.log_start") == 0 ? "/dev/null"
							: "another");
	else
		stress_fail("how is %s written?", name);
}

/* ---- the names ---- */

struct entry {
	char name[TEXT_SIZE];
	char type[16];
	char access[4];
	char gate[16];
};

static FILE *
names_open(void)
{
	const char *folder = getenv("srcdir");
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/test/data/mallctl-names.txt",
	    folder != NULL ? folder : ".");
	file = fopen(path, "r");
	if (file == NULL)
		stress_fail("can't read %s", path);
	return file;
}

static bool
names_next(FILE *file, struct entry *entry)
{
	char line[256], *index;

	do {
		if (fgets(line, sizeof(line), file) == NULL)
			return false;
	} while (line[0] == '#');
	CHECK(sscanf(line, "%79s %15s %3s %15s", entry->name, entry->type,
		  entry->access, entry->gate) == 4);
	index = strstr(entry->name, "<i>");
	if (index != NULL) {
		*index = '0';
		memmove(index + 1, index + 3, strlen(index + 3) + 1);
	}
	return true;
}

static void
options_collect(void)
{
	FILE *file = names_open();
	struct entry entry;

	while (names_next(file, &entry)) {
		struct option *option = &options[noptions];

		if (!starts(entry.name, "opt."))
			continue;
		CHECK(noptions < OPTIONS_MAX);
		memcpy(option->name, entry.name, sizeof(entry.name));
		option->is_text = strcmp(entry.type, "text") == 0;
		option_read(option);
		noptions++;
	}
	fclose(file);
	CHECK(noptions > 80);
}

static void
write_all(bool profiling)
{
	FILE *file = names_open();
	struct entry entry;
	unsigned written = 0;

	while (names_next(file, &entry)) {
		if (strchr(entry.access, 'w') == NULL)
			continue;
		if (!profiling && starts(entry.gate, "prof"))
			continue;
		write_name(entry.name, entry.type);
		expect_options_as_they_were(entry.name);
		written++;
	}
	fclose(file);
	CHECK(written > 20);
	if (profiling)
		write_number("experimental.x.prof.enable", sizeof(bool));
	expect_options_as_they_were("experimental.x.prof.enable");
	write_number("experimental.x.limit.soft", sizeof(size_t));
	write_number("experimental.x.limit.hard", sizeof(size_t));
	expect_options_as_they_were("experimental.x.limit.*");
}

int
main(int argc, char **argv)
{
	const char *what = getenv("OPTIONS_CONSTANT");
	bool profiling;
	size_t length = sizeof(profiling);

	stress_start(argc, argv, 60);
	if (!symbol_find("mallctl", &ctl))
		stress_skip_other("mallctl");
	CHECK(ctl("config.prof", &profiling, &length, NULL, 0) == 0);
	if (what == NULL) {
		stress_start_again(argv, "OPTIONS_CONSTANT", "again",
		    profiling ? "prof:true,prof_prefix:,narenas:3,junk:false"
			      : "narenas:3,junk:false");
		return 0;
	}
	options_collect();
	write_all(profiling);
	return 0;
}
