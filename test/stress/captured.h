/*
 * captured: one offence in a process of its own, and what the library said.
 *
 * Offers:     captured_start() for main, captured_run() for an offence in a
 *             thread whose cache is emptied afterwards, captured_judge() for
 *             what came of it.
 * Invariants: a message is exactly one line on standard error,
 *             <jemalloc>: safety: KIND: 0xADDRESS (details)
 *             that names the pointer which was given to culprit(), and the
 *             process dies of SIGABRT.
 */
#ifndef CAPTURED_H
#define CAPTURED_H

#include "stress.h"

#include <sys/mman.h>

/*
 * FLUSH: then at the latest; LATE: not before. NEVER: no message and no effect.
 * ANY: no effect, or the message at any time.
 */
enum when { AT_ONCE, FLUSH, LATE, NEVER, ANY };

/* Shared with the child. */
static struct {
	void *culprit; /* what the message must name */
	bool survived; /* the offending call has returned */
	bool missing;  /* a function that the case needs */
} * shared;

/* To be called with the pointer that is about to be misused. */
static inline void *
culprit(void *pointer)
{
	shared->culprit = hidden(pointer);
	return hidden(pointer);
}

/* The n-th function that takes back a block. */
static const char *const releases[] = { "free", "dallocx", "_ZdlPv", "sdallocx",
	"free_sized", "_ZdlPvm", "free_aligned_sized" };

/* Frees by a function that may be missing. */
static inline void
release_by(const char *name, void *block, size_t size)
{
	void (*plain)(void *);
	void (*with_int)(void *, int);
	void (*with_size)(void *, size_t);
	void (*with_both)(void *, size_t, int);
	void (*with_sizes)(void *, size_t, size_t);

	if (dlsym(RTLD_DEFAULT, name) == NULL) {
		shared->missing = true;
		_exit(0);
	}
	if (strcmp(name, "dallocx") == 0) {
		symbol_find(name, &with_int);
		with_int(block, 0);
	} else if (strcmp(name, "sdallocx") == 0) {
		symbol_find(name, &with_both);
		with_both(block, size, 0);
	} else if (strcmp(name, "free_aligned_sized") == 0) {
		symbol_find(name, &with_sizes);
		with_sizes(block, 8, size);
	} else if (strcmp(name, "free_sized") == 0 ||
	    strcmp(name, "_ZdlPvm") == 0) {
		symbol_find(name, &with_size);
		with_size(block, size);
	} else {
		symbol_find(name, &plain);
		plain(block);
	}
}

/* ---- standard error, as the allocator has found it at its start ---- */

enum { REPORT = 9 }; /* the descriptor where standard error went */

/*
 * A message may go to the very file that was standard error at the start of
 * the process only, so it has to be ours from then on: a file in memory. Starts
 * the program again for that.
 */
static inline void
captured_start(char **argv)
{
	int file;

	if (getenv("STRESS_CAPTURED") != NULL) {
		stderr = fdopen(REPORT, "w");
		CHECK(stderr != NULL);
		setvbuf(stderr, NULL, _IONBF, 0);
		shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		CHECK(shared != MAP_FAILED);
		return;
	}
	file = memfd_create("captured", 0);
	CHECK(file >= 0);
	CHECK(dup2(2, REPORT) == REPORT && dup2(file, 2) == 2);
	setenv("STRESS_CAPTURED", "1", 1);
	/*
	 * Debug builds fill with junk, which goes past the caches: memory that
	 * was freed may then have another owner when it is freed again.
	 */
	if (getenv("MALLOC_CONF") == NULL && built_with("fill"))
		stress_conf("junk:false");
	execv("/proc/self/exe", argv);
	stress_fail("can't start again");
}

struct captured_act {
	void (*act)(void *);
	void *argument;
};

static inline void *
captured_thread(void *argument)
{
	const struct captured_act *this = argument;

	this->act(this->argument);
	shared->survived = true;
	return NULL;
}

/* Runs `act` in a thread of a child; then the caches are emptied. */
static inline void
captured_run(struct child *child, void (*act)(void *), void *argument)
{
	struct captured_act this = { act, argument };
	ssize_t length;
	pid_t pid;

	memset(shared, 0, sizeof(*shared));
	CHECK(ftruncate(2, 0) == 0 && lseek(2, 0, SEEK_SET) == 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		child_starts(20);
		thread_run(captured_thread, &this);
		control("thread.tcache.flush", NULL, NULL, NULL, 0);
		_exit(0);
	}
	while (waitpid(pid, &child->status, 0) < 0)
		CHECK(errno == EINTR);
	length = pread(2, child->text, sizeof(child->text) - 1, 0);
	CHECK(length >= 0);
	child->length = (size_t)length;
	child->text[length] = '\0';
}

static inline bool
kind_expected(const char *kinds, const char *kind, size_t length)
{
	while (kinds != NULL) {
		const char *end = strchr(kinds, '|');
		size_t this = end == NULL ? strlen(kinds)
					  : (size_t)(end - kinds);

		if (this == length && strncmp(kinds, kind, length) == 0)
			return true;
		kinds = end == NULL ? NULL : end + 1;
	}
	return false;
}

/* What is wrong with the message, or NULL. */
static inline const char *
message_judge(const char *kinds, const char *text)
{
	static const char mark[] = "<jemalloc>: safety: ";
	const char *kind = text + sizeof(mark) - 1, *end;
	char address[32];

	if (strncmp(text, mark, sizeof(mark) - 1) != 0)
		return "no message";
	end = strstr(kind, ": ");
	if (end == NULL)
		return "no kind";
	if (!kind_expected(kinds, kind, (size_t)(end - kind)))
		return "another kind";
	snprintf(address, sizeof(address), "0x%llx (",
	    (unsigned long long)(uintptr_t)shared->culprit);
	if (strncmp(end + 2, address, strlen(address)) != 0)
		return "another address";
	end = strchr(text, '\n');
	if (end == NULL || end[1] != '\0')
		return "not one line";
	if (end[-1] != ')')
		return "no details";
	return end - text > 400 ? "too long" : NULL;
}

/* What is wrong with the outcome, or NULL. */
static inline const char *
captured_judge(const struct child *child, enum when when, const char *kinds)
{
	const char *wrong;

	if (when == NEVER || (when == ANY && child->status == 0)) {
		if (child->status != 0 || child->length != 0)
			return "must be without effect";
		return NULL;
	}
	if (WIFEXITED(child->status) && WEXITSTATUS(child->status) == 0)
		return "is not detected";
	if (!WIFSIGNALED(child->status))
		return "exits";
	if (WTERMSIG(child->status) != SIGABRT)
		return strsignal(WTERMSIG(child->status));
	wrong = message_judge(kinds, child->text);
	if (wrong != NULL)
		return wrong;
	if (when == AT_ONCE && shared->survived)
		return "is detected late";
	if (when == LATE && !shared->survived)
		return "is looked for, though checks are off";
	return NULL;
}

#endif
