#include "api/boot.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "api/aside.h"
#include "api/fork.h"
#include "api/prof_signal.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "arena/canary.h"
#include "arena/ledger.h"
#include "cache/quarantine.h"
#include "cache/stride.h"
#include "cache/tcache_table.h"
#include "cache/thread.h"
#include "conf/conf.h"
#include "conf/options.h"
#include "ctl/ctl_experimental.h"
#include "extent/extent_hooks.h"
#include "extent/extent_records.h"
#include "extent/limit.h"
#include "extent/metadata.h"
#include "guard/guard.h"
#include "heap/descriptor.h"
#include "os/c_library.h"
#include "os/cgroup.h"
#include "os/clock.h"
#include "os/lock.h"
#include "os/message.h"
#include "os/node.h"
#include "os/os_thread.h"
#include "os/room.h"
#include "os/system.h"
#include "prof/prof.h"
#include "prof/prof_live.h"
#include "prof/prof_output.h"
#include "stats/report.h"
#include "stats/snapshot.h"
#include "unwind/backtrace.h"
#include "upkeep/background.h"
#include "upkeep/sweep.h"

#define BUFFER_SIZE    8192
#define ARENAS_PER_CPU 4 /* the preset of narenas_ratio */
#define USED_PER_CPU   2
/* With larger huge pages, a heap can't be packed into few of them. */
#define HPA_HUGE_PAGE_MAX ((size_t)64 << 20)
/*
 * PTHREAD_DESTRUCTOR_ITERATIONS of Linux. A race detector needs the last round.
 */
#ifndef EXIT_ROUNDS
#define EXIT_ROUNDS 4
#endif

enum boot_state { BOOT_NONE, BOOT_RUNNING, BOOT_DONE };

size_t mallocx_many(size_t size, int flags, void **objects, size_t count);

/* It is read first: in a page that the loader has written, that costs less. */
static struct {
	_Atomic int state;
	_Atomic uintptr_t starter;
	pthread_key_t exit_key;
	bool have_exit_key;
	_Atomic size_t used; /* of buffer */
} boot WRITTEN;

static SPARSE char boot_buffer[BUFFER_SIZE] __attribute__((aligned(16)));

/* --- memory while starting ------------------------------------------ */

struct boot_header {
	size_t size;
	size_t padding;
};

void *
boot_take(size_t size, size_t align)
{
	size_t need = sizeof(struct boot_header) + round_up(size, 16) + align;
	size_t offset, at;

	if (size > BUFFER_SIZE || align > BUFFER_SIZE)
		return NULL;
	offset = atomic_fetch_add_explicit(&boot.used, round_up(need, 16),
	    memory_order_relaxed);
	if (offset + need > BUFFER_SIZE) {
		/* A smaller request may still find room. */
		atomic_fetch_sub_explicit(&boot.used, round_up(need, 16),
		    memory_order_relaxed);
		return NULL;
	}
	at = round_up((uintptr_t)boot_buffer + offset +
		     sizeof(struct boot_header),
		 max_size(align, 16)) -
	    (uintptr_t)boot_buffer;
	((struct boot_header *)(void *)(boot_buffer + at))[-1].size =
	    round_up(size, 16);
	return boot_buffer + at;
}

bool
boot_owns(const void *object)
{
	return (const char *)object >= boot_buffer &&
	    (const char *)object < boot_buffer + BUFFER_SIZE;
}

size_t
boot_usable(const void *object)
{
	return ((const struct boot_header *)object)[-1].size;
}

/* --- threads --------------------------------------------------------- */

/*
 * Other destructors of thread-specific data may allocate and free after this
 * one. So this one asks to be called again, up to the last round of
 * destructors. Hardly any other destructor runs after that.
 */
static void
thread_exit(void *arg)
{
	struct thread *thread = arg;

	if (++thread->exit_rounds < EXIT_ROUNDS &&
	    pthread_setspecific(boot.exit_key, thread) == 0)
		return;
	prof_thread_end(thread);
	switch (thread_death(thread)) {
	case 0:
		/* A process ends with its last thread, so ours end, too. */
		background_abandon();
		break;
	case 1:
		background_alone();
		break;
	}
}

/* --- start ------------------------------------------------------------ */

/* For a reset of an arena, which does not know the samples of small objects. */
static void
end_sample(void *sample, const void *object)
{
	if (sample == NULL)
		sample = prof_live_remove(object);
	if (sample != NULL)
		prof_end(thread_is_own(thread_self) ? thread_self : NULL,
		    sample);
}

