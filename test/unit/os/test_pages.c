#include "os/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../seccomp.h"
#include "../unit.h"
#include "os/system.h"

#define MB ((size_t)1 << 20)

static size_t
page(void)
{
	return system_info.page_size;
}

static bool
is_mapped(void *addr)
{
	unsigned char resident;

	return mincore(addr, page(), &resident) == 0;
}

static void
memory_is_mapped_zero_and_aligned(void **state)
{
	(void)state;
	for (size_t align = page(); align <= 256 * MB; align *= 2)
		for (size_t n = 1; n <= 16; n *= 2) {
			char *p = pages_map(n * page(), align);

			assert_non_null(p);
			assert_int_equal((uintptr_t)p % align, 0);
			assert_filled(p, n * page(), 0);
			memset(p, 1, n * page());
			assert_true(pages_unmap(p, n * page()));
			assert_false(is_mapped(p));
		}
}

static void
requests_that_the_kernel_refuses_are_answered_with_null(void **state)
{
	size_t half = (size_t)1 << (WORD_BITS - 1);

	(void)state;
	errno = 77;
	assert_null(pages_map(SIZE_MAX / 8 * 7 / page() * page(), page()));
	assert_null(pages_map(SIZE_MAX - page() + 1, page()));
	assert_null(pages_map(half, half));
	/* Half of 32 bits may be there. */
	if (WORD_BITS == 64) {
		assert_null(pages_map(page(), half / 2));
		assert_null(pages_map((size_t)1 << (WORD_BITS - 18), half));
	}
	assert_false(pages_unmap((void *)1, page()));
	assert_false(pages_purge_forced((void *)1, page()));
	assert_int_equal(errno, 77);
}

static void
a_place_that_is_taken_is_not_mapped_over(void **state)
{
	char *p = pages_map(3 * page(), page());

	(void)state;
	memset(p, 5, 3 * page());
	assert_false(pages_map_at(p + page(), page()));
	assert_int_equal(p[page()], 5);
	assert_true(pages_unmap(p + page(), page()));
	assert_false(pages_map_at(p, 2 * page()));
	assert_int_equal(p[0], 5);
	assert_true(pages_map_at(p + page(), page()));
	assert_filled(p + page(), page(), 0);
	assert_int_equal(p[0] + p[2 * page()], 10);
	assert_true(pages_unmap(p, 3 * page()));
}

static void
purged_pages_read_zero_and_can_be_written(void **state)
{
	char *p = pages_map(4 * page(), page());

	(void)state;
	memset(p, 7, 4 * page());
	assert_true(pages_purge_forced(p + page(), 2 * page()));
	assert_filled(p + page(), 2 * page(), 0);
	assert_int_equal(p[page() - 1], 7);
	assert_int_equal(p[3 * page()], 7);
	memset(p, 8, 4 * page());
	assert_int_equal(p[2 * page()], 8);
	pages_unmap(p, 4 * page());
}

static void
lazily_purged_pages_keep_what_is_written_afterwards(void **state)
{
	char *p = pages_map(4 * page(), page());

	(void)state;
	memset(p, 7, 4 * page());
	if (!pages_purge_lazy(p, 4 * page())) {
		assert_int_not_equal(madvise(p, page(), MADV_FREE), 0);
		SKIP_TEST("this kernel has no MADV_FREE");
	}
	for (size_t i = 0; i < 4 * page(); i += page()) {
		assert_true(p[i] == 7 || p[i] == 0);
		p[i] = 9;
	}
	for (size_t i = 0; i < 4 * page(); i += page())
		assert_int_equal(p[i], 9);
	pages_unmap(p, 4 * page());
}

static void
fill(char *p, size_t size, uint64_t seed)
{
	for (size_t i = 0; i < size; i += 8)
		*(uint64_t *)(void *)(p + i) = random_next(&seed);
}

static bool
holds(const char *p, size_t size, uint64_t seed)
{
	for (size_t i = 0; i < size; i += 8)
		if (*(const uint64_t *)(const void *)(p + i) !=
		    random_next(&seed))
			return false;
	return true;
}

static bool
is_zero(const char *p, size_t size)
{
	return p[0] == 0 && memcmp(p, p + 1, size - 1) == 0;
}

/*
 * Moves things to and fro inside of one mapping, so that ranges come to be
 * made of several as far as the kernel is concerned.
 * @return  0, or the line of what went wrong
 */
