#include "prof/prof_log.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "conf/options.h"
#include "extent/metadata.h"
#include "os/clock.h"
#include "os/file_out.h"
#include "os/lock.h"
#include "os/message.h"
#include "os/os_thread.h"
#include "os/pages.h"
#include "os/system.h"
#include "prof/prof_trace.h"
#include "util/bits.h"
#include "util/build.h"
#include "util/format.h"

#define BUCKETS 1024

/* Threads and traces are given as indices into the tables of the file. */
struct entry {
	uint32_t taken_thread;
	uint32_t given_thread;
	uint32_t taken_trace;
	uint32_t given_trace;
	uint64_t taken_ns;
	uint64_t given_ns;
	size_t usable;
};

#define CHUNK_SIZE    ((size_t)64 << 10)
#define CHUNK_ENTRIES ((CHUNK_SIZE - 2 * sizeof(void *)) / sizeof(struct entry))

struct chunk {
	struct chunk *next;
	size_t count;
	struct entry entry[CHUNK_ENTRIES];
};

static_assert(sizeof(struct chunk) <= CHUNK_SIZE, "it is mapped so");

struct log_thread {
	struct log_thread *in_bucket;
	struct log_thread *next;
	uint64_t number;
	uint32_t index;
	char name[PROF_NAME_SIZE];
};

/* One log. */
struct run {
	char path[PATH_MAX]; /* "": named at the end */
	uint64_t number;     /* of logs named at the end */
	uint32_t pid;        /* of the process that started it */
	uint64_t began_ns;
	uint64_t nlost;
	struct chunk *chunks, *last_chunk;
	struct log_thread *threads, *last_thread;
	uint32_t nthreads;
	struct prof_trace *traces, *last_trace;
	uint32_t ntraces;
	struct log_thread *bucket[BUCKETS];
};

_Atomic uint32_t prof_log_current;

static struct {
	struct lock lock; /* protects all that follows */
	uint32_t nruns;
	uint64_t nunnamed;
	bool writing; /* a file: no run can begin meanwhile */
	struct run run;
} state SPARSE;

AT_START void
prof_log_init(void)
{
	lock_init_zeroed(&state.lock, LOCK_PROF_LOG);
}

struct lock *
prof_log_lock(void)
{
	return &state.lock;
}

static void
set_current_locked(uint32_t run)
{
	LOCK_ASSERT_HELD(&state.lock);
	atomic_store_explicit(&prof_log_current, run, memory_order_release);
}

bool
prof_log_start(const char *path)
{
	uint64_t now_ns = clock_now_ns();
	uint32_t pid = os_process_id();
	bool starts;

	if (path != NULL && strlen(path) >= sizeof(state.run.path))
		return false;
	lock_acquire(&state.lock);
	starts = prof_log_run() == 0 && !state.writing;
	if (starts) {
		memset(&state.run, 0, sizeof(state.run));
		if (path != NULL)
			memcpy(state.run.path, path, strlen(path) + 1);
		else
			state.run.number = state.nunnamed++;
		state.run.pid = pid;
		state.run.began_ns = now_ns;
		set_current_locked(++state.nruns);
	}
	lock_release(&state.lock);
	return starts;
}

bool
prof_log_is_own(void)
{
	uint32_t pid = os_process_id();
	bool own;

	lock_acquire(&state.lock);
	own = prof_log_run() != 0 &&
	    (state.run.path[0] == '\0' || state.run.pid == pid);
	lock_release(&state.lock);
	return own;
}

void
prof_log_fork_child(void)
{
	state.writing = false;
}

/* --- lives ---------------------------------------------------------------- */

/*
 * New records, which are made without the lock. fresh_end() frees those that
 * were not needed.
 */
struct fresh {
	struct chunk *chunk;
	struct log_thread *thread[2];
};

static bool
fresh_make(struct fresh *fresh)
{
	if (fresh->chunk == NULL)
		fresh->chunk = pages_map(round_up(CHUNK_SIZE,
					     system_info.page_size),
		    system_info.page_size);
	for (unsigned i = 0; i < 2; i++)
		if (fresh->thread[i] == NULL)
			fresh->thread[i] =
			    metadata_take_piece(sizeof(struct log_thread));
	return fresh->chunk != NULL && fresh->thread[0] != NULL &&
	    fresh->thread[1] != NULL;
}

