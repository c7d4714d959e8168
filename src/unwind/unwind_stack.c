#include "unwind/unwind_stack.h"

#include <stdatomic.h>

#include "os/probe.h"
#include "os/system.h"
#include "util/bits.h"
#include "util/compiler.h"

enum {
	THREADS = 512,
	/*
	 * A pointer further below the end of a stack than this does not count
	 * as inside it, and the kernel is asked each time. The kernel maps
	 * nothing else so close below the first stack, and stacks of threads
	 * are rarely larger.
	 */
	REACH_MAX = 64 << 20,
	/* One read may add this many steps to an unknown stack. */
	STEPS_MAX = 64,
};

/*
 * What is known of the memory below a thread's number; 0: nothing. From `low`
 * on, all of it is readable. From `gap` on, or from below, it is not.
 */
struct known {
	uintptr_t low;
	uintptr_t gap;
};

static struct {
	struct {
		_Atomic uintptr_t check; /* number ^ low ^ gap */
		_Atomic uintptr_t low;
		_Atomic uintptr_t gap;
	} thread[THREADS];
} stacks SPARSE;

static unsigned
slot_of(uintptr_t number)
{
	return (unsigned)((number >> 12) * 0x9e3779b1u >> 8) % THREADS;
}

/*
 * `check` proves that the words belong together and to this thread: if two
 * threads write them at the same time, they don't match.
 */
static struct known
known_of(uintptr_t number)
{
	unsigned slot = slot_of(number);
	uintptr_t low = atomic_load_explicit(&stacks.thread[slot].low,
	    memory_order_relaxed);
	uintptr_t gap = atomic_load_explicit(&stacks.thread[slot].gap,
	    memory_order_relaxed);
	uintptr_t check = atomic_load_explicit(&stacks.thread[slot].check,
	    memory_order_relaxed);

	return (check ^ low ^ gap) == number ? (struct known){ low, gap }
					     : (struct known){ 0, 0 };
}

static void
remember(uintptr_t number, const struct known *known)
{
	unsigned slot = slot_of(number);

	atomic_store_explicit(&stacks.thread[slot].low, known->low,
	    memory_order_relaxed);
	atomic_store_explicit(&stacks.thread[slot].gap, known->gap,
	    memory_order_relaxed);
	atomic_store_explicit(&stacks.thread[slot].check,
	    number ^ known->low ^ known->gap, memory_order_relaxed);
}

/*
 * Asks the kernel about the pages from `from` up to `to`, in steps. Returns the
 * beginning of a step that is not readable, or 0.
 */
static uintptr_t
ask(uintptr_t from, uintptr_t to)
{
	size_t step = PROBE_PAGES * system_info.page_size;

	while (from < to) {
		uintptr_t next = to - from > step ? from + step : to;

		if (!probe_readable(from, next))
			return from;
		from = next;
	}
	return 0;
}

/*
 * Is it the stack that the C library made for this thread? Then the thread's
 * record, whose address is thread_number(), is at its end.
 */
static bool
is_own(struct unwind_stack *stack, uintptr_t pointer)
{
	uintptr_t number = thread_number();
	uintptr_t page = round_down(pointer, system_info.page_size);
	struct known known;

	if (pointer >= number || number - pointer > REACH_MAX)
		return false;
	known = known_of(number);
	/* In a child of clone(), for example, which has a stack of its own. */
	if (page <= known.gap)
		return false;
	if (known.low == 0 || known.low > page) {
		uintptr_t gap = ask(page,
		    known.low != 0 ? known.low
				   : round_down(number, system_info.page_size));

		if (gap == 0)
			known.low = page;
		else
			known.gap = gap;
		remember(number, &known);
		if (gap != 0)
			return false;
	}
	stack->high = round_down(number, sizeof(uintptr_t));
	return true;
}

AT_START void
unwind_stack_init(struct unwind_stack *stack, uintptr_t pointer)
{
	uintptr_t first = round_down(probe_first_stack(), sizeof(uintptr_t));

	stack->low = round_up(pointer, sizeof(uintptr_t));
	if (pointer < first && first - pointer <= REACH_MAX)
		stack->high = first;
	else if (!is_own(stack, pointer))
		stack->high = round_down(pointer, system_info.page_size) +
		    system_info.page_size;
}

COLD bool
unwind_stack_reach(struct unwind_stack *stack, uintptr_t address)
{
	size_t step = PROBE_PAGES * system_info.page_size;
	uintptr_t end = address + sizeof(uintptr_t);

	if (address < stack->low || end < address)
		return false;
	if (end <= stack->high)
		return true;
	if (end - stack->high > STEPS_MAX * step)
		return false;
	end = round_up(end, system_info.page_size);
	if (ask(round_down(stack->high, system_info.page_size), end) != 0)
		return false;
	stack->high = end;
	return true;
}
