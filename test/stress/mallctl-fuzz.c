/*
 * Random names, numbers, lengths and accesses: mallctl answers with one of its
 * error codes and writes nothing beyond the length that it was given.
 */
#include "stress.h"

typedef int nametomib_function(const char *, size_t *, size_t *);
typedef int bymib_function(const size_t *, size_t, void *, size_t *, void *,
    size_t);

enum { NAMES_MAX = 512, NAME_MAX_LENGTH = 600, MIB_MAX = 20, ROUNDS = 100000 };
enum { OLD_SIZE = 128, TEXT_SIZE = 4096 };

static struct {
	mallctl_function *mallctl;
	nametomib_function *nametomib;
	bymib_function *bymib;
	char names[NAMES_MAX][128];
	size_t count;
	struct prng prng;
	/* What pointers in arguments lead to. */
	char text[TEXT_SIZE];
} fuzz = { .prng = { 20240607 } };

static size_t
below(size_t limit)
{
	return prng_below(&fuzz.prng, limit);
}

static size_t
odd_number(void)
{
	static const size_t numbers[] = { 0, 1, 2, 3, 35, 36, 63, 64, 195, 196,
		198, 199, 4094, 4095, 4096, 4097, 4098, INT32_MAX, UINT32_MAX,
		(size_t)UINT32_MAX + 1, INT64_MAX, SIZE_MAX - 1, SIZE_MAX };
	size_t which = below(sizeof(numbers) / sizeof(numbers[0]) + 4);

	return which < sizeof(numbers) / sizeof(numbers[0]) ? numbers[which]
							    : below(50);
}

static void
read_names(void)
{
	const char *folder = getenv("srcdir");
	char path[512], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/test/data/mallctl-names.txt",
	    folder != NULL ? folder : ".");
	file = fopen(path, "r");
	if (file == NULL)
		stress_fail("can't read %s", path);
	while (fgets(line, sizeof(line), file) != NULL)
		if (line[0] != '#' && fuzz.count < NAMES_MAX)
			sscanf(line, "%127s", fuzz.names[fuzz.count++]);
	fclose(file);
	CHECK(fuzz.count == 440);
}

/* A name of the contract, its indices filled in with anything. */
static size_t
real_name(char *name)
{
	const char *from = fuzz.names[below(fuzz.count)];
	size_t length = 0;

	while (*from != '\0') {
		if (*from != '<') {
			name[length++] = *from++;
			continue;
		}
		length += (size_t)sprintf(name + length,
		    below(4) == 0 ? "%zx" : "%zu",
		    below(3) == 0 ? odd_number() : below(3));
		from += 3;
	}
	name[length] = '\0';
	return length;
}

static void
damage(char *name, size_t length)
{
	size_t at = below(length + 1), more = below(3) == 0 ? 550 - length : 8;

	switch (below(6)) {
	case 0:
		name[at] = (char)below(256);
		break;
	case 1:
		name[at] = '\0';
		break;
	case 2:
		memmove(name + at, name + at + 1, length - at + 1);
		break;
	case 3:
		name[at] = '.';
		break;
	case 4:
		memset(name + length, "0.xs"[below(4)], more);
		name[length + more] = '\0';
		break;
	default:
		memcpy(name + at, fuzz.names[below(fuzz.count)], 100);
		name[at + 100] = '\0';
	}
	name[NAME_MAX_LENGTH - 1] = '\0';
}

/* These do what they are told with addresses and live objects. */
static bool
is_dangerous(const char *name)
{
	return strncmp(name, "thread.arena", 12) == 0 ||
	    strncmp(name, "experimental.hooks.safety", 25) == 0 ||
	    strncmp(name, "arenas.create", 13) == 0 ||
	    strncmp(name, "experimental.arenas_create", 26) == 0 ||
	    (strncmp(name, "arena.", 6) == 0 &&
		strstr(name, ".extent_hooks") != NULL);
}

