#include "os/system.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <string.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/utsname.h>

#include "os/clock.h"
#include "os/file.h"
#include "os/syscalls.h"
#include "util/bits.h"

#define CPU_MASK_BYTES     1024 /* 8192 CPUs */
#define GRND_NONBLOCK_FLAG 1

#define HUGE_PAGE_MAX ((size_t)1 << 30)
#if defined(__x86_64__) || defined(__aarch64__)
#define HUGE_IS_TABLE 1
#else
#define HUGE_IS_TABLE 0
#endif
#define THP_FOLDER "/sys/kernel/mm/transparent_hugepage/"

struct system_info system_info = { .page_size = 4096,
	.huge_page = (size_t)2 << 20,
	.ncpus = 1,
	.ncpus_affinity = 1 };

static unsigned
cpus_by_affinity(void)
{
	static uint64_t mask[CPU_MASK_BYTES / sizeof(uint64_t)];
	long length = os_syscall3(SYS_sched_getaffinity, 0, sizeof(mask),
	    (long)(uintptr_t)mask);
	unsigned count = 0;

	/* Without a CPU's instruction for it, the compiler calls a function. */
	for (long i = 0; i < length / (long)sizeof(mask[0]); i++)
		for (uint64_t word = mask[i]; word != 0; word &= word - 1)
			count++;
	return count > 0 ? count : 1;
}

/* Reads a decimal number at *p, and moves *p past it. */
static bool
read_number(const char **p, uint64_t *value)
{
	const char *s = *p;

	if (*s < '0' || *s > '9')
		return false;
	for (*value = 0; *s >= '0' && *s <= '9'; s++)
		*value = *value * 10 + (uint64_t)(*s - '0');
	*p = s;
	return true;
}

static bool
read_number_file(const char *path, uint64_t *value)
{
	char text[64];
	const char *p = text;

	return file_read_line(path, text, sizeof(text)) > 0 &&
	    read_number(&p, value);
}

/* cgroup v2: "QUOTA PERIOD" or "max PERIOD" in microseconds. */
static bool
quota_v2(uint64_t *quota, uint64_t *period)
{
	char text[64];
	const char *p = text;

	return file_read_line("/sys/fs/cgroup/cpu.max", text, sizeof(text)) >
	    0 &&
	    read_number(&p, quota) && *p++ == ' ' && read_number(&p, period);
}

static bool
quota_v1(uint64_t *quota, uint64_t *period)
{
	return read_number_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", quota) &&
	    read_number_file("/sys/fs/cgroup/cpu/cpu.cfs_period_us", period);
}

static unsigned
cpus_by_quota(unsigned ncpus)
{
	uint64_t quota, period, allowed;

	if (ncpus == 1)
		return 1;
	if ((!quota_v2(&quota, &period) && !quota_v1(&quota, &period)) ||
	    period == 0)
		return ncpus;
	allowed = quota / period + (quota % period != 0);
	if (allowed == 0)
		allowed = 1;
	return allowed < ncpus ? (unsigned)allowed : ncpus;
}

/* The file has "always [madvise] never"; the mode is in brackets. */
static enum system_thp
thp_mode(void)
{
	static const struct {
		const char *word;
		enum system_thp mode;
	} words[] = {
		{ "[never]", SYSTEM_THP_NEVER },
		{ "[madvise]", SYSTEM_THP_MADVISE },
		{ "[always]", SYSTEM_THP_ALWAYS },
	};
	char text[128];

	if (file_read_line(THP_FOLDER "enabled", text, sizeof(text)) <= 0)
		return SYSTEM_THP_MISSING;
	for (unsigned i = 0; i < ARRAY_LEN(words); i++)
		if (strstr(text, words[i].word) != NULL)
			return words[i].mode;
	return SYSTEM_THP_MISSING;
}

static void
huge_pages_init(void)
{
	size_t page = system_info.page_size;
	uint64_t size;

	system_info.thp = thp_mode();
	/*
	 * What one page table covers: it has the size of a page, and 8 bytes
	 * for each page. The kernel is asked where that may be wrong.
	 */
	system_info.huge_page = page / sizeof(uint64_t) * page;
	if (!HUGE_IS_TABLE && system_info.thp != SYSTEM_THP_MISSING &&
	    read_number_file(THP_FOLDER "hpage_pmd_size", &size) &&
	    size > page && size <= HUGE_PAGE_MAX && is_pow2((size_t)size))
		system_info.huge_page = (size_t)size;
}

const char *
system_thp_text(void)
{
	static const char *const texts[] = {
		[SYSTEM_THP_MISSING] = "not supported",
		[SYSTEM_THP_NEVER] = "never",
		[SYSTEM_THP_MADVISE] = "madvise",
		[SYSTEM_THP_ALWAYS] = "always",
	};

	return texts[system_info.thp];
}

AT_START void
system_init(void)
{
	unsigned long page_size = getauxval(AT_PAGESZ);

	if (is_pow2(page_size) && page_size >= 4096)
		system_info.page_size = page_size;
	huge_pages_init();
	system_info.ncpus_affinity = cpus_by_affinity();
	system_info.ncpus = cpus_by_quota(system_info.ncpus_affinity);
}

static int (*getcpu_function)(void);

AT_START void
system_set_getcpu(int (*function)(void))
{
	getcpu_function = function;
}

int
system_cpu(void)
{
	int saved = errno, cpu;

	/* These make no system call: the kernel keeps the number in memory. */
	cpu = getcpu_function != NULL ? getcpu_function() : sched_getcpu();
	errno = saved;
	return cpu;
}

