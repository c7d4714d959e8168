/*
 * Every key of MALLOC_CONF that doc/OPTIONS.md says works, by its effect.
 *
 * usage: option-effects [KEY]
 */
#include "option-effects.h"

#include <dirent.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>

/* How children end that have something to say. */
enum { SEEN = 40, NOT_SEEN, CANNOT };

/* Where standard error of a child goes. */
#define MESSAGES "messages"

/* Where the kernel says for what it makes huge pages. */
#define THP_MODE "/sys/kernel/mm/transparent_hugepage/enabled"

static const struct effect *const tables[] = { effects_calls, effects_memory,
	effects_huge, effects_prof };

/* ---- for scenes ---- */

void
seen(bool yes)
{
	_exit(yes ? SEEN : NOT_SEEN);
}

void
cannot(const char *why)
{
	if (write(2, why, strlen(why)) < 0)
		_exit(1);
	_exit(CANNOT);
}

uint64_t
figure(const char *name)
{
	uint64_t value = 0;
	int error = EINVAL;

	for (size_t size = 8; size >= 1 && error == EINVAL; size /= 2) {
		size_t length = size;

		value = 0;
		error = control(name, &value, &length, NULL, 0);
	}
	if (error != 0)
		stress_fail("%s: error %d", name, error);
	return value;
}

uint64_t
fresh_figure(const char *name)
{
	CHECK(PUT("epoch", uint64_t, 1) == 0);
	return figure(name);
}

int
put(const char *name, const void *value, size_t size)
{
	return control(name, NULL, NULL, (void *)(uintptr_t)value, size);
}

void
act(const char *name)
{
	int error = put(name, NULL, 0);

	if (error != 0)
		stress_fail("%s: error %d", name, error);
}

void
sleep_ms(int ms)
{
	poll(NULL, 0, ms);
}

bool
is_resident(const void *address)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char in_memory = 0;

	/* What is not mapped any more is not in memory either. */
	return mincore((void *)((uintptr_t)address & ~(page - 1)), page,
		   &in_memory) == 0 &&
	    (in_memory & 1) != 0;
}

bool
has_flag(const void *address, const char *flag)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	uintptr_t wanted = (uintptr_t)address, from, to;
	bool here = false, found = false;
	char line[1000];

	CHECK(file != NULL);
	while (fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			here = address == NULL ||
			    (wanted >= from && wanted < to);
		else if (here && strncmp(line, "VmFlags:", 8) == 0)
			for (char *at = line + 8; *at != '\0'; at++)
				found |= *at == ' ' &&
				    strncmp(at + 1, flag, 2) == 0;
	fclose(file);
	return found;
}

size_t
smaps_sum(const char *key)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	size_t sum = 0;
	char line[1000];

	CHECK(file != NULL);
	while (fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, key, strlen(key)) == 0)
			sum += strtoul(line + strlen(key), NULL, 10) * KIB;
	fclose(file);
	return sum;
}

char *
used_block(size_t size)
{
	char *block = needed(malloc(size));

	memset(block, 1, size);
	return block;
}

bool
kernel_mode_is(const char *word)
{
	char text[100] = "";
	FILE *file = fopen(THP_MODE, "r");

	if (file == NULL || fgets(text, sizeof(text), file) == NULL)
		text[0] = '\0';
	if (file != NULL)
		fclose(file);
	return strstr(text, word) != NULL;
}

/* ---- what a child leaves behind ---- */

/* The text of a file in the working directory, of which zeros are blanks. */
static char *
file_text(const char *name)
{
	static char text[1 << 16];
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t got, length = 0;

	while (fd >= 0 &&
	    (got = read(fd, text + length, sizeof(text) - 1 - (size_t)length)) >
		0)
		length += got;
	if (fd >= 0)
		close(fd);
	for (ssize_t i = 0; i < length; i++)
		if (text[i] == '\0')
			text[i] = ' ';
	text[length] = '\0';
	return text;
}

/* The first file with this in its name, or NULL. */
static const char *
file_find(const char *part)
{
	static char found[256];
	DIR *dir = opendir(".");
	struct dirent *entry;
	bool any = false;

	while (!any && dir != NULL && (entry = readdir(dir)) != NULL) {
		any = entry->d_name[0] != '.' &&
		    strstr(entry->d_name, part) != NULL;
		snprintf(found, sizeof(found), "%s", entry->d_name);
	}
	if (dir != NULL)
		closedir(dir);
	return any ? found : NULL;
}

bool
file_exists(const char *part_of_name)
{
	return file_find(part_of_name) != NULL;
}

bool
has_said(const char *text)
{
	return strstr(file_text(MESSAGES), text) != NULL;
}

static void
files_remove(void)
{
	const char *name;

	while ((name = file_find("")) != NULL)
		CHECK(unlink(name) == 0);
}

/* ---- rows ---- */

static bool
built(const char *needs)
{
	bool value = false;
	size_t size = sizeof(value);

	return needs == NULL ||
	    (control(needs, &value, &size, NULL, 0) == 0 && value);
}

/*
 * Lets the child, and nobody else, read that the kernel makes huge pages
 * everywhere. False: that takes more rights than we have.
 */
