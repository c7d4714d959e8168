/*
 * Wrong accesses to guarded objects, each in a process of its own, and what is
 * reported; handlers of the program for SIGSEGV, set before ours and after.
 */
#include "stress.h"

#include <setjmp.h>
#include <sys/mman.h>

#define PAGE ((uintptr_t)getpagesize())

static unsigned ntrials;

/* ---- guarded objects ---- */

static void
say(void *unused, const char *text)
{
	size_t length = strlen(text);

	(void)unused;
	while (length > 0) {
		ssize_t written = write(2, text, length);

		if (written <= 0)
			_exit(9);
		text += written;
		length -= (size_t)written;
	}
}

static void
guards_on(unsigned every)
{
	void (**message)(void *, const char *);

	/* Standard error is another file than at the start. */
	CHECK(symbol_find("malloc_message", &message));
	*message = say;
	CHECK(control("experimental.x.guard.sample", NULL, NULL, &every,
		  sizeof(every)) == 0);
}

static uint64_t
figure(const char *name)
{
	uint64_t value = 0;
	size_t length = sizeof(value);

	CHECK(control(name, &value, &length, NULL, 0) == 0);
	return value;
}

/* Not inlined, so that its address tells whether a stack shows it. */
__attribute__((noinline)) static char *
allocate_here(size_t align, size_t size)
{
	char *object = align == 0 ? malloc(size) : aligned_alloc(align, size);

	return needed(object);
}

__attribute__((noinline)) static void
free_here(char *object)
{
	free(hidden(object));
	__asm__ volatile("");
}

static size_t
step_of(size_t align, size_t size)
{
	size_t least = size < 16 ? 8 : 16;

	return align > least ? align : least;
}

/* An object at that end of its pages; every other one is. */
static char *
guarded(size_t align, size_t size, bool at_start)
{
	for (unsigned i = 0; i < 8; i++) {
		uint64_t before = figure("stats.safety.guarded");
		char *object = allocate_here(align, size);
		size_t step = step_of(align, size);
		uintptr_t end = ((uintptr_t)object + size + step - 1) &
		    ~(step - 1);

		CHECK(figure("stats.safety.guarded") == before + 1);
		CHECK(malloc_usable_size(object) == size);
		if (at_start ? (uintptr_t)object % PAGE == 0 : end % PAGE == 0)
			return object;
	}
	stress_fail("no object of %zu bytes lies at the %s", size,
	    at_start ? "start" : "end");
}

/* ---- mistakes ---- */

struct trial {
	const char *name;
	const char *kind; /* what must be reported */
	void (*mistake)(const struct trial *);
	bool freed;   /* the report must have the stack of the free */
	bool by_call; /* found by a call, so the end is SIGABRT */
	bool at_start;
	size_t size;
	size_t align;
	const char *says; /* how the details of the report begin, or NULL */
};

/* Shared with the child. */
static struct {
	char *object;
	bool went_on;
} * shared;

static char *
object_for(const struct trial *trial)
{
	return shared->object = guarded(trial->align, trial->size,
		   trial->at_start);
}

/* The first byte behind that is not in a gap. */
static size_t
behind(const struct trial *trial)
{
	size_t step = trial->at_start ? PAGE
				      : step_of(trial->align, trial->size);

	return (trial->size + step - 1) & ~(step - 1);
}

static void
write_behind(const struct trial *trial)
{
	((volatile char *)object_for(trial))[behind(trial)] = 1;
}

static void
read_behind(const struct trial *trial)
{
	(void)((volatile char *)object_for(trial))[behind(trial)];
}

static void
write_in_gap_behind(const struct trial *trial)
{
	char *object = object_for(trial);

	CHECK(behind(trial) != trial->size);
	object[trial->size] ^= 1;
	free_here(object);
}

static void
write_before(const struct trial *trial)
{
	char *object = object_for(trial);
	size_t back = trial->at_start ? 1 : (uintptr_t)object % PAGE + 1;

	((volatile char *)object)[-(ssize_t)back] = 1;
}

static void
write_in_gap_before(const struct trial *trial)
{
	char *object = object_for(trial);

	CHECK((uintptr_t)object % PAGE != 0);
	object[-1] ^= 1;
	free_here(object);
}

static void
read_freed(const struct trial *trial)
{
	char *object = object_for(trial);

	free_here(object);
	(void)((volatile char *)object)[trial->size / 2];
}

