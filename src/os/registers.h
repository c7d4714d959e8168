/*
 * registers: what unwinding must know about the machine.
 *
 * Owns:       nothing.
 * Invariants: numbers are those of call frame information (the psABI of each
 *             machine), and one that it does not use for the pc if there is
 *             none. REGISTERS_KEPT are those that a function must preserve;
 *             rules about others are needed only in signal frames. On an
 *             unknown machine REGISTERS_SUPPORTED is 0.
 * Locking:    none.
 */
#ifndef OS_REGISTERS_H
#define OS_REGISTERS_H

#include <stdint.h>

#include "util/compiler.h"

#if defined(__x86_64__) && !defined(__ILP32__)

enum {
	REGISTERS_SUPPORTED = 1,
	REGISTERS = 17,
	REGISTER_FRAME = 6,   /* %rbp */
	REGISTER_STACK = 7,   /* %rsp */
	REGISTER_RETURN = 16, /* the return address of a row */
	REGISTER_PC = 16,
	REGISTERS_SIGNAL_AT = 0,  /* signal frames have full rules */
	FRAME_POINTER_ON_TOP = 1, /* it points to the top of the frame */
};

#define REGISTERS_KEPT \
	{ \
		3, 6, 12, 13, 14, 15, 16 \
	}

/* Takes the registers of the caller, as its call frame information expects. */
static ALWAYS_INLINE void
registers_take(uintptr_t *registers)
{
	__asm__ volatile("movq %%rbx, 24(%0)\n\t"
			 "movq %%rbp, 48(%0)\n\t"
			 "movq %%rsp, 56(%0)\n\t"
			 "movq %%r12, 96(%0)\n\t"
			 "movq %%r13, 104(%0)\n\t"
			 "movq %%r14, 112(%0)\n\t"
			 "movq %%r15, 120(%0)\n\t"
			 "leaq 0(%%rip), %%rax\n\t"
			 "movq %%rax, 128(%0)"
			 :
			 : "c"(registers)
			 : "rax", "memory");
}

#elif defined(__i386__)

enum {
	REGISTERS_SUPPORTED = 1,
	REGISTERS = 9,
	REGISTER_FRAME = 5, /* %ebp */
	REGISTER_STACK = 4, /* %esp */
	REGISTER_RETURN = 8,
	REGISTER_PC = 8,
	REGISTERS_SIGNAL_AT = 0, /* signal frames have full rules */
	FRAME_POINTER_ON_TOP = 1,
};

#define REGISTERS_KEPT \
	{ \
		3, 5, 6, 7, 8 \
	}

/* The call finds the pc. It may use the stack: the frame pointer leads out. */
static ALWAYS_INLINE void
registers_take(uintptr_t *registers)
{
	__asm__ volatile("movl %%ebx, 12(%0)\n\t"
			 "movl %%esp, 16(%0)\n\t"
			 "movl %%ebp, 20(%0)\n\t"
			 "movl %%esi, 24(%0)\n\t"
			 "movl %%edi, 28(%0)\n\t"
			 "call 1f\n"
			 "1:	popl %%eax\n\t"
			 "movl %%eax, 32(%0)"
			 :
			 : "c"(registers)
			 : "eax", "memory");
}

#elif defined(__aarch64__) && defined(__LP64__)

enum {
	REGISTERS_SUPPORTED = 1,
	REGISTERS = 33,
	REGISTER_FRAME = 29,
	REGISTER_STACK = 31,
	REGISTER_RETURN = 30,
	REGISTER_PC = 32,
	/*
	 * At the stack pointer, a signal frame has 128 bytes of siginfo, 176 of
	 * ucontext, the fault address; then x0 to x30, sp and pc. The frame's
	 * own rules know only x29 and x30.
	 */
	REGISTERS_SIGNAL_AT = 128 + 176 + 8,
	FRAME_POINTER_ON_TOP = 0, /* it may point anywhere in the frame */
};

/* The code that a signal handler returns to: mov x8, #139; svc #0. */
#define REGISTERS_SIGNAL_CODE UINT64_C(0xd4000001d2801168)

#define REGISTERS_KEPT \
	{ \
		19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30 \
	}

static ALWAYS_INLINE void
registers_take(uintptr_t *registers)
{
	__asm__ volatile("stp x19, x20, [%0, #152]\n\t"
			 "stp x21, x22, [%0, #168]\n\t"
			 "stp x23, x24, [%0, #184]\n\t"
			 "stp x25, x26, [%0, #200]\n\t"
			 "stp x27, x28, [%0, #216]\n\t"
			 "stp x29, x30, [%0, #232]\n\t"
			 "mov x9, sp\n\t"
			 "adr x10, .\n\t"
			 "stp x9, x10, [%0, #248]"
			 :
			 : "r"(registers)
			 : "x9", "x10", "memory");
}

#elif defined(__riscv) && __riscv_xlen == 64

enum {
	REGISTERS_SUPPORTED = 1,
	REGISTERS = 32,
	REGISTER_FRAME = 8, /* s0 */
	REGISTER_STACK = 2,
	REGISTER_RETURN = 1,
	REGISTER_PC = 0, /* x0 is always 0 */
	/*
	 * At the stack pointer, a signal frame has 128 bytes of siginfo, 176 of
	 * ucontext; then pc, and x1 to x31.
	 */
	REGISTERS_SIGNAL_AT = 128 + 176,
	FRAME_POINTER_ON_TOP = 1,
};

/* The frame record lies below the address that the frame pointer has. */
#define FRAME_RECORD_AT       (-2)

