/*
 * bad-sizes: sizes and alignments that can't be served, NULL, and zero.
 *
 * Provokes: all entry points, by a table, with sizes around SIZE_MAX and
 * PTRDIFF_MAX, products that overflow in both orders, sizes that overflow
 * together with an alignment, alignments that are none, NULL and 0.
 * Must hold: NULL with ENOMEM (EINVAL for a bad alignment), the old block and
 * the pointer argument untouched; posix_memalign returns the code and leaves
 * errno alone; NULL is accepted where the standard says so; a size of 0 gives
 * distinct pointers that can be freed. A call that succeeds keeps errno.
 */
#include "stress.h"

enum { OLD_SIZE = 1000, KEPT_ERRNO = EXDEV };

/* ---- entry points as a table ---- */

typedef void *take_function(void *old, size_t alignment, size_t size);

static struct {
	void *(*mallocx)(size_t, int);
	void *(*rallocx)(void *, size_t, int);
	size_t (*nallocx)(size_t, int);
	size_t (*xallocx)(void *, size_t, size_t, int);
	void *(*reallocarray)(void *, size_t, size_t);
	void *(*pvalloc)(size_t);
	void *(*valloc)(size_t);
	void (*free_sized)(void *, size_t);
	void (*free_aligned_sized)(void *, size_t, size_t);
} optional;

static void *
take_malloc(void *old, size_t alignment, size_t size)
{
	(void)old, (void)alignment;
	return malloc(size);
}

static void *
take_calloc_size(void *old, size_t alignment, size_t size)
{
	(void)old, (void)alignment;
	return calloc(1, size);
}

static void *
take_calloc_count(void *old, size_t alignment, size_t size)
{
	(void)old, (void)alignment;
	return calloc(size, 1);
}

static void *
take_realloc_null(void *old, size_t alignment, size_t size)
{
	(void)old, (void)alignment;
	return realloc(NULL, size);
}

static void *
take_realloc(void *old, size_t alignment, size_t size)
{
	(void)alignment;
	return realloc(old, size);
}

static void *
take_reallocarray_size(void *old, size_t alignment, size_t size)
{
	(void)alignment;
	return optional.reallocarray(old, 1, size);
}

static void *
take_reallocarray_count(void *old, size_t alignment, size_t size)
{
	(void)alignment;
	return optional.reallocarray(old, size, 1);
}

static void *
take_aligned_alloc(void *old, size_t alignment, size_t size)
{
	(void)old;
	return aligned_alloc(alignment, size);
}

static void *
take_memalign(void *old, size_t alignment, size_t size)
{
	(void)old;
	return memalign(alignment, size);
}

/* Makes posix_memalign look like the others, after checking what differs. */
static void *
take_posix_memalign(void *old, size_t alignment, size_t size)
{
	static char untouched;
	void *block = &untouched;
	int saved = errno;
	int result = posix_memalign(&block, alignment, size);

	(void)old;
	CHECK(errno == saved);
	if (result == 0)
		return block;
	CHECK(block == &untouched);
	errno = result;
	return NULL;
}

static void *
take_valloc(void *old, size_t alignment, size_t size)
{
	(void)old, (void)alignment;
	return optional.valloc(size);
}

static void *
take_pvalloc(void *old, size_t alignment, size_t size)
{
	(void)old, (void)alignment;
	return optional.pvalloc(size);
}

static void *
take_mallocx(void *old, size_t alignment, size_t size)
{
	(void)old, (void)alignment;
	return optional.mallocx(size, 0);
}

static void *
take_mallocx_aligned(void *old, size_t alignment, size_t size)
{
	(void)old;
	return optional.mallocx(size, __builtin_ctzl(alignment));
}

static void *
take_rallocx(void *old, size_t alignment, size_t size)
{
	(void)alignment;
	return optional.rallocx(old, size, 0);
}

struct entry {
	const char *name;
	take_function *take;
	bool resizes; /* takes over the old block */
	bool aligns;  /* heeds the alignment */
	bool zero_ok; /* may be asked for 0 bytes */
	void *needs;  /* a member of `optional`, or NULL */
};

