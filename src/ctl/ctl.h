/*
 * ctl: finds the node of a name or of its numbers, and reads, writes or acts.
 *
 * Owns:       nothing; the tables are ctl_tree.c's.
 * Invariants: every component of a path is checked at each call, so a path to
 *             something that no longer exists is ENOENT. A value is copied as a
 *             whole, and never a byte beyond the caller's length.
 * Locking:    none here. The functions of a node take the locks that they need.
 *             They hold none while they call a function of the program.
 *
 * A node is one row of a table. These are its most important fields:
 *
 *	name, type, access, gate    see doc/MALLCTL.md
 *	place                       where the value lies, if there is no read:
 *	                            an address, or an offset from the place of
 *	                            the parent; with a read see ctl_which()
 *	read, write                 get the value, set the value
 *	act                         instead of both: it does all checks itself
 *	flags                       what is unusual about reading and writing
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/compiler.h"

/* The most components of a path. */
#define CTL_DEPTH_MAX 7

enum ctl_type {
	CTL_BRANCH, /* has children, no value */
	CTL_VOID,   /* an action without arguments */
	CTL_BOOL,
	CTL_UNSIGNED,
	CTL_UINT32,
	CTL_UINT64,
	CTL_SIZE,
	CTL_SSIZE,
	CTL_TEXT,
	CTL_POINTER,
	CTL_PAIR, /* two uint64_t */
	CTL_OWN,  /* only `act` knows */
};

enum ctl_access {
	CTL_NONE, /* no data at all */
	CTL_READ,
	CTL_WRITE,
	CTL_BOTH,
};

/*
 * What must be built in or switched on for a name. Without it the name still
 * has numbers, but reading or writing it is ENOENT.
 */
enum ctl_gate {
	GATE_OPEN,
	GATE_STATS,
	GATE_RETAIN,
	GATE_PROF,       /* built in */
	GATE_PROF_ON,    /* and the profile is on */
	GATE_PROF_STATS, /* and opt.prof_stats */
};

enum ctl_flag {
	/* The write is done first, and stays if the output's size is wrong. */
	CTL_WRITE_FIRST = 1,
	/* The output is the value after the write. */
	CTL_READ_NEW = 2,
	/* Without an input, or an output of the right size: EINVAL. */
	CTL_NEED_INPUT = 4,
	CTL_NEED_OUTPUT = 8,
	/* `act` decides itself which arguments it allows. */
	CTL_ANY_ARGUMENTS = 16,
};

union ctl_value {
	bool truth;
	unsigned number;
	uint32_t u32;
	uint64_t u64;
	size_t size;
	ssize_t ssize;
	const char *text;
	void *pointer;
	uint64_t pair[2];
};

/* The caller's four arguments. */
struct ctl_arguments {
	void *oldp;
	size_t *oldlenp;
	const void *newp;
	size_t newlen;
};

struct ctl_node;

struct ctl_call {
	const struct ctl_node *node;
	const char *place; /* of the node: see ctl_node */
	const size_t *mib;
	const struct ctl_arguments *arguments;
};

/* Each returns 0 or an errno value. */
typedef int ctl_reader(const struct ctl_call *call, union ctl_value *value);
typedef int ctl_writer(const struct ctl_call *call,
    const union ctl_value *value);
typedef int ctl_action(const struct ctl_call *call);

/**
 * Finds the place of a child. NULL: there is no such child now.
 * @param place  of the parent
 */
typedef const char *ctl_entry(const char *place, size_t index);

typedef void ctl_exit(const char *place);

/* The number of a word of `length` bytes; SIZE_MAX: unknown. */
typedef size_t ctl_finder(const char *word, size_t length);

/*
 * Some fields are for leaves alone, others for branches. The tables are a large
 * part of what each process has of this library in memory: the loader enters
 * addresses into them.
 */
struct ctl_node {
	const char *name; /* NULL: many children, see the fields below */
	enum ctl_type type : 8;
	enum ctl_access access : 8;
	enum ctl_gate gate : 8;
	unsigned flags : 8;

	/* How far the place of the node is from the parent's place. */
	uint32_t offset;
	ctl_entry *enter;   /* finds the place in another way */
	uint32_t stride;    /* without a name: bytes from one to the next */
	uint16_t limit;     /* without a name: numbers below are valid */
	uint16_t nchildren; /* 0 in leaves */

	/*
	 * Branches: first the children with names, then any number of equal
	 * children. These have numbers instead of names; with `find`, also
	 * words for numbers.
	 */
	union {
		const struct ctl_node *children;
		ctl_reader *read; /* leaf */
	};
	union {
		const struct ctl_node *each;
		ctl_writer *write; /* leaf */
	};
	union {
		ctl_finder *find;
		const void *place; /* leaf: address of the value, or NULL */
	};
	union {
		ctl_exit *leave; /* child of the root only: undoes enter */
		ctl_action *act; /* leaf */
	};
} CACHE_ALIGNED;

static_assert(sizeof(struct ctl_node) == CACHELINE, "one line for each node");

/**
 * Translates a name into numbers. If `mib` is too short, only its beginning.
 * @param mib     receives a number for each component
 * @param miblen  in: elements of `mib`; out: elements used
 * @return        0 or ENOENT
 */
int ctl_path(const struct ctl_node *root, const char *name, size_t *mib,
    size_t *miblen);

/* Reads, writes or acts, as mallctlbymib(). */
int ctl_by_path(const struct ctl_node *root, const size_t *mib, size_t miblen,
    const struct ctl_arguments *arguments);

/* The same without a new value, which most calls do not have. */
int ctl_read(const struct ctl_node *root, const size_t *mib, size_t miblen,
    void *oldp, size_t *oldlenp);

/* Reads, writes or acts, as mallctl(). */
int ctl_by_name(const struct ctl_node *root, const char *name,
    const struct ctl_arguments *arguments);

/**
 * For actions with an output: copies it, or as much of it as fits.
 * @return  0, or EINVAL if the caller's length is not `size`
 */
int ctl_output(const struct ctl_arguments *arguments, const void *value,
    size_t size);

/*
 * Is there room for an output of exactly `size` bytes? If not, it sets the
 * caller's length to 0.
 */
bool ctl_output_fits(const struct ctl_arguments *arguments, size_t size);

/*
 * Several rows may share a function: then the place of each is a number that
 * distinguishes it.
 */
static inline unsigned
ctl_which(const struct ctl_call *call)
{
	return *(const unsigned *)call->node->place;
}

/* For readers: takes the value from a record; the number is its offset. */
int ctl_read_field(const struct ctl_call *call, const void *record,
    union ctl_value *value);

/* Copies the input. False: there is none of exactly `size` bytes. */
bool ctl_input(const struct ctl_arguments *arguments, void *to, size_t size);

/* The same, but there need not be an input: then nothing is copied. */
static inline bool
ctl_input_if_any(const struct ctl_arguments *arguments, void *to, size_t size)
{
	return arguments->newp == NULL || ctl_input(arguments, to, size);
}

/* Does the caller want a value at all? */
static inline bool
ctl_wants_output(const struct ctl_arguments *arguments)
{
	return arguments->oldp != NULL && arguments->oldlenp != NULL;
}

#endif