static unsigned
automatic_arenas(void)
{
	uint64_t n = opt.narenas;

	if (n == 0 && system_info.ncpus == 1)
		return 1;
	if (n == 0)
		n = ((uint64_t)system_info.ncpus * opt.narenas_ratio +
			RATIO_ONE / 2) /
		    RATIO_ONE;
	if (n > NARENAS_LIMIT) {
		message("Reducing narenas to limit (%u)", NARENAS_LIMIT);
		n = NARENAS_LIMIT;
	}
	return n < 1 ? 1 : (unsigned)n;
}

/* Adapts the options about huge pages to what this machine has. */
static void
settle_huge_pages(void)
{
	static const char *const words[] = { "default", "always", "never" };
	bool all = system_info.thp == SYSTEM_THP_ALWAYS;

	metadata_set_thp(opt.metadata_thp == METADATA_THP_ALWAYS,
	    opt.metadata_thp == METADATA_THP_AUTO);
	if (opt.hpa && system_info.huge_page > HPA_HUGE_PAGE_MAX) {
		(opt.abort_conf ? fatal : message)(
		    "HPA not supported in the current configuration; %s. "
		    "(Huge pages are larger than 64 MiB.)",
		    opt.abort_conf ? "aborting" : "disabling");
		opt_at_start.hpa = false;
	}
	if (system_info.thp == SYSTEM_THP_MISSING) {
		if (opt.thp != THP_DEFAULT)
			message("No THP support: thp:%s has no effect: the "
				"kernel has no huge pages",
			    words[opt.thp]);
		opt_at_start.thp = THP_UNSUPPORTED;
		return;
	}
	/* If the kernel makes all pages huge, or none, advice has no effect. */
	if (opt.hpa_hugify_style == HUGIFY_AUTO)
		opt_at_start.hpa_hugify_style = all ||
			system_info.thp == SYSTEM_THP_NEVER
		    ? HUGIFY_NONE
		    : HUGIFY_LAZY;
}

static void
settle_profile(void)
{
	if (!opt.prof_holes || !opt.checked)
		return;
	message("prof_holes has no effect: each call is checked (safety:full, "
		"or a part of it)");
	opt_at_start.prof_holes = false;
}

/* How many arenas opt.percpu_arena wants, or 0. */
static unsigned
per_cpu_arenas(void)
{
	unsigned ncpus = system_info.ncpus_affinity;

	if (opt.percpu_arena == PERCPU_DISABLED)
		return 0;
	if (system_cpu() < 0) {
		message("perCPU arena getcpu() not available. "
			"Setting narenas to %u.",
		    opt.narenas);
		opt_at_start.percpu_arena = PERCPU_DISABLED;
		return 0;
	}
	if (opt.percpu_arena == PERCPU_PERCPU || ncpus == 1)
		return ncpus;
	/* CPUs i and i + n/2 are threads of one core and share an arena. */
	if (ncpus % 2 != 0)
		message("invalid configuration -- per physical CPU arena "
			"with odd number (%u) of CPUs (no hyper threading?).",
		    ncpus);
	return (ncpus + 1) / 2;
}

static bool
start_arenas(void)
{
	bool chosen = opt.narenas != 0 ||
	    opt.narenas_ratio != ARENAS_PER_CPU * RATIO_ONE;
	unsigned per_cpu;

	opt_at_start.narenas = automatic_arenas();
	per_cpu = per_cpu_arenas();
	if (opt.narenas < per_cpu)
		opt_at_start.narenas = per_cpu;
	/* The next index is for the arena of oversized requests, if any. */
	if (!arena_table_init(opt.narenas, opt.oversize_threshold != 0))
		return false;
	arena_table_set_per_cpu(per_cpu);
	/*
	 * Each arena keeps free pages and slabs with holes. So if nobody has
	 * chosen a number, threads use as few arenas as they can without
	 * waiting for each other.
	 */
	if (!chosen)
		arena_table_limit(USED_PER_CPU * system_info.ncpus);
	return true;
}

/* Gives lower layers the functions that they must not call by name. */
static void
connect_layers(void)
{
	ctl_allocate = mallocx_many;
	extent_hooks_guard = (struct extent_hooks_guard){ thread_go_away,
		thread_come_back };
	arena_sample_ended = end_sample;
	arena_upkeep.wake = background_wake;
	arena_upkeep.sweep = sweep;
}

