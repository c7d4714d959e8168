/*
 * Functions whose unwind information says where the caller is in ways that
 * compilers use rarely or never. Each calls what it is given and returns.
 */
#include "unwind/backtrace.h"

#include <dlfcn.h>
#include <string.h>
#include <sys/mman.h>

#include "../unit.h"
#include "os/registers.h"
#include "os/system.h"

#if defined(__x86_64__) && !defined(__ILP32__)

enum { DEPTH = 64 };

#define SEEN __attribute__((noinline, visibility("default")))
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

typedef void function(void (*)(void *), void *);

struct stack {
	unsigned n;
	void *frame[DEPTH];
};

SEEN void
take(void *arg)
{
	struct stack *stack = arg;

	stack->n = backtrace_take(stack->frame, DEPTH);
	__asm__ volatile("" : : : "memory");
}

/*
 * At the call: a word of the function's own at 0(%rsp), the caller's %rbp at
 * 8(%rsp), its %rbx at 16(%rsp), where it returns to at 24(%rsp). What %rbx and
 * %rbp are then, `set` says; `rules` replaces the ordinary rules.
 */
#define FUNCTION(name, set, rules) \
	function name; \
	__asm__(".text\n.globl " #name "\n.type " #name ", @function\n" #name \
		":\n.cfi_startproc\n" \
		"pushq %rbx\n.cfi_adjust_cfa_offset 8\n.cfi_offset 3, -16\n" \
		"pushq %rbp\n.cfi_adjust_cfa_offset 8\n.cfi_offset 6, -24\n" \
		"pushq $0x77\n.cfi_adjust_cfa_offset 8\n" \
		"movq %rdi, %rax\nmovq %rsi, %rdi\n" set "\n" \
		".cfi_remember_state\n" rules "\ncall *%rax\n" \
		".cfi_restore_state\n" \
		"popq %rbp\n.cfi_adjust_cfa_offset -8\n" \
		"popq %rbp\n.cfi_adjust_cfa_offset -8\n.cfi_restore 6\n" \
		"popq %rbx\n.cfi_adjust_cfa_offset -8\n.cfi_restore 3\n" \
		"ret\n.cfi_endproc\n.size " #name ", .-" #name "\n")

/* So that nothing is found but by the rules. */
#define CLOBBER "movq $-1, %rbx\nmovq $-1, %rbp"

FUNCTION(ordinary, CLOBBER, "");
/* CFA = %rsp + 32, as an expression. */
FUNCTION(cfa_expression, CLOBBER, ".cfi_escape 0x0f, 2, 0x77, 32");
FUNCTION(saved_at_expression, CLOBBER,
    ".cfi_escape 0x10, 6, 2, 0x77, 8\n"
    ".cfi_escape 0x10, 3, 2, 0x77, 16");
/* The CFA lies on the expression's stack: minus 8. */
FUNCTION(return_at_expression, CLOBBER, ".cfi_escape 0x10, 16, 2, 0x38, 0x1c");
FUNCTION(return_is_expression, CLOBBER,
    ".cfi_escape 0x16, 16, 3, 0x77, 24, 0x06");
FUNCTION(return_in_register, CLOBBER "\nmovq 24(%rsp), %rbx",
    ".cfi_register 16, 3");
FUNCTION(frame_in_register, CLOBBER "\nmovq 8(%rsp), %rbx",
    ".cfi_register 6, 3");
/* The CFA is another register's; that itself is saved as always. */
FUNCTION(cfa_of_register, CLOBBER "\nleaq 48(%rsp), %rbx",
    ".cfi_def_cfa 3, -16");
/* The caller's stack pointer is said, and right. */
FUNCTION(stack_is_expression, CLOBBER, ".cfi_escape 0x16, 7, 2, 0x77, 32");
/* The caller's frame pointer is told by the CFA: see framed(). */
FUNCTION(frame_is_offset, CLOBBER, ".cfi_escape 0x15, 6, 0x7c");
FUNCTION(signal_frame, CLOBBER, ".cfi_escape 0x0f, 2, 0x77, 32");

/* Nothing must be found behind these. */
FUNCTION(no_caller, CLOBBER, ".cfi_undefined 16");
FUNCTION(no_caller_full, CLOBBER,
    ".cfi_undefined 16\n.cfi_escape 0x0f, 2, 0x77, 32");
FUNCTION(cfa_stays, CLOBBER, ".cfi_def_cfa 7, 0\n.cfi_offset 16, 24");
FUNCTION(cfa_stays_full, CLOBBER,
    ".cfi_escape 0x0f, 2, 0x77, 0\n"
    ".cfi_offset 16, 24");
FUNCTION(cfa_falls, CLOBBER, ".cfi_def_cfa 7, -8\n.cfi_offset 16, 32");
FUNCTION(cfa_falls_full, CLOBBER,
    ".cfi_escape 0x0f, 2, 0x77, 0x78\n"
    ".cfi_offset 16, 32");
FUNCTION(cfa_is_odd, CLOBBER,
    ".cfi_def_cfa 7, 33\n"
    ".cfi_escape 0x10, 16, 2, 0x77, 24\n"
    ".cfi_escape 0x10, 6, 2, 0x77, 8\n.cfi_escape 0x10, 3, 2, 0x77, 16");
FUNCTION(saved_at_odd, CLOBBER, ".cfi_escape 0x10, 6, 2, 0x77, 9");
FUNCTION(saved_nowhere, CLOBBER, ".cfi_escape 0x10, 6, 1, 0x31");
FUNCTION(saved_short_nowhere, CLOBBER, ".cfi_offset 6, -4096");
FUNCTION(no_value, CLOBBER, ".cfi_escape 0x16, 6, 2, 0x31, 0x06");
FUNCTION(no_place, CLOBBER, ".cfi_escape 0x10, 6, 2, 0x31, 0x06");
FUNCTION(no_cfa, CLOBBER, ".cfi_escape 0x0f, 1, 0x06");
FUNCTION(register_unknown, CLOBBER, ".cfi_register 6, 17");
FUNCTION(register_far, CLOBBER, ".cfi_register 6, 60");
FUNCTION(return_is_small, CLOBBER, ".cfi_escape 0x16, 16, 3, 0x0a, 0xff, 15");

/* One more, and it could be code. */
FUNCTION(return_is_least, CLOBBER, ".cfi_escape 0x16, 16, 3, 0x0a, 0, 16");

/* Calls inner(call, arg) with a frame that is found by %rbp alone. */
void framed(void (*call)(void *), function *inner, void *arg);
__asm__(
    ".text\n.globl framed\n.type framed, @function\n"
    "framed:\n.cfi_startproc\n"
    "pushq %rbp\n.cfi_def_cfa_offset 16\n.cfi_offset 6, -16\n"
    "movq %rsp, %rbp\n.cfi_def_cfa_register 6\n"
    "subq $32, %rsp\n"
    "movq %rsi, %rax\nmovq %rdx, %rsi\ncall *%rax\n"
    "leave\n.cfi_def_cfa 7, 8\nret\n.cfi_endproc\n.size framed, .-framed\n");

static const void *
function_at(const struct stack *stack, unsigned i)
{
	Dl_info info;

	if (i >= stack->n || dladdr((char *)stack->frame[i] - 1, &info) == 0)
		return NULL;
	return info.dli_saddr;
}

#define CASE(name) \
	{ \
#name, name \
	}

static const struct {
	const char *name;
	function *inner;
} followed[] = {
	CASE(ordinary), CASE(cfa_expression), CASE(saved_at_expression),
	CASE(return_at_expression), CASE(return_is_expression),
	CASE(return_in_register), CASE(frame_in_register),
	CASE(cfa_of_register), CASE(stack_is_expression),
	CASE(frame_is_offset), CASE(signal_frame),
}, ended[] = {
	CASE(no_caller), CASE(no_caller_full), CASE(cfa_stays),
	CASE(cfa_stays_full), CASE(cfa_falls), CASE(cfa_falls_full),
	CASE(cfa_is_odd), CASE(saved_at_odd), CASE(saved_nowhere),
	CASE(saved_short_nowhere), CASE(no_value), CASE(no_place), CASE(no_cfa),
	CASE(return_is_small), CASE(register_unknown), CASE(register_far),
};

/* Twice: the second time, what was found out is remembered. */
SEEN void
each_rule_leads_to_the_caller(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(followed); i++) {
		function *inner = followed[i / 2].inner;
		struct stack stack = { .n = 0 };

		framed(take, inner, &stack);
		if (function_at(&stack, 1) != (const void *)inner ||
		    function_at(&stack, 2) != (const void *)framed ||
		    function_at(&stack, 3) !=
			(const void *)each_rule_leads_to_the_caller)
			fail_msg("%s: %u frames", followed[i / 2].name,
			    stack.n);
	}
}

