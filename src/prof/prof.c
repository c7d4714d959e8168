#include "prof/prof.h"

#include <string.h>

#include "cache/thread.h"
#include "conf/options.h"
#include "extent/metadata.h"
#include "os/clock.h"
#include "os/message.h"
#include "os/os_thread.h"
#include "os/usdt.h"
#include "prof/prof_hooks.h"
#include "prof/prof_live.h"
#include "prof/prof_objects.h"
#include "prof/prof_sample.h"
#include "prof/prof_table.h"
#include "prof/prof_watch.h"
#include "unwind/backtrace.h"
#include "util/bits.h"

#define LG_SAMPLE_MAX 63
/* The most frames of ours between the unwinder and the public function. */
#define OWN_FRAMES_MAX 16

struct prof_state prof;
static _Atomic uint64_t nseeds;
static const struct prof_entry *entries;

static void
set_period(size_t lg_sample)
{
	unsigned lg = (unsigned)min_size(lg_sample, LG_SAMPLE_MAX);

	atomic_store_explicit(&prof.lg_sample, lg, memory_order_relaxed);
	atomic_store(&prof.period, UINT64_C(1) << lg);
}

AT_START void
prof_init(const struct prof_entry of_program[PROF_ENTRIES])
{
	entries = of_program;
	prof_table_init();
	prof_objects_init();
	prof_live_init();
	prof_watch_init();
	prof_table_accumulate(opt.prof_accum);
	atomic_store_explicit(&prof.active, opt.prof && opt.prof_active,
	    memory_order_relaxed);
	atomic_store_explicit(&prof.thread_active_init,
	    opt.prof_thread_active_init, memory_order_relaxed);
	atomic_store_explicit(&prof.lg_sample, (unsigned)opt.lg_prof_sample,
	    memory_order_relaxed);
	if (opt.prof)
		set_period(opt.lg_prof_sample);
}

static void
join(struct thread *thread, void *context)
{
	(void)context;
	tcache_set_rare(&thread->tcache, TCACHE_SAMPLED, true);
}

/* The calling thread follows a new period at once, not at its next event. */
static void
draw_again(void)
{
	struct thread *thread = thread_self;

	if (thread_is_own(thread))
		tcache_sample(&thread->tcache,
		    &(struct sampler){ .state = prof_seed(),
			.period = prof_period(),
			.every = thread->tcache.sampler.every });
}

static void
forget_all(void)
{
	prof_table_reset();
	prof_objects_forget();
}

void
prof_enable(bool on)
{
	if (on == prof_is_on())
		return;
	if (!on) {
		atomic_store(&prof.period, 0);
		return;
	}
	backtrace_prepare();
	forget_all();
	atomic_store_explicit(&prof.active, opt.prof_active,
	    memory_order_relaxed);
	set_period(atomic_load_explicit(&prof.lg_sample, memory_order_relaxed));
	thread_each(join, NULL);
	draw_again();
}

/* --- samples -------------------------------------------------------------- */

static unsigned
depth_max(void)
{
	return opt.prof_bt_max < PROF_DEPTH_MAX ? opt.prof_bt_max
						: PROF_DEPTH_MAX;
}

static size_t
pcs_size(void)
{
	return depth_max() * sizeof(void *);
}

/*
 * Makes the things that a thread needs for its first sample: a record, and
 * memory for a backtrace. The thread's own stack may be too small for a long
 * backtrace.
 */
static bool
knows(struct thread *thread)
{
	if (thread->prof == NULL)
		thread->prof = prof_table_enter();
	if (thread->prof_pcs == NULL)
		thread->prof_pcs = metadata_take_piece(pcs_size());
	return thread->prof != NULL && thread->prof_pcs != NULL;
}

uint64_t
prof_seed(void)
{
	/* The key is random. The factor keeps threads' seeds far apart. */
	return thread_key() +
	    atomic_fetch_add_explicit(&nseeds, 1, memory_order_relaxed) *
	    UINT64_C(0xd1342543de82ef95);
}