static const struct entry entries[] = {
	{ "malloc", take_malloc, false, false, true, NULL },
	{ "calloc(1, n)", take_calloc_size, false, false, true, NULL },
	{ "calloc(n, 1)", take_calloc_count, false, false, true, NULL },
	{ "realloc(NULL)", take_realloc_null, false, false, true, NULL },
	{ "realloc", take_realloc, true, false, false, NULL },
	{ "reallocarray(1, n)", take_reallocarray_size, true, false, false,
	    &optional.reallocarray },
	{ "reallocarray(n, 1)", take_reallocarray_count, true, false, false,
	    &optional.reallocarray },
	{ "aligned_alloc", take_aligned_alloc, false, true, true, NULL },
	{ "memalign", take_memalign, false, true, true, NULL },
	{ "posix_memalign", take_posix_memalign, false, true, true, NULL },
	{ "valloc", take_valloc, false, false, true, &optional.valloc },
	{ "pvalloc", take_pvalloc, false, false, true, &optional.pvalloc },
	{ "mallocx", take_mallocx, false, false, false, &optional.mallocx },
	{ "mallocx aligned", take_mallocx_aligned, false, true, false,
	    &optional.mallocx },
	{ "rallocx", take_rallocx, true, false, false, &optional.rallocx },
};

enum { NENTRIES = sizeof(entries) / sizeof(*entries) };

static bool
entry_present(const struct entry *entry)
{
	void *function = NULL;

	if (entry->needs == NULL)
		return true;
	memcpy(&function, entry->needs, sizeof(function));
	return function != NULL;
}

/* The call must fail with `error` and change nothing else. */
static void
must_fail(const struct entry *entry, size_t alignment, size_t size, int error)
{
	char *old = needed(malloc(OLD_SIZE)), *block;

	bytes_fill(old, OLD_SIZE, size);
	errno = 0;
	block = hidden(entry->take(old, alignment, size));
	if (block != NULL)
		stress_fail("%s gives %p for %#zx bytes, alignment %#zx",
		    entry->name, (void *)block, size, alignment);
	if (errno != error)
		stress_fail("%s of %#zx bytes, alignment %#zx: errno %d, not "
			    "%d",
		    entry->name, size, alignment, errno, error);
	bytes_verify(old, OLD_SIZE, size);
	CHECK(malloc_usable_size(old) >= OLD_SIZE);
	free(old);
}

static void *
must_succeed(const struct entry *entry, size_t alignment, size_t size)
{
	void *old = entry->resizes ? needed(malloc(OLD_SIZE)) : NULL;
	char *block;

	errno = KEPT_ERRNO;
	block = hidden(entry->take(old, alignment, size));
	if (block == NULL)
		stress_fail("%s fails for %zu bytes, alignment %zu",
		    entry->name, size, alignment);
	if (errno != KEPT_ERRNO)
		stress_fail("%s succeeds and sets errno to %d", entry->name,
		    errno);
	if (entry->aligns && ((uintptr_t)block & (alignment - 1)) != 0)
		stress_fail("%s of %zu bytes gives %p, alignment %zu",
		    entry->name, size, (void *)block, alignment);
	CHECK(malloc_usable_size(block) >= size);
	bytes_fill(block, size, size);
	return block;
}

/* ---- sizes ---- */