static void
write_freed(const struct trial *trial)
{
	char *object = object_for(trial);

	free_here(object);
	((volatile char *)object)[trial->size - 1] = 1;
}

static void *
free_in_thread(void *object)
{
	free_here(object);
	return NULL;
}

static void
write_freed_by_thread(const struct trial *trial)
{
	char *object = object_for(trial);

	thread_run(free_in_thread, object);
	((volatile char *)object)[0] = 1;
}

/* If the program goes on, nothing was freed. */
static void
free_wrongly(char *pointer)
{
	uint64_t before = figure("thread.deallocated");

	free_here(pointer);
	CHECK(figure("thread.deallocated") == before);
}

static void
free_twice(const struct trial *trial)
{
	char *object = object_for(trial);

	free_here(object);
	free_wrongly(object);
}

static void
free_inside(const struct trial *trial)
{
	char *object = object_for(trial);

	shared->object = object + (trial->size > 16 ? 16 : 1);
	free_wrongly(shared->object);
}

static void
resize_freed(const struct trial *trial)
{
	char *object = object_for(trial);

	free_here(object);
	(void)hidden(realloc(hidden(object), trial->size + 1));
}

static void
ask_about_freed(const struct trial *trial)
{
	char *object = object_for(trial);

	free_here(object);
	(void)malloc_usable_size(hidden(object));
}

static void
free_with_wrong_size(const struct trial *trial)
{
	void (*release)(void *, size_t, int);

	CHECK(symbol_find("sdallocx", &release));
	release(object_for(trial), trial->size * 3, 0);
}

static const struct trial trials[] = {
	{ "write behind", "overflow", write_behind, .by_call = false },
	{ "read behind", "overflow", read_behind, .by_call = false },
	{ "write in the gap behind", "overflow", write_in_gap_behind,
	    .by_call = true },
	{ "write before", "underflow", write_before, .by_call = false },
	{ "write in the gap before", "underflow", write_in_gap_before,
	    .by_call = true },
	{ "read of a freed one", "use-after-free", read_freed, .freed = true },
	{ "write to a freed one", "use-after-free", write_freed,
	    .freed = true },
	{ "write to one freed by a thread", "use-after-free",
	    write_freed_by_thread, .freed = true },
	{ "double free", "double-free", free_twice, .freed = true,
	    .by_call = true, .says = "freed before" },
	{ "free inside", "invalid-free", free_inside, .by_call = true,
	    .says = "offset 1" },
	{ "realloc of a freed one", "invalid-realloc", resize_freed,
	    .freed = true, .by_call = true, .says = "freed before" },
	{ "query of a freed one", "invalid-query", ask_about_freed,
	    .freed = true, .by_call = true, .says = "freed before" },
};

/* A wrong size is reported as for other objects: in one line. */
static const struct trial wrong_size = { "wrong size", "size-mismatch",
	free_with_wrong_size, .by_call = true };

/* ---- reports ---- */

/* Is the first frame of this section in that function, named by our file? */
static bool
has_stack(const char *text, const char *section, void *function)
{
	const char *at = strstr(text, section), *name;
	unsigned long pc;
	unsigned thread, frame;
	char *end;

	if (at == NULL ||
	    sscanf(at + strlen(section), "%u:\n  #%u ", &thread, &frame) != 2 ||
	    thread == 0 || frame != 0)
		return false;
	at = strstr(at, "  #0 ") + 5;
	pc = strtoul(at, &end, 16);
	name = strstr(end, "/guarded-bugs+0x");
	if (name == NULL || name > strchr(end, '\n'))
		return false;
	return function == NULL ||
	    (pc > (uintptr_t)function && pc < (uintptr_t)function + 256);
}

static void
judge_text(const struct trial *trial, const char *text)
{
	char line[128];

	snprintf(line, sizeof(line), "<jemalloc>: safety: %s: 0x%zx (%s",
	    trial->kind, (size_t)shared->object,
	    trial->says != NULL ? trial->says : "");
	if (strncmp(text, line, strlen(line)) != 0)
		stress_fail("%s, %zu bytes, %zu, %s: not \"%s\" but \"%.300s\"",
		    trial->name, trial->size, trial->align,
		    trial->at_start ? "start" : "end", line, text);
	if (trial->mistake == free_with_wrong_size)
		return;
	if (!has_stack(text, "\nallocated by thread ", (void *)allocate_here) ||
	    !has_stack(text, "\naccess by thread ", NULL) ||
	    (trial->freed &&
		!has_stack(text, "\nfreed by thread ", (void *)free_here)) ||
	    (!trial->freed && strstr(text, "freed by") != NULL))
		stress_fail("%s: wrong stacks: %s", trial->name, text);
}