/* The code that a signal handler returns to: li a7, 139; ecall. */
#define REGISTERS_SIGNAL_CODE UINT64_C(0x0000007308b00893)

#define REGISTERS_KEPT \
	{ \
		1, 8, 9, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27 \
	}

static ALWAYS_INLINE void
registers_take(uintptr_t *registers)
{
	__asm__ volatile("sd sp, 16(%0)\n\t"
			 "sd s0, 64(%0)\n\t"
			 "sd s1, 72(%0)\n\t"
			 "sd s2, 144(%0)\n\t"
			 "sd s3, 152(%0)\n\t"
			 "sd s4, 160(%0)\n\t"
			 "sd s5, 168(%0)\n\t"
			 "sd s6, 176(%0)\n\t"
			 "sd s7, 184(%0)\n\t"
			 "sd s8, 192(%0)\n\t"
			 "sd s9, 200(%0)\n\t"
			 "sd s10, 208(%0)\n\t"
			 "sd s11, 216(%0)\n\t"
			 "auipc t0, 0\n\t"
			 "sd t0, 0(%0)"
			 :
			 : "r"(registers)
			 : "t0", "memory");
}

#elif defined(__s390x__)

/* A function may keep a register in one for floating point: 16 to 31. */
enum {
	REGISTERS_SUPPORTED = 1,
	REGISTERS = 33,
	REGISTER_FRAME = 11,
	REGISTER_STACK = 15,
	REGISTER_RETURN = 14,
	REGISTER_PC = 32,
	/*
	 * At the stack pointer, a signal frame has 160 bytes for the handler, 8
	 * of code, 128 of siginfo, 40 of ucontext, the mask of the psw.
	 */
	REGISTERS_SIGNAL_AT = 160 + 8 + 128 + 40 + 8,
	FRAME_POINTER_ON_TOP = 0,
};

/* The code that a signal handler returns to: svc 173. */
#define REGISTERS_SIGNAL_CODE     ((uint16_t)0x0aad)

/* A handler without SA_SIGINFO: svc 119; it has only 16 bytes after the 160. */
#define REGISTERS_OLD_SIGNAL_CODE ((uint16_t)0x0a77)
#define REGISTERS_OLD_SIGNAL_AT   (160 + 16 + 8)

/* The number of the floating-point register for each of 16 to 31. */
#define REGISTERS_FLOAT \
	{ \
		0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15 \
	}

/*
 * The pc, 16 registers, 16 halves of access registers and a control register
 * with its padding, 16 registers for floating point.
 */
static inline unsigned
registers_signal_place(unsigned number)
{
	static const uint8_t numbers[16] = REGISTERS_FLOAT;

	if (number == REGISTER_PC)
		return 0;
	return number < 16 ? 1 + number : 26u + numbers[number - 16];
}
#define REGISTERS_SIGNAL_PLACE registers_signal_place

/* Frame pointers lead nowhere: there is no record at them. */
#define FRAME_RECORDS          0

/* The CFA is not the stack pointer of the caller, but so many bytes above. */
#define STACK_BELOW_CFA        160

#define REGISTERS_KEPT \
	{ \
		6, 7, 8, 9, 10, 11, 12, 13, 14 \
	}

static ALWAYS_INLINE void
registers_take(uintptr_t *registers)
{
	__asm__ volatile("stmg %%r6, %%r15, 48(%0)\n\t"
			 "larl %%r1, .\n\t"
			 "stg %%r1, 256(%0)"
			 :
			 : "a"(registers)
			 : "r1", "memory");
}

#else

enum {
	REGISTERS_SUPPORTED = 0,
	REGISTERS = 4,
	REGISTER_FRAME = 0,
	REGISTER_STACK = 1,
	REGISTER_RETURN = 2,
	REGISTER_PC = 3,
	REGISTERS_SIGNAL_AT = 0,
	FRAME_POINTER_ON_TOP = 0,
};

#define REGISTERS_KEPT \
	{ \
		0 \
	}

static ALWAYS_INLINE void
registers_take(uintptr_t *registers)
{
	(void)registers;
}

#endif

#ifndef REGISTERS_SIGNAL_CODE
#define REGISTERS_SIGNAL_CODE UINT64_C(0)
#endif
#ifndef REGISTERS_OLD_SIGNAL_CODE
#define REGISTERS_OLD_SIGNAL_CODE REGISTERS_SIGNAL_CODE
#define REGISTERS_OLD_SIGNAL_AT   REGISTERS_SIGNAL_AT
#endif
/* Where a signal frame has a register, in words from REGISTERS_SIGNAL_AT. */
#ifndef REGISTERS_SIGNAL_PLACE
#define REGISTERS_SIGNAL_PLACE(i) (i)
#endif
/*
 * Is there a record at frame pointers: the frame pointer of the caller, then
 * the return address? At which place, in words from there?
 */
#ifndef FRAME_RECORDS
#define FRAME_RECORDS 1
#endif
#ifndef FRAME_RECORD_AT
#define FRAME_RECORD_AT 0
#endif
#ifndef STACK_BELOW_CFA
#define STACK_BELOW_CFA 0
#endif

/* Removes the signature that pointer authentication puts into an address. */
static ALWAYS_INLINE uintptr_t
registers_plain_pc(uintptr_t pc)
{
#if defined(__aarch64__) && defined(__LP64__)
	register uintptr_t x30 __asm__("x30") = pc;

	__asm__("hint #7" : "+r"(x30));
	pc = x30;
#endif
	return pc;
}

#endif
