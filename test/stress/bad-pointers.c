/*
 * bad-pointers: wrong pointers in every call that takes one, in every mode.
 *
 * Provokes: pointers to freed blocks, into live ones (misaligned and aligned),
 * behind and below them, foreign ones, wrong sizes and alignments; in free,
 * sized frees, realloc and the queries of a size; with safety off, basic and
 * full; with and without the caches; in the thread of the block and in
 * another one.
 * Must hold: `expected` is the table of what is found, and when. What it does
 * not promise may be found, too, but never ends in anything else than the
 * message (see captured.h); the heap serves other requests as before. What is
 * no mistake is never reported.
 * With STRESS_SHOW=1 in the environment the outcome of each case is printed.
 */
#include "captured.h"

enum mode { OFF, BASIC, FULL, NMODES };

static const char *const mode_names[] = { "off", "basic", "full" };

/* What this process was started with. */
static enum mode mode;
static bool cached;

static unsigned nfailed, nrun;

/* ---- where the pointer leads ---- */

enum place {
	FREED,         /* the start of a block that was freed */
	FREED_FLUSHED, /* by another thread that has ended */
	FREED_WRITTEN, /* the program has overwritten it, and freed others */
	ODD,           /* into a live block, at offset 1 */
	UNALIGNED,     /* at offset 8; of the smallest class, 4 */
	ALIGNED,       /* at offset 16 */
	MIDDLE,        /* at a multiple of 16, in the last page */
	END,           /* the end of a large block, nothing live starts there */
	BELOW,         /* the page below a large block, it was freed */
	BELOW_FLUSHED, /* and is no longer in a cache */
	FOREIGN,       /* static data of the program */
	LIVE,          /* a live block: the call itself is wrong */
	NPLACES
};

static const char *const place_names[] = { "freed", "freed and flushed",
	"freed and written", "at offset 1", "at offset 8", "at offset 16",
	"in the middle", "at the end", "freed page below", "flushed page below",
	"foreign", "live" };

/* ---- what is done with it ---- */

enum group { FREE, SIZED, REALLOC, QUERY, WRONG_SIZE, WRONG_ALIGN, FINE };

static const struct call {
	const char *name;
	enum group group;
	const char *kinds; /* of messages */
} calls[] = {
	{ "free", FREE, "double-free|invalid-free" },
	{ "dallocx", FREE, "double-free|invalid-free" },
	{ "_ZdlPv", FREE, "double-free|invalid-free" },
	{ "sdallocx", SIZED, "double-free|invalid-free|size-mismatch" },
	{ "free_sized", SIZED, "double-free|invalid-free|size-mismatch" },
	{ "_ZdlPv" SIZE_LETTER, SIZED,
	    "double-free|invalid-free|size-mismatch" },
	{ "realloc to the same size", REALLOC, "invalid-realloc|double-free" },
	{ "realloc to twice the size", REALLOC, "invalid-realloc|double-free" },
	{ "rallocx", REALLOC, "invalid-realloc|double-free" },
	{ "malloc_usable_size", QUERY, "invalid-query|double-free" },
	{ "sallocx", QUERY, "invalid-query|double-free" },
	{ "sdallocx, larger", WRONG_SIZE, "size-mismatch" },
	{ "free_sized, smaller", WRONG_SIZE, "size-mismatch" },
	{ "_ZdlPv" SIZE_LETTER ", huge", WRONG_SIZE, "size-mismatch" },
	{ "sdallocx, aligned", WRONG_ALIGN,
	    "size-mismatch|alignment-mismatch" },
	{ "free_aligned_sized, aligned", WRONG_ALIGN,
	    "size-mismatch|alignment-mismatch" },
	/* No mistakes, or none that is looked for. */
	{ "free of malloc's", FINE, "" },
	{ "delete of malloc's", FINE, "" },
	{ "realloc to 0", FINE, "" },
	{ "free of NULL", FINE, "" },
};

enum { NCALLS = sizeof(calls) / sizeof(*calls) };

enum { WRONG_ALIGNMENT = 32768 };

struct offence {
	enum place place;
	const struct call *call;
	size_t size;
	bool elsewhere; /* in another thread than that of the block */
	void *pointer;
	size_t usable; /* of the block */
	pthread_barrier_t ready;
};

/* ---- the contract ---- */

static bool
is_small(size_t size)
{
	return size <= 14336;
}

/* A size that a cache takes, if there is one. */
static bool
is_cached(size_t size)
{
	return size <= MIB / 8;
}

