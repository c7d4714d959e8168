/*
 * corruption: what becomes of frees that are wrong.
 *
 * Provokes: double frees (at once, with other frees between, after a flush,
 * by another thread, by other functions), pointers that are not ours, that
 * point into a block, sizes that are not the block's; each in a process of
 * its own, in a thread that then ends, so that its cache is emptied.
 * Must hold: SIGABRT, and before it exactly one line on standard error,
 *   <jemalloc>: safety: KIND: 0xADDRESS (details)
 * with a right kind and the pointer that was passed; in the offending call
 * where the case says so, else at the latest when the cache is emptied. And
 * the reverse: writing past blocks, before them and into freed ones harms
 * only the program's own data, and raises no false alarm. With safety:off no
 * free looks for anything, but what shows by itself when a cache is emptied.
 */
#include "captured.h"

#include <sys/auxv.h>

static unsigned nfailed, nrun;

/* ---- what a case does; the argument's meaning is its own ---- */

struct corruption {
	const char *name;
	void (*act)(const struct corruption *);
	enum when when;
	const char *kinds;    /* alternatives, with | between */
	size_t size;          /* of the block */
	size_t number;        /* offset, count, or claimed size */
	const char *function; /* by which the offence is done */
};

static void *
other_thread_frees(void *block)
{
	free(block);
	return NULL;
}

/* Blocks that stay, so that slabs with a freed one are kept. */
static void
surround(size_t size)
{
	if (size <= 16384)
		for (unsigned i = 0; i < 20; i++)
			needed(malloc(size));
}

static void
double_free(const struct corruption *this)
{
	void *block = needed(malloc(this->size));

	surround(this->size);
	free(block);
	release_by(this->function, culprit(block), this->size);
}

static void
double_free_zeroed(const struct corruption *this)
{
	char *block = needed(calloc(1, this->size));

	surround(this->size);
	bytes_fill(block, this->size, 1);
	free(block);
	free(culprit(block));
}

static void
double_free_aligned(const struct corruption *this)
{
	void *block = needed(aligned_alloc(this->number, this->size));

	free(block);
	free(culprit(block));
}

static void
double_free_after_others(const struct corruption *this)
{
	void *block = needed(malloc(this->size));
	void *others[1000];

	for (size_t i = 0; i < this->number; i++)
		others[i] = needed(malloc(this->size));
	surround(this->size);
	free(block);
	for (size_t i = 0; i < this->number; i++)
		free(others[i]);
	free(culprit(block));
}

static void
double_free_after_other_sizes(const struct corruption *this)
{
	void *block = needed(malloc(this->size));

	surround(this->size);
	free(block);
	for (size_t i = 1; i < 50; i++)
		free(needed(malloc(i * 300 + this->size * 3)));
	free(culprit(block));
}

/* The program has written into the block since it freed it. */
static void
double_free_overwritten(const struct corruption *this)
{
	char *block = needed(malloc(this->size));

	surround(this->size);
	free(block);
	memset(hidden(block), 0x41, this->size);
	free(culprit(block));
}

static void
double_free_after_flush(const struct corruption *this)
{
	void *block = needed(malloc(this->size));

	surround(this->size);
	thread_run(other_thread_frees, block);
	free(culprit(block));
}

static void *
release_in_thread(void *argument)
{
	free(argument);
	return NULL;
}

static void
double_free_by_two_threads(const struct corruption *this)
{
	void *block = needed(malloc(this->size));

	surround(this->size);
	free(block);
	thread_run(release_in_thread, culprit(block));
}

static void
realloc_freed(const struct corruption *this)
{
	void *block = needed(malloc(this->size));

	surround(this->size);
	free(block);
	needed(realloc(culprit(block), this->size * 4));
}

/* ---- pointers of somebody else ---- */

static char in_data[4096] = "data";
static char in_bss[65536];
static __thread char in_tls[64];

