/* Bugs of programs that give back what they must not. */
#include "bugs.h"

#include <pthread.h>
#include <sys/mman.h>

#define KIB 1024
#define MIB (1024 * 1024)

static enum harm
free_twice(size_t size, unsigned between)
{
	void *block = taken(size);

	/* So that the bug lies amid others, as it does in programs. */
	taken(size);
	free(block);
	free_others(size, between);
	wrong_begins();
	free(block);
	wrong_ends();
	return given_twice(size);
}

/* ---- a small block twice, by one thread ---- */

/* clang-format off */
static enum harm twice_8(void) { return free_twice(8, 0); }
static enum harm twice_24(void) { return free_twice(24, 0); }
static enum harm twice_1000(void) { return free_twice(1000, 0); }
static enum harm twice_4_between(void) { return free_twice(100, 4); }
static enum harm twice_1000_between(void) { return free_twice(100, 1000); }
/* clang-format on */

static enum harm
twice_one_between(void)
{
	void *a = taken(40), *b = taken(40);

	free(a);
	free(b);
	wrong_begins();
	free(a);
	wrong_ends();
	return given_twice(40);
}

static enum harm
twice_overwritten(void)
{
	char *block = taken(64);

	free(block);
	wrong_begins();
	memset(hidden(block), 'A', 64);
	free(block);
	wrong_ends();
	return given_twice(64);
}

static enum harm
twice_of_calloc(void)
{
	void *block = hidden(calloc(10, 20));

	free(block);
	wrong_begins();
	free(block);
	wrong_ends();
	return given_twice(200);
}

static const struct bug twice_small[] = {
	{ "free(p) again: 8 bytes", "ooo", twice_8 },
	{ "free(p) again: 24 bytes", "ooo", twice_24 },
	{ "free(p) again: 1000 bytes", "ooo", twice_1000 },
	{ "free(p) again, of calloc", "ooo", twice_of_calloc },
	{ "free(a), free(b), free(a)", "ooo", twice_one_between },
	{ "free(p) again, 4 others between", "lol", twice_4_between },
	{ "free(p) again, 1000 others between", "lol", twice_1000_between },
	{ "free(p) again, its bytes were overwritten", "-oo",
	    twice_overwritten },
	{ NULL, NULL, NULL },
};

/* ---- a small block twice, in other ways ---- */

static enum harm
twice_by_another(void)
{
	void *block = taken(72);

	free(block);
	wrong_begins();
	in_thread(free, block);
	wrong_ends();
	return given_twice(72);
}

static enum harm
twice_after_another(void)
{
	void *block = taken(72);

	in_thread(free, block);
	wrong_begins();
	free(block);
	wrong_ends();
	return given_twice(72);
}

static enum harm
twice_by_two_others(void)
{
	void *block = taken(500);

	in_thread(free, block);
	wrong_begins();
	in_thread(free, block);
	wrong_ends();
	return given_twice(500);
}

static enum harm
twice_of_realloc(void)
{
	void *block = taken(100);

	if (hidden(realloc(block, 5000)) == block)
		return NONE;
	wrong_begins();
	free(hidden(block));
	wrong_ends();
	return given_twice(100);
}

static enum harm
twice_by_delete(void)
{
	void *block = new_one(48);

	delete_it(block);
	wrong_begins();
	delete_it(block);
	wrong_ends();
	return given_twice(48);
}

static enum harm
twice_by_sized_delete(void)
{
	void *block = new_one(48);

	delete_sized(block, 48);
	free_others(48, 100);
	wrong_begins();
	delete_sized(block, 48);
	wrong_ends();
	return given_twice(48);
}

static enum harm
realloc_of_freed(void)
{
	void *block = taken(300), *more;

	free(block);
	wrong_begins();
	more = realloc(block, 320);
	wrong_ends();
	free(more);
	return given_twice(300);
}

static enum harm
realloc_of_freed_to_more(void)
{
	void *block = taken(300);

	free(block);
	wrong_begins();
	block = realloc(block, 9000);
	wrong_ends();
	return given_twice(300);
}

static const struct bug twice_otherwise[] = {
	{ "free(p), then by another thread", "-oo", twice_by_another },
	{ "free(p) by another thread, then by its own", "loo",
	    twice_after_another },
	{ "free(p) by two other threads", "loo", twice_by_two_others },
	{ "q = realloc(p), free(p)", "loo", twice_of_realloc },
	{ "delete p again", "ooo", twice_by_delete },
	{ "delete p again, with its size", "lol", twice_by_sized_delete },
	{ "realloc(p) of a freed block", "loo", realloc_of_freed },
	{ "realloc(p) of a freed block, to more", "loo",
	    realloc_of_freed_to_more },
	{ NULL, NULL, NULL },
};

/* ---- a large block twice ---- */

/* clang-format off */
static enum harm twice_20k(void) { return free_twice(20 * KIB, 0); }
static enum harm twice_100k(void) { return free_twice(100 * KIB, 0); }
static enum harm twice_1m(void) { return free_twice(MIB, 0); }
static enum harm twice_64m(void) { return free_twice(64 * MIB, 0); }
static enum harm twice_200k_between(void) { return free_twice(200 * KIB, 8); }
/* clang-format on */