static enum when
expected_by_default(const struct offence *this)
{
	enum place place = this->place;
	size_t size = this->size;

	switch (this->call->group) {
	case FREE:
		if (place == ODD || place == UNALIGNED || place == FOREIGN)
			return AT_ONCE;
		if (place == MIDDLE && !is_small(size))
			return AT_ONCE;
		if (place == FREED && !this->elsewhere)
			return AT_ONCE;
		return is_cached(size) ? FLUSH : AT_ONCE;
	case REALLOC:
		if (place >= ODD && place <= MIDDLE)
			return AT_ONCE;
		/* What another thread's cache holds looks like a live block. */
		if (is_small(size) || place >= END ||
		    (this->elsewhere && is_cached(size)))
			return FLUSH;
		return AT_ONCE;
	case QUERY:
		if (place == FOREIGN || (place == MIDDLE && !is_small(size)) ||
		    (place <= FREED_WRITTEN && !is_cached(size)))
			return AT_ONCE;
		/* It answers with the size of the class. */
		return is_small(size) ? NEVER : ANY;
	case WRONG_ALIGN:
		return is_small(size) ? FLUSH : ANY;
	default:
		return FLUSH;
	}
}

static enum when
expected(const struct offence *this)
{
	if (this->call->group == FINE)
		return NEVER;
	if (mode == FULL)
		return AT_ONCE;
	if (mode == BASIC)
		return expected_by_default(this);
	/* What is not ours is found without looking for it. */
	return this->place == FOREIGN && this->call->group != SIZED ? AT_ONCE
								    : ANY;
}

/* Is there such a place, and does the call mean it? */
static bool
is_possible(enum place place, enum group group, size_t size)
{
	if (group == WRONG_SIZE || group == WRONG_ALIGN || group == FINE)
		return place == LIVE;
	if (place == LIVE)
		return false;
	if (place == ALIGNED)
		return size > 16;
	if (place == MIDDLE)
		return size > 32;
	if (place == END || place == BELOW || place == BELOW_FLUSHED)
		return !is_small(size);
	return true;
}

/* ---- the offence ---- */

static void *
free_in_thread(void *block)
{
	free(block);
	return NULL;
}

static void
free_and_write(void *block, size_t size)
{
	void *others[30];

	for (unsigned i = 0; i < 30; i++)
		others[i] = needed(malloc(size));
	free(block);
	for (unsigned i = 0; i < 30; i++)
		free(others[i]);
	/* Pages of large ones may be gone. */
	if (is_small(size))
		memset(hidden(block), 0x41, size);
}

/* Blocks of a large size, in the order of their addresses. */
enum { NROW = 6 };

static void
row_take(char *blocks[NROW], size_t size)
{
	for (unsigned i = 0; i < NROW; i++) {
		char *block = needed(malloc(size));
		unsigned at = i;

		for (; at > 0 && blocks[at - 1] > block; at--)
			blocks[at] = blocks[at - 1];
		blocks[at] = block;
	}
}

static char *
place_around_large(enum place place, size_t size)
{
	char *blocks[NROW];

	row_take(blocks, size);
	if (place == END)
		return blocks[NROW - 1] + malloc_usable_size(blocks[NROW - 1]);
	for (unsigned i = NROW - 1; i > 0; i--)
		if (blocks[i - 1] + malloc_usable_size(blocks[i - 1]) ==
		    blocks[i]) {
			free(blocks[i - 1]);
			if (place == BELOW_FLUSHED)
				control("thread.tcache.flush", NULL, NULL, NULL,
				    0);
			return blocks[i] - 4096;
		}
	return blocks[0] - 4096;
}

static char *
place_in_block(enum place place, char *block, size_t size)
{
	switch (place) {
	case ODD:
		return block + 1;
	case UNALIGNED:
		return block + (size <= 8 ? 4 : 8);
	case ALIGNED:
		return block + 16;
	case MIDDLE:
		return block +
		    (is_small(size) ? size / 2 : size - 4096) / 16 * 16;
	default:
		return block;
	}
}