static void *
foreign_pointer(size_t which, char *on_stack)
{
	char *area;

	switch (which) {
	case 0:
		return on_stack;
	case 1:
		return in_data + 16;
	case 2:
		return (void *)(((uintptr_t)in_bss + 16383) &
		    ~(uintptr_t)16383);
	case 3:
		return (void *)(uintptr_t) "a constant in the program";
	case 4:
		return (void *)((uintptr_t)foreign_pointer & ~(uintptr_t)15);
	case 5: /* the start of a map, well aligned */
	case 6: /* and the inside of it */
	case 7: /* and after it was unmapped */
		area = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(area != MAP_FAILED);
		area = (char *)(((uintptr_t)area + 2 * MIB - 1) &
		    ~(uintptr_t)(2 * MIB - 1));
		if (which == 7)
			munmap(area, MIB);
		return which == 6 ? area + 4112 : area;
	case 8:
		return in_tls;
	case 9:
		return (void *)getauxval(AT_SYSINFO_EHDR);
	case 10:
		return dlsym(RTLD_DEFAULT, "malloc");
	case 11:
		return stdout;
	default:
		return NULL;
	}
}

static const struct {
	const char *name;
	uintptr_t value; /* 0: foreign_pointer knows it by its place here */
} foreign[] = {
	{ "stack", 0 },
	{ "initialised data", 0 },
	{ "zero data", 0 },
	{ "a constant", 0 },
	{ "code", 0 },
	{ "a map's start", 0 },
	{ "a map's inside", 0 },
	{ "an unmapped place", 0 },
	{ "thread-local data", 0 },
	{ "the vdso", 0 },
	{ "the library's code", 0 },
	{ "the C library's data", 0 },
	{ "1", 1 },
	{ "8", 8 },
	{ "16", 16 },
	{ "4096", 4096 },
	{ "2 MiB", 2 << 20 },
	{ "non-canonical, just above user space", UINT64_C(1) << 47 },
	{ "non-canonical", UINT64_C(1) << 56 },
	{ "non-canonical, high", UINT64_C(1) << 62 },
	{ "top of user space", (UINT64_C(1) << 47) - 4096 },
	{ "kernel half", UINT64_C(0xffff888000001000) },
	{ "-4096", UINT64_MAX - 4095 },
	{ "-16", UINT64_MAX - 15 },
	{ "-1", UINT64_MAX },
};

enum { NFOREIGN = sizeof(foreign) / sizeof(*foreign) };

static void
foreign_use(const struct corruption *this)
{
	char on_stack[64] __attribute__((aligned(16)));
	void *pointer = foreign[this->number].value != 0
	    ? (void *)foreign[this->number].value
	    : foreign_pointer(this->number, on_stack);

	free(needed(malloc(100)));
	if (strcmp(this->function, "realloc") == 0)
		hidden(realloc(culprit(pointer), 5000));
	else if (strcmp(this->function, "malloc_usable_size") == 0)
		hidden((void *)malloc_usable_size(culprit(pointer)));
	else
		release_by(this->function, culprit(pointer), 100);
}

/* A block of our own malloc with a forged header in front of it. */
static void
foreign_fake_block(const struct corruption *this)
{
	static uint64_t fake[64] __attribute__((aligned(64)));

	(void)this;
	for (unsigned i = 0; i < 64; i++)
		fake[i] = 0x41;
	free(culprit(&fake[8]));
}

/* ---- pointers into blocks, and into what is free ---- */

static void
interior(const struct corruption *this)
{
	char *block = needed(malloc(this->size));

	surround(this->size);
	if (strcmp(this->function, "realloc") == 0)
		hidden(realloc(culprit(block + this->number), this->size * 2));
	else
		release_by(this->function, culprit(block + this->number),
		    this->size);
}

static void
interior_of_freed(const struct corruption *this)
{
	char *block = needed(malloc(this->size));

	surround(this->size);
	free(block);
	free(culprit(block + this->number));
}

static void
wrong_size(const struct corruption *this)
{
	void *block = needed(malloc(this->size));

	surround(this->size);
	release_by(this->function, culprit(block), this->number);
}

/* ---- what must not be taken for an offence ---- */

enum { NMANY = 2000 };

/* No place is given out twice; nothing outside the heap is given out. */
static void
take_many(size_t size, const void *never)
{
	static char *blocks[NMANY];

	for (size_t i = 0; i < NMANY; i++) {
		blocks[i] = needed(malloc(size));
		if (blocks[i] == never)
			stress_fail("a forged address was given out");
		bytes_fill(blocks[i], size, i);
	}
	for (size_t i = 0; i < NMANY; i++) {
		bytes_verify(blocks[i], size, i);
		free(blocks[i]);
	}
}

