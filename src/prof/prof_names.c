#include "prof/prof_names.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "conf/options.h"
#include "extent/metadata.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/os_thread.h"
#include "os/system.h"
#include "prof/prof_pprof.h"
#include "util/format.h"

static struct {
	struct lock lock; /* protects all */
	uint64_t nnames;
	uint64_t ncount[PROF_NAMES];
	char prefix[PATH_MAX]; /* last: most of it is not touched */
} names;

static const char *const kinds[PROF_NAMES] = { "m", "i", "u", "h", "f" };

/* What the patterns stand for. */
struct parts {
	char pid[24];
	char space[64];
	char host[SYSTEM_HOST_SIZE];
};

struct lock *
prof_names_lock(void)
{
	return &names.lock;
}

AT_START void
prof_names_init(const char *prefix)
{
	lock_init_zeroed(&names.lock, LOCK_PROF_NAMES);
	prof_names_set_prefix(prefix);
}

static bool
has_pattern(const char *text, char letter)
{
	for (; (text = strchr(text, '%')) != NULL && text[1] != '\0'; text += 2)
		if (text[1] == letter)
			return true;
	return false;
}

void
prof_names_set_prefix(const char *prefix)
{
	size_t length = strnlen(prefix, sizeof(names.prefix) - 1);

	lock_acquire(&names.lock);
	memcpy(names.prefix, prefix, length);
	names.prefix[length] = '\0';
	lock_release(&names.lock);
}

bool
prof_names_has_prefix(void)
{
	bool has;

	lock_acquire(&names.lock);
	has = names.prefix[0] != '\0';
	lock_release(&names.lock);
	return has;
}

/* The number of the process id namespace, as text. */
static void
read_space(char *text, size_t size)
{
	const char *digits = NULL;
	char link[64];

	if (file_link("/proc/self/ns/pid", link, sizeof(link)) > 0)
		digits = strchr(link, '[');
	format_text(text, size, "%.*s",
	    digits == NULL ? 1 : (int)strcspn(digits + 1, "]"),
	    digits == NULL ? "0" : digits + 1);
}

/* Asks the kernel, but only for what a name needs: a filter may forbid more. */
static void
read_parts(struct parts *parts)
{
	bool wants_space, wants_host;

	lock_acquire(&names.lock);
	wants_space = opt.prof_pid_namespace || has_pattern(names.prefix, 'n');
	wants_host = has_pattern(names.prefix, 'h');
	lock_release(&names.lock);
	*parts = (struct parts){ .pid = "" };
	format_text(parts->pid, sizeof(parts->pid), "%u", os_process_id());
	if (wants_space)
		read_space(parts->space, sizeof(parts->space));
	if (wants_host)
		system_host(parts->host);
}

/* What a pattern with this letter stands for; NULL: it is none. */
static const char *
part_of(const struct parts *parts, char letter)
{
	switch (letter) {
	case 'p':
		return parts->pid;
	case 'n':
		return parts->space;
	case 'h':
		return parts->host;
	case '%':
		return "%";
	default:
		return NULL;
	}
}

/*
 * Writes the prefix with its patterns replaced. Returns the length; PATH_MAX or
 * more: there is no room.
 */
static size_t
put_prefix_locked(char *path, const struct parts *parts)
{
	size_t length = 0;

	LOCK_ASSERT_HELD(&names.lock);
	for (const char *at = names.prefix; *at != '\0' && length < PATH_MAX;) {
		const char *part = *at == '%' ? part_of(parts, at[1]) : NULL;

		if (part == NULL) {
			path[length++] = *at++;
			continue;
		}
		length += format_text(path + length, PATH_MAX - length, "%s",
		    part);
		at += 2;
	}
	return length;
}

/* Writes the prefix and `[.<namespace>].<pid>`; the length as above. */
static size_t
put_start_locked(char *path, const struct parts *parts)
{
	size_t length = put_prefix_locked(path, parts);

	if (length < PATH_MAX)
		length += format_text(path + length, PATH_MAX - length,
		    "%s%s.%s", opt.prof_pid_namespace ? "." : "",
		    opt.prof_pid_namespace ? parts->space : "", parts->pid);
	return length;
}

static size_t
put_name_locked(char *path, enum prof_name kind, const struct parts *parts)
{
	size_t length;
	char number[32] = "";

	if (names.prefix[0] == '\0')
		return 0;
	length = put_start_locked(path, parts);
	if (kind != PROF_NAME_FINAL)
		format_text(number, sizeof(number), "%llu",
		    (unsigned long long)names.ncount[kind]++);
	names.nnames++;
	if (length < PATH_MAX)
		length += format_text(path + length, PATH_MAX - length,
		    ".%llu.%s%s%s", (unsigned long long)names.nnames - 1,
		    kinds[kind], number,
		    opt.prof_format == PROF_FORMAT_PPROF &&
			    kind != PROF_NAME_HOLES
			? prof_pprof_suffix
			: ".heap");
	return length;
}

char *
prof_names_make(enum prof_name kind, int *error)
{
	char *path = metadata_take_piece(PATH_MAX);
	struct parts parts;
	size_t length;

	*error = ENOMEM;
	if (path == NULL)
		return NULL;
	read_parts(&parts);
	lock_acquire(&names.lock);
	length = put_name_locked(path, kind, &parts);
	lock_release(&names.lock);
	if (length != 0 && length < PATH_MAX)
		return path;
	*error = length == 0 ? 0 : ENAMETOOLONG;
	prof_names_end(path);
	return NULL;
}

void
prof_names_end(char *path)
{
	metadata_give_piece(path, PATH_MAX);
}

bool
prof_names_log(char *path, uint64_t number)
{
	struct parts parts;
	size_t length = 0;

	read_parts(&parts);
	lock_acquire(&names.lock);
	if (names.prefix[0] != '\0')
		length = put_start_locked(path, &parts);
	lock_release(&names.lock);
	if (length != 0 && length < PATH_MAX)
		length += format_text(path + length, PATH_MAX - length,
		    ".%llu.json", (unsigned long long)number);
	return length != 0 && length < PATH_MAX;
}
