#include "ctl/ctl.h"

#include <errno.h>
#include <string.h>

#include "conf/options.h"
#include "prof/prof.h"
#include "util/build.h"

/* --- from a path to a node -------------------------------------------- */

/* The place of the root: a node's offset is added to that of its parent. */
static const char nowhere[1];

static inline bool
is_branch(const struct ctl_node *node)
{
	return node->type == CTL_BRANCH;
}

/*
 * The child with a given number, or NULL. Sets `*place` to the child's place.
 * This runs once for each component of a path, so the usual cases come first
 * and need few fields.
 */
static ALWAYS_INLINE const struct ctl_node *
child_at(const struct ctl_node *node, size_t index, const char **place)
{
	const struct ctl_node *child;

	if (likely(index < node->nchildren)) {
		child = &node->children[index];
		if (likely(child->enter == NULL)) {
			*place += child->offset;
			return child;
		}
		index = 0;
	} else {
		child = node->each;
		if (!is_branch(node) || child == NULL)
			return NULL;
		index -= node->nchildren;
		if (child->enter == NULL) {
			if (unlikely(index >= child->limit))
				return NULL;
			*place += child->offset + index * child->stride;
			return child;
		}
	}
	*place = child->enter(*place, index);
	return *place != NULL ? child : NULL;
}

/*
 * The number that a word begins with. The text after the digits is ignored.
 * SIZE_MAX: there is no digit, or the number is too large.
 */
static size_t
number_of(const char *text, size_t length)
{
	size_t number = 0;

	if (length == 0 || *text < '0' || *text > '9')
		return SIZE_MAX;
	for (; length > 0 && *text >= '0' && *text <= '9'; text++, length--)
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (size_t)(*text - '0'),
			&number))
			return SIZE_MAX;
	return number;
}

/* The number of the child that `word` names; SIZE_MAX: there is none. */
static size_t
child_number(const struct ctl_node *node, const char *word, size_t length)
{
	size_t index;

	for (index = 0; index < node->nchildren; index++) {
		const char *name = node->children[index].name;

		if (strncmp(name, word, length) == 0 && name[length] == '\0')
			return index;
	}
	if (node->each == NULL)
		return SIZE_MAX;
	index = node->find != NULL ? node->find(word, length)
				   : number_of(word, length);
	return index > SIZE_MAX - node->nchildren ? SIZE_MAX
						  : index + node->nchildren;
}

/* Where we are on a path. */
struct walk {
	const struct ctl_node *node;
	const char *place;
	const struct ctl_node *top; /* the child of the root */
	const char *top_place;
};

static ALWAYS_INLINE bool
walk_start(struct walk *walk, const struct ctl_node *root, size_t index)
{
	walk->place = nowhere;
	walk->top = child_at(root, index, &walk->place);
	walk->top_place = walk->place;
	walk->node = walk->top;
	return walk->top != NULL;
}

static ALWAYS_INLINE void
walk_end(const struct walk *walk)
{
	if (walk->top != NULL && is_branch(walk->top) &&
	    walk->top->leave != NULL)
		walk->top->leave(walk->top_place);
}

/*
 * Follows a name for as many components as `mib` has room for. The rest of the
 * name is not checked.
 */
static bool
walk_name(struct walk *walk, const struct ctl_node *root, const char *name,
    size_t *mib, size_t *miblen)
{
	size_t depth = 0;

	*walk = (struct walk){ .node = root };
	while (depth < *miblen) {
		size_t length = strcspn(name, ".");

		mib[depth] = child_number(walk->node, name, length);
		if (mib[depth] == SIZE_MAX)
			return false;
		if (depth == 0) {
			if (!walk_start(walk, root, mib[0]))
				return false;
		} else {
			walk->node = child_at(walk->node, mib[depth],
			    &walk->place);
			if (walk->node == NULL)
				return false;
		}
		depth++;
		name += length;
		if (*name == '\0')
			break;
		/* A leaf has no children, so no component may follow it. */
		if (!is_branch(walk->node))
			return false;
		name++;
	}
	*miblen = depth;
	return true;
}

int
ctl_path(const struct ctl_node *root, const char *name, size_t *mib,
    size_t *miblen)
{
	struct walk walk;
	bool found = walk_name(&walk, root, name, mib, miblen);

	walk_end(&walk);
	return found ? 0 : ENOENT;
}

/* --- copying in and out ----------------------------------------------- */

static const uint8_t sizes[] = {
	[CTL_BOOL] = sizeof(bool),
	[CTL_UNSIGNED] = sizeof(unsigned),
	[CTL_UINT32] = sizeof(uint32_t),
	[CTL_UINT64] = sizeof(uint64_t),
	[CTL_SIZE] = sizeof(size_t),
	[CTL_SSIZE] = sizeof(ssize_t),
	[CTL_TEXT] = sizeof(const char *),
	[CTL_POINTER] = sizeof(void *),
	[CTL_PAIR] = 2 * sizeof(uint64_t),
	[CTL_OWN] = 0,
};

