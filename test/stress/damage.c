/*
 * damage: writes beside blocks and into freed ones, with safety:full and with
 * each of its parts alone.
 *
 * Provokes: writes of one byte and of several past the requested size, before
 * the block, into a freed block; reads of a freed block; for small, middle and
 * large blocks from each way to get one; each in a process of its own.
 * Must hold: SIGABRT after one line that names the kind and the block, or a
 * fault at a guard page; no byte of the program can be read in a freed block;
 * a freed block is not given out at once; blocks of one size come in no order.
 * What is right is never reported.
 */
#include "captured.h"

enum { CANARY = 1, WIPE = 2, CHECK_USE = 4, HOLD = 8, RANDOM = 16, GUARD = 32 };

static const struct mode {
	const char *conf;
	unsigned parts;
} modes[] = {
	{ "safety:full", 63 },
	{ "canary:true", CANARY },
	{ "zero_free:true", WIPE },
	{ "uaf_check:true", WIPE | CHECK_USE },
	{ "quarantine:1048576", HOLD },
	{ "random_slots:true", RANDOM },
	{ "guard_large:true", GUARD },
	{ "safety:full,guard_large:false", 31 },
	{ "safety:full,quarantine:0", 63 & ~HOLD },
};

enum { NMODES = sizeof(modes) / sizeof(*modes), SMALL = 14336 };

/* What this process was started with. */
static unsigned parts;

static const char *const ways[] = { "malloc", "calloc", "realloc", "grown",
	"aligned_alloc", "mallocx", ("_Znw" SIZE_LETTER) };

static const size_t sizes[] = { 1, 24, 100, 1000, 3000, 10000, 20000, 40960,
	300001, 3 << 20 };

struct damage {
	const char *name;
	void (*act)(const struct damage *);
	const char *kinds; /* NULL: it is right */
	bool may_fault;
	const char *way;
	size_t size;
	size_t number;
};

static char *
block_take(const struct damage *this)
{
	void *(*mallocx)(size_t, int);
	void *(*new)(size_t);

	if (strcmp(this->way, "calloc") == 0)
		return needed(calloc(1, this->size));
	if (strcmp(this->way, "realloc") == 0)
		return needed(realloc(NULL, this->size));
	if (strcmp(this->way, "grown") == 0)
		return needed(realloc(needed(malloc(this->size / 2)),
		    this->size));
	if (strcmp(this->way, "aligned_alloc") == 0)
		return needed(aligned_alloc(64, this->size));
	if (strcmp(this->way, "mallocx") == 0 &&
	    symbol_find("mallocx", &mallocx))
		return needed(mallocx(this->size, 0));
	if (strcmp(this->way, "_Znw" SIZE_LETTER) == 0 &&
	    symbol_find("_Znw" SIZE_LETTER, &new))
		return needed(new (this->size));
	return needed(malloc(this->size));
}

/* Never leaves a byte as it was. */
static void
bytes_damage(char *at, size_t count)
{
	volatile char *bytes = hidden(at);

	for (size_t i = 0; i < count; i++)
		bytes[i] = (char)~bytes[i];
}

static void
nothing_wrong(const struct damage *this)
{
	char *block = block_take(this);

	bytes_fill(block, this->size, 1);
	block = needed(realloc(block, this->size + this->number));
	bytes_verify(block, this->size, 1);
	memset(hidden(block), 3, this->size + this->number);
	free(block);
}

/* Memory comes back past the caches, too: 100 MB need a few MiB. */
static void
right_past_caches(const struct damage *this)
{
	void (*dallocx)(void *, int);
	size_t before = 0, now = 0, length = sizeof(now);

	if (!symbol_find("dallocx", &dallocx))
		return;
	for (unsigned i = 0; i < 100000000 / this->size; i++) {
		dallocx(block_take(this), 1 << 8);
		if (i == 1000)
			control("approximate_stats.active", &before, &length,
			    NULL, 0);
	}
	control("approximate_stats.active", &now, &length, NULL, 0);
	if (now > before + (16 << 20))
		stress_fail("%zu bytes became %zu", before, now);
}

/* Each way to free with a size, told the size that was asked for. */
static void
right_size(const struct damage *this)
{
	void (*free_sized)(void *, size_t), (*delete)(void *, size_t);
	void (*free_aligned_sized)(void *, size_t, size_t);
	void (*sdallocx)(void *, size_t, int);
	bool aligned = strcmp(this->way, "aligned_alloc") == 0;

	if (aligned && symbol_find("free_aligned_sized", &free_aligned_sized))
		free_aligned_sized(block_take(this), 64, this->size);
	if (!aligned && symbol_find("free_sized", &free_sized))
		free_sized(block_take(this), this->size);
	if (!aligned && symbol_find("_ZdlPv" SIZE_LETTER, &delete))
		delete (block_take(this), this->size);
	if (this->size != 0 && symbol_find("sdallocx", &sdallocx))
		sdallocx(block_take(this), this->size, aligned ? 6 : 0);
}