static void
huge_sizes(void)
{
	static const size_t sizes[] = {
		SIZE_MAX,
		SIZE_MAX - 1,
		SIZE_MAX - 7,
		SIZE_MAX - 8,
		SIZE_MAX - 15,
		SIZE_MAX - 16,
		SIZE_MAX - 4095,
		SIZE_MAX - 4096,
		SIZE_MAX - 8191,
		SIZE_MAX - 65535,
		SIZE_MAX - 65536,
		SIZE_MAX - 2 * MIB + 1,
		SIZE_MAX - 2 * MIB,
		SIZE_MAX / 2 + 4097,
		SIZE_MAX / 2 + 2,
		SIZE_MAX / 2 + 1,
		SIZE_MAX / 2,
		SIZE_MAX / 2 - 4096,
#if SIZE_MAX > UINT32_MAX
		(size_t)7 << 60,
		(size_t)1 << 62,
		(size_t)1 << 57,
		(size_t)1 << 48
#endif
	};

	for (unsigned i = 0; i < NENTRIES; i++)
		if (entry_present(&entries[i]))
			for (unsigned j = 0; j < sizeof(sizes) / sizeof(*sizes);
			     j++)
				must_fail(&entries[i], 16, sizes[j], ENOMEM);
	for (unsigned j = 0; j < sizeof(sizes) / sizeof(*sizes); j++) {
		void *block = needed(malloc(100));

		if (optional.nallocx != NULL)
			CHECK(optional.nallocx(sizes[j], 0) == 0 ||
			    sizes[j] < SIZE_MAX / 2);
		if (optional.xallocx != NULL) {
			size_t usable = malloc_usable_size(block);

			CHECK(optional.xallocx(block, sizes[j], 0, 0) ==
			    usable);
			CHECK(optional.xallocx(block, 100, SIZE_MAX - 100, 0) >=
			    usable);
		}
		free(block);
	}
}

static void
products(void)
{
	static const size_t pairs[][2] = { { SIZE_MAX, SIZE_MAX },
		{ SIZE_MAX, 2 }, { SIZE_MAX / 2 + 1, 2 },
		{ SIZE_MAX / 2 + 2, 2 }, { SIZE_MAX / 3 + 1, 3 },
		{ SIZE_MAX / 16 + 1, 16 }, { SIZE_MAX / 16 + 2, 16 },
		{ (size_t)1 << 32, (size_t)1 << 32 },
		{ ((size_t)1 << 32) + 1, (size_t)1 << 32 },
		{ (size_t)1 << 63, 2 }, { SIZE_MAX / 4096 + 1, 4096 },
		{ (size_t)1 << 40, (size_t)1 << 40 } };

	for (unsigned i = 0; i < 2 * sizeof(pairs) / sizeof(*pairs); i++) {
		size_t a = pairs[i / 2][i % 2], b = pairs[i / 2][1 - i % 2];
		char *old = needed(malloc(OLD_SIZE));

		bytes_fill(old, OLD_SIZE, i);
		errno = 0;
		CHECK(hidden(calloc(a, b)) == NULL && errno == ENOMEM);
		if (optional.reallocarray != NULL) {
			errno = 0;
			CHECK(hidden(optional.reallocarray(old, a, b)) ==
				NULL &&
			    errno == ENOMEM);
			errno = 0;
			CHECK(hidden(optional.reallocarray(NULL, a, b)) ==
				NULL &&
			    errno == ENOMEM);
		}
		bytes_verify(old, OLD_SIZE, i);
		free(old);
	}
}

/* ---- alignments ---- */

static void
size_and_alignment(void)
{
	for (unsigned i = 0; i < NENTRIES; i++) {
		if (!entries[i].aligns || !entry_present(&entries[i]))
			continue;
		for (unsigned bits = 3; bits < (int)sizeof(size_t) * 8;
		     bits++) {
			size_t alignment = (size_t)1 << bits;

			must_fail(&entries[i], alignment, SIZE_MAX, ENOMEM);
			must_fail(&entries[i], alignment, SIZE_MAX - alignment,
			    ENOMEM);
			must_fail(&entries[i], alignment,
			    SIZE_MAX - alignment + 1, ENOMEM);
			must_fail(&entries[i], alignment,
			    SIZE_MAX / 2 - alignment / 2, ENOMEM);
			if (bits >= 47)
				must_fail(&entries[i], alignment, 1, ENOMEM);
			if (bits <= 24) {
				free(must_succeed(&entries[i], alignment, 1));
				free(must_succeed(&entries[i], alignment,
				    3 * alignment / 2 + 1));
				/* Small, and rounded up it is not. */
				free(must_succeed(&entries[i], alignment,
				    14000));
			}
		}
	}
}

/*
 * The size that mallocx would give if there were memory: no class is larger
 * than the largest one, and no alignment.
 */
