/*
 * bugs: runs one bug, and says how far it came.
 *
 * usage: bugs --list          one bug a line: property, kind, name, promises,
 *                             with tabs between
 *        bugs NUMBER FILE     runs that line's bug, counted from 0
 *
 * The descriptor FILE takes a letter for each step that was reached: b before
 * the mistake, a after it, h for harm, e at the end, m for a missing function.
 * Between a and e the program goes on like any other: it allocates and frees,
 * a thread ends, memory is trimmed.
 */
#include "bugs.h"

#include <dlfcn.h>
#include <unistd.h>

static int report;

static void *(*new_plain)(size_t), *(*new_many)(size_t);
static void (*delete_plain)(void *), (*delete_many)(void *);
static void (*delete_with_size)(void *, size_t);
static void (*delete_with_both)(void *, size_t, size_t);

static void
say(char step)
{
	if (write(report, &step, 1) != 1)
		_exit(2);
}

void
wrong_begins(void)
{
	say('b');
}

void
wrong_ends(void)
{
	say('a');
}

void
missing(const char *function)
{
	fprintf(stderr, "there is no %s\n", function);
	say('m');
	_exit(0);
}

void *
hidden(void *pointer)
{
	void *volatile same = pointer;

	return same;
}

void *
taken(size_t size)
{
	void *block = malloc(size);

	if (block == NULL)
		_exit(2);
	return hidden(block);
}

/* The operators are the C++ library's, or those of a malloc in front of it. */
static void
operators_find(void)
{
	static const struct {
		const char *name;
		void *where;
	} wanted[] = {
		{ "_Znwm", &new_plain },
		{ "_Znam", &new_many },
		{ "_ZdlPv", &delete_plain },
		{ "_ZdaPv", &delete_many },
		{ "_ZdlPvm", &delete_with_size },
		{ "_ZdlPvmSt11align_val_t", &delete_with_both },
	};
	void *library = dlopen("libstdc++.so.6", RTLD_NOW | RTLD_GLOBAL);

	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		void *function = dlsym(RTLD_DEFAULT, wanted[i].name);

		if (function == NULL && library != NULL)
			function = dlsym(library, wanted[i].name);
		memcpy(wanted[i].where, &function, sizeof(function));
	}
}

void
delete_it(void *block)
{
	if (delete_plain == NULL)
		missing("operator delete");
	delete_plain(block);
}

void
delete_sized(void *block, size_t size)
{
	if (delete_with_size == NULL)
		missing("sized operator delete");
	delete_with_size(block, size);
}

void
delete_aligned(void *block, size_t size, size_t alignment)
{
	if (delete_with_both == NULL)
		missing("aligned operator delete");
	delete_with_both(block, size, alignment);
}

void
delete_array(void *block)
{
	if (delete_many == NULL)
		missing("operator delete[]");
	delete_many(block);
}

void *
new_one(size_t size)
{
	if (new_plain == NULL)
		missing("operator new");
	return hidden(new_plain(size));
}

void *
new_array(size_t size)
{
	if (new_many == NULL)
		missing("operator new[]");
	return hidden(new_many(size));
}

struct act {
	void (*act)(void *);
	void *argument;
};

static void *
thread(void *argument)
{
	const struct act *this = argument;

	this->act(this->argument);
	return NULL;
}

void
in_thread(void (*act)(void *), void *argument)
{
	struct act this = { act, argument };
	pthread_t id;

	if (pthread_create(&id, NULL, thread, &this) != 0)
		_exit(2);
	pthread_join(id, NULL);
}

enum { MOST = 1024 };

void
free_others(size_t size, unsigned count)
{
	void *blocks[MOST];

	if (count > MOST)
		_exit(2);
	for (unsigned i = 0; i < count; i++)
		blocks[i] = taken(size);
	for (unsigned i = 0; i < count; i++)
		free(blocks[i]);
}

/* They stay: what is freed now would be given out once more, rightly. */
enum harm
given_twice(size_t size)
{
	unsigned count = size > 65536 ? 16 : 256;
	char *blocks[256];

	for (unsigned i = 0; i < count; i++) {
		blocks[i] = taken(size);
		for (unsigned j = 0; j < i; j++)
			if (blocks[i] < blocks[j] + size &&
			    blocks[j] < blocks[i] + size)
				return DONE;
	}
	return NONE;
}

enum harm
given_out(size_t size, const void *place)
{
	for (unsigned i = 0; i < 256; i++) {
		const char *block = taken(size);

		if (block <= (const char *)place &&
		    (const char *)place < block + size)
			return DONE;
	}
	return NONE;
}

/* ---- the program goes on ---- */

static void
others(void *argument)
{
	static const size_t sizes[] = { 8, 24, 100, 1000, 5000, 20000, 300000,
		2000000 };
	enum { SIZES = sizeof(sizes) / sizeof(*sizes) };

	(void)argument;
	for (unsigned i = 0; i < SIZES; i++)
		free_others(sizes[i], sizes[i] > 100000 ? 8 : 300);
	malloc_trim(0);
}

static void
list(const struct property *property)
{
	static const char *const kinds[] = { "call", "access", "exposure" };

	for (; property->name != NULL; property++)
		for (const struct bug *b = property->bugs; b->name; b++)
			printf("%s\t%s\t%s\t%s\n", property->name,
			    kinds[property->kind], b->name, b->promises);
}

/* The bug after *number others, which is counted down; or NULL. */
static const struct bug *
find(const struct property *property, unsigned long *number)
{
	for (; property->name != NULL; property++)
		for (const struct bug *b = property->bugs; b->name; b++)
			if ((*number)-- == 0)
				return b;
	return NULL;
}

int
main(int argc, char **argv)
{
	const struct bug *bug;
	unsigned long number;
	char *end;

	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		list(free_properties);
		list(access_properties);
		return 0;
	}
	if (argc != 3)
		return 2;
	number = strtoul(argv[1], &end, 10);
	report = atoi(argv[2]);
	bug = find(free_properties, &number);
	if (bug == NULL)
		bug = find(access_properties, &number);
	if (bug == NULL || *end != '\0')
		return 2;
	operators_find();
	if (bug->commit() == DONE)
		say('h');
	others(NULL);
	in_thread(others, NULL);
	say('e');
	return 0;
}
