/*
 * profile-holes: the profile of holes names those who keep slabs that are
 * mostly empty.
 *
 * Provokes: objects of three functions fill slabs together; then most of them
 * are freed. Each of the objects left answers for its share of the free regions
 * around it, which is asked for by experimental.utilization.query. Then threads
 * allocate and free while such profiles are written.
 * Must hold: for each function the profile has the sum of these shares, within
 * 10 %, and the number of slabs; what is freed is in it no more; counters are
 * as without the option.
 */
#include "profile.h"

enum { DUMPS = 40, WORKERS = 4, SLOTS = 300 };

#define SECTION(name) __attribute__((noinline, section(name)))

extern char __start_holes_sparse[], __stop_holes_sparse[];
extern char __start_holes_loose[], __stop_holes_loose[];
extern char __start_holes_full[], __stop_holes_full[];

/* One function, what it has made, and what is said of it. */
struct maker {
	void *(*make)(void);
	const char *first, *end;
	unsigned nobjects;
	unsigned every; /* one in so many stays */
	size_t size;
	void **kept;
	unsigned nkept, nsampled;
	double bytes, slabs; /* by their neighbours */
	double said_bytes, said_slabs;
};

/* The hook notes which objects are samples: these lie elsewhere. */
static _Thread_local bool is_sample;

static void
sampled(const void *object, size_t size, void **stack, unsigned depth,
    size_t usable)
{
	(void)object, (void)size, (void)stack, (void)depth, (void)usable;
	is_sample = true;
}

static SECTION("holes_sparse") void *
make_sparse(void)
{
	return hidden(needed(malloc(200)));
}

static SECTION("holes_loose") void *
make_loose(void)
{
	return hidden(needed(malloc(330)));
}

static SECTION("holes_full") void *
make_full(void)
{
	return hidden(needed(malloc(450)));
}

/* What this object answers for, by the library's own look at its slab. */
static void
add_share(struct maker *maker, void *object)
{
	struct {
		void *slab;
		size_t nfree, nregs, size, bin_nfree, bin_nregs;
	} found;
	size_t length = sizeof(found);

	CHECK(control("experimental.utilization.query", &found, &length,
		  &object, sizeof(object)) == 0);
	if (found.nfree == 0)
		return;
	found.size = malloc_usable_size(object) * found.nregs;
	maker->bytes += (double)found.size / (double)found.nregs *
	    (double)found.nfree / (double)(found.nregs - found.nfree);
	maker->slabs += 1.0 / (double)(found.nregs - found.nfree);
}

static uint64_t
counter(const char *name)
{
	return stress_figure(name);
}

/* Makes all objects, and frees most of them. Notes which ones are samples. */
static void
make_and_free(struct maker *maker, bool *is_sampled, struct prng *prng)
{
	void **freed = needed(malloc(maker->nobjects * sizeof(*freed)));
	uint64_t taken = counter("thread.allocated");
	uint64_t given = counter("thread.deallocated");
	size_t usable = 0;
	unsigned nfreed = 0;

	for (unsigned i = 0; i < maker->nobjects; i++) {
		void *object;

		is_sample = false;
		object = maker->make();
		usable = malloc_usable_size(object);
		if (prng_below(prng, maker->every) != 0) {
			freed[nfreed++] = object;
			continue;
		}
		is_sampled[maker->nkept] = is_sample;
		maker->nsampled += is_sample;
		maker->kept[maker->nkept++] = object;
	}
	for (unsigned i = 0; i < nfreed; i++)
		free(freed[i]);
	CHECK(counter("thread.allocated") - taken ==
	    maker->nobjects * (uint64_t)usable);
	CHECK(counter("thread.deallocated") - given ==
	    nfreed * (uint64_t)usable);
	free(freed);
}

static void
run_maker(struct maker *maker, unsigned number)
{
	bool *is_sampled = needed(malloc(maker->nobjects));
	struct prng prng = { number + 1 };
	double scale;

	maker->kept = needed(malloc(maker->nobjects * sizeof(void *)));
	make_and_free(maker, is_sampled, &prng);
	control("thread.tcache.flush", NULL, NULL, NULL, 0);
	for (unsigned i = 0; i < maker->nkept; i++)
		if (!is_sampled[i])
			add_share(maker, maker->kept[i]);
	/* Samples lie elsewhere; without the profile they would be here. */
	scale = maker->nkept / (double)(maker->nkept - maker->nsampled);
	maker->bytes *= scale;
	maker->slabs *= scale;
	free(is_sampled);
}

