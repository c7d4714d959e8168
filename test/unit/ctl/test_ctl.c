#include "ctl/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../unit.h"
#include "conf/options.h"

/* --- a small tree ------------------------------------------------------- */

struct cell {
	uint64_t big;
	uint32_t small;
};

static struct {
	struct cell cells[4];
	uint64_t setting;
	bool flag;
	unsigned reads, writes, actions, entered, left;
	int read_error, write_error;
	bool gone; /* the group can't be entered */
} world;

static int
setting_read(const struct ctl_call *call, union ctl_value *value)
{
	(void)call;
	world.reads++;
	value->u64 = world.setting;
	return world.read_error;
}

static int
setting_write(const struct ctl_call *call, const union ctl_value *value)
{
	(void)call;
	world.writes++;
	if (world.write_error == 0)
		world.setting = value->u64;
	return world.write_error;
}

static int
flag_write(const struct ctl_call *call, const union ctl_value *value)
{
	(void)call;
	world.flag = value->truth;
	return 0;
}

static int
index_read(const struct ctl_call *call, union ctl_value *value)
{
	value->u64 = call->mib[2];
	return 0;
}

static int
action(const struct ctl_call *call)
{
	(void)call;
	world.actions++;
	return 0;
}

static const char *
group_enter(const char *place, size_t index)
{
	(void)place;
	assert_int_equal(index, 0);
	world.entered++;
	return world.gone ? NULL : (const char *)&world;
}

static void
group_leave(const char *place)
{
	assert_ptr_equal(place, &world);
	world.left++;
}

static size_t
colour_find(const char *word, size_t length)
{
	if (length == 3 && memcmp(word, "red", 3) == 0)
		return 0;
	return length == 4 && memcmp(word, "blue", 4) == 0 ? 1 : SIZE_MAX;
}

static const char *
colour_enter(const char *place, size_t index)
{
	return index < 2 ? place : NULL;
}

#define ROW(name, type, access, ...) \
	{ \
		name, type, access, GATE_OPEN, __VA_ARGS__ \
	}

static const struct ctl_node cell_rows[] = {
	ROW("big", CTL_UINT64, CTL_READ, 0,
	    .offset = offsetof(struct cell, big)),
	ROW("small", CTL_UINT32, CTL_READ, 0,
	    .offset = offsetof(struct cell, small)),
	ROW("index", CTL_UINT64, CTL_READ, 0, .read = index_read),
};
static const struct ctl_node cell_each = {
	NULL,
	.limit = 4,
	.stride = sizeof(struct cell),
	.children = cell_rows,
	.nchildren = ARRAY_LEN(cell_rows),
};
static const struct ctl_node group_rows[] = {
	{ "cells", .each = &cell_each },
};
static const struct ctl_node colour_rows[] = {
	ROW("mixed", CTL_UINT32, CTL_READ, 0, .place = &world.cells[0].small),
};
static const struct ctl_node colour_each = {
	NULL,
	CTL_UINT64,
	CTL_READ,
	GATE_OPEN,
	0,
	.enter = colour_enter,
	.read = setting_read,
};
static const struct ctl_node root_rows[] = {
	ROW("setting", CTL_UINT64, CTL_BOTH, 0, .read = setting_read,
	    .write = setting_write),
	ROW("sticky", CTL_UINT64, CTL_BOTH, CTL_WRITE_FIRST,
	    .read = setting_read, .write = setting_write),
	ROW("fresh", CTL_UINT64, CTL_BOTH, CTL_WRITE_FIRST | CTL_READ_NEW,
	    .read = setting_read, .write = setting_write),
	ROW("output", CTL_UINT64, CTL_READ, CTL_NEED_OUTPUT,
	    .read = setting_read),
	ROW("input", CTL_UINT64, CTL_WRITE, CTL_NEED_INPUT,
	    .write = setting_write),
	ROW("write", CTL_UINT64, CTL_WRITE, 0, .write = setting_write),
	ROW("flag", CTL_BOOL, CTL_BOTH, 0, .place = &world.flag,
	    .write = flag_write),
	ROW("act", CTL_VOID, CTL_NONE, 0, .act = action),
	ROW("act_anyhow", CTL_VOID, CTL_NONE, CTL_ANY_ARGUMENTS, .act = action),
	/* There is no heap profile in a program that doesn't start one. */
	{ "closed", CTL_UINT64, CTL_READ, GATE_PROF_ON, 0,
	    .place = &world.setting },
	{ "group", .enter = group_enter, .leave = group_leave,
	    .children = group_rows, .nchildren = ARRAY_LEN(group_rows) },
	{ "colour", .children = colour_rows, .nchildren = 1,
	    .each = &colour_each, .find = colour_find },
};
static const struct ctl_node root = {
	NULL,
	.children = root_rows,
	.nchildren = ARRAY_LEN(root_rows),
};

