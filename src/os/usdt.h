/*
 * usdt: places in the code where tools like bpftrace, perf and gdb can watch a
 * running process without a restart.
 *
 * Owns:       the ELF notes that describe these places (provider `jemalloc`),
 *             in the form of SystemTap's version 3.
 * Invariants: a probe that nobody watches is one instruction that does nothing.
 *             So probes are on paths of samples alone. The names, and the order
 *             and the meaning of the arguments, are a contract: see
 *             doc/PROFILING.md.
 * Locking:    none.
 *
 * <sys/sdt.h> would do the same, but belongs to SystemTap, which few machines
 * have.
 */
#ifndef OS_USDT_H
#define OS_USDT_H

#include <stddef.h>
#include <stdint.h>

#if defined(__LP64__) && (defined(__x86_64__) || defined(__aarch64__))

/*
 * The instruction and its note. A tool finds the arguments in registers: `8@`
 * and a register is an unsigned number of 8 bytes. If a tool has moved the
 * code, the difference between _.stapsdt.base and the address in the note
 * shows how far.
 */
#define USDT_PROBE(name) \
	"990:	nop\n" \
	"	.pushsection .note.stapsdt,\"\",\"note\"\n" \
	"	.balign 4\n" \
	"	.4byte 992f-991f, 994f-993f, 3\n" \
	"991:	.asciz \"stapsdt\"\n" \
	"992:	.balign 4\n" \
	"993:	.8byte 990b\n" \
	"	.8byte _.stapsdt.base\n" \
	"	.8byte 0\n" \
	"	.asciz \"jemalloc\"\n" \
	"	.asciz \"" name "\"\n" \
	"	.asciz \"8@%[a] 8@%[b] 8@%[c] 8@%[d]\"\n" \
	"994:	.balign 4\n" \
	"	.popsection\n" \
	"	.ifndef _.stapsdt.base\n" \
	"	.pushsection .stapsdt.base,\"aG\",\"progbits\"," \
	".stapsdt.base,comdat\n" \
	"	.weak _.stapsdt.base\n" \
	"	.hidden _.stapsdt.base\n" \
	"_.stapsdt.base:\n" \
	"	.space 1\n" \
	"	.size _.stapsdt.base, 1\n" \
	"	.popsection\n" \
	"	.endif\n"

#define USDT_AVAILABLE 1

#else

#define USDT_PROBE(name) ""
#define USDT_AVAILABLE   0

#endif

/*
 * A sample begins.
 * @param requested  bytes that the program has asked for
 * @param usable     bytes that it has got
 * @param estimate   bytes of all the objects that the sample stands for
 */
static inline void
usdt_alloc(const void *object, size_t requested, size_t usable,
    uint64_t estimate)
{
	if (USDT_AVAILABLE)
		__asm__ volatile(USDT_PROBE("alloc")
				 :
				 : [a] "r"(object), [b] "r"(requested),
				 [c] "r"(usable), [d] "r"(estimate));
}

/*
 * The object of a sample is about to be freed.
 * @param born_ns  when it was allocated, by the monotonic clock
 */
static inline void
usdt_free(const void *object, size_t usable, uint64_t estimate,
    uint64_t born_ns)
{
	if (USDT_AVAILABLE)
		__asm__ volatile(USDT_PROBE("free")
				 :
				 : [a] "r"(object), [b] "r"(usable),
				 [c] "r"(estimate), [d] "r"(born_ns));
}

#endif
