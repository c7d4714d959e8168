/*
 * Programs without mistakes, with guarded objects: contents, sizes, alignment
 * and figures are right, in threads and after forks; memory is bounded; what
 * the kernel refuses costs the guard alone; it is on and off at run time.
 */
#include "stress.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define NTHREADS 4
#define NBLOCKS  100

static unsigned scale;

static struct {
	void *(*mallocx)(size_t, int);
	void *(*rallocx)(void *, size_t, int);
	size_t (*xallocx)(void *, size_t, size_t, int);
	size_t (*sallocx)(const void *, int);
	void (*sdallocx)(void *, size_t, int);
} ours;

static uint64_t
figure(const char *name)
{
	uint64_t epoch = 1;

	CHECK(control("epoch", NULL, NULL, &epoch, sizeof(epoch)) == 0);
	return stress_figure(name);
}

static void
guards(unsigned every)
{
	CHECK(control("experimental.x.guard.sample", NULL, NULL, &every,
		  sizeof(every)) == 0);
}

/* ---- all calls ---- */

struct block {
	char *start;
	size_t size;
	size_t align;
	uint64_t seed;
};

static void
make(struct prng *prng, struct block *block)
{
	size_t size = 1 + prng_size(prng, MIB / 4);
	unsigned lg = (unsigned)prng_below(prng, 15);

	block->size = size;
	block->align = 1;
	block->seed = prng_next(prng);
	switch (prng_below(prng, 5)) {
	case 0:
		block->start = needed(calloc(1, size));
		bytes_verify_zero(block->start, size);
		break;
	case 1:
		block->align = (size_t)1 << lg;
		block->start = needed(aligned_alloc(block->align, size));
		break;
	case 2:
		block->align = (size_t)1 << lg;
		block->start = needed(ours.mallocx(size, (int)lg | 0x40));
		bytes_verify_zero(block->start, size);
		break;
	default:
		block->start = needed(malloc(size));
		break;
	}
	CHECK((uintptr_t)block->start % block->align == 0);
	CHECK((uintptr_t)block->start % (size < 16 ? 8 : 16) == 0);
	CHECK(malloc_usable_size(block->start) >= size);
	CHECK(ours.sallocx(block->start, 0) >= size);
	bytes_fill(block->start, size, block->seed);
}

static void
resize(struct prng *prng, struct block *block)
{
	size_t size = 1 + prng_size(prng, MIB / 4), kept, now;
	size_t align = 1;

	bytes_verify(block->start, block->size, block->seed);
	if (prng_below(prng, 4) == 0) {
		now = ours.xallocx(block->start, size, 0, 0);
		CHECK(now == malloc_usable_size(block->start));
		if (now < size)
			return;
		align = 0; /* it may have more than a new one would */
	} else if (prng_below(prng, 2) == 0) {
		block->start = needed(realloc(block->start, size));
	} else {
		block->start = needed(ours.rallocx(block->start, size, 0));
	}
	kept = size < block->size ? size : block->size;
	kept -= kept % 8;
	bytes_verify(block->start, kept, block->seed);
	block->size = size;
	block->align = align;
	bytes_fill(block->start, size, block->seed);
}

static void
drop(struct prng *prng, struct block *block)
{
	bytes_verify(block->start, block->size, block->seed);
	if (block->align == 1 && prng_below(prng, 2) == 0)
		ours.sdallocx(block->start, block->size, 0);
	else
		free(block->start);
	block->start = NULL;
}

static void *
work(void *index)
{
	struct prng prng = { .state = (uintptr_t)index + 1 };
	struct block blocks[NBLOCKS] = { { NULL, 0, 0, 0 } };

	for (unsigned i = 0; i < 8000 * scale; i++) {
		struct block *block = &blocks[prng_below(&prng, NBLOCKS)];

		if (block->start == NULL)
			make(&prng, block);
		else if (prng_below(&prng, 3) == 0)
			resize(&prng, block);
		else
			drop(&prng, block);
	}
	for (unsigned i = 0; i < NBLOCKS; i++)
		if (blocks[i].start != NULL)
			drop(&prng, &blocks[i]);
	/* Refused if objects are filled: then there is no cache. */
	(void)control("thread.tcache.flush", NULL, NULL, NULL, 0);
	return NULL;
}