/* Contents of a freed block, marks and all, come to lie in a live one. */
static void
marks_are_copied(const struct corruption *this)
{
	char *freed[8], *live[8];

	for (unsigned i = 0; i < 8; i++) {
		freed[i] = needed(malloc(this->size));
		live[i] = needed(malloc(this->size));
	}
	for (unsigned i = 0; i < 8; i++)
		free(freed[i]);
	for (unsigned i = 0; i < 8; i++)
		memcpy(live[i], hidden(freed[i]), this->size);
	for (unsigned i = 0; i < 8; i++)
		free(live[i]);
	take_many(this->size, NULL);
}

static void
freed_is_written(const struct corruption *this)
{
	static uint64_t target[64] __attribute__((aligned(64)));
	char *freed[40];

	for (unsigned i = 0; i < 40; i++)
		freed[i] = needed(malloc(this->size));
	for (unsigned i = 0; i < 40; i++)
		free(freed[i]);
	for (unsigned i = 0; i < 40; i++)
		for (size_t at = 0; at + 8 <= this->size; at += 8) {
			uintptr_t forged = (uintptr_t)target;

			if (i % 4 == 1)
				forged ^= (uintptr_t)freed[i] >> 12;
			if (i % 4 == 2)
				forged = UINT64_C(0x4141414141414141);
			if (i % 4 == 3)
				forged = 0;
			memcpy((char *)hidden(freed[i]) + at, &forged,
			    sizeof(forged));
		}
	take_many(this->size, target);
}

static void
neighbours_are_written(const struct corruption *this)
{
	char *blocks[40];

	for (unsigned i = 0; i < 40; i++)
		blocks[i] = needed(malloc(this->size));
	/* The outermost ones stay whole: what lies there may be unmapped. */
	for (unsigned i = 8; i < 32; i++) {
		char *end = blocks[i] + malloc_usable_size(blocks[i]);

		memset(hidden(end), 0x42, this->number);
		memset(hidden(blocks[i] - 16), 0x43, 16);
	}
	for (unsigned i = 0; i < 40; i++)
		free(blocks[i]);
	take_many(this->size, NULL);
}

/* ---- running and judging ---- */

static void
act(void *argument)
{
	const struct corruption *this = argument;

	this->act(this);
}

static void
case_fail(const struct corruption *this, const char *what,
    const struct child *child)
{
	const char *end = strchr(child->text, '\n');

	fprintf(stderr, "FAIL: %s, %zu bytes, %s, %zu: %s (%p): %.*s\n",
	    this->name, this->size,
	    this->function == NULL ? "-" : this->function, this->number, what,
	    shared->culprit, end == NULL ? 200 : (int)(end - child->text),
	    child->text);
	nfailed++;
}

static void case_run(struct corruption this)
{
	static struct child child;
	const char *wrong;

	captured_run(&child, act, &this);
	if (shared->missing)
		return;
	nrun++;
	wrong = captured_judge(&child, this.when, this.kinds);
	if (wrong != NULL)
		case_fail(&this, wrong, &child);
}

/* ---- the matrix ---- */

#define TWICE             "double-free"
#define TWICE_OR_NOT_OURS "double-free|invalid-free"

static const size_t small_sizes[] = { 8, 32, 100, 500, 3000, 10000 };
static const size_t large_sizes[] = { 24000, 100000, 3 << 20, 70 << 20 };

enum {
	NSMALL = sizeof(small_sizes) / sizeof(*small_sizes),
	NLARGE = sizeof(large_sizes) / sizeof(*large_sizes),
	NRELEASES = sizeof(releases) / sizeof(*releases),
};

static void
small_double_frees(size_t size)
{
	static const size_t between[] = { 1, 2, 7, 30, 200, 1000 };

	case_run((struct corruption){
	    "double free", double_free, AT_ONCE, TWICE, size, 0, "free" });
	case_run((struct corruption){ "double free of calloc's",
	    double_free_zeroed, AT_ONCE, TWICE, size, 0, NULL });
	for (unsigned i = 1; i < NRELEASES; i++)
		case_run((struct corruption){ "double free", double_free,
		    AT_ONCE, TWICE, size, 0, releases[i] });
	for (unsigned i = 0; i < sizeof(between) / sizeof(*between); i++)
		case_run((struct corruption){ "double free after others",
		    double_free_after_others, FLUSH, TWICE_OR_NOT_OURS, size,
		    between[i], NULL });
	case_run((struct corruption){ "double free after other sizes",
	    double_free_after_other_sizes, FLUSH, TWICE, size, 0, NULL });
	case_run((struct corruption){ "double free, overwritten",
	    double_free_overwritten, FLUSH, TWICE, size, 0, NULL });
	case_run((struct corruption){ "double free after a flush",
	    double_free_after_flush, AT_ONCE, TWICE_OR_NOT_OURS, size, 0,
	    NULL });
	case_run((struct corruption){ "double free by two threads",
	    double_free_by_two_threads, FLUSH, TWICE_OR_NOT_OURS, size, 0,
	    NULL });
	case_run((struct corruption){ "realloc of a freed block", realloc_freed,
	    AT_ONCE, "invalid-realloc", size, 0, NULL });
}

