#include "ctl/ctl_tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../unit.h"
#include "../waits.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/exchange.h"
#include "cache/tcache_table.h"
#include "cache/thread.h"
#include "conf/conf.h"
#include "conf/options.h"
#include "ctl/ctl.h"
#include "extent/extent_records.h"
#include "extent/metadata.h"
#include "os/system.h"
#include "stats/snapshot.h"

/* An arena that another thread destroys is not there for a moment. */
static bool ends;

struct arena *__real_arena_table_owner(unsigned index);
struct arena *__wrap_arena_table_owner(unsigned index);

struct arena *
__wrap_arena_table_owner(unsigned index)
{
	return ends ? NULL : __real_arena_table_owner(index);
}

#define KEY ((uintptr_t)UINT64_C(0x1234567887654321))

static int
start(void **state)
{
	static const char *const none[CONF_SOURCES];

	(void)state;
	system_init();
	metadata_init();
	extent_records_init();
	snapshot_init();
	conf_settle(&opt_at_start, none);
	opt_at_start.narenas = 4;
	size_class_init(system_info.page_size, opt.slab_sizes);
	thread_init(KEY);
	tcache_table_init(KEY);
	return arena_table_init(opt.narenas, 1) && thread_birth() != NULL ? 0
									  : -1;
}

/* --- the tables --------------------------------------------------------- */

static unsigned
options_with_names(void)
{
	unsigned count = 0;

	for (unsigned i = 0; options_any_row(i) != NULL; i++)
		count += !options_any_row(i)->no_ctl;
	return count;
}

static void
check_leaf(const struct ctl_node *node)
{
	bool reads = node->access == CTL_READ || node->access == CTL_BOTH;
	bool writes = node->access == CTL_WRITE || node->access == CTL_BOTH;
	const char *name = node->name != NULL ? node->name : "(each)";

	if (node->nchildren != 0)
		fail_msg("%s: a leaf has children", name);
	if ((node->type == CTL_VOID) != (node->access == CTL_NONE))
		fail_msg("%s: access and type", name);
	if (node->act != NULL && (node->read != NULL || node->write != NULL))
		fail_msg("%s: act and others", name);
	if (node->act == NULL &&
	    (node->type == CTL_VOID || node->type == CTL_OWN))
		fail_msg("%s: no act", name);
	if (!reads && node->read != NULL)
		fail_msg("%s: reader", name);
	if (writes && node->act == NULL && node->write == NULL)
		fail_msg("%s: no writer", name);
	if (!writes && node->write != NULL)
		fail_msg("%s: writer", name);
}

/* Checks a node and all below it; returns how many names there are. */
static unsigned
check_node(const struct ctl_node *node, unsigned depth)
{
	unsigned names = 0;

	assert_true(depth <= CTL_DEPTH_MAX);
	if (node->type != CTL_BRANCH) {
		check_leaf(node);
		/* Words that stand for numbers are the options' names. */
		return node->name == NULL ? options_with_names() : 1;
	}
	assert_true(node->nchildren > 0 || node->each != NULL);
	for (unsigned i = 0; i < node->nchildren; i++) {
		assert_non_null(node->children[i].name);
		assert_null(strchr(node->children[i].name, '.'));
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(node->children[i].name,
			    node->children[j].name);
		names += check_node(&node->children[i], depth + 1);
	}
	if (node->each != NULL) {
		assert_null(node->each->name);
		assert_true(node->each->limit > 0 || node->each->enter != NULL);
		names += check_node(node->each, depth + 1);
	}
	return names;
}

static void
the_tables_make_sense(void **state)
{
	unsigned names = check_node(&ctl_tree, 0);

	(void)state;
	print_message("%u names\n", names);
	/* Those of the contract and the first ones of ours. */
	assert_true(names >= 440 + 5);
}

/* --- random calls ------------------------------------------------------- */

/* Follows any path, wherever it leads, and reads there. */
static void
any_path_can_be_read(void **state)
{
	static char text[64];
	uint64_t seed = 1, value[2];
	size_t mib[10], depth, length;
	unsigned found = 0;

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		const struct ctl_node *node = &ctl_tree;

		for (depth = 0; depth < 10 && node != NULL; depth++) {
			size_t most = node->nchildren + 2;

			if (node->type != CTL_BRANCH)
				break;
			mib[depth] = random_below(&seed, most);
			if (random_below(&seed, 50) == 0)
				mib[depth] = random_next(&seed) >>
				    random_below(&seed, 64);
			node = mib[depth] < node->nchildren
			    ? &node->children[mib[depth]]
			    : node->each;
		}
		/* Actions are not for reading. */
		if (node != NULL &&
		    (node->access == CTL_NONE ||
			(node->flags & CTL_NEED_OUTPUT) != 0))
			continue;
		/* Where arena.<i>.name puts it. */
		value[0] = (uintptr_t)text;
		length = 8;
		found += ctl_by_path(&ctl_tree, mib, depth,
			     &(struct ctl_arguments){
				 .oldp = value, .oldlenp = &length }) == 0;
	}
	assert_true(found > 1000);
}