static inline size_t
size_of(const struct ctl_node *node)
{
	return sizes[node->type];
}

/* Copies usual sizes without a call. Both places may have any alignment. */
static inline void
copy(void *to, const void *from, size_t size)
{
	if (size == sizeof(uint64_t))
		memcpy(to, from, sizeof(uint64_t));
	else if (size == sizeof(uint32_t))
		memcpy(to, from, sizeof(uint32_t));
	else
		memcpy(to, from, size);
}

/*
 * The owner of a counter may write it at the same time. So a whole word is read
 * at once, which is a value that the counter really had.
 */
static inline void
load(union ctl_value *value, const char *place, size_t size)
{
	if (size == sizeof(uint64_t))
		value->u64 = __atomic_load_n(
		    (const uint64_t *)(const void *)place, __ATOMIC_RELAXED);
	else if (size == sizeof(uint32_t))
		value->u32 = __atomic_load_n(
		    (const uint32_t *)(const void *)place, __ATOMIC_RELAXED);
	else
		memcpy(value, place, size);
}

static COLD int
output_part(void *oldp, size_t *oldlenp, const void *value, size_t size)
{
	if (*oldlenp > size)
		*oldlenp = size;
	memcpy(oldp, value, *oldlenp);
	return EINVAL;
}

static ALWAYS_INLINE int
output(void *oldp, size_t *oldlenp, const void *value, size_t size)
{
	if (unlikely(oldp == NULL || oldlenp == NULL))
		return 0;
	if (unlikely(*oldlenp != size))
		return output_part(oldp, oldlenp, value, size);
	copy(oldp, value, size);
	return 0;
}

int
ctl_output(const struct ctl_arguments *arguments, const void *value,
    size_t size)
{
	return output(arguments->oldp, arguments->oldlenp, value, size);
}

bool
ctl_output_fits(const struct ctl_arguments *arguments, size_t size)
{
	if (ctl_wants_output(arguments) && *arguments->oldlenp == size)
		return true;
	if (arguments->oldlenp != NULL)
		*arguments->oldlenp = 0;
	return false;
}

bool
ctl_input(const struct ctl_arguments *arguments, void *to, size_t size)
{
	if (arguments->newp == NULL || arguments->newlen != size)
		return false;
	memcpy(to, arguments->newp, size);
	return true;
}

/* --- access to a node ------------------------------------------------- */

static bool
gate_is_open(enum ctl_gate gate)
{
	switch (gate) {
	case GATE_OPEN:
		return true;
	case GATE_STATS:
		return BUILD_STATS;
	case GATE_RETAIN:
		return opt.retain;
	case GATE_PROF:
		return BUILD_PROF;
	case GATE_PROF_ON:
		return BUILD_PROF && prof_is_on();
	case GATE_PROF_STATS:
		return BUILD_PROF && prof_is_on() && opt.prof_stats;
	}
	return false;
}

static inline bool
access_allows(enum ctl_access access, const struct ctl_arguments *a)
{
	bool reads = a->oldp != NULL || a->oldlenp != NULL;
	bool writes = a->newp != NULL || a->newlen != 0;

	switch (access) {
	case CTL_NONE:
		return !reads && !writes;
	case CTL_READ:
		return !writes;
	case CTL_WRITE:
		return !reads;
	case CTL_BOTH:
		return true;
	}
	return false;
}

static inline int
get(const struct ctl_call *call, union ctl_value *value)
{
	const struct ctl_node *node = call->node;

	if (node->read != NULL)
		return node->read(call, value);
	load(value, node->place != NULL ? node->place : call->place,
	    size_of(node));
	return 0;
}

int
ctl_read_field(const struct ctl_call *call, const void *record,
    union ctl_value *value)
{
	load(value, (const char *)record + ctl_which(call),
	    size_of(call->node));
	return 0;
}

static int
set(const struct ctl_call *call)
{
	const struct ctl_arguments *arguments = call->arguments;
	size_t size = size_of(call->node);
	union ctl_value value = { .u64 = 0 };

	if (arguments->newp == NULL)
		return (call->node->flags & CTL_NEED_INPUT) != 0 ? EINVAL : 0;
	if (arguments->newlen != size)
		return EINVAL;
	/* The caller's byte may be neither 0 nor 1: that is no valid bool. */
	if (call->node->type == CTL_BOOL)
		value.truth = *(const unsigned char *)arguments->newp != 0;
	else
		copy(&value, arguments->newp, size);
	return call->node->write(call, &value);
}

