/*
 * refused: the kernel says no to advice, and will never say anything else.
 *
 * Provokes: madvise that is refused with several errors, that answers 0 and
 * does nothing, that is refused together with munmap or mmap; memory that is
 * locked, now and for what will be mapped, with and without a kernel that can
 * drop locked pages. In each of these a heap grows, is freed in two orders,
 * trimmed, and used on; and the hard limit is filled up.
 * Must hold: all ends; contents stay, calloc's memory is zero; what nobody uses
 * leaves memory if there is any way at all; the figures tell of what stays;
 * memory never exceeds the hard limit.
 */
#include "blocks.h"

#include <sys/mman.h>

enum { SIZE = 20000, COUNT = 5000, DROP_LOCKED = 24, ANY = -1 };

struct no {
	const char *what;
	int error;  /* of madvise; 0: it does nothing */
	int advice; /* the only one that is refused, or ANY */
	bool lets;  /* madvise through */
	int too;    /* another call that fails, or 0 */
	bool locks;
	bool stays; /* there is no way to give memory back */
};

static const struct no nos[] = {
	{ "EPERM", EPERM, ANY, .locks = false },
	{ "ENOSYS", ENOSYS, ANY, .locks = false },
	{ "EINVAL", EINVAL, ANY, .locks = false },
	{ "does nothing", 0, ANY, .locks = false },
	{ "munmap too", EPERM, ANY, .too = SYS_munmap, .stays = true },
	{ "nothing, munmap too", 0, ANY, .too = SYS_munmap, .stays = true },
	{ "munmap alone", .lets = true, .too = SYS_munmap },
	{ "locked", .lets = true, .locks = true },
	{ "locked, old kernel", EINVAL, DROP_LOCKED, .locks = true },
	{ "locked, no advice", EPERM, ANY, .locks = true },
	{ "locked, munmap too", EPERM, ANY, .too = SYS_munmap, .locks = true,
	    .stays = true },
};

static const char *conf_names[] = { "", "dirty_decay_ms:0,muzzy_decay_ms:0",
	"dirty_decay_ms:20,muzzy_decay_ms:20", "retain:false", "hpa:true",
	"background_thread:true,dirty_decay_ms:50", "tcache:false,narenas:1" };

static void
filter_add(struct sock_filter *code, unsigned n)
{
	struct sock_fprog program = { (unsigned short)n, code };

	stress_filter(&program);
}

static void
refuse(int call, int error, int advice)
{
	const uint32_t no = SECCOMP_RET_ERRNO | (uint32_t)error;
	struct sock_filter any[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, no),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_filter one[] = {
		any[0],
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)advice, 0, 1),
		any[2],
		any[3],
	};

	if (advice == ANY)
		filter_add(any, 4);
	else
		filter_add(one, 6);
}

