/*
 * controls: what programs do all day. Blocks, threads, forks, modules.
 */
#include "controls.h"
#include "util/compiler.h"

/* ---- blocks ---- */

/* Of large blocks both ends are looked at. */
#define WHOLE (16 * KIB)
#define END   ((size_t)256)

static size_t
contents(const struct block *block)
{
	return block->size - sizeof(*block);
}

struct block *
block_fill(void *memory, size_t size, uint64_t seed)
{
	struct block *block = memory;

	if (block == NULL)
		return NULL;
	block->size = size;
	block->seed = seed;
	if (size <= WHOLE) {
		bytes_fill(block->bytes, contents(block), seed);
		return block;
	}
	bytes_fill(block->bytes, END, seed);
	bytes_fill(block->bytes + contents(block) - END, END, seed + 1);
	return block;
}

void
block_verify(const struct block *block)
{
	if (block->size <= WHOLE) {
		bytes_verify(block->bytes, contents(block), block->seed);
		return;
	}
	bytes_verify(block->bytes, END, block->seed);
	bytes_verify(block->bytes + contents(block) - END, END,
	    block->seed + 1);
}

void
block_free(struct block *block)
{
	block_verify(block);
	lib.free(block);
}

size_t
block_size(struct prng *prng, size_t largest)
{
	return sizeof(struct block) + prng_size(prng, largest);
}

static void
free_all(struct actor *actor)
{
	for (unsigned i = 0; i < BLOCKS_MAX; i++)
		if (actor->block[i] != NULL)
			block_free(actor->block[i]);
	memset(actor->block, 0, sizeof(actor->block));
}

static void *
take_somehow(struct prng *prng, size_t size)
{
	switch (prng_below(prng, 5)) {
	case 0:
		return lib.calloc(1, size);
	case 1:
		return lib.aligned_alloc((size_t)16 << prng_below(prng, 10),
		    size);
	case 2:
		return lib.mallocx(size, NO_CACHE);
	default:
		return lib.malloc(size);
	}
}

static void
use_slot(struct actor *actor, size_t largest)
{
	struct prng *prng = &actor->prng;
	struct block **slot = &actor->block[prng_below(prng, BLOCKS_MAX)];
	size_t size;

	if (*slot != NULL) {
		block_free(*slot);
		*slot = NULL;
		return;
	}
	size = block_size(prng, largest);
	*slot = block_fill(take_somehow(prng, size), size, prng_next(prng));
}

static void
load(struct actor *actor)
{
	for (unsigned i = 0; i < 64; i++)
		use_slot(actor, 64 * KIB);
}

static void
load_pages(struct actor *actor)
{
	for (unsigned i = 0; i < 16; i++)
		use_slot(actor, 2 * MIB);
}

/* Much at once, and all of it back: what is unused then is lent and aged. */
static void
load_peaks(struct actor *actor)
{
	size_t size = 4 * KIB << prng_below(&actor->prng, 8);

	for (unsigned i = 0; i < BLOCKS_MAX; i++)
		if (actor->block[i] == NULL)
			actor->block[i] = block_fill(lib.malloc(size), size, i);
	free_all(actor);
}

/* ---- blocks that another thread frees ---- */

static _Atomic(struct block *) handed[256];

static void
cross_free(struct actor *actor)
{
	struct prng *prng = &actor->prng;

	for (unsigned i = 0; i < 64; i++) {
		size_t size = block_size(prng, 32 * KIB);
		struct block *block = block_fill(lib.malloc(size), size,
		    prng_next(prng));

		block = atomic_exchange(&handed[prng_below(prng, 256)], block);
		if (block != NULL)
			block_free(block);
	}
}

static void
cross_free_end(struct actor *actor)
{
	(void)actor;
	for (unsigned i = 0; i < 256; i++) {
		struct block *block = atomic_exchange(&handed[i], NULL);

		if (block != NULL)
			block_free(block);
	}
}

/* ---- realloc of big blocks ---- */

static void
big_realloc(struct actor *actor)
{
	struct prng *prng = &actor->prng;
	struct block **slot = &actor->block[prng_below(prng, 4)], *block;
	size_t size = 16 * KIB + prng_below(prng, 6 * MIB);

	if (*slot == NULL) {
		*slot = block_fill(lib.malloc(size), size, size);
		return;
	}
	block_verify(*slot);
	block = lib.realloc(*slot, size);
	if (block == NULL) {
		block_verify(*slot);
		return;
	}
	bytes_verify(block->bytes, END, block->seed);
	*slot = block_fill(block, size, size);
}

