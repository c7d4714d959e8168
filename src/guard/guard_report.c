#include "guard/guard_report.h"

#include <stdarg.h>
#include <string.h>

#include "cache/thread.h"
#include "conf/safety.h"
#include "os/file.h"
#include "os/os_thread.h"
#include "unwind/backtrace.h"
#include "unwind/unwind_objects.h"
#include "util/build.h"
#include "util/format.h"

/* Frames of the library between its public function and the unwinder. */
#define OWN_FRAMES     8
#define NAME_MAX_SHOWN 100
#define LINE_SIZE      400
/* Three stacks, whose lines have a number, an address and a name. */
#define TEXT_SIZE (LINE_SIZE + 3 * 64 + 3 * GUARD_DEPTH * (NAME_MAX_SHOWN + 64))

#define WAIT_YIELDS 1000

static struct {
	_Atomic uintptr_t writer; /* the thread that writes, or 0 */
	char text[TEXT_SIZE];
} sheet SPARSE;

/* --- stacks --------------------------------------------------------------- */

/*
 * Where the code of this library is; found once. If the library is linked into
 * the program, they can't be distinguished, so all frames are shown.
 */
static struct {
	_Atomic uintptr_t start;
	_Atomic uintptr_t end; /* 0: not known yet */
} own_code;

/* Threads that do this at the same time write the same values. */
static COLD void
find_own_code(void)
{
	struct unwind_object own;
	struct unwind_module module;
	uintptr_t here = (uintptr_t)guard_stack_take;

	/* The C library may not know our object yet. */
	if (!unwind_objects_find(here, &own) ||
	    !unwind_objects_name(here, &module))
		return;
	if (module.name[0] == '\0')
		own.start = own.end = 1;
	atomic_store_explicit(&own_code.start, own.start, memory_order_relaxed);
	atomic_store_explicit(&own_code.end, own.end, memory_order_release);
}

/* How many of the addresses, counted from the first, are in this library. */
static unsigned
count_own(void *const *pcs, unsigned depth)
{
	uintptr_t end = atomic_load_explicit(&own_code.end,
	    memory_order_acquire);
	uintptr_t start = atomic_load_explicit(&own_code.start,
	    memory_order_relaxed);
	unsigned own = 0;

	while (own < OWN_FRAMES && own < depth &&
	    (uintptr_t)pcs[own] >= start && (uintptr_t)pcs[own] < end)
		own++;
	return own;
}

/*
 * A frame that has called another one is known by the address behind the call,
 * which may be of the next line. The byte before is that of the call.
 */
static void
name_calls(struct guard_stack *stack, unsigned from)
{
	for (unsigned i = from; i < stack->depth; i++)
		stack->pcs[i] = (char *)stack->pcs[i] - 1;
}

void
guard_stack_take(struct guard_stack *stack)
{
	void *pcs[OWN_FRAMES + GUARD_DEPTH];
	unsigned own, depth = backtrace_take(pcs, ARRAY_LEN(pcs));

	if (unlikely(atomic_load_explicit(&own_code.end,
			 memory_order_relaxed) == 0))
		find_own_code();
	own = count_own(pcs, depth);
	depth -= own;
	if (depth > GUARD_DEPTH)
		depth = GUARD_DEPTH;
	memcpy(stack->pcs, pcs + own, depth * sizeof(*pcs));
	stack->depth = depth;
	stack->thread = thread_id();
	name_calls(stack, 0);
}

void
guard_stack_take_interrupted(struct guard_stack *stack, const void *context)
{
	stack->depth = backtrace_take_interrupted(context, stack->pcs,
	    GUARD_DEPTH);
	stack->thread = os_thread_id();
	name_calls(stack, 1);
}

/* --- text ----------------------------------------------------------------- */

struct text {
	char *at;
	size_t room; /* including the terminating zero */
};

static PRINTF(2, 3) void
add(struct text *text, const char *template, ...)
{
	size_t length;
	va_list args;

	va_start(args, template);
	length = format_text_va(text->at, text->room, template, args);
	va_end(args);
	if (length >= text->room)
		length = text->room - 1;
	text->at += length;
	text->room -= length;
}

/* The end of a name, without bytes that are commands to a terminal. */
static void
add_name(struct text *text, const char *name)
{
	size_t length = strlen(name);
	char *start = text->at;

	if (length > NAME_MAX_SHOWN)
		name += length - NAME_MAX_SHOWN;
	add(text, "%s", name);
	format_make_printable(start, (size_t)(text->at - start));
}

static void
add_module(struct text *text, uintptr_t pc)
{
	struct unwind_module module;
	char path[256];

	if (!unwind_objects_name(pc, &module)) {
		add(text, "?");
		return;
	}
	if (module.name[0] != '\0')
		add_name(text, module.name);
	else if (file_link("/proc/self/exe", path, sizeof(path)) > 0)
		add_name(text, path);
	else
		add(text, "program");
	add(text, "+0x%zx", (size_t)(pc - module.base));
}

static void
add_stack(struct text *text, const char *what, const struct guard_stack *stack)
{
	unsigned depth = stack->depth < GUARD_DEPTH ? stack->depth
						    : GUARD_DEPTH;

	if (stack->thread == 0)
		return;
	add(text, "%s by thread %u:\n", what, stack->thread);
	for (unsigned i = 0; i < depth; i++) {
		add(text, "  #%u 0x%zx ", i, (size_t)stack->pcs[i]);
		add_module(text, (uintptr_t)stack->pcs[i]);
		add(text, "\n");
	}
}

static void
add_line(struct text *text, const struct guard_report *report)
{
	add(text, "<jemalloc>: safety: %s: 0x%zx (%s)\n", report->kind,
	    (size_t)report->addr, report->details);
}

/* --- reports -------------------------------------------------------------- */

/* Reserves the memory for the text. False: another report is not finished. */
static bool
begin(void)
{
	uintptr_t nobody = 0, self = os_thread_self();

	for (unsigned i = 0; i < WAIT_YIELDS; i++) {
		if (atomic_compare_exchange_strong_explicit(&sheet.writer,
			&nobody, self, memory_order_acquire,
			memory_order_relaxed))
			return true;
		/*
		 * The program's message function has caused a report inside our
		 * report.
		 */
		if (nobody == self)
			return false;
		nobody = 0;
		os_thread_yield();
	}
	return false;
}

static void
end(void)
{
	atomic_store_explicit(&sheet.writer, 0, memory_order_release);
}

static bool
write_report(const struct guard_report *report, bool (*say)(const char *))
{
	char line[LINE_SIZE];
	bool whole = begin(), answer;
	struct text text = { whole ? sheet.text : line,
		whole ? sizeof(sheet.text) : sizeof(line) };
	const char *start = text.at;

	add_line(&text, report);
	if (whole) {
		add_stack(&text, "allocated", &report->slot->allocated);
		add_stack(&text, "freed", &report->slot->freed);
		add_stack(&text, "access", report->access);
	}
	answer = say(start);
	if (whole)
		end();
	return answer;
}

static bool
say_and_end(const char *text)
{
	safety_report_text(text);
	return false;
}

void
guard_report(const struct guard_report *report)
{
	write_report(report, say_and_end);
}

bool
guard_report_print(const struct guard_report *report)
{
	return write_report(report, safety_print_text);
}
