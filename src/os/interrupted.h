/*
 * interrupted: what a signal handler can know of the code that it interrupted.
 *
 * Owns:       nothing.
 * Invariants: reads only the context that the kernel gave to the handler. On a
 *             machine that is not known here, the registers are not known
 *             either (interrupted_registers() is false).
 * Locking:    none; for signal handlers.
 */
#ifndef OS_INTERRUPTED_H
#define OS_INTERRUPTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

#include "os/registers.h"

enum interrupted_access {
	INTERRUPTED_UNKNOWN,
	INTERRUPTED_READ,
	INTERRUPTED_WRITE,
};

#if defined(__i386__) || (defined(__x86_64__) && !defined(__ILP32__))

/* Fills in all registers, with the numbers of os/registers.h. */
static inline bool
interrupted_registers(const void *context, uintptr_t *registers)
{
#if defined(__i386__)
	static const uint8_t places[REGISTERS] = { REG_EAX, REG_ECX, REG_EDX,
		REG_EBX, REG_ESP, REG_EBP, REG_ESI, REG_EDI, REG_EIP };
#else
	static const uint8_t places[REGISTERS] = { REG_RAX, REG_RDX, REG_RCX,
		REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP, REG_R8, REG_R9,
		REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP };
#endif
	const ucontext_t *u = context;

	for (unsigned i = 0; i < REGISTERS; i++)
		registers[i] = (uintptr_t)u->uc_mcontext.gregs[places[i]];
	return true;
}

/* Was a fault caused by a read or by a write? */
static inline enum interrupted_access
interrupted_access(const void *context)
{
	const ucontext_t *u = context;

	return (u->uc_mcontext.gregs[REG_ERR] & 2) != 0 ? INTERRUPTED_WRITE
							: INTERRUPTED_READ;
}

#elif defined(__aarch64__) && defined(__LP64__)

static inline bool
interrupted_registers(const void *context, uintptr_t *registers)
{
	const ucontext_t *u = context;

	for (unsigned i = 0; i < 31; i++)
		registers[i] = (uintptr_t)u->uc_mcontext.regs[i];
	registers[REGISTER_STACK] = (uintptr_t)u->uc_mcontext.sp;
	registers[REGISTER_PC] = (uintptr_t)u->uc_mcontext.pc;
	return true;
}

/*
 * Behind the registers there are records, each with a number and its size. One
 * of them has the syndrome register, whose bit 6 says that it was a write.
 */
static inline enum interrupted_access
interrupted_access(const void *context)
{
	const ucontext_t *u = context;
	const char *records = (const char *)u->uc_mcontext.__reserved;
	size_t at = 0, room = sizeof(u->uc_mcontext.__reserved);
	uint32_t head[2];
	uint64_t syndrome;

	while (at + sizeof(head) + sizeof(syndrome) <= room) {
		memcpy(head, records + at, sizeof(head));
		if (head[0] == 0 || head[1] < sizeof(head))
			break;
		if (head[0] == 0x45535201) {
			memcpy(&syndrome, records + at + sizeof(head),
			    sizeof(syndrome));
			return (syndrome & 1 << 6) != 0 ? INTERRUPTED_WRITE
							: INTERRUPTED_READ;
		}
		at += head[1];
	}
	return INTERRUPTED_UNKNOWN;
}

#else

static inline bool
interrupted_registers(const void *context, uintptr_t *registers)
{
#if defined(__riscv) && __riscv_xlen == 64
	const ucontext_t *u = context;

	for (unsigned i = 0; i < REGISTERS; i++)
		registers[i] = (uintptr_t)u->uc_mcontext.__gregs[i];
	return true;
#elif defined(__s390x__)
	static const uint8_t numbers[16] = REGISTERS_FLOAT;
	const ucontext_t *u = context;

	for (unsigned i = 0; i < 16; i++) {
		registers[i] = (uintptr_t)u->uc_mcontext.gregs[i];
		memcpy(&registers[16 + i],
		    &u->uc_mcontext.fpregs.fprs[numbers[i]], sizeof(uintptr_t));
	}
	registers[REGISTER_PC] = (uintptr_t)u->uc_mcontext.psw.addr;
	return true;
#else
	(void)context;
	(void)registers;
	return false;
#endif
}

static inline enum interrupted_access
interrupted_access(const void *context)
{
	(void)context;
	return INTERRUPTED_UNKNOWN;
}

#endif

#endif