static void
sums_of_size_and_alignment(void)
{
	static const size_t most = (size_t)7 << (sizeof(size_t) * 8 - 4);

	if (optional.nallocx == NULL)
		return;
	CHECK(optional.nallocx(most + 1, 0) == 0);
	for (int bits = 12; bits < (int)sizeof(size_t) * 8; bits++) {
		size_t alignment = (size_t)1 << bits, usable;

		for (size_t size = most; size > alignment / 2; size /= 2) {
			usable = optional.nallocx(size, bits);
			if (alignment > most ? usable != 0
					     : usable < size || usable > most)
				stress_fail("nallocx promises %#zx bytes for "
					    "%#zx, alignment %#zx",
				    usable, size, alignment);
		}
	}
}

static void
bad_alignments(void)
{
	static const size_t bad[] = { 0, 3, 24, 4095, 4097, SIZE_MAX,
		SIZE_MAX - 1, ((size_t)1 << 63) + 1 };
	const struct entry *aligned = NULL, *posix = NULL;

	for (unsigned i = 0; i < NENTRIES; i++) {
		if (entries[i].take == take_aligned_alloc)
			aligned = &entries[i];
		if (entries[i].take == take_posix_memalign)
			posix = &entries[i];
	}
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		must_fail(aligned, bad[i], 96, EINVAL);
		must_fail(posix, bad[i], 96, EINVAL);
	}
	for (size_t small = 1; small < sizeof(void *); small *= 2) {
		must_fail(posix, small, 96, EINVAL);
		free(must_succeed(aligned, small, 96));
	}
}