static enum harm
realloc_of_freed_large(void)
{
	void *block = taken(3 * MIB);

	free(block);
	wrong_begins();
	block = realloc(block, 4 * MIB);
	wrong_ends();
	return given_twice(3 * MIB);
}

static pthread_barrier_t freed;

static void *
free_afterwards(void *block)
{
	pthread_barrier_wait(&freed);
	free(block);
	return NULL;
}

/*
 * Frees it here, then in another thread. That is there before: else its record
 * might be in the freed memory.
 */
static void
free_and_let_another(void *block)
{
	pthread_t thread;

	if (pthread_barrier_init(&freed, NULL, 2) != 0 ||
	    pthread_create(&thread, NULL, free_afterwards, block) != 0)
		abort();
	free(block);
	wrong_begins();
	pthread_barrier_wait(&freed);
	pthread_join(thread, NULL);
	wrong_ends();
}

static enum harm
twice_100k_by_another(void)
{
	free_and_let_another(taken(100 * KIB));
	return given_twice(100 * KIB);
}

static enum harm
twice_20k_by_two_others(void)
{
	in_thread(free_and_let_another, taken(20 * KIB));
	return given_twice(20 * KIB);
}

static const struct bug twice_large[] = {
	{ "free(p) again: 20 KiB", "ooo", twice_20k },
	{ "free(p) again: 100 KiB", "ooo", twice_100k },
	{ "free(p) again: 1 MiB", "ooo", twice_1m },
	{ "free(p) again: 64 MiB", "ooo", twice_64m },
	{ "free(p) again: 200 KiB, 8 others between", "lol",
	    twice_200k_between },
	{ "free(p), then by another thread: 100 KiB", "ooo",
	    twice_100k_by_another },
	{ "free(p) by two other threads: 20 KiB", "ooo",
	    twice_20k_by_two_others },
	{ "realloc(p) of a freed block: 3 MiB", "ooo", realloc_of_freed_large },
	{ NULL, NULL, NULL },
};

/* ---- what was never a block ---- */

static enum harm
free_foreign(void *pointer)
{
	wrong_begins();
	free(hidden(pointer));
	wrong_ends();
	return given_out(64, pointer);
}

static char data[4096] __attribute__((aligned(64)));

static enum harm
foreign_stack(void)
{
	char local[256] __attribute__((aligned(16)));

	memset(hidden(local), 0, sizeof(local));
	return free_foreign(local + 64);
}

static enum harm
foreign_fake(void)
{
	/* As in books: the size of a block stands in front of it. */
	size_t *fake = hidden(data);

	fake[1] = 0x41;
	fake[9] = 0x1001;
	return free_foreign(fake + 2);
}

static void *
mapped(size_t size)
{
	void *place = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (place == MAP_FAILED)
		abort();
	return place;
}

/* clang-format off */
static enum harm foreign_static(void) { return free_foreign(data + 512); }
static enum harm foreign_constant(void) { return free_foreign("text"); }
static enum harm foreign_map(void) { return free_foreign(mapped(MIB)); }
static enum harm foreign_16(void) { return free_foreign((void *)16); }
static enum harm foreign_last(void) { return free_foreign((void *)-16); }
/* clang-format on */

static enum harm
foreign_code(void)
{
	return free_foreign((void *)((uintptr_t)foreign_16 & ~(uintptr_t)15));
}

static enum harm
foreign_unmapped(void)
{
	void *place = mapped(MIB);

	munmap(place, MIB);
	return free_foreign(place);
}

static enum harm
foreign_beyond(void)
{
	return free_foreign((void *)0x4141414141414140);
}

static enum harm
realloc_foreign(void)
{
	wrong_begins();
	if (realloc(hidden(data + 512), 100) == data)
		return DONE;
	wrong_ends();
	return NONE;
}

static enum harm
query_foreign(void)
{
	wrong_begins();
	if (malloc_usable_size(hidden(data + 512)) == 1)
		return DONE;
	wrong_ends();
	return NONE;
}

static const struct bug foreign[] = {
	{ "free of a local array", "ooo", foreign_stack },
	{ "free of static data", "ooo", foreign_static },
	{ "free of a constant", "ooo", foreign_constant },
	{ "free of a function", "ooo", foreign_code },
	{ "free of a mapping of the program", "ooo", foreign_map },
	{ "free of an address that is not mapped", "ooo", foreign_unmapped },
	{ "free of 0x4141414141414140", "ooo", foreign_beyond },
	{ "free of 16", "ooo", foreign_16 },
	{ "free of -16", "ooo", foreign_last },
	{ "free of a faked block", "ooo", foreign_fake },
	{ "realloc of static data", "ooo", realloc_foreign },
	{ "malloc_usable_size of static data", "ooo", query_foreign },
	{ NULL, NULL, NULL },
};

/* ---- into a block ---- */