static bool
pretend_thp_always(void)
{
	int fd = open("mode", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	bool written = write(fd, "[always] madvise never\n", 23) == 23;

	close(fd);
	return written &&
	    (unshare(CLONE_NEWNS) == 0 ||
		unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0) &&
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("mode", THP_MODE, NULL, MS_BIND, NULL) == 0;
}

static void
child_start(char **argv, const struct effect *effect, const char *row,
    const char *conf)
{
	struct rlimit none = { 0, 0 };
	int fd = open(MESSAGES, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || dup2(fd, 2) < 0 || dup2(fd, 1) < 0)
		_exit(1);
	close(fd);
	if (effect->thp_always && !kernel_mode_is("[always]") &&
	    !pretend_thp_always())
		cannot("another mode of the kernel can't be pretended");
	setrlimit(RLIMIT_CORE, &none);
	stress_conf(conf);
	setenv("OPTION_EFFECTS_ROW", row, 1);
	execv("/proc/self/exe", argv);
	_exit(1);
}

/* Runs the scene with one value of the key; returns the status of wait. */
static int
child_of(char **argv, const struct effect *effect, const char *row,
    const char *value)
{
	char conf[600];
	int status;
	pid_t pid;

	/* So a key that is not taken shows, and all builds are alike. */
	snprintf(conf, sizeof(conf), "%s%s%s:%s%s%s",
	    strcmp(effect->key, "abort_conf") == 0 ? "" : "abort_conf:true,",
	    built("config.fill") ? "junk:false," : "", effect->key, value,
	    effect->context == NULL ? "" : ",",
	    effect->context == NULL ? "" : effect->context);
	files_remove();
	pid = fork();
	if (pid == 0)
		child_start(argv, effect, row, conf);
	CHECK(pid > 0);
	while (waitpid(pid, &status, 0) < 0)
		CHECK(errno == EINTR);
	return status;
}

static bool
shows(const struct effect *effect, int status)
{
	if (effect->says != NULL)
		return has_said(effect->says);
	if (effect->writes != NULL)
		return file_exists(effect->writes);
	if (effect->dies != 0)
		return WIFSIGNALED(status) && WTERMSIG(status) == effect->dies;
	if (effect->status != 0)
		return WIFEXITED(status) &&
		    WEXITSTATUS(status) == effect->status;
	return WIFEXITED(status) && WEXITSTATUS(status) == SEEN;
}

/* Has it come to an end that the row knows? */
static bool
ended_well(const struct effect *effect, int status, bool has_effect)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;

	if (has_effect && effect->dies != 0)
		return WIFSIGNALED(status) && WTERMSIG(status) == effect->dies;
	if (has_effect && effect->status != 0)
		return code == effect->status;
	/* Where the scene is to say it, it has to. */
	if (effect->says == NULL && effect->writes == NULL &&
	    effect->dies == 0 && effect->status == 0)
		return code == SEEN || code == NOT_SEEN;
	return code == 0;
}

enum result { GOOD, BAD, NOT_TRIED };

static enum result
try(char **argv, const struct effect *effect, const char *row, bool wanted)
{
	const char *value = wanted ? effect->with : effect->without;
	int status = child_of(argv, effect, row, value);
	bool found = shows(effect, status);

	if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT) {
		printf("not tried: %s: %s\n", effect->key, file_text(MESSAGES));
		return NOT_TRIED;
	}
	if (found == wanted && ended_well(effect, status, wanted) &&
	    !has_said("has no effect"))
		return GOOD;
	printf("FAIL: %s:%s: %s; status %#x, messages: %.600s\n", effect->key,
	    value,
	    found == wanted ? "ends otherwise"
		: found     ? "has an effect"
			    : "has no effect",
	    (unsigned)status, file_text(MESSAGES));
	return BAD;
}

/* Returns how many rows fail. */
static unsigned
run_rows(char **argv, const char *only)
{
	unsigned failed = 0, run = 0;
	char row[32];

	for (unsigned t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (unsigned i = 0; tables[t][i].key != NULL; i++) {
			const struct effect *effect = &tables[t][i];
			enum result result;

			if ((only != NULL && strcmp(only, effect->key) != 0) ||
			    effect->shown_by != NULL)
				continue;
			run++;
			if (!built(effect->needs))
				continue;
			snprintf(row, sizeof(row), "%u.%u", t, i);
			result = try(argv, effect, row, true);
			if (result == GOOD)
				result = try(argv, effect, row, false);
			failed += result == BAD;
		}
	files_remove();
	if (run == 0)
		stress_fail("no row runs");
	return failed;
}

static int
scene_of(const char *row)
{
	unsigned t, i;

	CHECK(sscanf(row, "%u.%u", &t, &i) == 2);
	stress_watchdog(30);
	if (tables[t][i].scene != NULL)
		tables[t][i].scene();
	return 0;
}

int
main(int argc, char **argv)
{
	const char *row = getenv("OPTION_EFFECTS_ROW");
	char folder[] = "/tmp/option-effects.XXXXXX";
	unsigned failed;

	if (row != NULL)
		return scene_of(row);
	stress_start(argc, argv, 60);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!built("config.stats"))
		stress_skip("most effects are seen in statistics");
	CHECK(mkdtemp(folder) != NULL && chdir(folder) == 0);
	failed = run_rows(argv, argc > 1 ? argv[1] : NULL);
	CHECK(rmdir(folder) == 0);
	if (failed != 0)
		stress_fail("%u rows", failed);
	return 0;
}