static int
move_about(void)
{
	char *base = pages_map(8 * MB, page());
	uint64_t seed = 1;

	fill(base, 8 * MB, 1);
	for (unsigned i = 0; i < 200; i++) {
		size_t size = (1 + random_below(&seed, 2 * MB / page() - 12)) *
		    page();
		size_t a = random_below(&seed, 4 * MB / page()) * page();
		size_t b = 4 * MB +
		    random_below(&seed, 2 * MB / page()) * page();
		char *from = base + (i % 2 != 0 ? a : b);
		char *to = base + (i % 2 != 0 ? b : a);

		if ((from < to ? from + size > to : to + size > from))
			continue;
		fill(from, size, i);
		if (!pages_move(from, to, size)) {
			/* Nothing changed, and all is mapped as it was. */
			if (!holds(from, size, i))
				return __LINE__;
			fill(to, size, i);
			continue;
		}
		if (!holds(to, size, i) || !is_zero(from, size))
			return __LINE__;
		fill(from, size, i + 1);
		if (!holds(to, size, i))
			return __LINE__;
	}
	for (size_t i = 0; i < 8 * MB; i += page())
		if (!is_mapped(base + i))
			return __LINE__;
	return pages_unmap(base, 8 * MB) ? 0 : __LINE__;
}

/* valgrind answers such calls itself. */
static const char *
moves_missing(void)
{
	char *p = pages_map(page(), page());

	return mremap(p, page(), page(), MREMAP_MAYMOVE | MREMAP_DONTUNMAP,
		   NULL) == MAP_FAILED
	    ? "this kernel's mremap can't leave the old range"
	    : NULL;
}

static void
contents_move_and_both_ranges_stay_mapped(void **state)
{
	char *p = pages_map(4 * page(), page());

	(void)state;
	fill(p, 2 * page(), 1);
	if (!pages_move(p, p + 2 * page(), 2 * page())) {
		assert_non_null(moves_missing());
		SKIP_TEST(moves_missing());
	}
	assert_true(holds(p + 2 * page(), 2 * page(), 1));
	assert_true(is_zero(p, 2 * page()));
	pages_unmap(p, 4 * page());
	assert_int_equal(move_about(), 0);
}

/* The lower half of an argument, as a filter can read it. */
#define LOW_HALF(n) \
	(offsetof(struct seccomp_data, args[n]) + \
	    (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0))

static void
filter(struct sock_filter *code, unsigned short length)
{
	struct sock_fprog program = { length, code };

	if (!seccomp_install(&program, 0)) {
		perror("no filter");
		_exit(1);
	}
}

/* From here on mremap of so many bytes with exactly these flags fails. */
static void
refuse_remap(unsigned flags, size_t least, size_t most, unsigned error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mremap, 0, 6),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, LOW_HALF(3)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, flags, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, LOW_HALF(1)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (unsigned)least, 0, 2),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (unsigned)most, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	filter(code, ARRAY_LEN(code));
}

/* Mirrors MREMAP_MAYMOVE, MREMAP_FIXED and MREMAP_DONTUNMAP. */
#define STEP_1 5u
#define STEP_2 3u

