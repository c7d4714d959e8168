#include "unwind/unwind_stack.h"

#include <stdatomic.h>

#include "os/probe.h"
#include "os/system.h"
#include "util/bits.h"
#include "util/compiler.h"

enum {
	THREADS = 512,
	/*
	 * The kernel maps nothing by itself so near below the first stack, and
	 * stacks of threads are rarely larger: what lies further away is asked
	 * about each time.
	 */
	REACH_MAX = 64 << 20,
	/* How much of an unknown stack one read may add. */
	STEPS_MAX = 64,
};

static struct {
	struct {
		_Atomic uintptr_t check;	/* number ^ low */
		_Atomic uintptr_t low;		/* readable up to the number */
	} thread[THREADS];
} stacks;

static unsigned
slot_of(uintptr_t number)
{
	return (unsigned)((number >> 12) * 0x9e3779b1u >> 8) % THREADS;
}

/* Both words come from one thread at one time, or they don't fit together. */
static uintptr_t
low_of(uintptr_t number)
{
	unsigned slot = slot_of(number);
	uintptr_t low = atomic_load_explicit(&stacks.thread[slot].low,
	    memory_order_relaxed);
	uintptr_t check = atomic_load_explicit(&stacks.thread[slot].check,
	    memory_order_relaxed);

	return (check ^ low) == number ? low : 0;
}

static void
remember_low(uintptr_t number, uintptr_t low)
{
	unsigned slot = slot_of(number);

	atomic_store_explicit(&stacks.thread[slot].low, low,
	    memory_order_relaxed);
	atomic_store_explicit(&stacks.thread[slot].check, number ^ low,
	    memory_order_relaxed);
}

/* Asks in steps from `from` up to `to`, both at the start of a page. */
static bool
ask(uintptr_t from, uintptr_t to)
{
	size_t step = PROBE_PAGES * system_info.page_size;

	while (from < to) {
		uintptr_t next = to - from > step ? from + step : to;

		if (!probe_readable(from, next))
			return false;
		from = next;
	}
	return true;
}

/* A thread's record lies at the end of its stack, if the C library made it. */
static bool
is_own(struct unwind_stack *stack, uintptr_t pointer)
{
	uintptr_t number = thread_number();
	uintptr_t page = round_down(pointer, system_info.page_size);
	uintptr_t low;

	if (pointer >= number || number - pointer > REACH_MAX)
		return false;
	low = low_of(number);
	if (low == 0 || low > page) {
		uintptr_t to = low != 0 ? low :
		    round_down(number, system_info.page_size);

		if (!ask(page, to))
			return false;
		remember_low(number, page);
	}
	stack->high = round_down(number, sizeof(uintptr_t));
	return true;
}

void
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
	if (!ask(round_down(stack->high, system_info.page_size), end))
		return false;
	stack->high = end;
	return true;
}