static void
do_mistake(void *argument)
{
	const struct trial *trial = argument;

	guards_on(1);
	trial->mistake(trial);
	shared->went_on = true;
}

static void
try(const struct trial *trial)
{
	static struct child child;

	shared->went_on = false;
	child_run(&child, do_mistake, (void *)(uintptr_t)trial, 20);
	ntrials++;
	if (shared->went_on || !WIFSIGNALED(child.status) ||
	    WTERMSIG(child.status) != (trial->by_call ? SIGABRT : SIGSEGV))
		stress_fail("%s, %zu bytes, %zu, %s: status 0x%x: %.300s",
		    trial->name, trial->size, trial->align,
		    trial->at_start ? "start" : "end", (unsigned)child.status,
		    child.text);
	judge_text(trial, child.text);
}

/* Are there gaps? Otherwise the mistake would hit the guard page. */
static bool
applies(const struct trial *trial)
{
	if (trial->mistake == write_in_gap_behind)
		return behind(trial) != trial->size;
	if (trial->mistake == write_in_gap_before)
		return !trial->at_start &&
		    step_of(trial->align, trial->size) <= PAGE &&
		    (trial->size + step_of(trial->align, trial->size) - 1) /
			step_of(trial->align, trial->size) *
			step_of(trial->align, trial->size) % PAGE !=
		    0;
	return true;
}

static void
try_sizes(const struct trial *model)
{
	static const size_t sizes[] = { 1, 7, 8, 16, 100, 1000, 4096, 10000,
		65536, 1048576 };
	struct trial trial = *model;

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		for (unsigned start = 0; start < 2; start++) {
			trial.size = sizes[i];
			trial.at_start = start != 0;
			if (applies(&trial) &&
			    (trial.size > 1 || trial.mistake != free_inside))
				try(&trial);
		}
	for (size_t align = 64; align <= 16384; align *= 16) {
		trial.align = align;
		trial.at_start = false;
		trial.size = 300;
		if (align <= PAGE && applies(&trial))
			try(&trial);
	}
}

/* ---- reports, and the program goes on ---- */

static void
go_on(void *argument)
{
	const struct trial *trial = argument;
	uint64_t reports = figure("stats.safety.reports");
	char *other;

	guards_on(1);
	trial->mistake(trial);
	CHECK(figure("stats.safety.reports") >= reports + 1);
	other = guarded(0, 100, false);
	memset(other, 1, 100);
	free(other);
}

static void
try_going_on(const struct trial *model)
{
	static struct child child;
	struct trial trial = *model;

	trial.size = 100;
	if (trial.mistake == write_in_gap_before)
		trial.at_start = false;
	child_run(&child, go_on, &trial, 20);
	ntrials++;
	if (child.status != 0)
		stress_fail("%s: status 0x%x instead of going on: %.300s",
		    trial.name, (unsigned)child.status, child.text);
	judge_text(&trial, child.text);
}

/* An overflow is reported, and then the object is as good as any other. */
static void
overflow_and_use(void *unused)
{
	char *object;

	(void)unused;
	guards_on(1);
	shared->object = object = guarded(0, 4096, false);
	((volatile char *)object)[4096] = 42;
	((volatile char *)object)[-1] = 43;
	CHECK(((volatile char *)object)[4096] == 42);
	memset(object, 5, 4096);
	CHECK(figure("stats.safety.reports") == 1);
	free(object);
	CHECK(figure("stats.safety.reports") == 1);
}

/* ---- handlers of the program ---- */

static sigjmp_buf back;
static volatile unsigned ncalls;
static struct sigaction before_second;

static void
count_and_exit(int signal_number)
{
	CHECK(signal_number == SIGSEGV);
	_exit(40);
}

