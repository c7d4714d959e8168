/*
 * replay: does again what a program asked of malloc, with as many threads.
 *
 * usage: replay TRACE
 *
 * TRACE is a file that record has written. Threads begin and end when those of
 * the program did. They may be at most AHEAD events ahead of each other, and
 * all that is done with an object is done in its order. All bytes of each
 * object are written. Memory is that of the allocator alone: anonymous memory
 * that was not there before the first thread began. The live set is the sum of
 * the sizes asked for.
 */
#include "bench.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "trace.h"

enum { AHEAD = 16, SAMPLE_US = 300 };

struct step {
	uint64_t ticket; /* its number among all steps */
	uint64_t size;
	uint32_t slot;
	uint32_t turn; /* how many steps of this slot come before */
	uint8_t kind;
	uint8_t lg_align;
};

struct worker {
	struct step *step;
	uint64_t count, begun;
	pthread_t id;
	uint32_t resizing; /* slot + 1, between the two events of a resize */
};

/* The object that a slot has now, if any. */
struct object {
	_Atomic uint32_t turn;
	void *at;
	uint64_t size;
};

static struct worker workers[TRACE_THREADS];
static struct object *objects;
static uint64_t nsteps, live_peak, live_peak_ticket;
static _Atomic uint64_t ndone, memory_peak;
static uint64_t memory_before;
static _Atomic bool over;

static void *
map(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		bench_die("no memory for the trace");
	return memory;
}

/* ---- memory ---- */

static uint64_t
memory_now(void)
{
	static int fd = -1;
	unsigned long all, resident, shared;
	char text[128];
	ssize_t length;

	if (fd < 0)
		fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	length = pread(fd, text, sizeof(text) - 1, 0);
	if (length <= 0)
		bench_die("/proc/self/statm can't be read");
	text[length] = '\0';
	if (sscanf(text, "%lu %lu %lu", &all, &resident, &shared) != 3)
		bench_die("/proc/self/statm has another form");
	return (uint64_t)(resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void
memory_look(void)
{
	uint64_t now = memory_now(), peak = memory_peak;

	now = now > memory_before ? now - memory_before : 0;
	while (now > peak &&
	    !atomic_compare_exchange_weak(&memory_peak, &peak, now))
		;
}

static void *
sample(void *unused)
{
	while (!over) {
		memory_look();
		usleep(SAMPLE_US);
	}
	return unused;
}

/* ---- reading ---- */

/* Slots by address, for the objects that are there. */
static struct {
	uint64_t *address;
	uint32_t *slot;
	uint64_t mask;
	uint32_t *unused; /* a stack of slots */
	uint32_t nunused, nslots;
} table;

static uint64_t
table_find(uint64_t address)
{
	uint64_t at = (address * UINT64_C(0x9e3779b97f4a7c15)) >> 20;

	for (at &= table.mask;
	     table.address[at] != 0 && table.address[at] != address;)
		at = (at + 1) & table.mask;
	return at;
}

/* Fills the gap with what would be found behind it. */
static void
table_remove(uint64_t gap)
{
	uint64_t at = gap;

	table.address[gap] = 0;
	for (;;) {
		uint64_t address, home;

		at = (at + 1) & table.mask;
		address = table.address[at];
		if (address == 0)
			return;
		table.address[at] = 0;
		home = table_find(address);
		table.address[home] = address;
		table.slot[home] = table.slot[at];
	}
}

static uint32_t
slot_new(uint64_t address)
{
	uint64_t at = table_find(address);

	if (table.address[at] == 0) {
		table.address[at] = address;
		table.slot[at] = table.nunused > 0
		    ? table.unused[--table.nunused]
		    : table.nslots++;
	}
	return table.slot[at];
}

/* The slot + 1 of what was there; 0: it is not known. */
static uint32_t
slot_end(uint64_t address)
{
	uint64_t at = table_find(address);
	uint32_t slot = table.slot[at];

	if (table.address[at] == 0)
		return 0;
	table_remove(at);
	return slot + 1;
}

/* False: it is there already, and was freed where nobody looked. */
static bool
read_take(uint64_t address, struct step *step)
{
	if (table.address[table_find(address)] != 0)
		return false;
	step->slot = slot_new(address);
	return true;
}

/* Turns an event into a step; false: there is nothing to do. */
static bool
read_event(const struct trace_event *event, struct step *step)
{
	struct worker *worker = &workers[event->thread];
	uint32_t found;

	*step = (struct step){ .size = event->size,
		.kind = (uint8_t)event->kind,
		.lg_align = (uint8_t)event->lg_align };
	switch (event->kind) {
	case TRACE_TAKE:
		return read_take(event->address, step);
	case TRACE_FREE:
		found = slot_end(event->address);
		if (found == 0)
			return false;
		step->slot = found - 1;
		table.unused[table.nunused++] = step->slot;
		return true;
	case TRACE_RESIZE_FROM:
		worker->resizing = slot_end(event->address);
		return false;
	default:
		found = worker->resizing;
		worker->resizing = 0;
		if (event->size == 0 && found == 0)
			return false;
		if (found == 0) {
			step->kind = TRACE_TAKE;
			return read_take(event->address, step);
		}
		found--;
		table.address[table_find(event->address)] = event->address;
		table.slot[table_find(event->address)] = found;
		step->slot = found;
		return event->size != 0;
	}
}

static const struct trace *
trace_map(const char *path)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	const struct trace *trace;

	if (fd < 0 || fstat(fd, &status) != 0) {
		perror(path);
		exit(2);
	}
	trace = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd,
	    0);
	if (trace == MAP_FAILED || trace->magic != TRACE_MAGIC) {
		fprintf(stderr, "replay: %s: is no trace\n", path);
		exit(2);
	}
	if (trace->count > TRACE_EVENTS) {
		fprintf(stderr,
		    "replay: %s: has more events than a trace may "
		    "have\n",
		    path);
		exit(2);
	}
	close(fd);
	return trace;
}

