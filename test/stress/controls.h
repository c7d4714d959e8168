/*
 * controls: what the files of the program `controls` share.
 *
 * The library is reached by names looked up at run time, so that the same
 * program runs with it preloaded, or linked in under a prefix, as
 * ThreadSanitizer needs it.
 *
 * Offers:     the table of actions; the functions of the library; settings
 *             by name; blocks with contents that are verified.
 * Invariants: actions do only what the contract allows, whatever the others
 *             do. What two threads may not do with one arena or cache (use it
 *             while it is destroyed or reset) they do with one of their own.
 */
#ifndef STRESS_CONTROLS_H
#define STRESS_CONTROLS_H

#include "stress.h"

#ifndef CONTROLS_PREFIX
#define CONTROLS_PREFIX ""
#endif

#define ARENA(index) ((int)((unsigned)(index) + 1) << 20)
#define CACHE(id)    ((int)((unsigned)(id) + 2) << 8)
#define NO_CACHE     ((int)1 << 8)

enum { ACTORS_MAX = 8, BLOCKS_MAX = 128, OWN_MAX = 24 };

/* The library under test. What it lacks is NULL. */
struct library {
	void *(*malloc)(size_t);
	void *(*calloc)(size_t, size_t);
	void *(*realloc)(void *, size_t);
	void *(*aligned_alloc)(size_t, size_t);
	void (*free)(void *);
	void *(*mallocx)(size_t, int);
	void (*dallocx)(void *, int);
	mallctl_function *mallctl;
	void (*print)(void (*)(void *, const char *), void *, const char *);
	int (*trim)(size_t);
	struct mallinfo2 (*mallinfo2)(void);
	int (*info)(int, FILE *);
	void (*stats)(void);
	int (*mallopt)(int, int);
};
extern struct library lib;

/* One thread of a pair. */
struct actor {
	const struct action *action;
	struct prng prng;
	unsigned index;
	unsigned nsteps;
	struct block *block[BLOCKS_MAX];
	unsigned arena; /* one of its own, for as long as it runs */
	unsigned cache;
};

/*
 * Something that a thread does again and again. `begin` runs before any thread
 * starts, `end` in the thread, after its last step.
 */
struct action {
	const char *name;
	void (*step)(struct actor *actor);
	void (*begin)(struct actor *actor);
	void (*end)(struct actor *actor);
	bool profile; /* means something only with prof:true */
};

extern const struct action ordinary_actions[]; /* each table ends in NULL */
extern const struct action arena_actions[];
extern const struct action control_actions[];
extern const struct action profile_actions[];

/* ---- blocks ---- */

struct block {
	size_t size;
	uint64_t seed;
	char bytes[];
};

/* Takes what `lib.malloc` and its kin gave, or NULL, of `size` bytes. */
struct block *block_fill(void *memory, size_t size, uint64_t seed);
void block_verify(const struct block *block);
void block_free(struct block *block);
/* Of any size from a block's head up to `largest`. */
size_t block_size(struct prng *prng, size_t largest);

/* ---- settings ---- */

/*
 * Each fails unless the answer is 0 or in `allowed`, a list that ends in 0:
 * what the contract allows when others do what they please meanwhile.
 */
#define ERRORS(...) ((const int[]){ __VA_ARGS__, 0 })
#define NO_ERROR    ((const int[]){ 0 })

int control_do(const char *name, void *old, size_t *old_size, const void *value,
    size_t size, const int *allowed);
int control_void(const char *name, const int *allowed);
int control_set_size(const char *name, size_t value, const int *allowed);
int control_set_bool(const char *name, bool value, const int *allowed);
int control_set_text(const char *name, const char *value, const int *allowed);
size_t control_size(const char *name);
unsigned control_unsigned(const char *name);
void control_epoch(void);
/* "arena.<index>.<leaf>"; `to` has room for 64 bytes. */
const char *arena_name(char *to, unsigned index, const char *leaf);

/* ---- arenas that end while others name them ---- */

/* An arena that was there a moment ago, or an automatic one. */
unsigned arena_any(struct prng *prng);
/* Destroys what could not be because threads were bound. All have ended. */
void arenas_end(void);

#endif