static void
check_and_exit(int signal_number, siginfo_t *info, void *context)
{
	sigset_t mask;

	CHECK(signal_number == SIGSEGV && context != NULL);
	CHECK((char *)info->si_addr == shared->object + 4096 ||
	    info->si_addr == (void *)16);
	CHECK(sigprocmask(SIG_BLOCK, NULL, &mask) == 0);
	CHECK(sigismember(&mask, SIGUSR1) && sigismember(&mask, SIGSEGV));
	_exit(40);
}

static void
jump_back(int signal_number)
{
	(void)signal_number;
	ncalls++;
	siglongjmp(back, 1);
}

static void
return_at_once(int signal_number)
{
	(void)signal_number;
	ncalls++;
}

/* Calls the handler that it has replaced, as well-behaved ones do. */
static void
call_the_one_before(int signal_number, siginfo_t *info, void *context)
{
	ncalls++;
	if (ncalls > 3)
		_exit(41); /* a circle */
	if ((before_second.sa_flags & SA_SIGINFO) != 0)
		before_second.sa_sigaction(signal_number, info, context);
	else if (before_second.sa_handler == SIG_DFL)
		_exit(42);
	else
		before_second.sa_handler(signal_number);
}

static void
set_handler(void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };

	CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
}

static void
set_info_handler(void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = { .sa_sigaction = handler,
		.sa_flags = SA_SIGINFO | flags };

	sigaddset(&action.sa_mask, SIGUSR1);
	CHECK(sigaction(SIGSEGV, &action, &before_second) == 0);
}

static void
overflow(void)
{
	shared->object = guarded(0, 4096, false);
	((volatile char *)shared->object)[4096] = 1;
}

static void
touch_nothing(void)
{
	volatile char *nothing = hidden((void *)16);

	*nothing = 1;
}

static void
plain_before(void)
{
	set_handler(count_and_exit);
	guards_on(1);
	overflow();
}

static void
info_before(void)
{
	set_info_handler(check_and_exit, 0);
	guards_on(1);
	overflow();
}

static void
plain_after(void)
{
	guards_on(1);
	free_here(guarded(0, 10, false));
	set_handler(count_and_exit);
	overflow();
}

static void
info_after(void)
{
	guards_on(1);
	free_here(guarded(0, 10, false));
	set_info_handler(check_and_exit, 0);
	overflow();
}

/* Nothing is guarded between, so the program's handler is first. */
static void
after_and_alone(void)
{
	guards_on(1);
	shared->object = guarded(0, 4096, false);
	set_handler(count_and_exit);
	((volatile char *)shared->object)[4096] = 1;
}

/* The same, but it calls ours, which it knows as the old one. */
static void
after_and_calls_ours(void)
{
	guards_on(1);
	shared->object = guarded(0, 4096, false);
	set_info_handler(call_the_one_before, 0);
	((volatile char *)shared->object)[4096] = 1;
}

/* Ours leads to it, and it calls an older one of ours: no circle. */
static void
between_two_of_ours(void)
{
	set_handler(count_and_exit);
	guards_on(1);
	free_here(guarded(0, 10, false));
	set_info_handler(call_the_one_before, 0);
	free_here(guarded(0, 10, false));
	touch_nothing();
}

static void
other_fault_plain(void)
{
	set_handler(count_and_exit);
	guards_on(1);
	free_here(guarded(0, 10, false));
	touch_nothing();
}

static void
other_fault_info(void)
{
	set_info_handler(check_and_exit, 0);
	guards_on(1);
	free_here(guarded(0, 10, false));
	touch_nothing();
}

static void
other_fault_default(void)
{
	guards_on(1);
	free_here(guarded(0, 10, false));
	touch_nothing();
}

static void
other_fault_ignored(void)
{
	set_handler(SIG_IGN);
	other_fault_default();
}

static void
overflow_default(void)
{
	guards_on(1);
	overflow();
}

static void
overflow_ignored(void)
{
	set_handler(SIG_IGN);
	overflow_default();
}

/* A handler that returns, where nothing has changed: the default action. */
static void
overflow_returns(void)
{
	set_handler(return_at_once);
	overflow_default();
}

static void
sent_default(void)
{
	guards_on(1);
	free_here(guarded(0, 10, false));
	CHECK(kill(getpid(), SIGSEGV) == 0);
	_exit(43);
}

static void
sent_ignored(void)
{
	set_handler(SIG_IGN);
	guards_on(1);
	free_here(guarded(0, 10, false));
	CHECK(kill(getpid(), SIGSEGV) == 0);
	_exit(40);
}

