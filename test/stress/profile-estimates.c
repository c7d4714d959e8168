/*
 * profile-estimates: what the heap profile says is right on average, and no
 * further off than chance has it.
 *
 * Many times over, a new thread allocates known amounts at known places: from
 * 8 bytes to megabytes, of one size or of many at one place, by each function
 * there is. What readers of a dump find for each place is compared with what is
 * there, in units of the standard error that sampling has by theory; the sum
 * of all, with stats.allocated. With TEST_LONG=1: 100 times for each rate.
 *
 * A dump that is right passes each comparison but for a chance of 10^-9. Where
 * few samples stand for much, no number of standard errors says so: a tiny
 * object among large ones is seldom drawn, and then counts for tens of
 * thousands. Bernstein's inequality bounds such sums, too.
 */
#include "profile.h"

#include <sys/mman.h>

enum { RUNS = 10, RUNS_LONG = 100, STEPS = 500, FRAME = 160 };

/* The logarithm of 2 * 10^9: a bound is missed once in 10^9, on either side. */
#define UNLIKELY 21.42

/* Of a deviation, what one draw can add: at least 16 draws make it up. */
#define MOST_WEIGHT 0.25

/* What is compared, for a place or for all of them. */
struct value {
	double there;    /* this run: what there is */
	double variance; /*   of an estimate, by theory */
	double largest;  /*   what one draw can add to what is there */
	double said;     /*   what the dump says */
	double sum;      /* all runs: deviations in standard errors */
	double weight;   /*   of which one draw can add so many */
};

/* Objects of `size` up to size + spread - 1; each `every`-th is `other`. */
struct site {
	const char *name;
	void *(*take)(size_t size);
	size_t count;
	size_t size, spread, every, other;
	struct value bytes, objects;
};

static struct {
	void *(*mallocx)(size_t, int);
	void *(*operator_new)(size_t);
	const char *conf;
	char path[64];
	double period;
	void **block; /* of all places */
	size_t nblocks;
	double said;            /* this run: bytes of all stacks in the dump */
	double sum_of_all;      /* all runs: said / stats.allocated */
	double variance_of_all; /*   and the variance of that, by theory */
	double largest_of_all;  /*   and what one draw can add to it */
	unsigned ndeviations;   /* all runs: where draws are many */
	double sum_squares;
} test;

#define SITE(name, expression) \
	static __attribute__((noinline, aligned(256))) void *name(size_t size) \
	{ \
		void *block = needed(expression); \
\
		*(volatile char *)block = 1; \
		return hidden(block); \
	}

static inline void *
aligned(size_t size)
{
	void *block = NULL;

	return posix_memalign(&block, 256, size) == 0 ? block : NULL;
}

/* In three steps, most of which need no move. */
static inline void *
resized(size_t size, size_t before)
{
	void *block = needed(malloc(before));

	block = needed(realloc(block, (before + size) / 2));
	return realloc(block, size);
}

SITE(tiny, malloc(size))
SITE(small, calloc(1, size))
SITE(middle, test.mallocx(size, 0))
SITE(page, malloc(size))
SITE(mixed, malloc(size))
SITE(far_apart, malloc(size))
SITE(of_cxx, test.operator_new(size))
SITE(with_alignment, aligned(size))
SITE(grown, realloc(needed(realloc(needed(malloc(size / 3)), size / 2)), size))
SITE(grown_far, resized(size, size / 9))
SITE(shrunk, resized(size, 3 * size))
SITE(large, calloc(1, size))
SITE(wide, malloc(size))
SITE(huge, malloc(size))