static struct {
	size_t (*xallocx)(void *, size_t, size_t, int);
	size_t (*sallocx)(const void *, int);
	size_t (*nallocx)(size_t, int);
} extended;

/* Has the old size, or as much as was asked for. */
static size_t
resize_in_place(char *block, size_t old, size_t size, size_t extra)
{
	size_t got = extended.xallocx(block, size, extra, 0);
	bool same_class = extended.nallocx(size + extra, 0) ==
	    extended.nallocx(old, 0);
	/* What is cut off would have to be cleared, or has a guard. */
	bool can_be_cut = (parts & (WIPE | GUARD)) == 0 && size > SMALL;

	if (got != extended.sallocx(block, 0))
		stress_fail("%zu bytes are not what it has", got);
	if (got != old && got < size)
		stress_fail("%zu to %zu + %zu: %zu", old, size, extra, got);
	if (extra == 0 && (same_class || (can_be_cut && size < old)) &&
	    got != size)
		stress_fail("%zu to %zu: still %zu", old, size, got);
	bytes_verify(block, got < old ? got : old, 1);
	bytes_fill(block, got, 1);
	return got;
}

static void
right_in_place(const struct damage *this)
{
	char *block = block_take(this);
	size_t size = this->size;

	if (!symbol_find("xallocx", &extended.xallocx) ||
	    !symbol_find("sallocx", &extended.sallocx) ||
	    !symbol_find("nallocx", &extended.nallocx))
		return;
	bytes_fill(block, size, 1);
	for (size_t extra = 0; extra < 20000; extra = extra * 5 + 1) {
		size = resize_in_place(block, size, size + 1, extra);
		size = resize_in_place(block, size, size - size / 3, extra);
		size = resize_in_place(block, size, size + 1, 0);
		size = resize_in_place(block, size, size + size / 2, extra);
		size = resize_in_place(block, size, size, extra);
	}
	free(block);
}

static void
past_the_end(const struct damage *this)
{
	char *block = block_take(this);

	bytes_damage(culprit(block) + this->size, this->number);
	free(block);
}

static void
past_the_end_resized(const struct damage *this)
{
	char *block = block_take(this);

	bytes_damage(culprit(block) + this->size, this->number);
	free(needed(realloc(block, this->size * 2)));
}

/* The first block of a slab has nothing before it that is looked at. */
static char *
block_with_neighbour(const struct damage *this)
{
	char *block;

	do {
		block = block_take(this);
	} while (this->size <= SMALL && (uintptr_t)block % 4096 < 2048);
	return block;
}

static void
before(const struct damage *this)
{
	char *block = block_with_neighbour(this);

	bytes_damage((char *)culprit(block) - this->number, this->number);
	free(block);
}

static void
churn(const struct damage *this)
{
	for (size_t i = 0; i < (3 << 20) / (this->size + 15) + 300; i++)
		free(block_take(this));
}

static void
after_free(const struct damage *this)
{
	char *block = block_take(this);

	free(block);
	bytes_damage((char *)culprit(block) + this->number * this->size / 3, 1);
	churn(this);
}

static void
after_free_at_exit(const struct damage *this)
{
	char *block = block_take(this);

	free(block);
	bytes_damage((char *)culprit(block) + this->size / 2, 1);
	exit(0);
}

static void
read_after_free(const struct damage *this)
{
	char *block = block_take(this);
	const volatile char *bytes;

	memset(hidden(block), 0x41, this->size);
	free(block);
	bytes = hidden(block);
	for (size_t i = 0; i < this->size; i++)
		if (bytes[i] == 0x41)
			stress_fail("byte %zu of a freed block is there", i);
}

static void
reuse(const struct damage *this)
{
	char *block = block_take(this), *other;

	free(block);
	for (unsigned i = 0; i < 10; i++) {
		other = block_take(this);
		if (hidden(other) == hidden(block))
			stress_fail("given out again at once");
	}
}

static void
order(const struct damage *this)
{
	char *last = block_take(this), *block;
	unsigned rising = 0;

	for (unsigned i = 0; i < 40; i++, last = block) {
		block = block_take(this);
		rising += (uintptr_t)block > (uintptr_t)last;
	}
	if (rising == 40 || rising == 0)
		stress_fail("blocks come in the order of addresses");
}

/* ---- running and judging ---- */

static unsigned nrun, nfailed;

static void
act(void *argument)
{
	const struct damage *this = argument;

	this->act(this);
}

static const char *
judge(const struct damage *this, const struct child *child)
{
	int signal = WIFSIGNALED(child->status) ? WTERMSIG(child->status) : 0;
	const char *wrong;

	if (this->kinds == NULL && !this->may_fault)
		return child->status == 0 && child->length == 0 ? NULL
								: "was right";
	if (this->may_fault && signal == SIGSEGV)
		return NULL;
	if (this->kinds == NULL)
		return child->status == 0 ? NULL : "status";
	if (signal != SIGABRT)
		return "not found";
	wrong = message_judge(this->kinds, child->text);
	/* What was written before a block may be in another one. */
	if (wrong != NULL && this->act == before &&
	    strcmp(wrong, "another address") == 0)
		return NULL;
	return wrong;
}