static void
nothing_is_wrong(void)
{
	uint64_t before = figure("stats.safety.guarded");

	threads_run(NTHREADS, work);
	CHECK(figure("stats.safety.reports") == 0);
	CHECK(figure("stats.safety.guarded") >= before + 100);
	CHECK(figure("stats.safety.guarded_now") <= 64);
}

/* ---- figures ---- */

/* What objects add to the figures, they take away again, to the byte. */
static void
figures_are_exact(void)
{
	char *blocks[32];
	uint64_t allocated, now, active, mine, given;
	size_t sum = 0;

	CHECK(control("thread.tcache.flush", NULL, NULL, NULL, 0) == 0);
	allocated = figure("stats.allocated");
	active = figure("stats.active");
	mine = figure("thread.allocated");
	given = figure("thread.deallocated");
	now = figure("stats.safety.guarded_now");
	for (unsigned i = 0; i < 32; i++) {
		blocks[i] = needed(malloc(1 + i * i * 64));
		sum += malloc_usable_size(blocks[i]);
	}
	CHECK(figure("stats.safety.guarded_now") == now + 32);
	if (figure("stats.allocated") != allocated + sum)
		stress_fail("allocated rose by %lld, not by %zu",
		    (long long)(figure("stats.allocated") - allocated), sum);
	CHECK(figure("stats.active") >= active + sum);
	CHECK(figure("stats.resident") >= figure("stats.active"));
	CHECK(figure("stats.mapped") >= figure("stats.active"));
	CHECK(figure("thread.allocated") == mine + sum);
	for (unsigned i = 0; i < 32; i++)
		free(blocks[i]);
	CHECK(figure("stats.allocated") == allocated);
	CHECK(figure("thread.deallocated") == given + sum);
	CHECK(figure("stats.safety.guarded_now") == now);
	CHECK(figure("stats.safety.unguarded") == 0);
}

/* ---- the chance ---- */

/*
 * One in N is guarded: of 200000 objects 2000 are expected, with a deviation of
 * about 45; eight of these happen once in 10^15 runs.
 */
static void
one_in_a_hundred(void)
{
	uint64_t before, count;

	guards(100);
	before = figure("stats.safety.guarded");
	for (unsigned i = 0; i < 200000; i++)
		free(hidden(malloc(1 + i % 5000)));
	count = figure("stats.safety.guarded") - before;
	if (count < 2000 - 8 * 45 || count > 2000 + 8 * 45)
		stress_fail("%llu of 200000 objects are guarded, not 2000",
		    (unsigned long long)count);
}

static void
none_while_it_is_off(void)
{
	uint64_t before;
	char *kept;

	guards(1);
	kept = needed(malloc(100));
	guards(0);
	before = figure("stats.safety.guarded");
	for (unsigned i = 0; i < 10000; i++)
		free(hidden(malloc(1 + i % 5000)));
	CHECK(figure("stats.safety.guarded") == before);
	/* What is guarded already stays so until it is freed. */
	CHECK(malloc_usable_size(kept) == 100);
	free(kept);
	guards(1);
}

/* ---- memory ---- */

static void
memory_is_bounded(void)
{
	char *blocks[64];
	size_t page = (size_t)getpagesize();
	size_t before, after, bound = 600 * KIB + 64 * page;

	guards(0);
	free(hidden(malloc(100)));
	figure("stats.safety.guarded_now");
	before = memory_rss();
	guards(1);
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < 64; i++)
			memset(blocks[i] = needed(malloc(100)), 1, 100);
		for (unsigned i = 0; i < 64; i++)
			free(blocks[i]);
	}
	after = memory_rss();
	if (after > before + bound)
		stress_fail("64 slots take %zu KiB", (after - before) / KIB);
	printf("64 slots take %zu KiB\n", (after - before) / KIB);
}

