/*
 * errno-kept: releasing memory leaves errno alone, whatever the kernel says.
 *
 * Provokes: all ways to free and to ask, for blocks of all sizes, first as it
 * is and then with filters that make munmap, madvise and other calls fail,
 * with decay times of zero, so that memory is given back in the very call.
 * Must hold: errno is as it was before each free; memory that the kernel did
 * not take back is used again, and calloc's memory is zero even so.
 */
#include "stress.h"

enum { NBLOCKS = 300, KEPT_ERRNO = EXDEV };

struct filter_case {
	const char *name;
	int call;
	int error; /* 0: the call does nothing and says that it did */
};

static struct {
	void (*dallocx)(void *, int);
	void (*sdallocx)(void *, size_t, int);
	size_t (*sallocx)(const void *, int);
	size_t (*nallocx)(size_t, int);
	void (*free_sized)(void *, size_t);
	void (*free_aligned_sized)(void *, size_t, size_t);
} optional;

static void
errno_check(const char *what, size_t size)
{
	if (errno != KEPT_ERRNO)
		stress_fail("%s of a block of %zu bytes sets errno to %d", what,
		    size, errno);
}

static void
free_by(unsigned how, void *block, size_t size)
{
	static const char *const names[] = { "free", "free_sized",
		"free_aligned_sized", "dallocx", "sdallocx" };

	errno = KEPT_ERRNO;
	CHECK(malloc_usable_size(block) >= size);
	errno_check("malloc_usable_size", size);
	if (how == 1 && optional.free_sized != NULL)
		optional.free_sized(block, size);
	else if (how == 2 && optional.free_aligned_sized != NULL)
		optional.free_aligned_sized(block, 64, size);
	else if (how == 3 && optional.dallocx != NULL)
		optional.dallocx(block, 0);
	else if (how == 4 && optional.sdallocx != NULL)
		optional.sdallocx(block, size, 0);
	else
		free(block);
	errno_check(names[how], size);
}

static void
blocks_cycle(struct prng *prng, size_t largest)
{
	struct {
		char *start;
		size_t size;
	} blocks[NBLOCKS];
	size_t total = 0;

	for (unsigned i = 0; i < NBLOCKS; i++) {
		size_t size = prng_size(prng, largest) + 1;

		if (total > 40 * MIB)
			size = 100;
		total += size;
		blocks[i].size = size;
		errno = KEPT_ERRNO;
		switch (i % 5) {
		case 2:
			blocks[i].start = needed(aligned_alloc(64, size));
			break;
		case 3:
			blocks[i].start = needed(calloc(size, 1));
			bytes_verify_zero(blocks[i].start, size);
			break;
		default:
			blocks[i].start = needed(malloc(size));
		}
		errno_check("taking", size);
		bytes_fill(blocks[i].start, size, i);
	}
	for (unsigned i = 0; i < NBLOCKS; i++) {
		bytes_verify(blocks[i].start, blocks[i].size, i);
		free_by(i % 5, blocks[i].start, blocks[i].size);
	}
	if (optional.sallocx != NULL) {
		void *block = needed(malloc(100));

		errno = KEPT_ERRNO;
		CHECK(optional.sallocx(block, 0) >= 100);
		errno_check("sallocx", 100);
		CHECK(optional.nallocx(100, 0) >= 100);
		CHECK(optional.nallocx(SIZE_MAX, 0) == 0);
		errno_check("nallocx", 100);
		free(block);
	}
}

static void *
small_and_large(void *argument)
{
	struct prng prng = { 3 + (uintptr_t)argument };

	for (unsigned round = 0; round < 3; round++) {
		blocks_cycle(&prng, 4 * KIB);
		blocks_cycle(&prng, 256 * KIB);
		blocks_cycle(&prng, round % 3 == 0 ? 4 * MIB : 64 * KIB);
		malloc_trim(0);
	}
	return NULL;
}

static void
filtered(void *argument)
{
	const struct filter_case *this = argument;
	ssize_t at_once = 0;
	size_t before;

	small_and_large(NULL);
	/* Where these are known, memory goes back in the call that frees. */
	control("arenas.dirty_decay_ms", NULL, NULL, &at_once, sizeof(at_once));
	control("arena.0.dirty_decay_ms", NULL, NULL, &at_once,
	    sizeof(at_once));
	control("arena.0.muzzy_decay_ms", NULL, NULL, &at_once,
	    sizeof(at_once));
	stress_refuse(this->call, this->error);
	small_and_large(NULL);
	before = memory_status("VmSize:");
	small_and_large(NULL);
	/* Threads need mprotect themselves, for their stacks. */
	if (this->call != SYS_mprotect)
		threads_run(2, small_and_large);
	if (memory_status("VmSize:") > before + 500 * MIB)
		stress_fail("memory that was not taken back is lost");
}

int
main(int argc, char **argv)
{
	static const struct filter_case cases[] = {
		{ "munmap ENOMEM", SYS_munmap, ENOMEM },
		{ "munmap EINVAL", SYS_munmap, EINVAL },
		{ "madvise EINVAL", SYS_madvise, EINVAL },
		{ "madvise EAGAIN", SYS_madvise, EAGAIN },
		{ "madvise ENOSYS", SYS_madvise, ENOSYS },
		{ "mremap ENOMEM", SYS_mremap, ENOMEM },
		{ "mprotect ENOMEM", SYS_mprotect, ENOMEM },
		{ "getrandom ENOSYS", SYS_getrandom, ENOSYS },
	};

	stress_start(argc, argv, 100);
	symbol_find("dallocx", &optional.dallocx);
	symbol_find("sdallocx", &optional.sdallocx);
	symbol_find("sallocx", &optional.sallocx);
	symbol_find("nallocx", &optional.nallocx);
	if (optional.nallocx == NULL)
		optional.sallocx = NULL;
	symbol_find("free_sized", &optional.free_sized);
	symbol_find("free_aligned_sized", &optional.free_aligned_sized);
	threads_run(1, small_and_large);
	stress_need_filters();
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		static struct child child;
		struct filter_case this = cases[i];

		child_run(&child, filtered, &this, 30);
		if (child.status != 0)
			stress_fail("%s: status %#x: %.300s", this.name,
			    (unsigned)child.status, child.text);
	}
	return 0;
}
