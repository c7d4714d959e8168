/*
 * nodes: memory near the CPU of the thread that uses it.
 *
 * Provokes: a thread on each CPU fills memory with objects of all sizes, frees
 * half of them, fills again. Then these threads end, and others come on the
 * CPUs in another order, so that arenas would change nodes.
 * Must hold: of the pages that a thread touches, nearly all are in the memory
 * of its own NUMA node. STRESS_NODES=1: the machine has several.
 */
#include "stress.h"

#include <sched.h>
#include <sys/syscall.h>

enum { PAGE = 4096, NCPUS_MAX = 64, NOBJECTS = 3000, NROUNDS = 6 };

static int cpus[NCPUS_MAX];
static unsigned node_of[NCPUS_MAX], ncpus, round_now;
static _Atomic size_t npages, nfar;

static unsigned
move_to(int cpu)
{
	unsigned node = 0;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK(sched_setaffinity(0, sizeof(set), &set) == 0);
	CHECK(syscall(SYS_getcpu, NULL, &node, NULL) == 0);
	return node;
}

/*
 * Asks the kernel where the page is. It is in no place for a moment while the
 * kernel makes a huge page of its neighbours.
 */
static unsigned
node_at(char *page)
{
	int where = -1;

	for (unsigned i = 0; i < 10000 && where < 0; i++) {
		void *pages[] = { page };

		*(volatile char *)page = 1;
		CHECK(syscall(SYS_move_pages, 0, 1UL, pages, NULL, &where, 0) ==
		    0);
	}
	if (where < 0)
		stress_fail("%p: %s", (void *)page, strerror(-where));
	return (unsigned)where;
}

static void
look(char *object, size_t size, unsigned node)
{
	for (size_t at = 0; at < size && at < 4 * PAGE; at += PAGE) {
		npages++;
		nfar += node_at(object + at) != node;
	}
}

static void
fill(char **object, unsigned node, struct prng *prng)
{
	size_t size = 1 + prng_size(prng, 65536);

	*object = malloc(size);
	CHECK(*object != NULL);
	memset(*object, 1, size);
	look(*object, size, node);
}

static void *
work(void *number)
{
	unsigned index = (unsigned)(uintptr_t)number;
	/* Another order in each round: the nodes come in turn, or in rows. */
	unsigned at = round_now % 2 == 0 ? index : ncpus - 1 - index;
	unsigned node = move_to(cpus[at]);
	struct prng prng = { index * 100 + round_now + 1 };
	char **object = calloc(NOBJECTS, sizeof(*object));

	CHECK(object != NULL && node == node_of[at]);
	for (unsigned turn = 0; turn < 3; turn++)
		for (unsigned i = 0; i < NOBJECTS; i++) {
			if (turn > 0 && prng_below(&prng, 2) == 0)
				continue;
			free(object[i]);
			fill(&object[i], node, &prng);
		}
	for (unsigned i = 0; i < NOBJECTS; i++)
		free(object[i]);
	free(object);
	return NULL;
}

/* False: all CPUs are of one node. */
static bool
find_nodes(void)
{
	bool several = false;
	cpu_set_t set;

	CHECK(sched_getaffinity(0, sizeof(set), &set) == 0);
	for (int cpu = 0; cpu < CPU_SETSIZE && ncpus < NCPUS_MAX; cpu++)
		if (CPU_ISSET(cpu, &set)) {
			cpus[ncpus] = cpu;
			node_of[ncpus] = move_to(cpu);
			several |= node_of[ncpus] != node_of[0];
			ncpus++;
		}
	CHECK(sched_setaffinity(0, sizeof(set), &set) == 0);
	return several;
}

int
main(int argc, char **argv)
{
	stress_start(argc, argv, 120);
	if (!find_nodes()) {
		if (getenv("STRESS_NODES") != NULL)
			stress_fail("all CPUs are of one node");
		stress_skip("a second NUMA node");
	}
	for (round_now = 0; round_now < NROUNDS; round_now++)
		threads_run(ncpus, work);
	printf("%zu of %zu pages are on another node\n", (size_t)nfar,
	    (size_t)npages);
	fflush(stdout);
	if (nfar > npages / 20)
		stress_fail("more than one page in 20 is on another node");
	return 0;
}