static void
place_find(struct offence *this)
{
	static char foreign[65536] __attribute__((aligned(64)));
	char *block;

	if (this->place == FOREIGN) {
		this->pointer = foreign + 64;
		return;
	}
	if (this->place >= END && this->place <= BELOW_FLUSHED) {
		this->pointer = place_around_large(this->place, this->size);
		return;
	}
	do {
		block = needed(malloc(this->size));
	} while (this->call->group == WRONG_ALIGN &&
	    (uintptr_t)block % WRONG_ALIGNMENT == 0);
	this->usable = malloc_usable_size(block);
	/* Blocks that stay, so that a slab with a freed one is kept. */
	for (unsigned i = 0; is_small(this->size) && i < 20; i++)
		needed(malloc(this->size));
	if (this->place == FREED)
		free(block);
	else if (this->place == FREED_FLUSHED)
		thread_run(free_in_thread, block);
	else if (this->place == FREED_WRITTEN)
		free_and_write(block, this->size);
	this->pointer = place_in_block(this->place, block, this->size);
}

static void
query_check(const struct offence *this, size_t got)
{
	if (is_small(this->size) && got != this->usable)
		stress_fail("a query answers %zu", got);
}

static void
call_sized(const struct offence *this, void *pointer)
{
	const char *name = this->call->name;
	void (*sdallocx)(void *, size_t, int);
	void (*free_aligned_sized)(void *, size_t, size_t);
	size_t size = this->size;

	if (strcmp(name, "sdallocx, larger") == 0)
		release_by("sdallocx", pointer, 3 * size);
	else if (strcmp(name, "free_sized, smaller") == 0)
		release_by("free_sized", pointer, size <= 8 ? 16 : size / 3);
	else if (strcmp(name, "_ZdlPv" SIZE_LETTER ", huge") == 0)
		release_by("_ZdlPv" SIZE_LETTER, pointer, SIZE_MAX / 2);
	else if (strcmp(name, "sdallocx, aligned") == 0 &&
	    symbol_find("sdallocx", &sdallocx))
		sdallocx(pointer, size, __builtin_ctz(WRONG_ALIGNMENT));
	else if (symbol_find("free_aligned_sized", &free_aligned_sized))
		free_aligned_sized(pointer, WRONG_ALIGNMENT, size);
	else
		shared->missing = true;
}

static void
call_fine(const struct offence *this, void *pointer)
{
	const char *name = this->call->name;

	if (strcmp(name, "delete of malloc's") == 0) {
		release_by("_ZdlPv", pointer, this->size);
		return;
	}
	if (strcmp(name, "realloc to 0") == 0) {
		if (hidden(realloc(pointer, 0)) != NULL)
			stress_fail("realloc to 0 has not freed the block");
		return;
	}
	if (strcmp(name, "free of NULL") == 0)
		free(hidden(NULL));
	free(pointer);
}

static void
call_resize(const struct offence *this, void *pointer)
{
	void *(*rallocx)(void *, size_t, int);
	void *block;

	if (strcmp(this->call->name, "rallocx") == 0) {
		CHECK(symbol_find("rallocx", &rallocx));
		block = rallocx(pointer, this->size + 100, 0);
	} else if (strcmp(this->call->name, "realloc to the same size") == 0) {
		block = realloc(pointer, this->size);
	} else {
		block = realloc(pointer, 2 * this->size);
	}
	/* A program would do so. */
	free(hidden(block));
}

static void
call_make(const struct offence *this)
{
	size_t (*sallocx)(const void *, int);
	void *pointer = culprit(this->pointer);

	switch (this->call->group) {
	case FREE:
	case SIZED:
		release_by(this->call->name, pointer, this->size);
		break;
	case REALLOC:
		call_resize(this, pointer);
		break;
	case QUERY:
		if (strcmp(this->call->name, "sallocx") != 0)
			query_check(this, malloc_usable_size(pointer));
		else if (symbol_find("sallocx", &sallocx))
			query_check(this, sallocx(pointer, 0));
		break;
	case FINE:
		call_fine(this, pointer);
		break;
	default:
		call_sized(this, pointer);
	}
}

static void *
call_in_thread(void *argument)
{
	struct offence *this = argument;

	/* From now on the thread needs no memory that was freed. */
	free(needed(malloc(64)));
	pthread_barrier_wait(&this->ready);
	pthread_barrier_wait(&this->ready);
	call_make(this);
	shared->survived = true;
	return NULL;
}

static void
call_elsewhere(struct offence *this)
{
	pthread_t id;

	CHECK(pthread_barrier_init(&this->ready, NULL, 2) == 0);
	CHECK(pthread_create(&id, NULL, call_in_thread, this) == 0);
	pthread_barrier_wait(&this->ready);
	place_find(this);
	pthread_barrier_wait(&this->ready);
	CHECK(pthread_join(id, NULL) == 0);
}

