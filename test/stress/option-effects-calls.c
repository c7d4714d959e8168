/*
 * Keys that change what calls of the program do, what is printed, what is
 * checked, and what is refused.
 */
#include "option-effects.h"

/* Beyond all address space, but not beyond all size classes. */
#define MUCH ((size_t)1 << 60)

static void
nothing(void)
{
	free(needed(malloc(100)));
}

/* ---- general ---- */

static void
realloc_to_nothing(void)
{
	void *again = hidden(realloc(needed(malloc(100)), 0));

	seen(again != NULL);
}

static void
realloc_to_nothing_and_return(void)
{
	CHECK(hidden(realloc(needed(malloc(100)), 0)) == NULL);
}

static void
new_object_is_junk(void)
{
	unsigned char *block = needed(malloc(2000));

	seen(block[500] == 0xa5 && block[1999] == 0xa5);
}

static void
freed_object_is_junk(void)
{
	unsigned char *block = (void *)used_block(2000);

	free(block);
	block = hidden(block);
	seen(block[500] == 0x5a && block[1999] == 0x5a);
}

static void
used_object_is_zero(void)
{
	char *block = used_block(2000), *again;

	free(block);
	again = needed(malloc(2000));
	CHECK(again == hidden(block));
	for (unsigned i = 0; i < 2000; i++)
		if (again[i] != 0)
			seen(false);
	seen(true);
}

static void
ask_for_too_much(void)
{
	CHECK(hidden(malloc(MUCH)) == NULL);
}

static void
new_of_too_much(void)
{
	void *(*new_nothrow)(size_t, const void *);
	char tag;

	CHECK(symbol_find("_Znw" SIZE_LETTER "RKSt9nothrow_t", &new_nothrow));
	CHECK(new_nothrow(MUCH, &tag) == NULL);
}

static void
use_ten_mebibytes(void)
{
	for (unsigned i = 0; i < 10000; i++)
		free(needed(malloc(KIB)));
}

/* ---- safety ---- */

static void
free_twice(void)
{
	void *block = needed(malloc(100)), *kept = needed(malloc(100));

	free(block);
	free(hidden(block));
	(void)hidden(kept);
}

static void
leave_quietly(int signal_number)
{
	(void)signal_number;
	_exit(0);
}

static void
write_to_freed(void)
{
	struct sigaction action = { .sa_handler = leave_quietly };
	volatile char *block;

	/* First, so that ours comes before it when an object is guarded. */
	CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
	block = needed(malloc(100));
	free((void *)block);
	block[50] = 1;
}

static void
write_to_freed_and_go_on(void)
{
	volatile char *block = needed(malloc(100));

	free((void *)block);
	block[50] = 1;
	for (unsigned i = 0; i < 1000; i++)
		needed(malloc(100));
}

static void
write_past_the_end(void)
{
	char *block = needed(malloc(17));

	*(volatile char *)(block + 17) ^= 1;
	free(block);
}

static void
read_freed(void)
{
	volatile char *block = needed(malloc(100));

	memset((char *)block, 'x', 100);
	free((char *)block);
	seen(block[50] == 0);
}

static void
malloc_after_free(void)
{
	void *block = needed(malloc(100));

	free(block);
	seen(needed(malloc(100)) != hidden(block));
}

/* Do blocks lie in a row, at equal distances? */
static void
malloc_in_a_row(void)
{
	char *last = needed(malloc(100)), *next;
	unsigned same = 0;

	for (unsigned i = 0; i < 32; i++, last = next) {
		next = needed(malloc(100));
		same += next - last == 112;
	}
	seen(same < 16);
}

static void
write_past_pages(void)
{
	char *block = needed(malloc(5 * 4096));

	*(volatile char *)(block + malloc_usable_size(block)) = 1;
}

/* How many of forty live objects are guarded? */
static void
guard_forty(void)
{
	void *blocks[40];

	for (unsigned i = 0; i < 40; i++)
		blocks[i] = needed(malloc(100));
	(void)hidden(blocks);
	seen(figure("stats.safety.guarded_now") == 40);
}

/* Memory of the C library: of its heap, or of a mapping of its own. */
static void *
libc_block(size_t size)
{
	void *(*libc_malloc)(size_t);

	*(void **)&libc_malloc = libc_function("malloc");
	if (libc_malloc == NULL)
		cannot("the C library's own malloc can't be reached");
	return needed(libc_malloc(size));
}

static void
free_of_libc_heap(void)
{
	free(libc_block(100));
}

static void
free_of_libc_mapping(void)
{
	free(libc_block(4 * MIB));
}

