/* Threads, explicit caches, arenas that are chosen. */
#include <pthread.h>

#include "abi.h"

static void *
thread(void *unused)
{
	uint64_t *allocated = READ(uint64_t *, "thread.allocatedp");
	uint64_t *freed = READ(uint64_t *, "thread.deallocatedp");
	uint64_t before = *allocated, gone;
	unsigned arena, next;
	size_t size = sizeof(arena);
	bool off = false, was;
	void *p = malloc(1), *q = malloc(5000);

	(void)unused;
	printf("allocated %" PRIu64 "\n", *allocated - before);
	gone = *freed;
	free(q);
	free(p);
	printf("freed %" PRIu64 "\n", *freed - gone);
	printf("same %d\n", READ(uint64_t, "thread.allocated") == *allocated);
	next = 1;
	arena = READ(unsigned, "thread.arena");
	printf("arena %d",
	    mallctl("thread.arena", &arena, &size, &next, sizeof(next)));
	printf(" %u\n", READ(unsigned, "thread.arena"));
	p = mallocx(60000, MALLOCX_TCACHE_NONE);
	size = sizeof(arena);
	mallctl("arenas.lookup", &arena, &size, &p, sizeof(p));
	printf("lookup %u\n", arena);
	free(p);
	/* The one that is kept for oversized requests may be chosen too. */
	next = READ(unsigned, "opt.narenas");
	printf("reserved %d",
	    mallctl("thread.arena", NULL, NULL, &next, sizeof(next)));
	printf(" %d\n", READ(unsigned, "thread.arena") == next);
	next = 99999;
	printf("%d\n",
	    mallctl("thread.arena", NULL, NULL, &next, sizeof(next)));
	size = sizeof(was);
	printf("tcache %d",
	    mallctl("thread.tcache.enabled", &was, &size, &off, sizeof(off)));
	printf(" %d %d\n", was, READ(bool, "thread.tcache.enabled"));
	printf("%d\n", mallctl("thread.tcache.flush", NULL, NULL, NULL, 0));
	off = true;
	mallctl("thread.tcache.enabled", NULL, NULL, &off, sizeof(off));
	printf("%d\n", mallctl("thread.tcache.flush", NULL, NULL, NULL, 0));
	printf("%d\n", mallctl("thread.idle", NULL, NULL, NULL, 0));
	printf("%d\n", mallctl("thread.peak.reset", NULL, NULL, NULL, 0));
	return NULL;
}

static void
caches(void)
{
	unsigned id[3] = { 0 };
	void *p;

	for (int i = 0; i < 3; i++)
		id[i] = READ(unsigned, "tcache.create");
	printf("caches %d %d\n", id[1] != id[0], id[2] != id[1]);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 100; i++) {
			p = mallocx(100, MALLOCX_TCACHE(id[1]));
			dallocx(p, MALLOCX_TCACHE(id[2]));
		}
		printf("%d\n",
		    mallctl("tcache.flush", NULL, NULL, &id[1], sizeof(id[1])));
	}
	for (int i = 0; i < 3; i++)
		printf("%d\n",
		    mallctl("tcache.destroy", NULL, NULL, &id[i],
			sizeof(id[i])));
	/* A number is given again. */
	unsigned again = READ(unsigned, "tcache.create");
	printf("%d\n", again == id[0] || again == id[1] || again == id[2]);
}

int
main(void)
{
	pthread_t one;

	pthread_create(&one, NULL, thread, NULL);
	pthread_join(one, NULL);
	caches();
	printf("%zu\n",
	    (size_t)READ(unsigned, "arenas.narenas") -
		READ(unsigned, "opt.narenas"));
	return 0;
}