/* ---- fork ---- */

static _Atomic bool stop;

static void *
churn(void *index)
{
	struct prng prng = { .state = (uintptr_t)index + 77 };
	struct block block;

	while (!stop) {
		make(&prng, &block);
		drop(&prng, &block);
	}
	return NULL;
}

static void
in_child(void *argument)
{
	char *of_parent = argument;

	bytes_verify(of_parent, 5000, 9);
	free(of_parent);
	scale = 1;
	for (unsigned i = 0; i < 200; i++) {
		struct prng prng = { .state = i };
		struct block block;

		make(&prng, &block);
		drop(&prng, &block);
	}
	CHECK(figure("stats.safety.reports") == 0);
}

static void
children_go_on(void)
{
	pthread_t ids[NTHREADS];
	char *block = needed(malloc(5000));

	bytes_fill(block, 5000, 9);
	for (unsigned i = 0; i < NTHREADS; i++)
		CHECK(pthread_create(&ids[i], NULL, churn,
			  (void *)(uintptr_t)i) == 0);
	for (unsigned i = 0; i < 50 * scale; i++)
		child_must_pass("child", in_child, block, 20);
	stop = true;
	for (unsigned i = 0; i < NTHREADS; i++)
		CHECK(pthread_join(ids[i], NULL) == 0);
	bytes_verify(block, 5000, 9);
	free(block);
}

/* ---- what the kernel refuses ---- */

static void
go_without(void *call)
{
	char *before[20];
	uint64_t unguarded;

	for (unsigned i = 0; i < 20; i++)
		before[i] = needed(malloc(100));
	unguarded = figure("stats.safety.unguarded");
	if (*(unsigned *)call == SYS_rt_sigaction)
		signal(SIGSEGV, SIG_DFL);
	stress_refuse(*(unsigned *)call, ENOMEM);
	scale = 1;
	work((void *)3);
	for (unsigned i = 0; i < 20; i++)
		free(before[i]);
	work((void *)4);
	CHECK(figure("stats.safety.unguarded") > unguarded);
	CHECK(figure("stats.safety.reports") == 0);
}

/* Each call alone. Then new objects are not guarded; the old ones are freed. */
static void
refusals_cost_the_guard_alone(void)
{
	static unsigned calls[] = { SYS_mprotect, SYS_rt_sigaction };

	stress_need_filters();
	for (unsigned i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		child_must_pass("refused call", go_without, &calls[i], 60);
}

int
main(int argc, char **argv)
{
	scale = stress_start(argc, argv, 60);
	if (getenv("GUARDED") == NULL) {
		stress_start_again(argv, "GUARDED", "1",
		    "junk:false,guard_sample:1");
		stress_start_again(argv, "GUARDED", "filling",
		    "junk:true,guard_sample:3");
		stress_start_again(argv, "GUARDED", "profile",
		    "junk:false,guard_sample:2,prof:true,lg_prof_sample:8");
		stress_start_again(argv, "GUARDED", "full",
		    "junk:false,guard_sample:2,safety:full");
		return 0;
	}
	if (!symbol_find("mallocx", &ours.mallocx) ||
	    !symbol_find("rallocx", &ours.rallocx) ||
	    !symbol_find("xallocx", &ours.xallocx) ||
	    !symbol_find("sallocx", &ours.sallocx) ||
	    !symbol_find("sdallocx", &ours.sdallocx))
		stress_skip_other("mallocx");
	nothing_is_wrong();
	if (strcmp(getenv("GUARDED"), "1") != 0)
		return 0;
	if (built_with("stats"))
		figures_are_exact();
	memory_is_bounded();
	none_while_it_is_off();
	children_go_on();
	refusals_cost_the_guard_alone();
	one_in_a_hundred();
	return 0;
}