static struct {
	unsigned char old[OLD_SIZE];
	size_t old_size;
	size_t given;
	uintptr_t new_value[4];
	size_t new_size;
	void *oldp;
	size_t *oldlenp;
	void *newp;
} call;

static void
random_arguments(bool harmless)
{
	uintptr_t text = (uintptr_t)fuzz.text;

	memset(call.old, 0xa5, sizeof(call.old));
	/* A place for arena.<i>.name to write to. */
	memcpy(call.old, &text, sizeof(text));
	call.given = call.old_size = below(4) == 0 ? below(40)
						   : (size_t)1 << below(6);
	call.new_size = below(4) == 0 ? below(40) : (size_t)1 << below(6);
	call.new_value[0] = below(2) == 0 ? text : odd_number() & 0xffff;
	for (unsigned i = 1; i < 4; i++)
		call.new_value[i] = below(9);
	call.oldp = below(4) == 0 ? NULL : call.old;
	call.oldlenp = below(4) == 0 ? NULL : &call.old_size;
	call.newp = harmless || below(2) == 0 ? NULL : call.new_value;
	if (call.newp == NULL && below(4) != 0)
		call.new_size = 0;
	/* Small numbers are no texts. */
	if (call.newp != NULL && call.new_size == sizeof(char *))
		call.new_value[0] = text;
}

static void
check(int error, const char *what)
{
	size_t from = call.given < 8 ? 8 : call.given;

	if (error != 0 && error != EINVAL && error != EPERM &&
	    error != ENOENT && error != EFAULT && error != EAGAIN)
		stress_fail("%s: error %d", what, error);
	if (errno != 4711)
		stress_fail("%s: errno is %d", what, errno);
	if (call.old_size > call.given)
		stress_fail("%s: %zu of %zu bytes", what, call.old_size,
		    call.given);
	for (; from < OLD_SIZE; from++)
		if (call.old[from] != 0xa5)
			stress_fail("%s: wrote beyond %zu bytes", what,
			    call.given);
}

static void
by_name(void)
{
	static char name[2 * NAME_MAX_LENGTH];
	size_t length = real_name(name);

	if (below(3) == 0)
		damage(name, length);
	random_arguments(is_dangerous(name));
	errno = 4711;
	check(fuzz.mallctl(name, call.oldp, call.oldlenp, call.newp,
		  call.new_size),
	    name);
}

static void
by_numbers(void)
{
	size_t mib[MIB_MAX + 1], length = below(8), had = length;
	static char name[2 * NAME_MAX_LENGTH];
	int error;

	for (size_t i = 0; i <= MIB_MAX; i++)
		mib[i] = odd_number();
	mib[length] = 12345;
	real_name(name);
	error = fuzz.nametomib(name, mib, &length);
	CHECK(mib[had] == 12345 && (error == 0 || error == ENOENT));
	if (error != 0)
		return;
	CHECK(length <= had);
	if (below(2) == 0)
		mib[below(MIB_MAX)] = odd_number();
	if (below(4) == 0)
		length = below(MIB_MAX + 1);
	/* A changed number may lead anywhere: no writing then. */
	random_arguments(true);
	if (below(2) == 0)
		call.new_size = 0;
	errno = 4711;
	check(fuzz.bymib(mib, length, call.oldp, call.oldlenp, NULL,
		  call.new_size),
	    name);
}

int
main(int argc, char **argv)
{
	unsigned scale = stress_start(argc, argv, 100);

	if (!symbol_find("mallctl", &fuzz.mallctl) ||
	    !symbol_find("mallctlnametomib", &fuzz.nametomib) ||
	    !symbol_find("mallctlbymib", &fuzz.bymib))
		stress_skip_other("mallctl");
	read_names();
	strcpy(fuzz.text, "64-128:10|1000-2000:5");
	for (unsigned i = 0; i < scale * ROUNDS; i++) {
		if (below(2) == 0)
			by_name();
		else
			by_numbers();
	}
	free(needed(malloc(100)));
	return 0;
}