static void
large_double_frees(size_t size)
{
	for (unsigned i = 0; i < NRELEASES; i++)
		case_run((struct corruption){ "double free", double_free,
		    AT_ONCE, TWICE_OR_NOT_OURS, size, 0, releases[i] });
	case_run((struct corruption){ "double free of calloc's",
	    double_free_zeroed, AT_ONCE, TWICE_OR_NOT_OURS, size, 0, NULL });
	case_run((struct corruption){ "double free after others",
	    double_free_after_others, AT_ONCE, TWICE_OR_NOT_OURS, size, 2,
	    NULL });
	/* Where the mark is gone, or in a cache that is not ours. */
	if (size < MIB)
		case_run((struct corruption){ "double free, overwritten",
		    double_free_overwritten, FLUSH, TWICE_OR_NOT_OURS, size, 0,
		    NULL });
	case_run((struct corruption){ "double free after a flush",
	    double_free_after_flush, AT_ONCE, TWICE_OR_NOT_OURS, size, 0,
	    NULL });
	case_run((struct corruption){ "double free by two threads",
	    double_free_by_two_threads, size < MIB ? FLUSH : AT_ONCE,
	    TWICE_OR_NOT_OURS, size, 0, NULL });
	case_run((struct corruption){ "realloc of a freed block", realloc_freed,
	    AT_ONCE, "invalid-realloc", size, 0, NULL });
}

static void
foreign_pointers(void)
{
	for (size_t i = 0; i < NFOREIGN; i++) {
		case_run((struct corruption){ foreign[i].name, foreign_use,
		    AT_ONCE, "invalid-free", 0, i, "free" });
		case_run((struct corruption){ foreign[i].name, foreign_use,
		    AT_ONCE, "invalid-realloc", 0, i, "realloc" });
		case_run((struct corruption){ foreign[i].name, foreign_use,
		    AT_ONCE, "invalid-query", 0, i, "malloc_usable_size" });
		case_run((struct corruption){ foreign[i].name, foreign_use,
		    FLUSH, "invalid-free|size-mismatch", 0, i, "sdallocx" });
		case_run((struct corruption){ foreign[i].name, foreign_use,
		    FLUSH, "invalid-free|size-mismatch", 0, i, "free_sized" });
	}
	case_run((struct corruption){ "a forged block", foreign_fake_block,
	    AT_ONCE, "invalid-free", 0, 0, NULL });
}

static void
interior_pointers(void)
{
	static const size_t inside[][2] = { { 64, 8 }, { 64, 16 }, { 64, 1 },
		{ 64, 63 }, { 1000, 16 }, { 1000, 512 }, { 5000, 4096 },
		{ 10000, 16 }, { 10000, 8192 } };
	static const size_t beyond[][2] = { { 24000, 16 }, { 24000, 4096 },
		{ 100000, 1 }, { 100000, 4096 }, { 100000, 65536 },
		{ 4 << 20, 4096 }, { 4 << 20, 1 << 20 }, { 4 << 20, 2 << 20 } };

	for (unsigned i = 0; i < sizeof(inside) / sizeof(*inside); i++) {
		case_run((struct corruption){ "inside a small block", interior,
		    FLUSH, "invalid-free", inside[i][0], inside[i][1],
		    "free" });
		case_run((struct corruption){ "inside a small block", interior,
		    AT_ONCE, "invalid-realloc", inside[i][0], inside[i][1],
		    "realloc" });
		case_run((struct corruption){ "inside a small block", interior,
		    FLUSH, "invalid-free|size-mismatch", inside[i][0],
		    inside[i][1], "free_sized" });
	}
	for (unsigned i = 0; i < sizeof(beyond) / sizeof(*beyond); i++) {
		case_run((struct corruption){ "inside a large block", interior,
		    beyond[i][1] < 4096 ? FLUSH : AT_ONCE, "invalid-free",
		    beyond[i][0], beyond[i][1], "free" });
		case_run((struct corruption){ "inside a large block", interior,
		    AT_ONCE, "invalid-realloc", beyond[i][0], beyond[i][1],
		    "realloc" });
		case_run((struct corruption){ "inside a freed large block",
		    interior_of_freed, FLUSH, TWICE_OR_NOT_OURS, beyond[i][0],
		    beyond[i][1], NULL });
	}
}