static bool
start(void)
{
	uintptr_t key;

	message_init();
	clock_init();
	node_init();
	system_init();
	room_init();
	c_library_init();
	system_set_getcpu((int (*)(void))c_library_find("sched_getcpu"));
	metadata_init();
	snapshot_init();
	conf_init();
	extent_records_init();
	ledger_init();
	canary_init();
	prof_init(malloc_entries);
	prof_output_init();
	settle_huge_pages();
	settle_profile();
	size_class_init(system_info.page_size, opt.slab_sizes);
	if (system_info.ncpus == 1)
		lock_set_spin(0);
	system_random(&key, sizeof(key));
	thread_init(key | 1);
	guard_init();
	thread_event_init();
	if (opt.stats_interval >= 0)
		stride_bound(NULL, report_interval_batch());
	limit_init();
	quarantine_init();
	tcache_table_init(key | 1);
	fork_init();
	connect_layers();
	if (!start_arenas())
		return false;
	limit_set_soft(opt.limit_soft);
	limit_set_hard(opt.limit_hard);
	limit_set_room(cgroup_container_limit());
	background_init(opt.background_thread ? BACKGROUND_ON
		: opt.background_auto         ? BACKGROUND_AUTO
					      : BACKGROUND_OFF,
	    opt.max_background_threads);
	aside_look_for_valgrind(boot_owns);
	boot.have_exit_key = pthread_key_create(&boot.exit_key, thread_exit) ==
	    0;
	descriptor_init(&(struct descriptor_start){ .memory = boot_buffer,
	    .size = BUFFER_SIZE,
	    .aside = aside_active() });
	return true;
}

/*
 * Starts the library, or waits until another thread has done so. False: this
 * call comes from inside the start-up, or there is no memory.
 */
static AT_START bool
boot_once(void)
{
	int state = BOOT_NONE;

	if (atomic_compare_exchange_strong_explicit(&boot.state, &state,
		BOOT_RUNNING, memory_order_acquire, memory_order_acquire)) {
		bool done;

		atomic_store_explicit(&boot.starter, os_thread_self(),
		    memory_order_relaxed);
		done = start();
		/* If there was no memory, a later call tries again. */
		atomic_store_explicit(&boot.state, done ? BOOT_DONE : BOOT_NONE,
		    memory_order_release);
		return done;
	}
	while (state == BOOT_RUNNING) {
		if (atomic_load_explicit(&boot.starter, memory_order_relaxed) ==
		    os_thread_self())
			return false;
		os_thread_yield();
		state = atomic_load_explicit(&boot.state, memory_order_acquire);
	}
	return state == BOOT_DONE;
}

AT_START bool
boot_ready(void)
{
	if (likely(atomic_load_explicit(&boot.state, memory_order_acquire) ==
		BOOT_DONE))
		return true;
	return boot_once();
}

struct thread *
boot_thread(void)
{
	struct thread *thread = thread_self;

	if (likely(thread_is_own(thread)))
		return thread;
	if (thread != &thread_unborn || !boot_ready())
		return NULL;
	thread = thread_birth();
	if (thread == NULL)
		return NULL;
	prof_thread_begin(thread);
	guard_thread_begin(thread);
	/*
	 * pthread_setspecific() allocates if the key is high. It finds the
	 * record, which is in place already. Without a key, the record of a
	 * thread that ends is lost.
	 */
	if (boot.have_exit_key)
		pthread_setspecific(boot.exit_key, thread);
	return thread;
}

/* The last chance to find writes into freed objects in the quarantine. */
static void
look_at_exit(void)
{
	struct thread *thread = boot_thread();

	if (thread != NULL)
		quarantine_flush(&thread->tcache);
}

/*
 * In a static program those of the program may come before one without a
 * number, and their allocations are samples, too.
 */
#define CONSTRUCTOR_FIRST 101

/*
 * Registers handlers before the first allocation, because a program may fork
 * before it. This can't be part of the start-up, because registering handlers
 * allocates.
 */
__attribute__((constructor(CONSTRUCTOR_FIRST))) static AT_START void
boot_constructor(void)
{
	/* Also under a sanitizer: mallctl must work, even after a fork. */
	if (!boot_ready())
		return;
	if (aside_active())
		aside_tell();
	fork_register();
	if (opt.prof || opt.guard_sample != 0)
		backtrace_prepare();
	else if (BUILD_PROF)
		backtrace_refresh();
	if (BUILD_PROF && opt.prof_signal[0] != '\0')
		prof_signal_start();
	if (opt.stats_print || (opt.prof && (opt.prof_leak || opt.prof_final)))
		message_keep_descriptor();
	if (opt.uaf_check && opt.quarantine != 0)
		atexit(look_at_exit);
	if (opt.stats_print)
		atexit(report_at_exit);
	/* Also if the profile is off: it may be turned on later. */
	if (BUILD_PROF && opt.prof_final && opt.prof_prefix[0] != '\0')
		atexit(prof_at_exit);
	if (opt.prof && opt.prof_log)
		prof_output_start_log(NULL);
}