/* Reads all events, and divides them among the threads. */
static void
trace_read(const char *path)
{
	const struct trace *trace = trace_map(path);
	uint64_t count = trace->count, live = 0;
	struct step *steps = map(count * sizeof(*steps));
	uint16_t *thread = map(count * sizeof(*thread));
	uint64_t *sizes = map(count * sizeof(*sizes));
	uint32_t *turns = map(count * sizeof(*turns));
	struct step *sorted = map(count * sizeof(*sorted));
	uint64_t size = 1024;

	while (size < 2 * count)
		size *= 2;
	table.mask = size - 1;
	table.address = map(size * sizeof(*table.address));
	table.slot = map(size * sizeof(*table.slot));
	table.unused = map(count * sizeof(*table.unused));
	for (uint64_t i = 0; i < count; i++) {
		struct step *step = &steps[nsteps];

		if (!read_event(&trace->event[i], step))
			continue;
		step->ticket = nsteps;
		step->turn = turns[step->slot]++;
		thread[nsteps++] = (uint16_t)trace->event[i].thread;
		workers[thread[step->ticket]].count++;
		live -= sizes[step->slot];
		sizes[step->slot] = step->kind == TRACE_FREE ? 0 : step->size;
		live += sizes[step->slot];
		if (live <= live_peak)
			continue;
		live_peak = live;
		live_peak_ticket = step->ticket;
	}
	for (uint64_t i = 0, at = 0; i < TRACE_THREADS; i++) {
		workers[i].step = sorted + at;
		at += workers[i].count;
		workers[i].count = 0;
	}
	for (uint64_t i = 0; i < nsteps; i++) {
		struct worker *worker = &workers[thread[i]];

		worker->step[worker->count++] = steps[i];
	}
	munmap(steps, count * sizeof(*steps));
	munmap(thread, count * sizeof(*thread));
	munmap(sizes, count * sizeof(*sizes));
	munmap(turns, count * sizeof(*turns));
	munmap(table.address, size * sizeof(*table.address));
	munmap(table.slot, size * sizeof(*table.slot));
	munmap(table.unused, count * sizeof(*table.unused));
	munmap((void *)(uintptr_t)trace,
	    sizeof(*trace) + count * sizeof(trace->event[0]));
	objects = map(table.nslots * sizeof(*objects));
	/* So that what is measured later is not this. */
	memset(objects, 0, table.nslots * sizeof(*objects));
}

