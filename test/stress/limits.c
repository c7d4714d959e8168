/*
 * limits: memory limits are met, and lifted again, while the program runs.
 *
 * Provokes: RLIMIT_AS and RLIMIT_DATA set to 48 MiB above the present use;
 * memory is filled with blocks of one size until there is none, freed and
 * filled again. Then a limit far below the present use, also one of locked
 * memory, and requests there that can't be served; and requests for more than
 * the machine has. Each case has a process of its own.
 * Must hold: at least half of the room can be had with each size; beyond it
 * NULL and ENOMEM; contents are intact; after all is freed, 70% can be had
 * again; memory that is free already is served whatever the limit, also
 * after requests that failed; a failed realloc keeps the old block; all is well
 * when the limit is lifted. A request that nothing can serve gives no page of
 * the heap back.
 */
#include "blocks.h"

#include <sys/mman.h>

enum { ROOM = 48 << 20 };

struct limit_case {
	const char *name;
	int resource;
	const char *status_key; /* what the limit counts */
	size_t size;            /* of the blocks */
};

/* Blocks of `size` until there is no more, at most twice the room. */
static struct block *
memory_fill(size_t size, size_t *total)
{
	struct block *list = NULL;

	for (*total = 0; *total < 2 * (size_t)ROOM; *total += size)
		if (!blocks_add(&list, size, *total))
			break;
	return list;
}

static void
limit_set(int resource, size_t bytes)
{
	struct rlimit limit;

	CHECK(getrlimit(resource, &limit) == 0);
	limit.rlim_cur = bytes;
	CHECK(setrlimit(resource, &limit) == 0);
}

static void
fill_free_refill(void *argument)
{
	const struct limit_case *this = argument;
	size_t first, second, third;

	limit_set(this->resource, memory_status(this->status_key) + ROOM);
	blocks_free(memory_fill(this->size, &first));
	if (first < ROOM / 2 || first > ROOM)
		stress_fail("%zu of %d KiB could be had", first / KIB,
		    ROOM / 1024);
	blocks_free(memory_fill(this->size, &second));
	if (second < first * 7 / 10)
		stress_fail("%zu KiB could be had again, %zu before",
		    second / KIB, first / KIB);
	limit_set(this->resource, RLIM_INFINITY);
	blocks_free(memory_fill(this->size, &third));
	if (third < 2 * (size_t)ROOM)
		stress_fail("only %zu KiB after the limit was lifted",
		    third / KIB);
}

/* After one size has filled the room, another one can have it. */
static void
fill_with_other_size(void *argument)
{
	const struct limit_case *this = argument;
	size_t first, second;

	limit_set(this->resource, memory_status(this->status_key) + ROOM);
	blocks_free(memory_fill(this->size, &first));
	blocks_free(memory_fill(100 * KIB, &second));
	if (second < first / 2)
		stress_fail("%zu KiB with 100 KiB blocks after %zu KiB with "
			    "blocks of %zu",
		    second / KIB, first / KIB, this->size);
}

static void
below_present_use(void *argument)
{
	const struct limit_case *this = argument;
	char *kept = needed(malloc(this->size)), *moved;
	struct block *list = NULL;
	size_t total, nserved = 0, nwanted = 4 * MIB / this->size;

	bytes_fill(kept, this->size, 77);
	for (size_t i = 0; i < nwanted; i++)
		CHECK(blocks_add(&list, this->size, i));
	blocks_free(list);
	limit_set(this->resource, 1);
	list = NULL;
	while (nserved < nwanted && blocks_add(&list, this->size, nserved))
		nserved++;
	errno = 0;
	moved = hidden(realloc(kept, (size_t)256 << 20));
	CHECK(moved == NULL && errno == ENOMEM);
	bytes_verify(kept, this->size, 77);
	blocks_free(list);
	if (nserved < nwanted / 2)
		stress_fail("%zu of %zu free blocks are served", nserved,
		    nwanted);
	limit_set(this->resource, RLIM_INFINITY);
	blocks_free(memory_fill(this->size, &total));
	CHECK(total >= 2 * (size_t)ROOM);
	bytes_verify(kept, this->size, 77);
	free(kept);
}

/* Free memory can't be mapped again, so no failed request may give it back. */
static void
keeps_what_is_free(void *argument)
{
	const struct limit_case *this = argument;
	struct block *list = NULL;
	size_t first = 0, second = 0;

	while (first < 32 * MIB && blocks_add(&list, this->size, first))
		first += this->size;
	blocks_free(list);
	limit_set(this->resource, MIB);
	if (this->resource == RLIMIT_MEMLOCK) {
		/* Root has no such limit. */
		if (geteuid() == 0)
			CHECK(setgid(65534) == 0 && setuid(65534) == 0);
		CHECK(mlockall(MCL_FUTURE) == 0);
	}
	for (size_t size = 64 * MIB; size <= (size_t)1 << 30; size *= 2) {
		errno = 0;
		CHECK(hidden(malloc(size)) == NULL && errno == ENOMEM);
	}
	list = NULL;
	while (second < first && blocks_add(&list, this->size, second))
		second += this->size;
	if (second < first / 10 * 9)
		stress_fail("%zu of %zu KiB are served after requests that "
			    "failed",
		    second / KIB, first / KIB);
	blocks_free(list);
}

/* No memory that is given back helps here, so all of it stays. */
static void
keeps_its_pages(void *argument)
{
	char *block = needed(malloc(24 * MIB));
	size_t before;

	(void)argument;
	bytes_fill(block, 24 * MIB, 1);
	free(block);
	before = memory_status("VmRSS:");
	errno = 0;
	CHECK(hidden(malloc(PTRDIFF_MAX / 4)) == NULL && errno == ENOMEM);
	if (memory_status("VmRSS:") + 12 * MIB < before)
		stress_fail("%zu KiB were in memory, and %zu KiB after a "
			    "request that failed",
		    before / KIB, memory_status("VmRSS:") / KIB);
}

int
main(int argc, char **argv)
{
	static const struct limit_case cases[] = {
		{ "RLIMIT_AS, 200 B", RLIMIT_AS, "VmSize:", 200 },
		{ "RLIMIT_AS, 3 KiB", RLIMIT_AS, "VmSize:", 3 * KIB },
		{ "RLIMIT_AS, 64 KiB", RLIMIT_AS, "VmSize:", 64 * KIB },
		{ "RLIMIT_AS, 1 MiB", RLIMIT_AS, "VmSize:", MIB },
		{ "RLIMIT_DATA, 200 B", RLIMIT_DATA, "VmData:", 200 },
		{ "RLIMIT_DATA, 3 KiB", RLIMIT_DATA, "VmData:", 3 * KIB },
		{ "RLIMIT_DATA, 64 KiB", RLIMIT_DATA, "VmData:", 64 * KIB },
		{ "RLIMIT_DATA, 1 MiB", RLIMIT_DATA, "VmData:", MIB },
	};

	stress_start(argc, argv, 100);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct limit_case this = cases[i];

		child_must_pass(this.name, fill_free_refill, &this, 30);
		child_must_pass(this.name, fill_with_other_size, &this, 30);
		child_must_pass(this.name, below_present_use, &this, 30);
		child_must_pass(this.name, keeps_what_is_free, &this, 30);
	}
	child_must_pass("RLIMIT_MEMLOCK", keeps_what_is_free,
	    &(struct limit_case){
		.resource = RLIMIT_MEMLOCK, .size = 40 * KIB },
	    30);
	child_must_pass("too large", keeps_its_pages, NULL, 30);
	return 0;
}