/* The weight of a sample, rounded. For very long periods it is cut to 2^62. */
static uint64_t
weight(double x)
{
	const double most = 4611686018427387904.0; /* 2^62 */

	return (uint64_t)(x < most ? x + 0.5 : most);
}

/*
 * What a sample adds to the counts. It depends on the sample alone, so the end
 * of the sample takes away exactly what its beginning added.
 */
static struct prof_counts
counts_of(const struct prof_sample *sample)
{
	double chance = sampler_chance(UINT64_C(1) << sample->lg_period,
	    sample->usable);

	return (struct prof_counts){ 1, sample->usable,
		weight(PROF_WEIGHT_ONE / chance),
		weight(PROF_WEIGHT_BYTE * (double)sample->usable / chance) };
}

/*
 * A slow path has no frame of the public function, because that has jumped to
 * it. If the backtrace has an address in such a slow path, the frames before it
 * are removed and the address is replaced by one in the public function.
 */
static unsigned
begin_at_entry(void **pcs, unsigned depth)
{
	for (unsigned i = 0; i < depth && i < OWN_FRAMES_MAX; i++)
		for (unsigned n = 0; n < PROF_ENTRIES; n++) {
			const struct prof_entry *entry = &entries[n];

			if ((char *)pcs[i] <= entry->start ||
			    (char *)pcs[i] > entry->end)
				continue;
			memmove(pcs, pcs + i, (depth - i) * sizeof(*pcs));
			/*
			 * Some readers subtract 1. The address is still inside
			 * the function then.
			 */
			pcs[0] = (char *)(uintptr_t)entry->function + 2;
			return depth - i;
		}
	return depth;
}

/* Bytes of all objects that a sample with these counts stands for. */
static uint64_t
estimate_of(const struct prof_counts *counts)
{
	return counts->weight_bytes / PROF_WEIGHT_BYTE;
}

/*
 * Each object has been allocated by some function. If a stack ends before that,
 * there is no way to find it, and nobody can see this in the profile.
 */
static void
tell_no_stacks(unsigned depth)
{
	static atomic_flag told = ATOMIC_FLAG_INIT;

	if (depth > 1 || depth_max() <= 1 || !backtrace_is_ready() ||
	    !prof_hooks_unwind_is_own() ||
	    atomic_flag_test_and_set_explicit(&told, memory_order_relaxed))
		return;
	message(
	    "Stacks can't be found, so the heap profile shows no callers: "
	    "link the program with -Wl,--eh-frame-hdr, or leave it its file "
	    "and section headers");
}

static NOINLINE bool
count_here(struct thread *thread, struct prof_sample *sample)
{
	struct prof_counts counts = counts_of(sample);

	thread->prof_estimate = estimate_of(&counts);
	thread->prof_depth = begin_at_entry(thread->prof_pcs,
	    prof_hooks_backtrace(thread->prof_pcs, depth_max()));
	tell_no_stacks(thread->prof_depth);
	/* A program's own function may find the stack of another time. */
	if (prof_hooks_unwind_is_own())
		prof_objects_note(thread->prof_pcs, thread->prof_depth);
	sample->pair = prof_table_add(thread->prof, thread->prof_pcs,
	    thread->prof_depth, &counts);
	return sample->pair != NULL;
}

/* May the thread record a sample now, and can it? */
static bool
may_begin(struct thread *thread)
{
	if (!atomic_load_explicit(&prof.active, memory_order_relaxed) ||
	    thread->prof_busy)
		return false;
	return !thread->prof_paused && knows(thread);
}

void
prof_set_stand_in(struct prof_sample *sample, void *object)
{
	if (opt.prof_holes)
		sample->stand_in[0] = object;
}

