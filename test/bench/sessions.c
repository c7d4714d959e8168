/*
 * sessions: a server whose sessions go from thread to thread.
 *
 * Worker threads take whatever session has a request next. A request needs
 * blocks for its own time, changes the state of its session, some of which
 * another thread has allocated, and sometimes ends the session. Shows how an
 * allocator copes when most of what a thread frees is not its own.
 */
#include "bench.h"

enum { NSESSIONS = 4096, NENTRIES = 24, NSCRATCH = 12 };

struct entry {
	void *block;
	uint32_t size;
	uint32_t tag;
};

struct session {
	atomic_flag busy;
	unsigned nrequests;
	char *log; /* grows by realloc */
	size_t log_size;
	struct entry entries[NENTRIES];
};

static struct session sessions[NSESSIONS];
static _Atomic uint64_t next_session;

static void
entry_clear(struct entry *entry)
{
	if (entry->block == NULL)
		return;
	block_check(entry->block, entry->size, entry->tag);
	free(entry->block);
	entry->block = NULL;
}

static void
entry_set(struct entry *entry, size_t size, uint32_t tag)
{
	entry_clear(entry);
	entry->size = (uint32_t)size;
	entry->tag = tag;
	entry->block = block_need(malloc(size));
	block_touch(entry->block, size, tag);
}

static void
session_log(struct session *session, size_t more)
{
	size_t size = session->log_size + more;

	if (session->log != NULL)
		block_check(session->log, session->log_size, session->log_size);
	session->log = block_need(realloc(session->log, size));
	session->log_size = size;
	block_stamp(session->log, size, size);
}

static void
session_end(struct session *session)
{
	for (unsigned i = 0; i < NENTRIES; i++)
		entry_clear(&session->entries[i]);
	free(session->log);
	session->log = NULL;
	session->log_size = 0;
	session->nrequests = 0;
}

static void
request_serve(struct session *session, struct prng *prng)
{
	struct entry scratch[NSCRATCH] = { 0 };
	uint32_t tag = (uint32_t)prng_next(prng);

	for (unsigned i = 0; i < NSCRATCH; i++)
		entry_set(&scratch[i], size_typical(prng), tag + i);
	for (unsigned i = 0; i < 3; i++)
		entry_set(&session->entries[prng_below(prng, NENTRIES)],
		    prng_between(prng, 16, 400), tag - i);
	session_log(session, prng_between(prng, 16, 80));
	for (unsigned i = 0; i < NSCRATCH; i++)
		entry_clear(&scratch[i]);
	if (++session->nrequests > 40 && prng_below(prng, 20) == 0)
		session_end(session);
}

static void
sessions_work(struct bench_thread *thread)
{
	uint64_t nrequests = scale_count(thread->scale, 600000);

	for (uint64_t n = 0; n < nrequests; n++) {
		struct session *session;

		do {
			/* Two neighbours in time are never the same thread's
			 * for long; the stride spreads them in memory. */
			uint64_t turn = atomic_fetch_add_explicit(&next_session,
			    1, memory_order_relaxed);
			session = &sessions[turn * 1237 % NSESSIONS];
		} while (atomic_flag_test_and_set_explicit(&session->busy,
		    memory_order_acquire));
		request_serve(session, &thread->prng);
		atomic_flag_clear_explicit(&session->busy,
		    memory_order_release);
	}
	thread->nops = nrequests;
}

int
main(int argc, char **argv)
{
	struct bench bench = bench_start("sessions", 0, argc, argv);
	uint64_t nops;
	double seconds = bench_run(&bench, sessions_work, NULL, &nops);
	size_t live = 0;

	for (unsigned i = 0; i < NSESSIONS; i++) {
		live += sessions[i].log_size;
		for (unsigned j = 0; j < NENTRIES; j++)
			if (sessions[i].entries[j].block != NULL)
				live += sessions[i].entries[j].size;
		session_end(&sessions[i]);
	}
	bench_result(&bench, nops, seconds, (double)live / (1 << 20));
	return 0;
}