static void
chunk_end(struct chunk *chunk)
{
	pages_unmap(chunk, round_up(CHUNK_SIZE, system_info.page_size));
}

static void
fresh_end(const struct fresh *fresh)
{
	if (fresh->chunk != NULL)
		chunk_end(fresh->chunk);
	for (unsigned i = 0; i < 2; i++)
		if (fresh->thread[i] != NULL)
			metadata_give_piece(fresh->thread[i],
			    sizeof(struct log_thread));
}

/* Makes room for one more entry. False: a chunk is needed, `fresh` has none. */
static bool
make_room_locked(struct fresh *fresh)
{
	struct run *run = &state.run;

	LOCK_ASSERT_HELD(&state.lock);
	if (run->last_chunk != NULL && run->last_chunk->count < CHUNK_ENTRIES)
		return true;
	if (fresh->chunk == NULL)
		return false;
	*(run->last_chunk != NULL ? &run->last_chunk->next
				  : &run->chunks) = fresh->chunk;
	run->last_chunk = fresh->chunk;
	fresh->chunk = NULL;
	return true;
}

/*
 * Finds the index of a thread. A new one is entered, with the record in
 * `*fresh`. False: a record is needed, `*fresh` has none.
 */
static bool
index_thread_locked(const struct prof_deed *deed, struct log_thread **fresh,
    uint32_t *index)
{
	struct run *run = &state.run;
	struct log_thread **bucket = &run->bucket[deed->thread % BUCKETS];
	struct log_thread *thread = *bucket;

	LOCK_ASSERT_HELD(&state.lock);
	while (thread != NULL && thread->number != deed->thread)
		thread = thread->in_bucket;
	if (thread == NULL) {
		thread = *fresh;
		if (thread == NULL)
			return false;
		*fresh = NULL;
		*thread = (struct log_thread){ .in_bucket = *bucket,
			.number = deed->thread,
			.index = run->nthreads++ };
		*bucket = thread;
		*(run->last_thread != NULL ? &run->last_thread->next
					   : &run->threads) = thread;
		run->last_thread = thread;
	}
	/* The thread may have got its name after it was entered. */
	if (deed->name[0] != '\0')
		memcpy(thread->name, deed->name, sizeof(thread->name));
	*index = thread->index;
	return true;
}

static uint32_t
index_trace_locked(struct prof_trace *trace)
{
	struct run *run = &state.run;

	LOCK_ASSERT_HELD(&state.lock);
	if (trace->log_run == state.nruns)
		return trace->log_index;
	trace->log_run = state.nruns;
	trace->log_index = run->ntraces++;
	trace->log_next = NULL;
	*(run->last_trace != NULL ? &run->last_trace->log_next
				  : &run->traces) = prof_trace_share(trace);
	run->last_trace = trace;
	return trace->log_index;
}

/* Adds an entry to the log. False: `fresh` lacks a record that is needed. */
static bool
add_locked(const struct prof_life *life, struct fresh *fresh)
{
	struct entry entry = { .taken_ns = life->taken.ns,
		.given_ns = life->given.ns,
		.usable = life->usable };
	struct chunk *chunk;

	LOCK_ASSERT_HELD(&state.lock);
	if (!index_thread_locked(&life->taken, &fresh->thread[0],
		&entry.taken_thread) ||
	    !index_thread_locked(&life->given, &fresh->thread[1],
		&entry.given_thread) ||
	    !make_room_locked(fresh))
		return false;
	entry.taken_trace = index_trace_locked(life->taken.trace);
	entry.given_trace = index_trace_locked(life->given.trace);
	chunk = state.run.last_chunk;
	chunk->entry[chunk->count++] = entry;
	return true;
}

void
prof_log_add(const struct prof_life *life)
{
	struct fresh fresh = { NULL, { NULL, NULL } };
	bool complete = life->taken.trace != NULL && life->given.trace != NULL,
	     done = false;

	while (!done) {
		lock_acquire(&state.lock);
		done = life->run != prof_log_run() ||
		    (complete && add_locked(life, &fresh));
		if (!done && !complete) {
			state.run.nlost++;
			done = true;
		}
		lock_release(&state.lock);
		if (!done)
			complete = fresh_make(&fresh);
	}
	fresh_end(&fresh);
}

/* --- the file ------------------------------------------------------------- */

static void
put_string(struct file_out *out, const char *text)
{
	char character[FORMAT_JSON_MAX];

	file_print(out, "\"");
	while (*text != '\0')
		file_write(out, character, format_json(&text, character));
	file_print(out, "\"");
}