AT_START bool
system_on_valgrind(void)
{
	/* The first word is the request RUNNING_ON_VALGRIND. */
	uintptr_t answer = 0, words[6] = { 0x1001 };

#if defined(__x86_64__) && !defined(__ILP32__)
	/* Rotates by 128 bits in all, and swaps a register with itself. */
	__asm__ volatile("rolq $3, %%rdi; rolq $13, %%rdi\n\t"
			 "rolq $61, %%rdi; rolq $51, %%rdi\n\t"
			 "xchgq %%rbx, %%rbx"
			 : "+d"(answer)
			 : "a"(words)
			 : "cc", "memory");
#elif defined(__aarch64__)
	register uintptr_t result __asm__("x3") = 0;
	register uintptr_t *question __asm__("x4") = words;

	__asm__ volatile("ror x12, x12, #3; ror x12, x12, #13\n\t"
			 "ror x12, x12, #51; ror x12, x12, #61\n\t"
			 "orr x10, x10, x10"
			 : "+r"(result)
			 : "r"(question)
			 : "cc", "memory");
	answer = result;
#else
	(void)words;
#endif
	return answer != 0;
}

/*
 * Used if the kernel has no entropy yet. These numbers are hard to guess, but
 * less random than the kernel's.
 */
static uint64_t
random_fallback(void)
{
	const void *random = (const void *)getauxval(AT_RANDOM);
	uint64_t x = clock_now_ns() ^ (uint64_t)(uintptr_t)&x, seed[2];

	if (random != NULL) {
		/* They may lie at any address. */
		memcpy(seed, random, sizeof(seed));
		x ^= seed[0] ^ (seed[1] << 1);
	}
	x ^= (uint64_t)os_syscall3(SYS_getpid, 0, 0, 0) << 32;
	x = (x ^ (x >> 31)) * 0x9e3779b97f4a7c15u;
	return x ^ (x >> 29);
}

AT_START void
system_random(void *buf, size_t size)
{
	unsigned char *p = buf;
	long got = os_syscall3(SYS_getrandom, (long)(uintptr_t)buf, (long)size,
	    GRND_NONBLOCK_FLAG);

	for (size_t i = got > 0 ? (size_t)got : 0; i < size; i++)
		p[i] = (unsigned char)(random_fallback() >> 24);
}

AT_START struct system_program
system_program(void)
{
	uintptr_t headers = getauxval(AT_PHDR), end = 0;
	const ElfW(Phdr) *ph = (const ElfW(Phdr) *)headers;
	const ElfW(Phdr) *own = NULL, *dynamic = NULL;
	struct system_program program = { .base = 0 };

	for (unsigned long i = 0; ph != NULL && i < getauxval(AT_PHNUM); i++) {
		if (ph[i].p_type == PT_PHDR)
			own = &ph[i];
		else if (ph[i].p_type == PT_DYNAMIC)
			dynamic = &ph[i];
		else if (ph[i].p_type == PT_LOAD)
			end = max_size(end, ph[i].p_vaddr + ph[i].p_memsz);
	}
	if (own != NULL)
		program.base = headers - own->p_vaddr;
	if (own != NULL && dynamic != NULL)
		program.dynamic = (const void *)(program.base +
		    dynamic->p_vaddr);
	if (end != 0)
		program.end = program.base + end;
	return program;
}

/*
 * The number of symbols. The hash table does not have it, but the last symbol
 * is the end of the chain that starts highest.
 */
static size_t
hashed_symbols(const uint32_t *hash)
{
	size_t nbuckets = hash[0], first = hash[1];
	const uint32_t *buckets = hash + 4 +
	    hash[2] * (sizeof(ElfW(Addr)) / sizeof(*hash));
	const uint32_t *chain = buckets + nbuckets;
	size_t last = 0;

	for (size_t i = 0; i < nbuckets; i++)
		if (buckets[i] > last)
			last = buckets[i];
	if (last < first)
		return first;
	while ((chain[last - first] & 1) == 0)
		last++;
	return last + 1;
}

bool
system_is_stub(uintptr_t function)
{
	struct system_program program = system_program();
	/* A program that was moved has no such stubs. */
	const ElfW(Dyn) *entry = program.base == 0 ? program.dynamic : NULL;
	const ElfW(Sym) *symbols = NULL;
	size_t count = 0;

	for (; entry != NULL && entry->d_tag != DT_NULL; entry++) {
		if (entry->d_tag == DT_SYMTAB)
			symbols = (const ElfW(Sym) *)entry->d_un.d_ptr;
		else if (entry->d_tag == DT_GNU_HASH)
			count =
			    hashed_symbols((const uint32_t *)entry->d_un.d_ptr);
		else if (entry->d_tag == DT_HASH && count == 0)
			count = ((const uint32_t *)entry->d_un.d_ptr)[1];
	}
	for (size_t i = 0; symbols != NULL && i < count; i++)
		if (symbols[i].st_value == function)
			return symbols[i].st_shndx == SHN_UNDEF;
	return false;
}

void
system_host(char host[SYSTEM_HOST_SIZE])
{
	struct utsname names;
	size_t length = 0;

	if (os_syscall3(SYS_uname, (long)&names, 0, 0) == 0)
		for (const char *at = names.nodename;
		     *at != '\0' && length < SYSTEM_HOST_SIZE - 1; at++)
			host[length++] = *at == '/' ? '_' : *at;
	host[length] = '\0';
}
