#include "guard/guard_fault.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>

#include "conf/safety.h"
#include "guard/guard_report.h"
#include "os/interrupted.h"
#include "os/os_thread.h"
#include "os/registers.h"
#include "util/compiler.h"
#include "util/format.h"

/* How many different handlers of the program can be remembered. */
#define HANDLERS 8

typedef void info_handler(int, siginfo_t *, void *);

static struct {
	atomic_flag changing;
	_Atomic unsigned count;
	struct sigaction program[HANDLERS]; /* what handler i leads to */
} faults = { .changing = ATOMIC_FLAG_INIT };

/* --- calling the program's handler ---------------------------------------- */

/* Sets the default action. It ends the process when the fault is repeated. */
static void
set_default(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };

	sigemptyset(&action.sa_mask);
	sigaction(SIGSEGV, &action, NULL);
}

/* Was the signal sent? Then it is not repeated after the handler returns. */
static bool
was_sent(const siginfo_t *info)
{
	return info->si_code <= 0;
}

static void
do_default(const siginfo_t *info)
{
	set_default();
	if (was_sent(info))
		os_thread_signal(SIGSEGV); /* arrives after we return */
}

/*
 * Calls the handler as the kernel would. The kernel has already blocked the
 * signals of its mask, because ours has the same mask, and it unblocks them
 * later.
 */
static void
call_program(struct sigaction *program, int signal, siginfo_t *info,
    void *context)
{
	struct sigaction action = *program;

	if ((action.sa_flags & (int)SA_RESETHAND) != 0) {
		program->sa_handler = SIG_DFL;
		program->sa_flags = 0;
	}
	if ((action.sa_flags & SA_SIGINFO) != 0)
		action.sa_sigaction(signal, info, context);
	else
		action.sa_handler(signal);
}

/*
 * True: a function of the program was called and has returned. Whether it is
 * one, the kernel does not read from the flags: both members are one word.
 */
static bool
pass_on(struct sigaction *program, int signal, siginfo_t *info, void *context)
{
	if (program->sa_handler == SIG_IGN) {
		/* The kernel does not ignore a fault either. */
		if (!was_sent(info))
			do_default(info);
		return false;
	}
	if (program->sa_handler == SIG_DFL) {
		do_default(info);
		return false;
	}
	call_program(program, signal, info, context);
	return true;
}

/* --- faults of guarded objects -------------------------------------------- */

static const char *
verb(const void *context)
{
	switch (interrupted_access(context)) {
	case INTERRUPTED_READ:
		return "read";
	case INTERRUPTED_WRITE:
		return "write";
	default:
		return "access";
	}
}

/* Fills in what happened; false: the guards are not the cause. */
static bool
describe(struct guard_report *report, char *details, size_t room,
    const char *addr, const void *context)
{
	const struct guard_slot *slot = report->slot;
	const char *object = guard_slot_object(slot);
	const char *what = verb(context);
	bool live = guard_slot_is_live(slot);

	report->addr = object;
	/*
	 * The program itself may have protected its object to see accesses. Its
	 * own handler serves that.
	 */
	if (object == NULL ||
	    (live && addr >= slot->window &&
		addr < slot->window + slot->window_size))
		return false;
	report->kind = !live ? "use-after-free"
	    : addr < object  ? "underflow"
			     : "overflow";
	format_text(details, room,
	    "%s at 0x%zx, offset %td of an object of "
	    "%zu bytes",
	    what, (size_t)addr, addr - object, slot->size);
	return true;
}

enum fault { FAULT_OF_PROGRAM, FAULT_REPORTED, FAULT_GOES_ON };

static enum fault
look(const siginfo_t *info, const void *context)
{
	struct guard_slot *slot = was_sent(info)
	    ? NULL
	    : guard_pool_find(info->si_addr);
	struct guard_stack access;
	char details[160];
	struct guard_report report = {
		.slot = slot, .details = details, .access = &access
	};

	if (slot == NULL)
		return FAULT_OF_PROGRAM;
	/* Another thread has reported it, and the program goes on. */
	if (atomic_load_explicit(&slot->opened, memory_order_acquire))
		return FAULT_GOES_ON;
	if (!describe(&report, details, sizeof(details), info->si_addr,
		context))
		return FAULT_OF_PROGRAM;
	guard_stack_take_interrupted(&access, context);
	if (!guard_report_print(&report) && !safety_goes_on())
		return FAULT_REPORTED;
	/* If the kernel refuses this, the access can't be done. */
	return guard_pool_open(slot) ? FAULT_GOES_ON : FAULT_REPORTED;
}