/* memalign rounds up to a power of two, where there is one. */
static void
memalign_rounds(void)
{
	static const size_t wanted[][2] = { { 0, 8 }, { 1, 8 }, { 3, 4 },
		{ 24, 32 }, { 48, 64 }, { 4095, 4096 }, { 4097, 8192 } };
	static const volatile size_t beyond[] = { SIZE_MAX,
		((size_t)1 << 63) + 1 };

	for (unsigned i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
		for (unsigned repeat = 0; repeat < 8; repeat++) {
			char *block = needed(memalign(wanted[i][0], 100));

			if (((uintptr_t)block & (wanted[i][1] - 1)) != 0)
				stress_fail("memalign(%zu) gives %p",
				    wanted[i][0], (void *)block);
			bytes_fill(block, 100, 1);
			free(block);
		}
	for (unsigned i = 0; i < sizeof(beyond) / sizeof(*beyond); i++) {
		errno = 0;
		CHECK(hidden(memalign(beyond[i], 100)) == NULL);
		CHECK(errno == EINVAL);
	}
}

static void
page_functions(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	for (size_t size = 0; size < 3 * page; size += page / 2 + 7) {
		if (optional.valloc != NULL) {
			char *block = needed(optional.valloc(size));

			CHECK(((uintptr_t)block & (page - 1)) == 0);
			free(block);
		}
		if (optional.pvalloc != NULL) {
			char *block = needed(optional.pvalloc(size));
			size_t whole = (size + page - 1) & ~(page - 1);

			CHECK(((uintptr_t)block & (page - 1)) == 0);
			CHECK(malloc_usable_size(block) >= whole);
			bytes_fill(block, whole, 1);
			free(block);
		}
	}
}

/* ---- NULL and zero ---- */

static void
nulls(void)
{
	errno = KEPT_ERRNO;
	free(hidden(NULL));
	CHECK(malloc_usable_size(hidden(NULL)) == 0);
	if (optional.free_sized != NULL) {
		optional.free_sized(NULL, 0);
		optional.free_sized(NULL, 100);
		optional.free_sized(NULL, SIZE_MAX);
	}
	if (optional.free_aligned_sized != NULL) {
		optional.free_aligned_sized(NULL, 64, 100);
		optional.free_aligned_sized(NULL, 0, 0);
	}
	CHECK(errno == KEPT_ERRNO);
}

static void
mallctl_nulls(void)
{
	int (*tomib)(const char *, size_t *, size_t *);
	int (*bymib)(const size_t *, size_t, void *, size_t *, void *, size_t);
	size_t mib[4], length = 4;
	unsigned value;
	int result;

	if (control("version", NULL, NULL, NULL, 0) < 0)
		return;
	result = control(NULL, NULL, NULL, NULL, 0);
	CHECK(result == EINVAL || result == ENOENT);
	CHECK(control("", NULL, NULL, NULL, 0) == ENOENT);
	CHECK(control(".", NULL, NULL, NULL, 0) == ENOENT);
	result = control("arenas.narenas", &value, NULL, NULL, 0);
	CHECK(result == EINVAL || result == 0);
	if (symbol_find("mallctlnametomib", &tomib)) {
		result = tomib(NULL, mib, &length);
		CHECK(result == EINVAL || result == ENOENT);
		result = tomib("version", NULL, NULL);
		CHECK(result == EINVAL || result == ENOENT);
	}
	if (symbol_find("mallctlbymib", &bymib)) {
		result = bymib(NULL, 2, NULL, NULL, NULL, 0);
		CHECK(result == EINVAL || result == ENOENT);
		result = bymib(mib, 0, NULL, NULL, NULL, 0);
		CHECK(result == EINVAL || result == ENOENT);
	}
}

enum { NZERO = 50 };

static void
distinct(const char *name, void **blocks)
{
	for (unsigned i = 0; i < NZERO; i++)
		for (unsigned j = 0; j < i; j++)
			if (blocks[i] == blocks[j])
				stress_fail("%s of 0 bytes gives %p twice",
				    name, blocks[i]);
	for (unsigned i = 0; i < NZERO; i++)
		free(blocks[i]);
}

static void
zeros(void)
{
	void *blocks[NZERO];

	for (unsigned i = 0; i < NENTRIES; i++) {
		if (!entries[i].zero_ok || !entry_present(&entries[i]))
			continue;
		for (unsigned j = 0; j < NZERO; j++)
			blocks[j] = must_succeed(&entries[i], 64, 0);
		distinct(entries[i].name, blocks);
	}
	for (unsigned j = 0; j < NZERO; j++) {
		size_t none = j % 2 == 0 ? 0 : (size_t)hidden((void *)-1);
		size_t many = j % 2 != 0 ? 0 : (size_t)hidden((void *)-1);

		blocks[j] = needed(calloc(none, many));
	}
	distinct("calloc", blocks);
	if (optional.reallocarray != NULL) {
		for (unsigned j = 0; j < NZERO; j++)
			blocks[j] = needed(optional.reallocarray(NULL, j % 2,
			    0));
		distinct("reallocarray", blocks);
	}
}

static void
good_sized_frees(void)
{
	for (size_t size = 0; size < 300000; size += size / 7 + 1) {
		if (optional.free_sized != NULL)
			optional.free_sized(needed(malloc(size)), size);
		if (optional.free_aligned_sized != NULL)
			optional.free_aligned_sized(needed(aligned_alloc(128,
							size)),
			    128, size);
	}
}

int
main(int argc, char **argv)
{
	stress_start(argc, argv, 60);
	stress_again_with_caches(argv);
	symbol_find("mallocx", &optional.mallocx);
	symbol_find("rallocx", &optional.rallocx);
	symbol_find("nallocx", &optional.nallocx);
	symbol_find("xallocx", &optional.xallocx);
	symbol_find("reallocarray", &optional.reallocarray);
	symbol_find("pvalloc", &optional.pvalloc);
	symbol_find("valloc", &optional.valloc);
	symbol_find("free_sized", &optional.free_sized);
	symbol_find("free_aligned_sized", &optional.free_aligned_sized);
	for (unsigned i = 0; i < NENTRIES; i++)
		if (entry_present(&entries[i]))
			for (size_t size = 1; size < MIB; size *= 3)
				free(must_succeed(&entries[i], 16, size));
	huge_sizes();
	products();
	size_and_alignment();
	sums_of_size_and_alignment();
	bad_alignments();
	memalign_rounds();
	page_functions();
	nulls();
	mallctl_nulls();
	zeros();
	good_sized_frees();
	return 0;
}