static void
wrong_sizes(void)
{
	static const size_t pairs[][2] = { { 100, 50 }, { 100, 200 },
		{ 100, 0 }, { 100, SIZE_MAX / 2 }, { 100, 100000 }, { 8, 9000 },
		{ 3000, 20 }, { 10000, 24000 }, { 24000, 10000 },
		{ 24000, 60000 }, { 100000, 10 }, { 100000, 300000 },
		{ 3 << 20, 100 }, { 3 << 20, 30 << 20 } };

	for (unsigned i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		for (unsigned j = 3; j < NRELEASES; j++)
			/* sdallocx demands a size that is not 0. */
			if (j != 3 || pairs[i][1] != 0)
				case_run((struct corruption){ "wrong size",
				    wrong_size, FLUSH, "size-mismatch",
				    pairs[i][0], pairs[i][1], releases[j] });
}

static void
harmless(size_t size)
{
	static const size_t overflows[] = { 1, 8, 32 };

	case_run((struct corruption){
	    "marks are copied", marks_are_copied, NEVER, "", size, 0, NULL });
	case_run((struct corruption){ "freed blocks are written",
	    freed_is_written, NEVER, "", size, 0, NULL });
	for (unsigned i = 0; i < 3; i++)
		case_run((struct corruption){ "neighbours are written",
		    neighbours_are_written, NEVER, "", size, overflows[i],
		    NULL });
}

/* ---- the same with checks off: a process of its own ---- */

static void
start_without_checks(char **argv)
{
	setenv("STRESS_UNCHECKED", "1", 1);
	stress_conf("junk:false,safety:off");
	execv("/proc/self/exe", argv);
	stress_fail("can't start again");
}

static void
without_checks(void)
{
	for (unsigned i = 0; i < NSMALL; i++) {
		size_t size = small_sizes[i];

		for (unsigned j = 0; j < NRELEASES; j++)
			case_run((struct corruption){ "double free, unchecked",
			    double_free, LATE, TWICE, size, 0, releases[j] });
		case_run((struct corruption){ "realloc of a freed block, "
					      "unchecked",
		    realloc_freed, LATE, TWICE, size, 0, NULL });
		/* What it says does not matter: it lands where it belongs. */
		for (unsigned j = 3; j < NRELEASES; j++)
			case_run((struct corruption){ "wrong size, unchecked",
			    wrong_size, NEVER, "", size, 3 * size,
			    releases[j] });
	}
}

static int
result(void)
{
	printf("%u cases, %u failed\n", nrun, nfailed);
	return nfailed == 0 ? 0 : 1;
}

int
main(int argc, char **argv)
{
	static const size_t alignments[] = { 64, 256, 4096, 16384 };
	const char *value;
	size_t length = sizeof(value);

	stress_start(argc, argv, 150);
	if (control("opt.safety", &value, &length, NULL, 0) != 0)
		stress_skip_other("opt.safety");
	captured_start(argv);
	if (getenv("STRESS_UNCHECKED") != NULL) {
		without_checks();
		return result();
	}
	for (unsigned i = 0; i < NSMALL; i++)
		small_double_frees(small_sizes[i]);
	for (unsigned i = 0; i < NLARGE; i++)
		large_double_frees(large_sizes[i]);
	for (unsigned i = 0; i < sizeof(alignments) / sizeof(*alignments); i++)
		case_run((struct corruption){ "double free of an aligned one",
		    double_free_aligned, AT_ONCE, TWICE_OR_NOT_OURS, 200,
		    alignments[i], NULL });
	foreign_pointers();
	interior_pointers();
	wrong_sizes();
	for (unsigned i = 0; i < NSMALL; i++)
		if (small_sizes[i] >= 32)
			harmless(small_sizes[i]);
	if (nfailed == 0) {
		printf("%u cases with checks on\n", nrun);
		fflush(stdout);
		start_without_checks(argv);
	}
	return result();
}