/* The kernel looks at no flag of an action that is no function. */
static void
set_action_with_flags(void (*action)(int))
{
	struct sigaction set = { .sa_handler = action,
		.sa_flags = SA_SIGINFO | SA_NODEFER };

	CHECK(sigaction(SIGSEGV, &set, NULL) == 0);
	guards_on(1);
	free_here(guarded(0, 10, false));
}

static void
sent_ignored_with_flags(void)
{
	set_action_with_flags(SIG_IGN);
	CHECK(kill(getpid(), SIGSEGV) == 0);
	_exit(40);
}

static void
overflow_default_with_flags(void)
{
	set_action_with_flags(SIG_DFL);
	overflow();
}

static void
sent_to_handler(void)
{
	set_handler(return_at_once);
	guards_on(1);
	free_here(guarded(0, 10, false));
	CHECK(kill(getpid(), SIGSEGV) == 0);
	_exit(ncalls == 1 ? 40 : 44);
}

/* Each wrong access comes to the handler, which leads elsewhere each time. */
static void
jumps_and_goes_on(void)
{
	set_handler(jump_back);
	guards_on(1);
	for (unsigned i = 0; i < 5; i++)
		if (sigsetjmp(back, 1) == 0) {
			overflow();
			_exit(45);
		}
	CHECK(ncalls == 5);
	CHECK(figure("stats.safety.reports") == 5);
	_exit(40);
}

static void
handler_once(void)
{
	struct sigaction action = { .sa_handler = return_at_once,
		.sa_flags = SA_RESETHAND };

	CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
	guards_on(1);
	free_here(guarded(0, 10, false));
	touch_nothing(); /* the handler, then the default action */
}

/* What the program sets and puts back is what it was. */
static void
set_and_put_back(void)
{
	struct sigaction temporary = { .sa_handler = return_at_once }, old;

	set_handler(count_and_exit);
	guards_on(1);
	free_here(guarded(0, 10, false));
	CHECK(sigaction(SIGSEGV, &temporary, &old) == 0);
	free_here(guarded(0, 10, false));
	CHECK(sigaction(SIGSEGV, &old, NULL) == 0);
	free_here(guarded(0, 10, false));
	touch_nothing();
}

/* Sixteen handlers: more than can be remembered. The last one is in force. */
static void
many_handlers(void)
{
	struct sigaction action = { .sa_handler = count_and_exit };

	guards_on(1);
	for (int i = 1; i < 16; i++) {
		sigemptyset(&action.sa_mask);
		sigaddset(&action.sa_mask, SIGRTMIN + i);
		CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
		free_here(allocate_here(0, 10));
	}
	CHECK(figure("stats.safety.unguarded") > 0);
	touch_nothing();
}

/* The program protects its own object: the fault is its own affair. */
static void
own_protection(void)
{
	char *object;

	guards_on(1);
	object = guarded(4096, 4096, false);
	set_info_handler(check_and_exit, 0);
	free_here(guarded(0, 10, false));
	shared->object = object - 4096;
	CHECK(mprotect(object, 4096, PROT_NONE) == 0);
	*(volatile char *)object = 1;
}

static void
on_another_stack(void)
{
	static char memory[64 << 10];
	stack_t stack = { .ss_sp = memory, .ss_size = 16 << 10 };

	CHECK(sigaltstack(&stack, NULL) == 0);
	set_info_handler(check_and_exit, SA_ONSTACK);
	guards_on(1);
	overflow();
}

static int
sink_hole(volatile char *above, unsigned depth)
{
	volatile char here[1000];

	here[0] = *above;
	return depth == 0 ? 0 : sink_hole(here, depth - 1) + here[0];
}

/* The fault is not about guarded objects; ours runs on the other stack. */
static void
stack_overflow(void)
{
	static char memory[64 << 10];
	stack_t stack = { .ss_sp = memory, .ss_size = sizeof(memory) };
	struct rlimit limit = { 256 << 10, 256 << 10 };
	struct sigaction action = { .sa_handler = count_and_exit,
		.sa_flags = SA_ONSTACK };
	char top = 0;

	CHECK(setrlimit(RLIMIT_STACK, &limit) == 0);
	CHECK(sigaltstack(&stack, NULL) == 0);
	CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
	guards_on(1);
	free_here(guarded(0, 10, false));
	_exit(sink_hole(&top, 100000));
}