/* --- what the profile says ------------------------------------------------ */

static struct maker makers[] = {
	{ make_sparse, __start_holes_sparse, __stop_holes_sparse, 400000, 8,
	    .size = 200 },
	{ make_loose, __start_holes_loose, __stop_holes_loose, 100000, 3,
	    .size = 330 },
	{ make_full, __start_holes_full, __stop_holes_full, 20000, 1,
	    .size = 450 },
};

enum { MAKERS = sizeof(makers) / sizeof(makers[0]) };

static void
note(void *context, const struct profile_stack *stack)
{
	(void)context;
	for (unsigned i = 0; i < MAKERS; i++)
		if (profile_passes(stack, makers[i].first, makers[i].end)) {
			makers[i].said_bytes += stack->bytes *
			    profile_factor(stack);
			makers[i].said_slabs += stack->objects *
			    profile_factor(stack);
		}
}

static void
read_profile(void)
{
	char path[64];
	const char *name = path;

	for (unsigned i = 0; i < MAKERS; i++)
		makers[i].said_bytes = makers[i].said_slabs = 0;
	snprintf(path, sizeof(path), "/tmp/profile-holes.%d", (int)getpid());
	CHECK(control("experimental.x.prof.dump_holes", NULL, NULL, &name,
		  sizeof(name)) == 0);
	profile_read(path, note, NULL);
	unlink(path);
}

static bool
is_near(double said, double is, double slack)
{
	return fabs(said - is) <= 0.1 * is + slack;
}

static void
judge(void)
{
	for (unsigned i = 0; i < MAKERS; i++) {
		const struct maker *m = &makers[i];

		printf("objects of %zu bytes, one in %u left: holes %.0f, said "
		       "%.0f; slabs %.0f, said %.0f; %u samples of %u\n",
		    m->size, m->every, m->bytes, m->said_bytes, m->slabs,
		    m->said_slabs, m->nsampled, m->nkept);
		fflush(stdout);
		CHECK(is_near(m->said_bytes, m->bytes, 200000));
		CHECK(is_near(m->said_slabs, m->slabs, 50));
	}
	/* There was something to be said. */
	CHECK(makers[0].bytes > 50e6 && makers[1].bytes > 10e6);
}

/* --- while threads allocate ----------------------------------------------- */

static _Atomic bool stop;

static void *
churn(void *argument)
{
	struct prng prng = { (uintptr_t)argument + 1 };
	void *slot[SLOTS] = { NULL };

	while (!stop) {
		unsigned i = (unsigned)prng_below(&prng, SLOTS);

		free(slot[i]);
		slot[i] = needed(malloc(1 + prng_below(&prng, 3000)));
	}
	for (unsigned i = 0; i < SLOTS; i++)
		free(slot[i]);
	return NULL;
}

static void
dump_in_a_crowd(void)
{
	pthread_t worker[WORKERS];

	for (uintptr_t i = 0; i < WORKERS; i++)
		CHECK(pthread_create(&worker[i], NULL, churn, (void *)i) == 0);
	for (unsigned i = 0; i < DUMPS; i++) {
		read_profile();
		if (i % 10 == 9)
			CHECK(control("prof.reset", NULL, NULL, NULL, 0) == 0);
	}
	stop = true;
	for (unsigned i = 0; i < WORKERS; i++)
		CHECK(pthread_join(worker[i], NULL) == 0);
}

int
main(int argc, char **argv)
{
	void (*hook)(const void *, size_t, void **, unsigned, size_t) = sampled;
	bool on = false;
	size_t length = sizeof(on);

	stress_start(argc, argv, 200);
	if (!built_with("prof"))
		stress_skip("built without heap profiles");
	if (control("opt.prof_holes", &on, &length, NULL, 0) != 0 || !on) {
		stress_conf("prof:true,prof_holes:true,lg_prof_sample:11,"
			    "junk:false");
		execv("/proc/self/exe", argv);
		stress_fail("can't start again");
	}
	CHECK(control("experimental.hooks.prof_sample", NULL, NULL, &hook,
		  sizeof(hook)) == 0);
	for (unsigned i = 0; i < MAKERS; i++)
		run_maker(&makers[i], i);
	read_profile();
	judge();
	for (unsigned i = 0; i < MAKERS; i++)
		for (unsigned k = 0; k < makers[i].nkept; k++)
			free(makers[i].kept[k]);
	read_profile();
	for (unsigned i = 0; i < MAKERS; i++)
		CHECK(makers[i].said_bytes == 0);
	dump_in_a_crowd();
	return 0;
}