/* ---- doing it ---- */

static void
take(struct object *object, const struct step *step)
{
	size_t alignment = (size_t)1 << step->lg_align;
	void *memory;

	if (alignment <= sizeof(void *))
		memory = malloc(step->size);
	else if (posix_memalign(&memory, alignment, step->size) != 0)
		memory = NULL;
	memory = block_need(memory);
	memset(memory, 1, step->size);
	object->size = step->size;
	object->at = memory;
}

static void
resize(struct object *object, const struct step *step)
{
	char *memory = block_need(realloc(object->at, step->size));

	if (step->size > object->size)
		memset(memory + object->size, 1, step->size - object->size);
	object->size = step->size;
	object->at = memory;
}

static void
do_step(const struct step *step)
{
	struct object *object = &objects[step->slot];

	while (step->ticket > ndone + AHEAD || object->turn != step->turn)
		sched_yield();
	switch (step->kind) {
	case TRACE_TAKE:
		take(object, step);
		break;
	case TRACE_FREE:
		free(object->at);
		break;
	default:
		resize(object, step);
	}
	object->turn = step->turn + 1;
	if (step->ticket == live_peak_ticket)
		memory_look();
	ndone++;
}

static void *
work(void *argument)
{
	const struct worker *worker = argument;

	for (uint64_t i = 0; i < worker->count; i++)
		do_step(&worker->step[i]);
	return NULL;
}

/* Starts each thread when its first step is near. */
static unsigned
run(void)
{
	unsigned nthreads = 0;

	for (;;) {
		struct worker *next = NULL;

		for (unsigned i = 0; i < TRACE_THREADS; i++) {
			struct worker *worker = &workers[i];

			if (worker->count != 0 && !worker->begun &&
			    (next == NULL ||
				worker->step->ticket < next->step->ticket))
				next = worker;
		}
		if (next == NULL)
			break;
		while (next->step->ticket > ndone + AHEAD)
			usleep(100);
		next->begun = 1;
		nthreads++;
		if (pthread_create(&next->id, NULL, work, next) != 0)
			bench_die("no thread");
	}
	for (unsigned i = 0; i < TRACE_THREADS; i++)
		if (workers[i].begun)
			pthread_join(workers[i].id, NULL);
	return nthreads;
}

int
main(int argc, char **argv)
{
	double start, seconds;
	unsigned nthreads;
	pthread_t sampler;

	if (argc != 2) {
		fprintf(stderr, "usage: replay TRACE\n");
		return 2;
	}
	trace_read(argv[1]);
	memory_before = memory_now();
	if (pthread_create(&sampler, NULL, sample, NULL) != 0)
		bench_die("no thread");
	start = clock_seconds();
	nthreads = run();
	seconds = clock_seconds() - start;
	over = true;
	pthread_join(sampler, NULL);
	printf("replay ops/s: %.0f threads: %u seconds: %.3f steps: %llu "
	       "peak_mib: %.2f live_mib: %.2f peak/live: %.3f\n",
	    (double)nsteps / seconds, nthreads, seconds,
	    (unsigned long long)nsteps, (double)memory_peak / (1 << 20),
	    (double)live_peak / (1 << 20),
	    live_peak == 0 ? 0 : (double)memory_peak / (double)live_peak);
	return 0;
}