enum { REPORTED = 1, SILENT = 2 };

static const struct scene {
	const char *name;
	void (*run)(void);
	int status; /* exit status, or the signal with a minus */
	int report;
} scenes[] = {
	{ "plain handler before", plain_before, 40, REPORTED },
	{ "handler with information before", info_before, 40, REPORTED },
	{ "plain handler after", plain_after, 40, REPORTED },
	{ "handler with information after", info_after, 40, REPORTED },
	{ "handler after, nothing guarded", after_and_alone, 40, SILENT },
	{ "handler after calls ours", after_and_calls_ours, -SIGSEGV,
	    REPORTED },
	{ "handler between two of ours", between_two_of_ours, 40, SILENT },
	{ "another fault, plain handler", other_fault_plain, 40, SILENT },
	{ "another fault, with information", other_fault_info, 40, SILENT },
	{ "another fault, default", other_fault_default, -SIGSEGV, SILENT },
	{ "another fault, ignored", other_fault_ignored, -SIGSEGV, SILENT },
	{ "overflow, default", overflow_default, -SIGSEGV, REPORTED },
	{ "overflow, ignored", overflow_ignored, -SIGSEGV, REPORTED },
	{ "overflow, handler returns", overflow_returns, -SIGSEGV, REPORTED },
	{ "sent, default", sent_default, -SIGSEGV, SILENT },
	{ "sent, ignored", sent_ignored, 40, SILENT },
	{ "sent, ignored, with flags", sent_ignored_with_flags, 40, SILENT },
	{ "overflow, default, with flags", overflow_default_with_flags,
	    -SIGSEGV, REPORTED },
	{ "sent, handler", sent_to_handler, 40, SILENT },
	{ "handler jumps", jumps_and_goes_on, 40, REPORTED },
	{ "handler for once", handler_once, -SIGSEGV, SILENT },
	{ "handler set and put back", set_and_put_back, 40, SILENT },
	{ "many handlers", many_handlers, 40, SILENT },
	{ "protection of the program", own_protection, 40, SILENT },
	{ "another stack", on_another_stack, 40, REPORTED },
	{ "stack overflow", stack_overflow, 40, SILENT },
};

static void
run_scene(void *argument)
{
	((const struct scene *)argument)->run();
}

static void
try_scene(const struct scene *scene)
{
	static struct child child;
	bool reported;
	int status;

	child_run(&child, run_scene, (void *)(uintptr_t)scene, 20);
	ntrials++;
	status = WIFSIGNALED(child.status) ? -WTERMSIG(child.status)
					   : WEXITSTATUS(child.status);
	reported = strncmp(child.text, "<jemalloc>: safety: overflow: ", 30) ==
	    0;
	if (status != scene->status ||
	    reported != (scene->report == REPORTED) ||
	    (!reported && child.length != 0))
		stress_fail("%s: status %d, not %d: \"%.300s\"", scene->name,
		    status, scene->status, child.text);
}

/* ---- */

static void
aborting(void)
{
	struct trial sized = wrong_size;

	for (unsigned i = 0; i < sizeof(trials) / sizeof(*trials); i++)
		try_sizes(&trials[i]);
	sized.size = 100;
	try(&sized);
	for (unsigned i = 0; i < sizeof(scenes) / sizeof(*scenes); i++)
		try_scene(&scenes[i]);
	printf("%u trials\n", ntrials);
}

static void
going_on(void)
{
	static struct child child;

	for (unsigned i = 0; i < sizeof(trials) / sizeof(*trials); i++)
		try_going_on(&trials[i]);
	child_run(&child, overflow_and_use, NULL, 20);
	if (child.status != 0)
		stress_fail("overflow, then use: status 0x%x: %.300s",
		    (unsigned)child.status, child.text);
	printf("%u trials\n", ntrials);
}

int
main(int argc, char **argv)
{
	const char *part = getenv("GUARDED_BUGS");

	stress_start(argc, argv, 60);
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	if (part == NULL) {
		stress_start_again(argv, "GUARDED_BUGS", "aborting",
		    "junk:false");
		stress_start_again(argv, "GUARDED_BUGS", "going on",
		    "junk:false,safety_action:report");
	} else if (strcmp(part, "aborting") == 0) {
		aborting();
	} else {
		going_on();
	}
	return 0;
}