/* ---- threads ---- */

static void *
short_life(void *argument)
{
	struct prng prng = { (uintptr_t)argument };
	struct block *block[16];

	for (unsigned i = 0; i < 16; i++) {
		size_t size = block_size(&prng, 16 * KIB);

		block[i] = block_fill(lib.malloc(size), size, i);
	}
	for (unsigned i = 0; i < 16; i++)
		if (block[i] != NULL)
			block_free(block[i]);
	return NULL;
}

static void
threads(struct actor *actor)
{
	pthread_t id[3];
	unsigned count = 1 + (unsigned)prng_below(&actor->prng, 3), n = 0;

	/* With a hard limit there may be no memory for one. */
	while (n < count &&
	    pthread_create(&id[n], NULL, short_life,
		(void *)(uintptr_t)prng_next(&actor->prng)) == 0)
		n++;
	while (n > 0)
		CHECK(pthread_join(id[--n], NULL) == 0);
}

/* ---- fork ---- */

static unsigned
arena_of(void *object)
{
	unsigned index = 0;
	size_t size = sizeof(index);

	control_do("arenas.lookup", &index, &size, &object, sizeof(object),
	    NO_ERROR);
	return index;
}

/* A new thread has its arena and its cache, wherever its record was. */
static void *
is_served(void *argument)
{
	void *object;

	short_life(argument);
	object = lib.malloc(100);
	if (object != NULL && getenv("CONTROLS_BY_CPU") == NULL &&
	    arena_of(object) != control_unsigned("thread.arena"))
		stress_fail("a thread in a child has an object of arena %u, "
			    "not of %u",
		    arena_of(object), control_unsigned("thread.arena"));
	lib.free(object);
	return NULL;
}

/*
 * ThreadSanitizer starts threads with an allocator of its own. If another
 * thread held its lock at the fork, the child would wait for ever: so it starts
 * none.
 */
static void
live_as_child(struct actor *actor)
{
	pthread_t id[2];
	unsigned n = 0;

	alarm(30 * STRESS_PATIENCE);
	if (RACE_DETECTOR)
		control_set_bool("background_thread", false, NO_ERROR);
	short_life((void *)(uintptr_t)1);
	free_all(actor);
	control_epoch();
	if (lib.trim != NULL)
		lib.trim(0);
	if (RACE_DETECTOR)
		_exit(0);
	while (n < 2 &&
	    pthread_create(&id[n], NULL, is_served, (void *)(uintptr_t)n) == 0)
		n++;
	while (n > 0)
		CHECK(pthread_join(id[--n], NULL) == 0);
	_exit(0);
}

static void
forks(struct actor *actor)
{
	int status;
	pid_t pid;

	use_slot(actor, 64 * KIB);
	pid = fork();
	if (pid == 0)
		live_as_child(actor);
	if (pid < 0)
		return;
	while (waitpid(pid, &status, 0) < 0)
		CHECK(errno == EINTR);
	if (status != 0)
		stress_fail("child of a fork: status %#x", (unsigned)status);
}

/* ---- modules ---- */

static void
modules(struct actor *actor)
{
	static const char *const name[] = { "libresolv.so.2", "libutil.so.1",
		"libanl.so.1", "libnss_files.so.2" };
	void *module = dlopen(name[prng_below(&actor->prng, 4)],
	    RTLD_NOW | RTLD_LOCAL);

	load(actor);
	if (module != NULL)
		CHECK(dlclose(module) == 0);
}

const struct action ordinary_actions[] = {
	{ "load", load, NULL, free_all, false },
	{ "load-pages", load_pages, NULL, free_all, false },
	{ "load-peaks", load_peaks, NULL, free_all, false },
	{ "cross-free", cross_free, NULL, cross_free_end, false },
	{ "big-realloc", big_realloc, NULL, free_all, false },
	{ "threads", threads, NULL, NULL, false },
	{ "fork", forks, NULL, free_all, false },
	{ "dlopen", modules, NULL, free_all, false },
	{ NULL, NULL, NULL, NULL, false },
};