static void
where_information_is_no_use_the_stack_ends(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(ended); i++) {
		struct stack stack = { .n = 0 };

		framed(take, ended[i / 2].inner, &stack);
		assert_ptr_equal(function_at(&stack, 1), ended[i / 2].inner);
		if (stack.n != 2)
			fail_msg("%s: %u frames", ended[i / 2].name, stack.n);
	}
}

static void
the_least_address_of_code_is_no_end(void **state)
{
	struct stack stack = { .n = 0 };

	(void)state;
	framed(take, return_is_least, &stack);
	assert_true(stack.n > 2);
	assert_int_equal((uintptr_t)stack.frame[2], 4096);
}

/* ---- code that nothing is known about, as compilers make it at run time */

/* clang-format off */
#define MADE(...)	{ sizeof((const uint8_t[]){ __VA_ARGS__ }), { \
	0x55,			/* pushq %rbp */ \
	0x48, 0x89, 0xe5,	/* movq %rsp, %rbp */ \
	0x48, 0x83, 0xec, 0x20,	/* subq $32, %rsp */ \
	__VA_ARGS__, \
	0x48, 0x89, 0xf8,	/* movq %rdi, %rax */ \
	0x48, 0x89, 0xf7,	/* movq %rsi, %rdi */ \
	0xff, 0xd0,		/* callq *%rax */ \
	0x48, 0x83, 0xc4, 0x20,	/* addq $32, %rsp */ \
	0x5d,			/* popq %rbp */ \
	0xc3,			/* retq */ \
} }