static int
begin(void **state)
{
	(void)state;
	memset(&world, 0, sizeof(world));
	world.setting = 41;
	for (unsigned i = 0; i < 4; i++)
		world.cells[i] = (struct cell){ 1000 + i, 10 + i };
	return 0;
}

/* One call; what it wrote is in `out`, lengths in and out in `length`. */
static struct {
	unsigned char out[32];
	size_t length;
} result;

static int
call(const char *name, size_t old_size, const void *new_value, size_t new_size)
{
	memset(result.out, 0xa5, sizeof(result.out));
	result.length = old_size;
	return ctl_by_name(&root, name,
	    &(struct ctl_arguments){
		.oldp = result.out,
		.oldlenp = &result.length,
		.newp = new_value,
		.newlen = new_size,
	    });
}

static int
write_only(const char *name, const void *new_value, size_t new_size)
{
	return ctl_by_name(&root, name,
	    &(struct ctl_arguments){
		.newp = new_value,
		.newlen = new_size,
	    });
}

static uint64_t
out64(void)
{
	uint64_t value;

	memcpy(&value, result.out, sizeof(value));
	return value;
}

static void
assert_untouched(size_t from)
{
	for (size_t i = from; i < sizeof(result.out); i++)
		assert_int_equal(result.out[i], 0xa5);
}

/* --- names -------------------------------------------------------------- */

static void
a_name_leads_to_its_numbers(void **state)
{
	size_t mib[4] = { 9, 9, 9, 9 }, length = 4;

	(void)state;
	assert_int_equal(ctl_path(&root, "group.cells.3.small", mib, &length),
	    0);
	assert_int_equal(length, 4);
	assert_int_equal(mib[2], 3);
	assert_int_equal(mib[3], 1);
	mib[2] = 1;
	result.length = 4;
	assert_int_equal(ctl_by_path(&root, mib, 4,
			     &(struct ctl_arguments){ .oldp = result.out,
				 .oldlenp = &result.length }),
	    0);
	assert_memory_equal(result.out, &(uint32_t){ 11 }, 4);
	assert_int_equal(world.entered, 2);
	assert_int_equal(world.left, 2);
}

static void
a_part_of_a_name_leads_to_a_part_of_the_numbers(void **state)
{
	size_t mib[4] = { 9, 9, 9, 9 }, length = 2;

	(void)state;
	assert_int_equal(ctl_path(&root, "group.cells.3.small", mib, &length),
	    0);
	assert_int_equal(length, 2);
	assert_int_equal(mib[2], 9);
	length = 4;
	assert_int_equal(ctl_path(&root, "group.cells", mib, &length), 0);
	assert_int_equal(length, 2);
	length = 0;
	assert_int_equal(ctl_path(&root, "nonsense", mib, &length), 0);
	assert_int_equal(length, 0);
}

static void
what_is_no_name_is_not_found(void **state)
{
	static const char *const names[] = { "", ".", "..", "settin",
		"settings", "setting.", "setting.x", "Setting", " setting",
		"group", "group.", "group.cells", "group.cells.",
		"group.cells.4.big", "group.cells..big", "group.cells.-1.big",
		"group.cells.+1.big", "group.cells. 1.big", "group.cells.x.big",
		"group.cells.18446744073709551616.big",
		"group.cells.18446744073709551615.big", "group.cells.1.big.",
		"group.cells.1.big.2", "group.cells.1", "colour.green",
		"colour.re", "colour.redd", "colour", "act.", "\xff\xfe" };
	size_t mib[7], length;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		length = 7;
		if (call(names[i], 8, NULL, 0) != ENOENT)
			fail_msg("%s", names[i]);
		assert_untouched(0);
		if (ctl_path(&root, names[i], mib, &length) == 0)
			assert_true(length < 4);
	}
	assert_int_equal(world.entered, world.left);
}