static uintptr_t
pc_of(const void *context)
{
	uintptr_t registers[REGISTERS];

	return interrupted_registers(context, registers)
	    ? registers[REGISTER_PC]
	    : 0;
}

static void
handle(unsigned i, int signal, siginfo_t *info, void *context)
{
	int saved = errno;
	enum fault fault = look(info, context);
	uintptr_t pc = pc_of(context);

	errno = saved;
	if (fault == FAULT_GOES_ON)
		return;
	/*
	 * After a report the process ends, unless the program's handler has
	 * changed where it continues.
	 */
	if (pass_on(&faults.program[i], signal, info, context) &&
	    fault == FAULT_REPORTED && pc_of(context) == pc)
		do_default(info);
}

/* --- our handlers ------------------------------------------------------- */

#define HANDLER(i) \
	static void handler_##i(int signal, siginfo_t *info, void *context) \
	{ \
		handle(i, signal, info, context); \
	}

HANDLER(0)
HANDLER(1)
HANDLER(2)
HANDLER(3)
HANDLER(4)
HANDLER(5)
HANDLER(6)
HANDLER(7)

static info_handler *const handlers[HANDLERS] = { handler_0, handler_1,
	handler_2, handler_3, handler_4, handler_5, handler_6, handler_7 };

static bool
is_ours(const struct sigaction *action)
{
	for (unsigned i = 0; i < HANDLERS; i++)
		if ((action->sa_flags & SA_SIGINFO) != 0 &&
		    action->sa_sigaction == handlers[i])
			return true;
	return false;
}

static bool
is_same(const struct sigaction *a, const struct sigaction *b)
{
	for (int i = 1; i < NSIG; i++)
		if (sigismember(&a->sa_mask, i) != sigismember(&b->sa_mask, i))
			return false;
	return a->sa_flags == b->sa_flags &&
	    ((a->sa_flags & SA_SIGINFO) != 0
		    ? a->sa_sigaction == b->sa_sigaction
		    : a->sa_handler == b->sa_handler);
}

/*
 * The one of our handlers that leads to this one. HANDLERS: none is left for
 * it.
 */
static unsigned
handler_for(const struct sigaction *program)
{
	unsigned count = atomic_load_explicit(&faults.count,
	    memory_order_relaxed);

	for (unsigned i = 0; i < count; i++)
		if (is_same(&faults.program[i], program))
			return i;
	if (count == HANDLERS)
		return HANDLERS;
	faults.program[count] = *program;
	atomic_store_explicit(&faults.count, count + 1, memory_order_relaxed);
	return count;
}

/* Puts a handler of ours in front of that of the program. */
static bool
come_before(const struct sigaction *program)
{
	unsigned i = handler_for(program);
	struct sigaction action = *program;
	bool is_function = program->sa_handler != SIG_DFL &&
	    program->sa_handler != SIG_IGN;

	if (i == HANDLERS)
		return false;
	/*
	 * With these flags the kernel treats ours as it would treat the
	 * program's.
	 */
	action.sa_flags &= SA_ONSTACK | SA_NODEFER | SA_RESTART;
	action.sa_flags |= SA_SIGINFO;
	if (!is_function)
		action.sa_flags |= SA_ONSTACK;
	action.sa_sigaction = handlers[i];
	return sigaction(SIGSEGV, &action, NULL) == 0;
}

bool
guard_fault_prepare(void)
{
	struct sigaction now;
	int saved = errno;
	bool done;

	if (sigaction(SIGSEGV, NULL, &now) != 0) {
		errno = saved;
		return false;
	}
	if (likely(is_ours(&now)))
		return true;
	/* Another thread is just doing it, so the caller need not. */
	if (atomic_flag_test_and_set_explicit(&faults.changing,
		memory_order_acquire))
		return true;
	done = come_before(&now);
	atomic_flag_clear_explicit(&faults.changing, memory_order_release);
	errno = saved;
	return done;
}