struct prof_sample *
prof_begin(struct thread *thread, size_t requested, size_t usable)
{
	struct prof_sample *sample;

	if (!may_begin(thread))
		return NULL;
	sample = metadata_take_piece(prof_sample_size());
	if (sample == NULL)
		return NULL;
	thread->prof_busy = true;
	if (opt.prof_sys_thread_name) {
		char name[PROF_NAME_SIZE] = "";

		os_thread_name(name);
		prof_table_set_name(thread->prof, name);
	}
	*sample = (struct prof_sample){
		.requested = requested,
		.usable = usable,
		.born_ns = clock_coarse_ns(),
		.lg_period = (uint8_t)lg_floor64(thread->tcache.sampler.period)
	};
	prof_set_stand_in(sample, NULL);
	if (!count_here(thread, sample)) {
		metadata_give_piece(sample, prof_sample_size());
		sample = NULL;
	}
	thread->prof_busy = false;
	return sample;
}

static struct prof_doer
doer_of(struct thread *thread, unsigned depth)
{
	return (struct prof_doer){ prof_table_number(thread->prof),
		prof_table_name(thread->prof), thread->prof_pcs, depth };
}

void
prof_taken(struct thread *thread, struct prof_sample *sample, void *object)
{
	struct prof_doer doer = doer_of(thread, thread->prof_depth);

	sample->object = object;
	usdt_alloc(object, sample->requested, sample->usable,
	    thread->prof_estimate);
	prof_watch_taken(sample, &doer);
}

void
prof_taken_small(struct thread *thread, struct prof_sample *sample,
    void *object)
{
	prof_taken(thread, sample, object);
	prof_live_add(sample);
}

static void
forget(struct prof_sample *sample, const struct prof_counts *counts,
    uint64_t age_us)
{
	prof_table_remove(sample->pair, counts, age_us);
	metadata_give_piece(sample, prof_sample_size());
}

static NOINLINE struct prof_doer
doer_here(struct thread *thread)
{
	unsigned depth;

	thread->prof_busy = true;
	depth = prof_hooks_backtrace(thread->prof_pcs, depth_max());
	thread->prof_busy = false;
	return doer_of(thread, depth);
}

void
prof_cancel(struct prof_sample *sample)
{
	struct prof_counts counts = counts_of(sample);

	forget(sample, &counts, 0);
}

/* The age of a sample; 0 if the clock has gone back. */
static uint64_t
age_us(const struct prof_sample *sample)
{
	uint64_t now = clock_coarse_ns();

	return now < sample->born_ns ? 0 : (now - sample->born_ns) / 1000;
}

void
prof_end(struct thread *thread, struct prof_sample *sample)
{
	struct prof_doer doer = { .thread = PROF_NO_THREAD, .name = "" };
	struct prof_counts counts = counts_of(sample);

	usdt_free(sample->object, sample->usable, estimate_of(&counts),
	    sample->born_ns);
	if (prof_watch_wants_stack(sample) && thread != NULL &&
	    !thread->prof_busy && knows(thread))
		doer = doer_here(thread);
	prof_watch_end(sample, &doer);
	forget(sample, &counts, opt.prof_accum ? age_us(sample) : 0);
}

void
prof_thread_begin(struct thread *thread)
{
	thread->prof_paused = !atomic_load_explicit(&prof.thread_active_init,
	    memory_order_relaxed);
	if (prof_is_on())
		tcache_set_rare(&thread->tcache, TCACHE_SAMPLED, true);
}

const char *
prof_thread_name(const struct thread *thread)
{
	return thread->prof == NULL ? "" : prof_table_name(thread->prof);
}

bool
prof_thread_set_name(struct thread *thread, const char *name)
{
	if (!knows(thread))
		return false;
	prof_table_set_name(thread->prof, name);
	return true;
}

void
prof_thread_end(struct thread *thread)
{
	if (thread->prof != NULL)
		prof_table_leave(thread->prof);
	if (thread->prof_pcs != NULL)
		metadata_give_piece(thread->prof_pcs, pcs_size());
	thread->prof = NULL;
	thread->prof_pcs = NULL;
}

void
prof_reset(size_t lg_sample)
{
	forget_all();
	if (!prof_is_on())
		return;
	set_period(lg_sample);
	draw_again();
}