/* clang-format off */
#define PLACE(name, ...) \
	{ #name, name, __VA_ARGS__, { .sum = 0 }, { .sum = 0 } }
/* clang-format on */

static struct site sites[] = {
	PLACE(tiny, 200000, 8, 1, 0, 0),
	PLACE(small, 50000, 48, 1, 0, 0),
	PLACE(middle, 4000, 1000, 1, 0, 0),
	PLACE(page, 2000, 4096, 1, 0, 0),
	PLACE(mixed, 10000, 1, 1000, 0, 0),
	PLACE(far_apart, 20000, 16, 64, 500, 150000),
	PLACE(of_cxx, 20000, 100, 200, 0, 0),
	PLACE(with_alignment, 4000, 300, 1000, 0, 0),
	PLACE(grown, 8000, 150, 3000, 0, 0),
	PLACE(grown_far, 200, 30000, 300000, 0, 0),
	PLACE(shrunk, 200, 15000, 200000, 0, 0),
	PLACE(large, 500, 14337, 40000, 0, 0),
	PLACE(wide, 4000, 8, 30000, 1000, 3000000),
	PLACE(huge, 20, 1000000, 1000000, 0, 0),
};
enum { SITES = sizeof(sites) / sizeof(sites[0]) };

/* --- one run -------------------------------------------------------------- */

/* A draw takes each object with the chance p, and counts it as 1 / p. */
static void
value_add(struct value *value, double amount, double p)
{
	value->there += amount;
	value->variance += amount * amount * (1 - p) / p;
	value->largest = fmax(value->largest, amount * (1 - p) / p);
}

static void
take_one(struct site *site, size_t number)
{
	size_t size = site->size + number * 7919 % site->spread;
	void *block;
	double usable, p;

	if (site->every != 0 && number % site->every == 0)
		size = site->other;
	block = site->take(size);
	test.block[test.nblocks++] = block;
	usable = (double)malloc_usable_size(block);
	p = -expm1(-usable / test.period);
	value_add(&site->bytes, usable, p);
	value_add(&site->objects, 1, p);
}

static void
visit(void *context, const struct profile_stack *stack)
{
	double factor = profile_factor(stack);

	(void)context;
	test.said += factor * stack->bytes;
	for (struct site *site = sites; site < sites + SITES; site++) {
		const char *first = (const char *)(uintptr_t)site->take;

		if (!profile_passes(stack, first, first + FRAME))
			continue;
		site->bytes.said += factor * stack->bytes;
		site->objects.said += factor * stack->objects;
	}
}

static double
allocated(void)
{
	uint64_t epoch = 1;
	size_t bytes = 0, size = sizeof(bytes);

	control("thread.tcache.flush", NULL, NULL, NULL, 0);
	control("epoch", NULL, NULL, &epoch, sizeof(epoch));
	CHECK(control("stats.allocated", &bytes, &size, NULL, 0) == 0);
	return (double)bytes;
}

static void
value_judge(struct value *value, const char *name)
{
	double off = value->said - value->there;
	double error = sqrt(value->variance);

	/* Written numbers are whole, so there is always some error. */
	if (error < 0.002 * value->there) {
		if (fabs(off) > 0.01 * value->there)
			stress_fail("%s: %.0f, not %.0f", name, value->said,
			    value->there);
		return;
	}
	off /= error;
	value->sum += off;
	value->weight = value->largest / error;
	/* Of few draws the squares say nothing. */
	if (value->weight > MOST_WEIGHT)
		return;
	test.ndeviations++;
	test.sum_squares += off * off;
}

static void *
run(void *argument)
{
	double all, variance = 0, largest = 0;

	test.nblocks = 0;
	test.said = 0;
	for (size_t i = 0; i < SITES; i++) {
		struct value nothing = { .sum = sites[i].bytes.sum };

		sites[i].bytes = nothing;
		nothing.sum = sites[i].objects.sum;
		sites[i].objects = nothing;
	}
	/* All places by turns: they share what is counted by size. */
	for (size_t step = 0; step < STEPS; step++)
		for (size_t i = 0; i < SITES; i++)
			for (size_t n = sites[i].count * step / STEPS;
			     n < sites[i].count * (step + 1) / STEPS; n++)
				take_one(&sites[i], n);
	all = allocated();
	profile_dump(test.path);
	profile_read(test.path, visit, NULL);
	for (size_t i = 0; i < SITES; i++) {
		variance += sites[i].bytes.variance;
		largest = fmax(largest, sites[i].bytes.largest);
		value_judge(&sites[i].bytes, sites[i].name);
		value_judge(&sites[i].objects, sites[i].name);
	}
	test.sum_of_all += test.said / all;
	test.variance_of_all += variance / (all * all);
	test.largest_of_all = fmax(test.largest_of_all, largest / all);
	for (size_t i = 0; i < test.nblocks; i++)
		free(test.block[i]);
	return argument;
}

/* --- all runs ------------------------------------------------------------- */

/*
 * How far the sum of independent draws is off at most, but for a chance of
 * 10^-9; one of them adds `largest` at most.
 */
static double
bound_of(double variance, double largest)
{
	double linear = largest * UNLIKELY / 3;

	return linear + sqrt(linear * linear + 2 * variance * UNLIKELY);
}

/* The sum over all runs, of bytes or objects of one place. */
static void
judge_value(const struct value *value, const char *what, const char *name,
    unsigned runs)
{
	double off = value->sum / sqrt(runs);
	double bound = bound_of(runs, value->weight) / sqrt(runs);

	if (fabs(off) > bound)
		stress_fail("%s: %s of %s are off by %.1f standard errors, "
			    "chance has at most %.1f",
		    test.conf, what, name, off, bound);
}

/*
 * The mean of the squared deviations is 1. Bytes and objects of a place are one
 * and the same draw, so half of them are independent. The bound is that of a
 * chi-squared sum (Laurent and Massart), and half as much again because draws
 * are not quite normal.
 */
static void
judge_squares(double square)
{
	double n = test.ndeviations / 2.0;
	double bound = 2 * sqrt(UNLIKELY / n) + 2 * UNLIKELY / n;

	if (square - 1 > 1.5 * bound || 1 - square > 2 * sqrt(UNLIKELY / n))
		stress_fail("%s: the mean square of %u deviations is %.2f, "
			    "chance has at most %.2f",
		    test.conf, test.ndeviations, square, 1 + 1.5 * bound);
}

static void
judge(unsigned runs)
{
	double mean = test.sum_of_all / runs;
	double error = sqrt(test.variance_of_all) / runs;
	double bound = bound_of(test.variance_of_all, test.largest_of_all) /
	    runs;
	double square = test.sum_squares / test.ndeviations;

	printf("%s: sum %.2f %% of stats.allocated (+- %.2f), mean square of "
	       "%u deviations %.2f\n",
	    test.conf, 100 * mean, 100 * error, test.ndeviations, square);
	fflush(stdout);
	for (const struct site *site = sites; site < sites + SITES; site++) {
		judge_value(&site->bytes, "bytes", site->name, runs);
		judge_value(&site->objects, "objects", site->name, runs);
	}
	/* Caches of the library's own and rounding are in the one sum alone. */
	if (fabs(mean - 1) > fmax(0.02, bound))
		stress_fail("%s: the sum is %.2f %% of stats.allocated, chance "
			    "has at most %.2f %% more or less",
		    test.conf, 100 * mean, 100 * bound);
	judge_squares(square);
}

static void
run_all(unsigned runs)
{
	size_t lg_period, length = sizeof(lg_period);
	size_t size = 0;

	CHECK(control("prof.lg_sample", &lg_period, &length, NULL, 0) == 0);
	/* The mean of a geometric distribution, in theory's continuous form. */
	test.period = (double)((size_t)1 << lg_period) - 0.5;
	for (size_t i = 0; i < SITES; i++)
		size += sites[i].count * sizeof(void *);
	test.block = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(test.block != MAP_FAILED);
	for (unsigned i = 0; i < runs; i++)
		thread_run(run, NULL);
	unlink(test.path);
	judge(runs);
}

int
main(int argc, char **argv)
{
	static const char *const confs[] = {
		"prof:true,lg_prof_sample:12",
		"prof:true,lg_prof_sample:12,tcache:false",
		"prof:true,lg_prof_sample:16",
		"prof:true,lg_prof_sample:19",
	};
	unsigned scale = stress_start(argc, argv, 100);

	if (!built_with("prof"))
		stress_skip("built without heap profiles");
	test.conf = getenv("PROFILE_ESTIMATES");
	if (test.conf == NULL) {
		for (size_t i = 0; i < sizeof(confs) / sizeof(*confs); i++)
			stress_start_again(argv, "PROFILE_ESTIMATES", confs[i],
			    confs[i]);
		return 0;
	}
	CHECK(symbol_find("mallocx", &test.mallocx));
	if (!symbol_find("_Znwm", &test.operator_new))
		CHECK(symbol_find("malloc", &test.operator_new));
	snprintf(test.path, sizeof(test.path), "/tmp/profile-estimates.%d",
	    (int)getpid());
	run_all(scale >= 10 ? RUNS_LONG : RUNS * scale);
	return 0;
}