static void
a_number_ends_where_its_digits_do(void **state)
{
	(void)state;
	assert_int_equal(call("group.cells.2.big", 8, NULL, 0), 0);
	assert_int_equal(out64(), 1002);
	assert_int_equal(call("group.cells.002.big", 8, NULL, 0), 0);
	assert_int_equal(out64(), 1002);
	assert_int_equal(call("group.cells.0x2.big", 8, NULL, 0), 0);
	assert_int_equal(out64(), 1000);
	assert_int_equal(call("group.cells.3.index", 8, NULL, 0), 0);
	assert_int_equal(out64(), 3);
}

static void
words_can_stand_for_numbers(void **state)
{
	size_t mib[2], length = 2;

	(void)state;
	assert_int_equal(call("colour.blue", 8, NULL, 0), 0);
	assert_int_equal(call("colour.mixed", 4, NULL, 0), 0);
	assert_int_equal(ctl_path(&root, "colour.blue", mib, &length), 0);
	assert_int_equal(mib[1], 2);
	mib[1] = 3;
	assert_int_equal(ctl_by_path(&root, mib, 2,
			     &(struct ctl_arguments){ .oldp = NULL }),
	    ENOENT);
}

static void
wrong_numbers_are_not_found(void **state)
{
	static const size_t bad[] = { 4, 5, 1000, UINT32_MAX,
		(size_t)(UINT64_C(1) << 32 | 4), SIZE_MAX / 16, SIZE_MAX };
	size_t mib[20], length = 4;
	struct ctl_arguments none = { .oldp = NULL };

	(void)state;
	memset(mib, 0, sizeof(mib));
	assert_int_equal(ctl_path(&root, "group.cells.0.big", mib, &length), 0);
	for (size_t i = 0; i <= 20; i++)
		assert_int_equal(ctl_by_path(&root, mib, i, &none),
		    i == 4 ? 0 : ENOENT);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		mib[2] = bad[i];
		assert_int_equal(ctl_by_path(&root, mib, 4, &none), ENOENT);
	}
	mib[2] = 0;
	mib[0] = ARRAY_LEN(root_rows);
	assert_int_equal(ctl_by_path(&root, mib, 4, &none), ENOENT);
	assert_int_equal(ctl_by_path(&root, NULL, 0, &none), ENOENT);
	assert_int_equal(world.entered, world.left);
}

static void
a_group_that_is_gone_is_not_found(void **state)
{
	(void)state;
	world.gone = true;
	assert_int_equal(call("group.cells.0.big", 8, NULL, 0), ENOENT);
}

/* --- reading and writing ------------------------------------------------ */

static void
a_read_wants_the_exact_length(void **state)
{
	(void)state;
	for (size_t size = 0; size <= 16; size++) {
		int error = call("group.cells.1.big", size, NULL, 0);

		assert_int_equal(error, size == 8 ? 0 : EINVAL);
		assert_int_equal(result.length, size < 8 ? size : 8);
		assert_untouched(result.length);
		if (size >= 8)
			assert_int_equal(out64(), 1001);
	}
}

static void
a_read_without_place_or_length_does_nothing(void **state)
{
	size_t length = 3;

	(void)state;
	assert_int_equal(write_only("setting", NULL, 0), 0);
	assert_int_equal(ctl_by_name(&root, "setting",
			     &(struct ctl_arguments){ .oldlenp = &length }),
	    0);
	assert_int_equal(length, 3);
	assert_int_equal(ctl_by_name(&root, "setting",
			     &(struct ctl_arguments){ .oldp = result.out }),
	    0);
}

static void
what_is_only_read_is_not_written(void **state)
{
	(void)state;
	assert_int_equal(call("group.cells.1.big", 8, "12345678", 8), EPERM);
	assert_int_equal(call("group.cells.1.big", 8, NULL, 1), EPERM);
	assert_int_equal(call("group.cells.1.big", 8, "", 0), EPERM);
	assert_untouched(0);
}