/* Whatever was done, blocks of other sizes are as ever. */
static void
others_work(void)
{
	static const size_t sizes[] = { 48, 700, 5000, 40000 };
	char *blocks[40];

	for (size_t i = 0; i < 40; i++) {
		blocks[i] = needed(malloc(sizes[i % 4]));
		bytes_fill(blocks[i], sizes[i % 4], i);
	}
	for (size_t i = 0; i < 40; i++) {
		bytes_verify(blocks[i], sizes[i % 4], i);
		free(blocks[i]);
	}
}

static void
act(void *argument)
{
	struct offence *this = argument;

	if (this->elsewhere) {
		call_elsewhere(this);
	} else {
		place_find(this);
		call_make(this);
	}
	shared->survived = true;
	others_work();
}

/* ---- the matrix ---- */

static void
outcome_show(const struct offence *this, const struct child *child,
    const char *wrong)
{
	const char *when = child->length == 0 ? "-"
	    : shared->survived                ? "later"
					      : "at once";
	int length = (int)strcspn(child->text, "\n");

	fprintf(stderr, "%s%-5s %-8s %7zu %-18s %-28s %-9s %-7s %d %.*s%s%s\n",
	    wrong == NULL ? "" : "FAIL: ", mode_names[mode],
	    cached ? "cached" : "uncached", this->size,
	    place_names[this->place], this->call->name,
	    this->elsewhere ? "elsewhere" : "here", when, child->status, length,
	    child->text, wrong == NULL ? "" : ": ", wrong == NULL ? "" : wrong);
}

static void case_run(struct offence this)
{
	static struct child child;
	const char *wrong;

	captured_run(&child, act, &this);
	if (shared->missing)
		return;
	nrun++;
	/* Without checks it is found later, as a mistake of another kind. */
	wrong = captured_judge(&child, expected(&this),
	    mode == OFF
		? "double-free|invalid-free|invalid-realloc|invalid-query|"
		  "size-mismatch"
		: this.call->kinds);
	if (wrong != NULL)
		nfailed++;
	if (wrong != NULL || getenv("STRESS_SHOW") != NULL)
		outcome_show(&this, &child, wrong);
}

/* Most of what differs by size, thread and call differs in the first group. */
static bool
is_worthwhile(const struct offence *this, unsigned nth_size)
{
	unsigned nth = (unsigned)(this->call - calls) + this->place + nth_size;

	if (mode == OFF && nth % 2 != 0)
		return false;
	if (this->elsewhere)
		return nth % (this->call->group == FREE ? 2 : 5) == 0;
	return this->call->group == FREE || mode == FULL || nth % 3 != 0;
}

static void
cases_run(void)
{
	static const size_t sizes[] = { 8, 16, 24, 100, 1000, 14336, 20000,
		100000, 3 * MIB };

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		for (enum place place = 0; place < NPLACES; place++)
			for (unsigned j = 0; j < 2 * NCALLS; j++) {
				struct offence this = { place,
					&calls[j % NCALLS], sizes[i],
					j >= NCALLS, NULL, 0, { { 0 } } };

				if (is_possible(place, this.call->group,
					sizes[i]) &&
				    is_worthwhile(&this, i))
					case_run(this);
			}
}

static void
start_all(char **argv)
{
	char conf[100];

	for (unsigned i = 0; i < 2 * NMODES; i++) {
		snprintf(conf, sizeof(conf), "%ssafety:%s,tcache:%s",
		    built_with("fill") ? "junk:false," : "", mode_names[i / 2],
		    i % 2 == 0 ? "true" : "false");
		stress_start_again(argv, "STRESS_MODE", i % 2 == 0 ? "1" : "0",
		    conf);
	}
}

int
main(int argc, char **argv)
{
	const char *value;
	size_t length = sizeof(value);

	stress_start(argc, argv, 60);
	if (control("opt.safety", &value, &length, NULL, 0) != 0)
		stress_skip_other("opt.safety");
	if (getenv("STRESS_MODE") == NULL) {
		start_all(argv);
		return 0;
	}
	cached = strcmp(getenv("STRESS_MODE"), "1") == 0;
	while (mode < FULL && strcmp(value, mode_names[mode]) != 0)
		mode++;
	captured_start(argv);
	cases_run();
	printf("%s, %s: %u cases, %u failed\n", mode_names[mode],
	    cached ? "cached" : "uncached", nrun, nfailed);
	return nfailed == 0 ? 0 : 1;
}