/* In a child with `refuse` flags, whether `work` does as it should there. */
static void
assert_in_child(const unsigned *flags, unsigned error, int (*work)(void))
{
	int status, line;
	pid_t pid;

	if (*flags != 0 && seccomp_missing() != NULL)
		SKIP_TEST(seccomp_missing());
	pid = fork();
	if (pid == 0) {
		for (; *flags != 0; flags++)
			refuse_remap(*flags, 0, UINT32_MAX, error);
		alarm(30);
		line = work();
		if (line != 0)
			fprintf(stderr, "%s:%d\n", __FILE__, line);
		_exit(line != 0);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

/* The second of three mappings can't be moved. Linux 6.10 has this call. */
static int
move_with_a_seal(void)
{
	size_t part = 8 * page();
	char *from = pages_map(6 * part, page()), *to = from + 3 * part;

	fill(from, 3 * part, 5);
	if (syscall(462, from + part, part, 0UL) != 0)
		return 0;
	if (pages_move(from, to, 3 * part))
		return holds(to, 3 * part, 5) && is_zero(from, 3 * part)
		    ? 0
		    : __LINE__;
	if (!holds(from, 3 * part, 5))
		return __LINE__;
	/* The target is mapped as before. */
	fill(to, 3 * part, 6);
	return 0;
}

static void
a_mapping_that_stays_loses_nothing(void **state)
{
	const unsigned none[] = { 0 };

	(void)state;
	assert_in_child(none, 0, move_with_a_seal);
}

/*
 * Where several mappings meet can't be chosen in a filter, but the kernel's
 * answer is the same for each piece that is too long.
 */
static int
move_in_pieces_of_8_pages(void)
{
	refuse_remap(STEP_1, 8 * page() + 1, UINT32_MAX, EFAULT);
	return move_about();
}

/* All pieces but the last, shorter ones can be moved. */
static int
copy_short_pieces(void)
{
	refuse_remap(STEP_1, 0, 8 * page() - 1, ENOMEM);
	return move_in_pieces_of_8_pages();
}

static long
page_faults(void)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	return used.ru_minflt;
}

/* A block that grows is never copied, however often it was moved before. */
static int
grow_in_moves(void)
{
	char *base = pages_map(64 * MB, page()), *from = base, *to;
	size_t size = MB, next;
	long faults;

	memset(from, 1, size);
	for (unsigned i = 0; i < 12; i++, from = to, size = next) {
		next = size / 4 * 5 / page() * page();
		to = base + (from == base ? 32 * MB : 0);
		faults = page_faults();
		if (!pages_move(from, to, size))
			return __LINE__;
		/* A race detector has memory of its own for what moved. */
		if (!RACE_DETECTOR && page_faults() - faults > 8)
			return __LINE__;
		memset(to + size, 1, next - size);
		if (to[0] != 1 || memcmp(to, to + 1, next - 1) != 0)
			return __LINE__;
	}
	return 0;
}

static void
several_mappings_are_moved_in_pieces_if_need_be(void **state)
{
	const unsigned none[] = { 0 };

	(void)state;
	if (seccomp_missing() != NULL)
		SKIP_TEST(seccomp_missing());
	assert_in_child(none, 0, move_in_pieces_of_8_pages);
	assert_in_child(none, 0, copy_short_pieces);
	if (moves_missing() != NULL)
		SKIP_TEST(moves_missing());
	assert_in_child(none, 0, grow_in_moves);
}

static void
a_move_that_fails_half_way_is_undone(void **state)
{
	(void)state;
	assert_in_child((unsigned[]){ STEP_2, 0 }, ENOMEM, move_about);
}

static void
a_kernel_that_moves_nothing_changes_nothing(void **state)
{
	(void)state;
	assert_in_child((unsigned[]){ STEP_1, 0 }, EINVAL, move_about);
	assert_in_child((unsigned[]){ STEP_1, 0 }, EFAULT, move_about);
}

/* Two moves that fail: 0 if the kernel was asked in both of them. */
static int
move_twice(bool again)
{
	char *p = pages_map(2 * page(), page());
	unsigned long calls = pages_calls();

	if (pages_move(p, p + page(), page()) || pages_calls() == calls)
		return __LINE__;
	calls = pages_calls();
	if (pages_move(p, p + page(), page()) ||
	    (pages_calls() != calls) != again)
		return __LINE__;
	return 0;
}

static int
moves_are_tried_once(void)
{
	return move_twice(false);
}

static int
moves_are_tried_again(void)
{
	return move_twice(true);
}

static void
a_kernel_that_knows_no_moves_is_asked_once(void **state)
{
	const unsigned first[] = { STEP_1, 0 };

	(void)state;
	assert_in_child(first, EINVAL, moves_are_tried_once);
	assert_in_child(first, ENOSYS, moves_are_tried_once);
	/* valgrind answers before the filter does. */
	if (moves_missing() != NULL)
		SKIP_TEST(moves_missing());
	assert_in_child(first, ENOMEM, moves_are_tried_again);
}

/* From here on this advice is answered with `error`, and not followed. */
static void
answer_advice(unsigned advice, unsigned error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, LOW_HALF(2)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, advice, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	filter(code, ARRAY_LEN(code));
}

/* Pages are purged as they should be, until one has moved. */
static int
moved_pages_take_no_advice(unsigned error)
{
	char *p = pages_map(2 * page(), page());

	p[0] = 1;
	if (!pages_purge_forced(p, page()) || p[0] != 0)
		return __LINE__;
	answer_advice(MADV_DONTNEED, error);
	p[0] = 2;
	if (pages_move(p, p + page(), page()))
		return __LINE__;
	return p[0] == 2 && p[page()] == 0 ? 0 : __LINE__;
}

static int
moved_pages_keep_their_contents(void)
{
	return moved_pages_take_no_advice(0);
}

static int
moved_pages_leave_nothing_mapped(void)
{
	return moved_pages_take_no_advice(ENOMEM);
}

/* User-mode QEMU is such an emulator: it answers 0 and does nothing. */
static void
an_emulator_that_forgets_pages_that_moved_moves_none(void **state)
{
	const unsigned none[] = { 0 };

	(void)state;
	if (seccomp_missing() != NULL)
		SKIP_TEST(seccomp_missing());
	assert_in_child(none, 0, moved_pages_keep_their_contents);
	assert_in_child(none, 0, moved_pages_leave_nothing_mapped);
}

/* Pages that the process has mapped. */
static unsigned long
all_mapped(void)
{
	char text[64] = "";
	int fd = open("/proc/self/statm", O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		_exit(1);
	close(fd);
	return strtoul(text, NULL, 10);
}

static int
purge_first_time(void)
{
	char *p = pages_map(page(), page());
	unsigned long before = all_mapped();

	p[0] = 1;
	if (!pages_purge_forced(p, page()) || p[0] != 0)
		return __LINE__;
	return all_mapped() == before ? 0 : __LINE__;
}

static void
what_was_tried_out_leaves_nothing_behind(void **state)
{
	(void)state;
	if (UNDER_ASAN || UNDER_TSAN || under_valgrind())
		SKIP_TEST("such tools map memory of their own");
	assert_in_child((unsigned[]){ 0 }, 0, purge_first_time);
}

static int
purge_without_room_to_map(void)
{
	const struct rlimit none = { 0, 0 };
	char *p = pages_map(2 * page(), page());

	p[0] = 1;
	if (setrlimit(RLIMIT_AS, &none) != 0 ||
	    pages_map(page(), page()) != NULL)
		return __LINE__;
	for (int i = 0; i < 2; i++) {
		p[0] = 1;
		if (!pages_purge_forced(p, page()) || p[0] != 0)
			return __LINE__;
	}
	return 0;
}

/* It must not need another page to find out that it can. */
static void
pages_are_purged_where_no_more_can_be_mapped(void **state)
{
	(void)state;
	if (UNDER_ASAN || UNDER_TSAN)
		SKIP_TEST("sanitizers need address space of their own");
	assert_in_child((unsigned[]){ 0 }, 0, purge_without_room_to_map);
}

static void
system_calls_are_counted(void **state)
{
	unsigned long calls = pages_calls();
	void *p = pages_map(page(), page());

	(void)state;
	assert_int_equal(pages_calls(), calls + 1);
	assert_true(pages_purge_forced(p, page()));
	assert_int_equal(pages_calls(), calls + 2);
	pages_unmap(p, page());
	assert_int_equal(pages_calls(), calls + 3);
}

/* The flags that the kernel has noted for the mapping of `addr`. */
static const char *
flags_of(const char *addr)
{
	static char line[4096];
	FILE *file = fopen("/proc/self/smaps", "r");
	unsigned long start, end;
	bool inside = false;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = (uintptr_t)addr >= start &&
			    (uintptr_t)addr < end;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			break;
	}
	fclose(file);
	return line;
}

static void
advice_on_huge_pages_reaches_the_kernel(void **state)
{
	char *p = pages_map(4 * MB, 2 * MB);

	(void)state;
	assert_non_null(p);
	errno = 77;
	if (madvise(p, 4 * MB, MADV_HUGEPAGE) != 0)
		SKIP_TEST("this kernel has no huge pages");
	assert_true(pages_refuse_huge(p, 4 * MB));
	assert_non_null(strstr(flags_of(p), " nh"));
	assert_null(strstr(flags_of(p), " hg"));
	assert_true(pages_want_huge(p, 4 * MB));
	assert_non_null(strstr(flags_of(p), " hg"));
	assert_null(strstr(flags_of(p), " nh"));
	assert_int_equal(errno, 77);
	assert_true(pages_unmap(p, 4 * MB));
	/* Of what is not mapped it says so. */
	assert_false(pages_want_huge(p, 4 * MB));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(advice_on_huge_pages_reaches_the_kernel),
		/* First, while nothing is known yet about the kernel. */
		cmocka_unit_test(a_mapping_that_stays_loses_nothing),
		cmocka_unit_test(
		    several_mappings_are_moved_in_pieces_if_need_be),
		cmocka_unit_test(a_move_that_fails_half_way_is_undone),
		cmocka_unit_test(a_kernel_that_moves_nothing_changes_nothing),
		cmocka_unit_test(a_kernel_that_knows_no_moves_is_asked_once),
		cmocka_unit_test(
		    an_emulator_that_forgets_pages_that_moved_moves_none),
		cmocka_unit_test(what_was_tried_out_leaves_nothing_behind),
		cmocka_unit_test(pages_are_purged_where_no_more_can_be_mapped),
		cmocka_unit_test(memory_is_mapped_zero_and_aligned),
		cmocka_unit_test(
		    requests_that_the_kernel_refuses_are_answered_with_null),
		cmocka_unit_test(a_place_that_is_taken_is_not_mapped_over),
		cmocka_unit_test(purged_pages_read_zero_and_can_be_written),
		cmocka_unit_test(
		    lazily_purged_pages_keep_what_is_written_afterwards),
		cmocka_unit_test(contents_move_and_both_ranges_stay_mapped),
		cmocka_unit_test(system_calls_are_counted),
	};

	system_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