static void
say_no(const struct no *no)
{
	if (no->locks && mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
		stress_fail("memory can't be locked");
	if (!no->lets)
		refuse(SYS_madvise, no->error, no->advice);
	if (no->too != 0)
		refuse(no->too, EPERM, ANY);
}

/* Plain use of what is free, and of more. */
static void
go_on(void)
{
	unsigned count = stress_is_long() ? 20000 : 2000;
	struct prng prng = { 3 };

	for (unsigned i = 0; i < count; i++) {
		size_t size = 1 + prng_size(&prng, 200000);
		char *block = needed(malloc(size));

		block[0] = block[size - 1] = 1;
		free(block);
		if (i % 64 == 0) {
			block = needed(calloc(1, size));
			bytes_verify_zero(block, size);
			memset(block, 1, size);
			free(block);
		}
	}
}

static void
use(const struct no *no)
{
	static char *block[COUNT];
	size_t before = memory_rss(), resident, rss;
	/* Of a pageslab that is in use nothing can be unmapped. */
	const char *conf = getenv("REFUSED_CONF");
	size_t most = COUNT * SIZE / (strstr(conf, "hpa") == NULL ? 5 : 3);

	for (unsigned i = 0; i < COUNT; i++)
		bytes_fill(block[i] = needed(malloc(SIZE)), SIZE, i);
	for (unsigned i = 0; i < COUNT; i += 2)
		free(block[i]);
	go_on();
	for (unsigned i = 1; i < COUNT; i += 2) {
		bytes_verify(block[i], SIZE, i);
		free(block[i]);
	}
	go_on();
	malloc_trim(0);
	/* Twice: what stays is no reason to try for ever. */
	malloc_trim(0);
	rss = memory_rss();
	resident = statistic("stats.resident");
	if (!no->stays && rss > before + most)
		stress_fail("%zu MiB of %d MiB stay", (rss - before) / MIB,
		    COUNT * SIZE / (int)MIB);
	if (resident + 16 * MIB < rss - (before < rss ? before : rss))
		stress_fail("resident is %zu MiB, %zu MiB are", resident / MIB,
		    (rss - before) / MIB);
	go_on();
}

/* As small blocks, which are freed, then as large ones. */
static void
fill_up(const struct no *no)
{
	static char *block[COUNT];
	size_t limit = statistic("experimental.x.limit.in_memory") + 64 * MIB;
	size_t before = memory_rss(), large = 0, n = 0, rss;

	(void)no;
	CHECK(control("experimental.x.limit.hard", NULL, NULL, &limit,
		  sizeof(limit)) == 0);
	while (n < COUNT && (block[n] = hidden(malloc(SIZE))) != NULL)
		bytes_fill(block[n], SIZE, n), n++;
	CHECK(n > 2000 && n < COUNT);
	for (size_t i = 0; i < n; i += 2)
		free(block[i]);
	malloc_trim(0);
	for (char *more; (more = hidden(malloc(200000))) != NULL; large++) {
		CHECK(large < 1000);
		memset(more, 1, 200000);
	}
	if (!no->stays && large < 80)
		stress_fail("%zu large blocks in the place of %zu small ones",
		    large, n / 2);
	for (size_t i = 1; i < n; i += 2)
		bytes_verify(block[i], SIZE, i);
	rss = memory_rss();
	if (rss > before + 64 * MIB + 10 * MIB)
		stress_fail("%zu MiB where 64 may be", (rss - before) / MIB);
}

static void
no_and_use(void *argument)
{
	say_no(argument);
	use(argument);
}

static void
no_and_fill_up(void *argument)
{
	say_no(argument);
	fill_up(argument);
}

/*
 * Ordinary users may lock some MiB; what has no access rights takes no memory.
 */
static void
lock_all(void *argument)
{
	(void)argument;
	_exit(mlockall(MCL_CURRENT | MCL_FUTURE) == 0 &&
		    mmap(NULL, 1024 * MIB, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED
		? 0
		: 1);
}

/* In a process that has just started, as conf says. */
static void
all(const char *conf)
{
	bool long_run = stress_is_long(), can_lock;
	static struct child child;
	char what[256];

	child_run(&child, lock_all, NULL, 30);
	can_lock = child.status == 0;
	for (size_t i = 0; i < sizeof(nos) / sizeof(nos[0]); i++) {
		const struct no *no = &nos[i];
		void *argument = (void *)(uintptr_t)no;

		if (no->locks && !can_lock) {
			printf("%s: not enough memory can be locked here\n",
			    no->what);
			continue;
		}
		snprintf(what, sizeof(what), "%s (%s)", no->what, conf);
		child_must_pass(what, no_and_use, argument,
		    long_run ? 600 : 200);
		/* A pageslab counts as a whole, whatever is in memory. */
		if (strstr(conf, "hpa") == NULL)
			child_must_pass(what, no_and_fill_up, argument, 200);
	}
}

int
main(int argc, char **argv)
{
	unsigned scale = stress_start(argc, argv, 900);
	unsigned n = sizeof(conf_names) / sizeof(conf_names[0]);

	if (getenv("REFUSED_CONF") != NULL) {
		alarm(0);
		all(getenv("REFUSED_CONF"));
		return 0;
	}
	stress_need_filters();
	/* All option sets, or in a short run the first two. */
	for (unsigned i = 0; i < (scale > 1 ? n : 2); i++)
		stress_start_again(argv, "REFUSED_CONF", conf_names[i],
		    conf_names[i]);
	return 0;
}