static void
what_is_only_written_is_not_read(void **state)
{
	uint64_t value = 5;

	(void)state;
	assert_int_equal(call("write", 8, NULL, 0), EPERM);
	assert_int_equal(call("write", 8, &value, 8), EPERM);
	assert_int_equal(world.setting, 41);
	assert_int_equal(write_only("write", &value, 8), 0);
	assert_int_equal(world.setting, 5);
	assert_int_equal(write_only("write", NULL, 0), 0);
	assert_int_equal(write_only("input", NULL, 0), EINVAL);
	assert_int_equal(write_only("input", &value, 7), EINVAL);
	assert_int_equal(world.writes, 1);
}

static void
both_gives_the_value_before(void **state)
{
	uint64_t value = 5;

	(void)state;
	assert_int_equal(call("setting", 8, &value, 8), 0);
	assert_int_equal(out64(), 41);
	assert_int_equal(world.setting, 5);
	value = 6;
	assert_int_equal(call("fresh", 8, &value, 8), 0);
	assert_int_equal(out64(), 6);
	value = 7;
	assert_int_equal(call("sticky", 8, &value, 8), 0);
	assert_int_equal(out64(), 6);
}

static void
a_wrong_output_keeps_some_writes_and_not_others(void **state)
{
	uint64_t value = 5;

	(void)state;
	assert_int_equal(call("setting", 4, &value, 8), EINVAL);
	assert_int_equal(world.setting, 41);
	assert_int_equal(call("sticky", 4, &value, 8), EINVAL);
	assert_int_equal(world.setting, 5);
	assert_memory_equal(result.out, &(uint64_t){ 41 }, 4);
	value = 6;
	assert_int_equal(call("fresh", 4, &value, 8), EINVAL);
	assert_int_equal(world.setting, 6);
}

static void
a_wrong_input_has_no_effect(void **state)
{
	uint64_t value = 5;

	(void)state;
	for (size_t size = 0; size < 20; size++)
		if (size != 8) {
			assert_int_equal(write_only("setting", &value, size),
			    EINVAL);
			assert_int_equal(write_only("sticky", &value, size),
			    EINVAL);
			assert_int_equal(write_only("fresh", &value, size),
			    EINVAL);
		}
	assert_int_equal(world.writes, 0);
	assert_int_equal(write_only("setting", NULL, 3), 0);
	assert_int_equal(world.writes, 0);
}

static void
errors_of_the_functions_come_through(void **state)
{
	uint64_t value = 5;

	(void)state;
	world.read_error = EFAULT;
	assert_int_equal(call("setting", 8, &value, 8), EFAULT);
	assert_int_equal(world.writes, 0);
	assert_untouched(0);
	world.read_error = 0;
	world.write_error = EAGAIN;
	assert_int_equal(call("sticky", 8, &value, 8), EAGAIN);
	assert_untouched(0);
	assert_int_equal(call("setting", 8, &value, 8), EAGAIN);
	assert_int_equal(out64(), 41);
}

static void
a_needed_output_comes_first(void **state)
{
	(void)state;
	assert_int_equal(call("output", 8, NULL, 0), 0);
	assert_int_equal(world.reads, 1);
	assert_int_equal(call("output", 9, NULL, 0), EINVAL);
	assert_int_equal(result.length, 0);
	assert_untouched(0);
	assert_int_equal(write_only("output", NULL, 0), EINVAL);
	assert_int_equal(world.reads, 1);
}

static void
any_byte_is_true_or_false(void **state)
{
	unsigned char byte = 0x80;

	(void)state;
	assert_int_equal(call("flag", 1, &byte, 1), 0);
	assert_int_equal(result.out[0], 0);
	assert_int_equal(*(unsigned char *)&world.flag, 1);
	assert_int_equal(call("flag", 1, NULL, 0), 0);
	assert_int_equal(result.out[0], 1);
}

static void
an_action_takes_no_arguments(void **state)
{
	(void)state;
	assert_int_equal(write_only("act", NULL, 0), 0);
	assert_int_equal(write_only("act", NULL, 1), EPERM);
	assert_int_equal(write_only("act", "", 0), EPERM);
	assert_int_equal(call("act", 8, NULL, 0), EPERM);
	assert_int_equal(world.actions, 1);
	assert_int_equal(call("act_anyhow", 8, "", 1), 0);
	assert_int_equal(world.actions, 2);
}