static void case_run(struct damage this)
{
	static struct child child;
	const char *wrong;

	captured_run(&child, act, &this);
	nrun++;
	wrong = judge(&this, &child);
	if (wrong == NULL)
		return;
	nfailed++;
	fprintf(stderr,
	    "FAIL: %s, %s, %zu bytes, %zu: %s (%p, status %x): "
	    "%.*s\n",
	    this.name, this.way, this.size, this.number, wrong, shared->culprit,
	    (unsigned)child.status, (int)strcspn(child.text, "\n"), child.text);
}

#define RUN(what, ...) case_run((struct damage){ #what, what, __VA_ARGS__ })

static void
writes_beside(const char *way, size_t size)
{
	static const size_t counts[] = { 1, 8, 32 };
	bool small = size <= 12000, guards = (parts & GUARD) != 0 && !small;

	for (unsigned i = 0; i < 3 && (parts & CANARY) != 0; i++) {
		RUN(past_the_end, "overflow", guards, way, size, counts[i]);
		RUN(past_the_end_resized, "overflow", guards, way, size,
		    counts[i]);
	}
	if (guards) {
		RUN(past_the_end, (parts & CANARY) != 0 ? "overflow" : "", true,
		    way, size, 4096 - size % 4096 + 1);
		RUN(before, "", true, way, size, 1);
		RUN(before, "", true, way, size, 16);
	} else if ((parts & (CANARY | CHECK_USE)) == (CANARY | CHECK_USE) &&
	    size <= 1000) {
		RUN(before, "underflow|overflow", false, way, size, 1);
		RUN(before, "underflow|overflow", false, way, size, 16);
	}
}

static void
uses_after_free(const char *way, size_t size)
{
	bool small = size <= 12000;
	bool held = (parts & HOLD) != 0 && size < 256 << 10;
	bool sealed = (parts & HOLD) != 0 && (parts & GUARD) != 0;

	for (size_t third = 0; third < 3 && (parts & CHECK_USE) != 0; third++)
		if (small || held)
			RUN(after_free, "use-after-free", false, way, size,
			    third);
		else if (sealed)
			RUN(after_free, "", true, way, size, third);
	if ((parts & CHECK_USE) != 0 && held)
		RUN(after_free_at_exit, "use-after-free", false, way, size, 0);
	if ((parts & WIPE) != 0)
		RUN(read_after_free, NULL, sealed && !held, way, size, 0);
	if (held || sealed)
		RUN(reuse, NULL, false, way, size, 0);
	if ((parts & RANDOM) != 0 && size <= 100)
		RUN(order, NULL, false, way, size, 0);
}

static void
cases_run(void)
{
	RUN(right_past_caches, NULL, false, "malloc", 1000, 0);
	for (unsigned i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		if (strcmp(ways[i], "mallocx") != 0 &&
		    strcmp(ways[i], "grown") != 0)
			RUN(right_size, NULL, false, ways[i], 0, 0);
		for (unsigned j = 0; j < sizeof(sizes) / sizeof(*sizes); j++) {
			RUN(right_size, NULL, false, ways[i], sizes[j], 0);
			/* An aligned one may be of a larger class. */
			if ((parts & CANARY) != 0 &&
			    strcmp(ways[i], "aligned_alloc") != 0)
				RUN(right_in_place, NULL, false, ways[i],
				    sizes[j], 0);
			RUN(nothing_wrong, NULL, false, ways[i], sizes[j], 1);
			RUN(nothing_wrong, NULL, false, ways[i], sizes[j],
			    sizes[j]);
			writes_beside(ways[i], sizes[j]);
			uses_after_free(ways[i], sizes[j]);
		}
	}
}

int
main(int argc, char **argv)
{
	const char *value;
	size_t length = sizeof(value);
	char conf[100], number[8];

	stress_start(argc, argv, 300);
	if (control("opt.safety", &value, &length, NULL, 0) != 0)
		stress_skip_other("opt.safety");
	if (getenv("STRESS_MODE") == NULL) {
		for (unsigned i = 0; i < NMODES; i++) {
			snprintf(conf, sizeof(conf), "%s%s",
			    built_with("fill") ? "junk:false," : "",
			    modes[i].conf);
			snprintf(number, sizeof(number), "%u", i);
			stress_start_again(argv, "STRESS_MODE", number, conf);
		}
		return 0;
	}
	parts = modes[atoi(getenv("STRESS_MODE"))].parts;
	captured_start(argv);
	cases_run();
	printf("%s: %u cases, %u failed\n",
	    modes[atoi(getenv("STRESS_MODE"))].conf, nrun, nfailed);
	return nfailed == 0 ? 0 : 1;
}