static const struct made {
	size_t n;
	uint8_t byte[48];
} good = MADE(0x90), bad[] = {
	MADE(0x31, 0xed),			/* %rbp = 0 */
	MADE(0x48, 0x8d, 0x6c, 0x24, 0x01),	/* %rsp + 1 */
	MADE(0x48, 0x8d, 0x6c, 0x24, 0xf0),	/* %rsp - 16, where we return */
	MADE(0x48, 0x8d, 0xac, 0x24, 0, 0, 0, 0x40),	/* far above */
};
/* clang-format on */

SEEN void
through_made_code(function *code, struct stack *stack)
{
	/* With a frame pointer, because its frame's size is not constant. */
	volatile char *space = __builtin_alloca(stack->n + 1);

	space[0] = 1;
	code(take, stack);
	__asm__ volatile("" : : "r"(space) : "memory");
}

static void *
make(const struct made *made)
{
	size_t size = system_info.page_size;
	void *page = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memcpy(page, made->byte, sizeof(made->byte));
	assert_int_equal(mprotect(page, size, PROT_READ | PROT_EXEC), 0);
	return page;
}

static void
run_made(const struct made *made, struct stack *stack)
{
	void *page = make(made);
	function *code;

	memcpy(&code, &page, sizeof(code));
	through_made_code(code, stack);
	assert_in_range((uintptr_t)stack->frame[1], (uintptr_t)page,
	    (uintptr_t)page + sizeof(made->byte));
	munmap(page, system_info.page_size);
}

/* The caller's own frame is found by the frame pointer that was read. */
SEEN void
code_without_information_is_left_by_its_frame_pointer(void **state)
{
	struct stack stack = { .n = 0 };

	(void)state;
	run_made(&good, &stack);
	assert_ptr_equal(function_at(&stack, 2), through_made_code);
	for (unsigned i = 3; i < 6; i++)
		if (function_at(&stack, i) ==
		    code_without_information_is_left_by_its_frame_pointer)
			return;
	fail_msg("%u frames", stack.n);
}

static void
a_frame_pointer_that_leads_nowhere_ends_the_stack(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct stack stack = { .n = 0 };

		run_made(&bad[i], &stack);
		if (stack.n != 2)
			fail_msg("%zu: %u frames", i, stack.n);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule_leads_to_the_caller),
		cmocka_unit_test(where_information_is_no_use_the_stack_ends),
		cmocka_unit_test(the_least_address_of_code_is_no_end),
		cmocka_unit_test(
		    a_frame_pointer_that_leads_nowhere_ends_the_stack),
		cmocka_unit_test(
		    code_without_information_is_left_by_its_frame_pointer),
	};

	system_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int
main(void)
{
	SKIP_BECAUSE("the functions are written for x86-64");
}

#endif