static void
a_closed_gate_comes_before_all_else(void **state)
{
	(void)state;
	assert_int_equal(call("closed", 8, NULL, 0), ENOENT);
	assert_int_equal(call("closed", 8, "", 8), ENOENT);
	assert_untouched(0);
}

/* The way without a new value gives what the other one does. */
static void
reading_by_numbers_is_the_same_in_both_ways(void **state)
{
	static const char *const names[] = { "setting", "sticky", "output",
		"input", "write", "flag", "act", "act_anyhow", "closed",
		"group.cells.2.big", "group.cells.3.small",
		"group.cells.1.index", "colour.mixed", "colour.blue", "group",
		"colour" };
	size_t mib[7], depth, length[2];

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		unsigned char out[2][32];
		int error[2];

		depth = 7;
		assert_int_equal(ctl_path(&root, names[i], mib, &depth), 0);
		for (size_t size = 0; size <= 16; size++) {
			length[0] = length[1] = size;
			memset(out, 0xa5, sizeof(out));
			error[0] = ctl_by_path(&root, mib, depth,
			    &(struct ctl_arguments){
				.oldp = out[0], .oldlenp = &length[0] });
			error[1] = ctl_read(&root, mib, depth, out[1],
			    &length[1]);
			assert_int_equal(error[0], error[1]);
			assert_int_equal(length[0], length[1]);
			assert_memory_equal(out[0], out[1], sizeof(out[0]));
		}
		assert_int_equal(ctl_read(&root, mib, depth, NULL, NULL),
		    ctl_by_path(&root, mib, depth,
			&(struct ctl_arguments){ .oldp = NULL }));
	}
	assert_int_equal(world.entered, world.left);
}

static void
unaligned_arguments_do(void **state)
{
	char space[32];
	size_t length = 8;

	(void)state;
	memcpy(space + 3, &(uint64_t){ 77 }, 8);
	assert_int_equal(ctl_by_name(&root, "setting",
			     &(struct ctl_arguments){ .oldp = space + 17,
				 .oldlenp = &length,
				 .newp = space + 3,
				 .newlen = 8 }),
	    0);
	assert_int_equal(world.setting, 77);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_name_leads_to_its_numbers, begin),
		cmocka_unit_test_setup(
		    a_part_of_a_name_leads_to_a_part_of_the_numbers, begin),
		cmocka_unit_test_setup(what_is_no_name_is_not_found, begin),
		cmocka_unit_test_setup(a_number_ends_where_its_digits_do,
		    begin),
		cmocka_unit_test_setup(words_can_stand_for_numbers, begin),
		cmocka_unit_test_setup(wrong_numbers_are_not_found, begin),
		cmocka_unit_test_setup(a_group_that_is_gone_is_not_found,
		    begin),
		cmocka_unit_test_setup(a_read_wants_the_exact_length, begin),
		cmocka_unit_test_setup(
		    a_read_without_place_or_length_does_nothing, begin),
		cmocka_unit_test_setup(what_is_only_read_is_not_written, begin),
		cmocka_unit_test_setup(what_is_only_written_is_not_read, begin),
		cmocka_unit_test_setup(both_gives_the_value_before, begin),
		cmocka_unit_test_setup(
		    a_wrong_output_keeps_some_writes_and_not_others, begin),
		cmocka_unit_test_setup(a_wrong_input_has_no_effect, begin),
		cmocka_unit_test_setup(errors_of_the_functions_come_through,
		    begin),
		cmocka_unit_test_setup(a_needed_output_comes_first, begin),
		cmocka_unit_test_setup(any_byte_is_true_or_false, begin),
		cmocka_unit_test_setup(an_action_takes_no_arguments, begin),
		cmocka_unit_test_setup(a_closed_gate_comes_before_all_else,
		    begin),
		cmocka_unit_test_setup(
		    reading_by_numbers_is_the_same_in_both_ways, begin),
		cmocka_unit_test_setup(unaligned_arguments_do, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