/* Reads the old value and writes the new one, in the order of the flags. */
static int
get_and_set(const struct ctl_call *call)
{
	unsigned flags = call->node->flags;
	size_t size = size_of(call->node);
	union ctl_value value;
	int error;

	if ((flags & CTL_READ_NEW) != 0) {
		error = set(call);
		if (error == 0)
			error = get(call, &value);
		return error != 0 ? error
				  : ctl_output(call->arguments, &value, size);
	}
	/*
	 * Reads even if the caller wants no value: if the read fails, nothing
	 * must be written.
	 */
	error = get(call, &value);
	if (error == 0 && (flags & CTL_WRITE_FIRST) != 0)
		error = set(call);
	if (error == 0)
		error = ctl_output(call->arguments, &value, size);
	if (error == 0 && (flags & CTL_WRITE_FIRST) == 0)
		error = set(call);
	return error;
}

/*
 * The call does what the node does not allow. But a value that does not exist
 * in this process can't be refused.
 */
static COLD int
refuse(const struct ctl_call *call)
{
	union ctl_value value;

	return call->node->access == CTL_READ && call->node->read != NULL &&
		call->node->read(call, &value) == ENOENT
	    ? ENOENT
	    : EPERM;
}

static NOINLINE int
perform(const struct ctl_call *call)
{
	const struct ctl_node *node = call->node;
	union ctl_value value;
	int error;

	if (!gate_is_open(node->gate))
		return ENOENT;
	if ((node->flags & CTL_ANY_ARGUMENTS) == 0 &&
	    !access_allows(node->access, call->arguments))
		return refuse(call);
	if ((node->flags & CTL_NEED_OUTPUT) != 0 &&
	    !ctl_output_fits(call->arguments, size_of(node)))
		return EINVAL;
	if (node->act != NULL)
		return node->act(call);
	switch (node->access) {
	case CTL_READ:
		error = get(call, &value);
		return error != 0
		    ? error
		    : ctl_output(call->arguments, &value, size_of(node));
	case CTL_WRITE:
		return set(call);
	default:
		return get_and_set(call);
	}
}

static inline int
perform_at(const struct walk *walk, const size_t *mib,
    const struct ctl_arguments *arguments)
{
	if (is_branch(walk->node))
		return ENOENT;
	return perform(&(struct ctl_call){
	    .node = walk->node,
	    .place = walk->place,
	    .mib = mib,
	    .arguments = arguments,
	});
}

/* Follows a path to its end. False: there is no such node. */
static ALWAYS_INLINE bool
walk_path(struct walk *walk, const struct ctl_node *root, const size_t *mib,
    size_t miblen)
{
	const struct ctl_node *node;
	const char *place;

	walk->top = NULL;
	if (unlikely(mib == NULL || miblen == 0) ||
	    !walk_start(walk, root, *mib))
		return false;
	node = walk->node;
	place = walk->place;
	while (--miblen > 0 && node != NULL)
		node = child_at(node, *++mib, &place);
	walk->node = node;
	walk->place = place;
	return node != NULL;
}

int
ctl_by_path(const struct ctl_node *root, const size_t *mib, size_t miblen,
    const struct ctl_arguments *arguments)
{
	struct walk walk;
	bool found = walk_path(&walk, root, mib, miblen);
	int error = found ? perform_at(&walk, mib, arguments) : ENOENT;

	walk_end(&walk);
	return error;
}

/* Most names can only be read, and their value is a variable in memory. */
static ALWAYS_INLINE bool
is_plain(const struct ctl_node *node)
{
	return !is_branch(node) && node->access == CTL_READ &&
	    node->read == NULL && node->act == NULL &&
	    (node->gate == GATE_OPEN ||
		(node->gate == GATE_STATS && BUILD_STATS));
}

int
ctl_read(const struct ctl_node *root, const size_t *mib, size_t miblen,
    void *oldp, size_t *oldlenp)
{
	struct walk walk;
	int error = ENOENT;

	if (likely(walk_path(&walk, root, mib, miblen))) {
		const struct ctl_node *node = walk.node;
		union ctl_value value;

		if (likely(is_plain(node))) {
			load(&value,
			    node->place != NULL ? node->place : walk.place,
			    size_of(node));
			error = output(oldp, oldlenp, &value, size_of(node));
		} else {
			error = perform_at(&walk, mib,
			    &(struct ctl_arguments){
				.oldp = oldp, .oldlenp = oldlenp });
		}
	}
	walk_end(&walk);
	return error;
}

int
ctl_by_name(const struct ctl_node *root, const char *name,
    const struct ctl_arguments *arguments)
{
	struct walk walk;
	size_t mib[CTL_DEPTH_MAX], miblen = CTL_DEPTH_MAX;
	bool found = walk_name(&walk, root, name, mib, &miblen);
	int error = found ? perform_at(&walk, mib, arguments) : ENOENT;

	walk_end(&walk);
	return error;
}