static void
put_info(struct file_out *out, const struct run *run, unsigned lg_sample)
{
	file_print(out, "{\"info\":{\"duration\":%llu,\"version\":",
	    (unsigned long long)(clock_now_ns() - run->began_ns));
	put_string(out, BUILD_VERSION);
	file_print(out,
	    ",\"lg_sample_rate\":%u,\"prof_time_resolution\":"
	    "\"%s\",\"pid\":%u}",
	    lg_sample,
	    opt.prof_time_resolution == PROF_TIME_HIGH ? "high" : "default",
	    os_process_id());
}

static void
put_threads(struct file_out *out, const struct run *run)
{
	file_print(out, ",\"threads\":[");
	for (struct log_thread *thread = run->threads; thread != NULL;
	     thread = thread->next) {
		file_print(out, "%s{\"thr_uid\":%llu,\"thr_name\":",
		    thread == run->threads ? "" : ",",
		    (unsigned long long)thread->number);
		put_string(out, thread->name);
		file_print(out, "}");
	}
	file_print(out, "]");
}

static void
put_traces(struct file_out *out, const struct run *run)
{
	file_print(out, ",\"stack_traces\":[");
	for (struct prof_trace *trace = run->traces; trace != NULL;
	     trace = trace->log_next) {
		file_print(out, "%s[", trace == run->traces ? "" : ",");
		for (uint32_t i = 0; i < trace->depth; i++)
			file_print(out, "%s\"0x%zx\"", i == 0 ? "" : ",",
			    (size_t)(uintptr_t)trace->pcs[i]);
		file_print(out, "]");
	}
	file_print(out, "]");
}

static void
put_lives(struct file_out *out, const struct run *run)
{
	const char *comma = "";

	file_print(out, ",\"allocations\":[");
	for (struct chunk *chunk = run->chunks; chunk != NULL;
	     chunk = chunk->next)
		for (size_t i = 0; i < chunk->count; i++, comma = ",") {
			const struct entry *entry = &chunk->entry[i];

			file_print(out,
			    "%s{\"alloc_thread\":%u,"
			    "\"free_thread\":%u,\"alloc_trace\":%u,"
			    "\"free_trace\":%u,\"alloc_timestamp\":%llu,"
			    "\"free_timestamp\":%llu,\"usize\":%zu}",
			    comma, entry->taken_thread, entry->given_thread,
			    entry->taken_trace, entry->given_trace,
			    (unsigned long long)entry->taken_ns,
			    (unsigned long long)entry->given_ns, entry->usable);
		}
	file_print(out, "]}");
}

static int
write_file(const char *path, const struct run *run, unsigned lg_sample)
{
	int error;
	struct file_out *out = file_create(path, &error);

	if (out == NULL)
		return error;
	put_info(out, run, lg_sample);
	put_threads(out, run);
	put_traces(out, run);
	put_lives(out, run);
	return file_finish(out);
}

static void
run_end(struct run *run)
{
	while (run->chunks != NULL) {
		struct chunk *chunk = run->chunks;

		run->chunks = chunk->next;
		chunk_end(chunk);
	}
	while (run->threads != NULL) {
		struct log_thread *thread = run->threads;

		run->threads = thread->next;
		metadata_give_piece(thread, sizeof(*thread));
	}
	while (run->traces != NULL) {
		struct prof_trace *trace = run->traces;

		run->traces = trace->log_next;
		prof_trace_give(trace);
	}
}

int
prof_log_stop(prof_log_namer *namer, unsigned lg_sample)
{
	struct run *run = &state.run;
	bool runs;
	int error;

	lock_acquire(&state.lock);
	runs = prof_log_run() != 0;
	if (runs) {
		state.writing = true;
		set_current_locked(0);
	}
	lock_release(&state.lock);
	if (!runs)
		return ENOENT;
	/* Now no other thread uses the run, so it needs no lock. */
	error = run->path[0] != '\0' || namer(run->path, run->number)
	    ? 0
	    : ENAMETOOLONG;
	if (error == 0)
		error = write_file(run->path, run, lg_sample);
	if (run->nlost != 0)
		message("%llu samples are missing in the log: out of memory",
		    (unsigned long long)run->nlost);
	run_end(run);
	lock_acquire(&state.lock);
	state.writing = false;
	lock_release(&state.lock);
	return error;
}