static enum harm
free_inside(size_t size, size_t offset)
{
	char *block = taken(size);

	memset(block, 'x', size);
	wrong_begins();
	free(hidden(block + offset));
	wrong_ends();
	/* The block is still the program's own. */
	return given_out(size, block + size - 1);
}

/* clang-format off */
static enum harm inside_1(void) { return free_inside(100, 1); }
static enum harm inside_8(void) { return free_inside(100, 8); }
static enum harm inside_16(void) { return free_inside(100, 16); }
static enum harm inside_middle(void) { return free_inside(1000, 512); }
static enum harm inside_20k(void) { return free_inside(20 * KIB, 16); }
static enum harm inside_page(void) { return free_inside(100 * KIB, 4096); }
static enum harm inside_1m(void) { return free_inside(MIB, MIB / 2); }
static enum harm inside_64m(void) { return free_inside(64 * MIB, 4096); }
/* clang-format on */

static enum harm
inside_realloc(void)
{
	char *block = taken(400);

	wrong_begins();
	if (realloc(hidden(block + 32), 600) == NULL)
		return NONE;
	wrong_ends();
	return given_out(400, block + 399);
}

static const struct bug inside[] = {
	{ "free(p + 1)", "ooo", inside_1 },
	{ "free(p + 8)", "ooo", inside_8 },
	{ "free(p + 16)", "-oo", inside_16 },
	{ "free of the middle of 1000 bytes", "-oo", inside_middle },
	{ "free(p + 16) of 20 KiB", "-oo", inside_20k },
	{ "free of the second page of 100 KiB", "ooo", inside_page },
	{ "free of the middle of 1 MiB", "ooo", inside_1m },
	{ "free of the second page of 64 MiB", "ooo", inside_64m },
	{ "realloc(p + 32)", "ooo", inside_realloc },
	{ NULL, NULL, NULL },
};

/* ---- with a wrong size ---- */

static enum harm
free_wrongly(size_t size, size_t claimed)
{
	char *block = new_one(size), *next;
	enum harm harm = NONE;

	memset(block, 'x', size);
	wrong_begins();
	delete_sized(block, claimed);
	wrong_ends();
	/* A block that is too short for what is asked of it? */
	next = taken(claimed > MIB ? MIB : claimed);
	if (next == block && malloc_usable_size(next) < claimed)
		harm = DONE;
	return harm;
}

/* clang-format off */
static enum harm wrong_larger(void) { return free_wrongly(100, 1000); }
static enum harm wrong_smaller(void) { return free_wrongly(1000, 100); }
static enum harm wrong_zero(void) { return free_wrongly(200, 0); }
static enum harm wrong_huge(void) { return free_wrongly(64, SIZE_MAX / 2); }
static enum harm wrong_large(void) { return free_wrongly(MIB, 64); }
static enum harm wrong_to_large(void) { return free_wrongly(64, MIB); }
/* clang-format on */

static enum harm
wrong_alignment(void)
{
	void *block = new_one(100);

	wrong_begins();
	delete_aligned(block, 100, 4096);
	wrong_ends();
	return given_twice(100);
}

static const struct bug wrong_size[] = {
	{ "delete of 100 bytes as 1000", "loo", wrong_larger },
	{ "delete of 1000 bytes as 100", "loo", wrong_smaller },
	{ "delete of 200 bytes as 0", "loo", wrong_zero },
	{ "delete of 64 bytes as SIZE_MAX / 2", "loo", wrong_huge },
	{ "delete of 1 MiB as 64 bytes", "loo", wrong_large },
	{ "delete of 64 bytes as 1 MiB", "loo", wrong_to_large },
	{ "delete with an alignment it never had", "lol", wrong_alignment },
	{ NULL, NULL, NULL },
};

/* ---- by the wrong function ---- */

static enum harm
pair_malloc_delete(void)
{
	void *block = taken(64);

	wrong_begins();
	delete_it(block);
	wrong_ends();
	return NONE;
}

static enum harm
pair_new_free(void)
{
	void *block = new_one(64);

	wrong_begins();
	free(block);
	wrong_ends();
	return NONE;
}

static enum harm
pair_array_delete(void)
{
	void *block = new_array(64);

	wrong_begins();
	delete_it(block);
	wrong_ends();
	return NONE;
}

static enum harm
pair_new_array(void)
{
	void *block = new_one(64);

	wrong_begins();
	delete_array(block);
	wrong_ends();
	return NONE;
}

static const struct bug pairs[] = {
	{ "malloc, delete", "---", pair_malloc_delete },
	{ "new, free", "---", pair_new_free },
	{ "new[], delete", "---", pair_array_delete },
	{ "new, delete[]", "---", pair_new_array },
	{ NULL, NULL, NULL },
};

const struct property free_properties[] = {
	{ "double free of a small block", CALL, twice_small },
	{ "the same by other threads and functions", CALL, twice_otherwise },
	{ "double free of a large block", CALL, twice_large },
	{ "free of what was never a block", CALL, foreign },
	{ "free inside a block", CALL, inside },
	{ "delete with a wrong size", CALL, wrong_size },
	{ "the wrong function of a pair", CALL, pairs },
	{ NULL, CALL, NULL },
};