static void
options_have_names_even_if_not_built(void **state)
{
	char name[64];

	(void)state;
	for (unsigned i = 0; options_any_row(i) != NULL; i++) {
		const struct option_row *row = options_any_row(i);
		size_t mib[2], length = 2;

		snprintf(name, sizeof(name), "opt.%s", row->name);
		assert_int_equal(ctl_path(&ctl_tree, name, mib, &length),
		    row->no_ctl ? ENOENT : 0);
		assert_int_equal(ctl_by_name(&ctl_tree, name,
				     &(struct ctl_arguments){ .oldp = NULL }),
		    row->no_ctl || row->absent ? ENOENT : 0);
	}
}

static void
an_object_of_an_arena_that_ends_is_not_known(void **state)
{
	struct {
		void *slab;
		size_t figures[5];
	} found;
	size_t length = sizeof(found);
	unsigned bin = small_class_of(100);
	void *small = exchange_take_one(arena_table_first(), bin);
	const struct ctl_arguments arguments = { .oldp = &found,
		.oldlenp = &length,
		.newp = &small,
		.newlen = sizeof(small) };

	(void)state;
	assert_int_equal(ctl_by_name(&ctl_tree,
			     "experimental.utilization.query", &arguments),
	    0);
	assert_non_null(found.slab);
	assert_int_equal(found.figures[1],
	    size_class_tables.slab[bin].nregions);
	ends = true;
	assert_int_equal(ctl_by_name(&ctl_tree,
			     "experimental.utilization.query", &arguments),
	    0);
	ends = false;
	assert_null(found.slab);
	assert_int_equal(found.figures[1], 0);
	exchange_give_one(bin, small);
}

/* As from a function of the program that a slow path of the cache calls. */
static void
a_cache_in_the_middle_of_a_change_is_not_changed(void **state)
{
	struct tcache_guard *guard = &thread_self->tcache.guard;
	bool off = false;
	size_t max_size = 1024;
	const char *bounds = "8-64:5";
	const struct {
		const char *name;
		struct ctl_arguments arguments;
	} calls[] = {
		{ "thread.tcache.enabled",
		    { .newp = &off, .newlen = sizeof(off) } },
		{ "thread.tcache.max",
		    { .newp = &max_size, .newlen = sizeof(max_size) } },
		{ "thread.tcache.ncached_max.write",
		    { .newp = &bounds, .newlen = sizeof(bounds) } },
	};

	(void)state;
	/* A debug build fills objects, so it does not cache them. */
	thread_self->tcache.enabled = true;
	for (unsigned i = 0; i < ARRAY_LEN(calls); i++) {
		guard->depth = 1;
		assert_int_equal(ctl_by_name(&ctl_tree, calls[i].name,
				     &calls[i].arguments),
		    EAGAIN);
		guard->depth = 0;
		assert_true(thread_self->tcache.enabled);
	}
	for (unsigned i = ARRAY_LEN(calls); i-- > 0;)
		assert_int_equal(ctl_by_name(&ctl_tree, calls[i].name,
				     &calls[i].arguments),
		    0);
}

/* --- locks -------------------------------------------------------------- */

static void *object;

static void
read_decay(void)
{
	ssize_t time_ms;
	size_t length = sizeof(time_ms);

	assert_int_equal(ctl_by_name(&ctl_tree, "arena.0.dirty_decay_ms",
			     &(struct ctl_arguments){
				 .oldp = &time_ms, .oldlenp = &length }),
	    0);
	assert_int_equal(time_ms, opt.dirty_decay_ms);
}

static void
read_and_set_growth(void)
{
	size_t limit, length = sizeof(limit);

	assert_int_equal(ctl_by_name(&ctl_tree, "arena.0.retain_grow_limit",
			     &(struct ctl_arguments){
				 .oldp = &limit, .oldlenp = &length }),
	    0);
	assert_int_equal(ctl_by_name(&ctl_tree, "arena.0.retain_grow_limit",
			     &(struct ctl_arguments){
				 .newp = &limit, .newlen = sizeof(limit) }),
	    0);
}

static void
query_object(void)
{
	char found[100];
	size_t length = sizeof(void *) + 5 * sizeof(size_t);

	assert_int_equal(ctl_by_name(&ctl_tree,
			     "experimental.utilization.query",
			     &(struct ctl_arguments){ .oldp = found,
				 .oldlenp = &length,
				 .newp = &object,
				 .newlen = sizeof(object) }),
	    0);
}

static void
what_arenas_have_is_read_under_their_locks(void **state)
{
	struct arena *arena = arena_table_first();
	unsigned bin = small_class_of(100);
	const struct use uses[] = {
		USE(read_decay, &arena->pages.decay_lock, 1),
		/* A call that sets reads, too. */
		USE(read_and_set_growth, &arena->pages.lock, 3),
		USE(query_object, &arena_bin(arena, bin, 0)->lock, 1),
	};

	(void)state;
	object = exchange_take_one(arena, bin);
	assert_used(uses, ARRAY_LEN(uses));
	exchange_give_one(bin, object);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_tables_make_sense),
		cmocka_unit_test(any_path_can_be_read),
		cmocka_unit_test(an_object_of_an_arena_that_ends_is_not_known),
		cmocka_unit_test(options_have_names_even_if_not_built),
		cmocka_unit_test(
		    a_cache_in_the_middle_of_a_change_is_not_changed),
		cmocka_unit_test(what_arenas_have_is_read_under_their_locks),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
