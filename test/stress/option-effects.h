/*
 * option-effects: what the keys of MALLOC_CONF do, seen from outside.
 *
 * A row names a key, a value that has the effect and one that has not. Two
 * children are started, which differ in this value alone; both do what the
 * scene says. The effect must show in the first, and not in the second.
 * What shows it: the scene itself says so, by seen(); or a text on standard
 * error; or a file that the child leaves; or how the child ends.
 *
 * Invariants: no row depends on how fast the machine is. A scene that waits for
 * something waits until it is there; one that waits for what must not come
 * then makes sure that it would have seen it.
 *             test/integration/options-manual.py compares the rows with
 *             doc/OPTIONS.md.
 */
#ifndef OPTION_EFFECTS_H
#define OPTION_EFFECTS_H

#include "stress.h"

struct effect {
	const char *key;
	const char *with;    /* the value that has the effect */
	const char *without; /* one that has not */
	const char *context; /* other settings of both, or NULL */
	void (*scene)(void);
	/* How it shows; if none of these is set, the scene says it. */
	const char *says;   /* a text on standard error */
	const char *writes; /* a part of the name of a file */
	int dies;           /* the signal that ends the process */
	int status;         /* its exit status */
	const char *needs;  /* a mallctl of the build that is true, or NULL */
	bool thp_always; /* wants a kernel that makes huge pages everywhere */
	const char *shown_by; /* another test that does, instead of a scene */
};

extern const struct effect effects_calls[], effects_memory[], effects_huge[],
    effects_prof[];

/* ---- for scenes ---- */

/* Ends the child: has it seen the effect? */
_Noreturn void seen(bool yes);

/* Ends the child: this machine has not what the row is about. */
_Noreturn void cannot(const char *why);

/* A figure of any unsigned type; the program fails if there is none. */
uint64_t figure(const char *name);
/* The same after an update of the statistics. */
uint64_t fresh_figure(const char *name);
/* Calls a mallctl with a value, or with none; returns what it returns. */
int put(const char *name, const void *value, size_t size);
void act(const char *name);
#define PUT(name, type, value) put(name, &(type){ value }, sizeof(type))

void sleep_ms(int ms);

/* Is the page of this address in memory? */
bool is_resident(const void *address);

/*
 * Is this flag (two letters, as in /proc/self/smaps) set for the mapping that
 * `address` is in? With NULL: for any mapping.
 */
bool has_flag(const void *address, const char *flag);

/* Does the kernel say so of its mode for huge pages, "[madvise]" and so on? */
bool kernel_mode_is(const char *word);

/* The sum of a figure over /proc/self/smaps, in bytes. */
size_t smaps_sum(const char *key);

/* A block whose pages are all in memory. */
char *used_block(size_t size);

/* Is there a file in the working directory with this in its name? */
bool file_exists(const char *part_of_name);

/* Has this child written that to standard error? */
bool has_said(const char *text);

#endif