/* ---- limits ---- */

static void
fill_64_mebibytes(void)
{
	char *block = NULL;

	for (unsigned i = 0; i < 64; i++) {
		errno = 0;
		block = hidden(malloc(MIB));
		if (block == NULL)
			break;
	}
	seen(block == NULL && errno == ENOMEM);
}

/* What is kept and what is needed then are more than the limit. */
static void
use_more_than_is_kept(void)
{
	char *block[24];

	for (unsigned i = 0; i < 24; i++)
		block[i] = used_block(MIB);
	for (unsigned i = 0; i < 24; i++)
		free(block[i]);
	CHECK(memory_rss() > 24 * MIB);
	(void)hidden(used_block(28 * MIB));
	seen(memory_rss() < 40 * MIB);
}

const struct effect effects_calls[] = {
	{ "abort", "true", "false",
	    "prof:true,prof_final:true,prof_prefix:/proc/none/x", nothing,
	    .dies = SIGABRT, .needs = "config.prof" },
	{ "abort_conf", "true", "false", "no_such_key:1", nothing,
	    .dies = SIGABRT },
	{ "confirm_conf", "true", "false", "narenas:1", nothing,
	    .says = "Set conf value: narenas:1\n" },
	{ "zero_realloc", "alloc", "free", NULL, .scene = realloc_to_nothing },
	{ "zero_realloc", "abort", "free", NULL, realloc_to_nothing_and_return,
	    .dies = SIGABRT },
	{ "junk", "true", "false", NULL, new_object_is_junk,
	    .needs = "config.fill" },
	{ "junk", "true", "false", NULL, freed_object_is_junk,
	    .needs = "config.fill" },
	{ "junk", "alloc", "free", NULL, new_object_is_junk,
	    .needs = "config.fill" },
	{ "junk", "free", "alloc", NULL, freed_object_is_junk,
	    .needs = "config.fill" },
	{ "zero", "true", "false", NULL, used_object_is_zero,
	    .needs = "config.fill" },
	{ "xmalloc", "true", "false", NULL, ask_for_too_much, .dies = SIGABRT,
	    .needs = "config.xmalloc" },
	{ "experimental_infallible_new", "true", "false", NULL, new_of_too_much,
	    .dies = SIGABRT },
	{ "stats_print", "true", "false", NULL, nothing,
	    .says = "End jemalloc statistics" },
	{ "stats_print_opts", "J", "g", "stats_print:true", nothing,
	    .says = "{\"jemalloc\":" },
	{ "stats_interval", "1048576", "-1", NULL, use_ten_mebibytes,
	    .says = "End jemalloc statistics" },
	{ "stats_interval_opts", "J", "g", "stats_interval:1048576",
	    use_ten_mebibytes, .says = "{\"jemalloc\":" },

	{ "safety", "basic", "off", NULL, free_twice, .dies = SIGABRT },
	{ "safety_action", "abort", "report", NULL, free_twice,
	    .dies = SIGABRT },
	{ "canary", "true", "false", NULL, write_past_the_end,
	    .dies = SIGABRT },
	{ "zero_free", "true", "false", "junk:false", .scene = read_freed },
	{ "uaf_check", "true", "false", "junk:false", write_to_freed_and_go_on,
	    .dies = SIGABRT },
	{ "quarantine", "1048576", "0", "junk:false",
	    .scene = malloc_after_free },
	{ "random_slots", "true", "false", "junk:false",
	    .scene = malloc_in_a_row },
	{ "guard_large", "true", "false", NULL, write_past_pages,
	    .dies = SIGSEGV },
	{ "guard_sample", "1", "0", NULL, write_to_freed,
	    .says = "safety: use-after-free: " },
	{ "guard_slots", "40", "39", "guard_sample:1", .scene = guard_forty },
	{ "foreign", "abort", "auto", NULL, free_of_libc_heap,
	    .dies = SIGABRT },
	{ "foreign", "auto", "forward", NULL, free_of_libc_mapping,
	    .dies = SIGABRT },
	/* It wants a module with a malloc of its own. */
	{ "deepbind", .shown_by = "test/integration/deepbind.sh" },

	{ "limit_hard", "33554432", "0", NULL, .scene = fill_64_mebibytes },
	{ "limit_hard", "33554432", "0", "guard_sample:1,guard_slots:4096",
	    .scene = fill_64_mebibytes },
	{ "limit_soft", "33554432", "0", "dirty_decay_ms:-1",
	    .scene = use_more_than_is_kept },
	{ .key = NULL },
};
