/* Bugs of programs that read or write what is not theirs. */
#define _GNU_SOURCE
#include "bugs.h"

#define KIB 1024
#define MIB (1024 * 1024)

/* ---- past the end ---- */

/* Other bytes than are there, which by chance might be those of a check. */
static void
overwrite(char *place, size_t count)
{
	volatile char *bytes = hidden(place);

	for (size_t i = 0; i < count; i++)
		bytes[i] = (char)(bytes[i] ^ 'A');
}

/* Writes `count` bytes at block + from; then the block is freed. */
static enum harm
write_past(char *block, size_t from, size_t count)
{
	wrong_begins();
	overwrite(block + from, count);
	wrong_ends();
	free(block);
	return NONE;
}

static enum harm
past(size_t size, size_t count)
{
	char *block = taken(size);

	taken(size);
	return write_past(block, size, count);
}

/* clang-format off */
static enum harm past_13_by_1(void) { return past(13, 1); }
static enum harm past_24_by_1(void) { return past(24, 1); }
static enum harm past_64_by_1(void) { return past(64, 1); }
static enum harm past_64_by_8(void) { return past(64, 8); }
static enum harm past_64_by_32(void) { return past(64, 32); }
static enum harm past_1000_by_100(void) { return past(1000, 100); }
static enum harm past_5000_by_1(void) { return past(5000, 1); }
/* clang-format on */

static enum harm
past_text(void)
{
	char *block = taken(32);

	wrong_begins();
	/* 32 letters and the end of the text. */
	strcpy(hidden(block), "abcdefghijklmnopqrstuvwxyzabcdef");
	wrong_ends();
	free(block);
	return NONE;
}

static enum harm
past_calloc(void)
{
	return write_past(hidden(calloc(7, 9)), 63, 1);
}

static enum harm
past_realloc(void)
{
	char *block = taken(20);

	return write_past(hidden(realloc(block, 200)), 200, 4);
}

static enum harm
past_aligned(void)
{
	void *block = NULL;

	if (posix_memalign(&block, 64, 100) != 0)
		return NONE;
	return write_past(hidden(block), 100, 1);
}

static enum harm
past_new(void)
{
	char *block = new_one(40);

	wrong_begins();
	overwrite(block + 40, 1);
	wrong_ends();
	delete_it(block);
	return NONE;
}

static const struct bug past_small[] = {
	{ "1 byte past 13", "-l-", past_13_by_1 },
	{ "1 byte past 24", "-l-", past_24_by_1 },
	{ "1 byte past 64", "-l-", past_64_by_1 },
	{ "8 bytes past 64", "-l-", past_64_by_8 },
	{ "32 bytes past 64", "-l-", past_64_by_32 },
	{ "100 bytes past 1000", "-l-", past_1000_by_100 },
	{ "1 byte past 5000", "-l-", past_5000_by_1 },
	{ "strcpy of 32 letters into 32 bytes", "-l-", past_text },
	{ "1 byte past calloc(7, 9)", "-l-", past_calloc },
	{ "4 bytes past realloc(p, 200)", "-l-", past_realloc },
	{ "1 byte past posix_memalign(64, 100)", "-l-", past_aligned },
	{ "1 byte past new char[40]", "-l-", past_new },
	{ NULL, NULL, NULL },
};

/* clang-format off */
static enum harm past_20k_by_1(void) { return past(20 * KIB, 1); }
static enum harm past_100k_by_100(void) { return past(100 * KIB, 100); }
static enum harm past_1m_by_1(void) { return past(MIB, 1); }
static enum harm past_1m_by_page(void) { return past(MIB, 4096); }
static enum harm past_odd_by_1(void) { return past(300 * KIB + 77, 1); }
/* clang-format on */

static const struct bug past_large[] = {
	{ "1 byte past 20 KiB", "-l-", past_20k_by_1 },
	{ "100 bytes past 100 KiB", "-l-", past_100k_by_100 },
	{ "1 byte past 300 KiB + 77", "-l-", past_odd_by_1 },
	{ "1 byte past 1 MiB", "-l-", past_1m_by_1 },
	{ "a page past 1 MiB", "-l-", past_1m_by_page },
	{ NULL, NULL, NULL },
};

/* ---- before the start ---- */

/*
 * One of `n` blocks that has another one just before it, if any has: they may
 * come in random places, and the first of a slab has no such neighbour.
 */
static char *
with_neighbour(char *const *blocks, unsigned n, size_t size)
{
	for (unsigned i = 0; i < n; i++)
		for (unsigned j = 0; j < n; j++)
			if (blocks[j] < blocks[i] &&
			    blocks[j] + size + size / 4 + 32 > blocks[i])
				return blocks[i];
	return blocks[n / 2];
}

/* Neighbours on both sides, all of which are freed. */
static enum harm
before(size_t size, size_t count)
{
	char *blocks[64];

	for (unsigned i = 0; i < 64; i++)
		blocks[i] = taken(size);
	wrong_begins();
	overwrite(with_neighbour(blocks, 64, size) - count, count);
	wrong_ends();
	for (unsigned i = 0; i < 64; i++)
		free(blocks[i]);
	return NONE;
}

/* clang-format off */
static enum harm before_1(void) { return before(64, 1); }
static enum harm before_8(void) { return before(48, 8); }
static enum harm before_16(void) { return before(64, 16); }
static enum harm before_1000_by_16(void) { return before(1000, 16); }
static enum harm before_20k_by_1(void) { return before(20 * KIB, 1); }
static enum harm before_1m_by_1(void) { return before(MIB, 1); }
/* clang-format on */

static const struct bug before_start[] = {
	{ "1 byte before 64", "-l-", before_1 },
	{ "8 bytes before 48", "-l-", before_8 },
	{ "16 bytes before 64", "-l-", before_16 },
	{ "16 bytes before 1000", "-l-", before_1000_by_16 },
	{ "1 byte before 20 KiB", "-l-", before_20k_by_1 },
	{ "1 byte before 1 MiB", "-l-", before_1m_by_1 },
	{ NULL, NULL, NULL },
};

/* ---- writing after free ---- */

static enum harm
write_late(size_t size, size_t from, size_t count)
{
	char *block = taken(size);

	free(block);
	wrong_begins();
	memset(hidden(block + from), 'A', count);
	wrong_ends();
	return given_twice(size);
}

/* clang-format off */
static enum harm late_first(void) { return write_late(64, 0, 8); }
static enum harm late_second(void) { return write_late(64, 8, 8); }
static enum harm late_middle(void) { return write_late(1000, 500, 1); }
static enum harm late_last(void) { return write_late(64, 63, 1); }
static enum harm late_20k(void) { return write_late(20 * KIB, 100, 8); }
static enum harm late_1m(void) { return write_late(MIB, MIB / 2, 8); }
/* clang-format on */

static enum harm
late_realloc(void)
{
	char *block = taken(100);

	if (hidden(realloc(block, 5000)) == block)
		return NONE;
	wrong_begins();
	memset(hidden(block), 'A', 16);
	wrong_ends();
	return given_twice(100);
}

static const struct bug write_freed[] = {
	{ "the first 8 bytes of a freed block", "-lo", late_first },
	{ "the next 8 bytes of a freed block", "-lo", late_second },
	{ "1 byte in the middle of a freed block", "-lo", late_middle },
	{ "the last byte of a freed block", "-lo", late_last },
	{ "8 bytes in 20 KiB that were freed", "-lo", late_20k },
	{ "8 bytes in 1 MiB that were freed", "-lo", late_1m },
	{ "16 bytes at p after q = realloc(p)", "-lo", late_realloc },
	{ NULL, NULL, NULL },
};

/* ---- steering: what stands in a freed block is never an address to give */

static char target[4096] __attribute__((aligned(4096)));

static enum harm
steer(const void *value, size_t length)
{
	char *a = taken(56), *b = taken(56), *c = taken(56);

	free(a);
	free(b);
	free(c);
	wrong_begins();
	for (size_t at = 0; at + length <= 56; at += length) {
		memcpy(hidden(b + at), value, length);
		memcpy(hidden(c + at), value, length);
	}
	wrong_ends();
	return given_out(56, target + 1024) == DONE ? DONE : given_twice(56);
}

static enum harm
steer_address(void)
{
	const void *address = target + 1024;

	return steer(&address, sizeof(address));
}

static enum harm
steer_letters(void)
{
	return steer("AAAAAAAA", 8);
}

static enum harm
steer_zeroes(void)
{
	return steer("\0\0\0\0\0\0\0\0", 8);
}

/* As glibc masks its links, with what the program can know. */
static enum harm
steer_masked(void)
{
	char *a = taken(56), *b = taken(56);
	uintptr_t link = (uintptr_t)b >> 12 ^ (uintptr_t)(target + 1024);

	free(a);
	free(b);
	wrong_begins();
	memcpy(hidden(b), &link, sizeof(link));
	wrong_ends();
	return given_out(56, target + 1024);
}

/* A bit of what a malloc may have written there. */
static enum harm
steer_bit(void)
{
	char *a = taken(56), *b = taken(56);

	free(a);
	free(b);
	wrong_begins();
	*(char *)hidden(b) ^= 16;
	wrong_ends();
	return given_twice(56);
}

static const struct bug steering[] = {
	{ "an address written into freed blocks", "sss", steer_address },
	{ "an address masked as glibc does", "sss", steer_masked },
	{ "letters written into freed blocks", "sss", steer_letters },
	{ "zeroes written into freed blocks", "sss", steer_zeroes },
	{ "one bit changed in a freed block", "sss", steer_bit },
	{ NULL, NULL, NULL },
};

/* ---- reading what was there: harm is that it shows the old bytes ---- */

static const char secret[] = "the password is swordfish";

static bool
holds_secret(const char *block, size_t size)
{
	/* Where a malloc has written over the start, the rest tells. */
	return memmem(block, size, secret + 12, sizeof(secret) - 12) != NULL;
}

static char *
with_secret(size_t size)
{
	char *block = taken(size);

	memset(block, '.', size);
	memcpy(block + size / 2, secret, sizeof(secret));
	return block;
}

static enum harm
read_late(size_t size)
{
	char *block = with_secret(size);
	bool is_there;

	free(block);
	wrong_begins();
	is_there = holds_secret(hidden(block), size);
	wrong_ends();
	return is_there ? DONE : NONE;
}

/* clang-format off */
static enum harm read_100(void) { return read_late(100); }
static enum harm read_1000(void) { return read_late(1000); }
static enum harm read_20k(void) { return read_late(20 * KIB); }
static enum harm read_1m(void) { return read_late(MIB); }
/* clang-format on */

static enum harm
read_realloc(void)
{
	char *block = with_secret(200);
	bool is_there;

	if (hidden(realloc(block, 9000)) == block)
		return NONE;
	wrong_begins();
	is_there = holds_secret(hidden(block), 200);
	wrong_ends();
	return is_there ? DONE : NONE;
}

static const struct bug read_freed[] = {
	{ "reading 100 bytes that were freed", "-so", read_100 },
	{ "reading 1000 bytes that were freed", "-so", read_1000 },
	{ "reading 20 KiB that were freed", "-so", read_20k },
	{ "reading 1 MiB that was freed", "-so", read_1m },
	{ "reading p after q = realloc(p)", "-so", read_realloc },
	{ NULL, NULL, NULL },
};

static enum harm
read_fresh(size_t size)
{
	bool is_there = false;

	free(with_secret(size));
	wrong_begins();
	for (unsigned i = 0; i < 64 && !is_there; i++)
		is_there = holds_secret(taken(size), size);
	wrong_ends();
	return is_there ? DONE : NONE;
}

/* clang-format off */
static enum harm fresh_100(void) { return read_fresh(100); }
static enum harm fresh_20k(void) { return read_fresh(20 * KIB); }
/* clang-format on */

static const struct bug read_new[] = {
	{ "reading 100 new bytes", "-s-", fresh_100 },
	{ "reading 20 KiB of new bytes", "-s-", fresh_20k },
	{ NULL, NULL, NULL },
};

/* ---- what an attacker must not know: harm is that he does ---- */

static enum harm
comes_back(size_t size)
{
	void *block = taken(size);

	free(block);
	wrong_begins();
	wrong_ends();
	return taken(size) == block ? DONE : NONE;
}

/* clang-format off */
static enum harm back_64(void) { return comes_back(64); }
static enum harm back_20k(void) { return comes_back(20 * KIB); }
/* clang-format on */

static enum harm
in_order(void)
{
	char *last = taken(80), *next;
	ptrdiff_t step = 0;
	unsigned same = 0;

	for (unsigned i = 0; i < 64; i++, last = next) {
		next = taken(80);
		same += next - last == step;
		step = next - last;
	}
	wrong_begins();
	wrong_ends();
	return same > 32 ? DONE : NONE;
}

static const struct bug guessing[] = {
	{ "a freed block of 64 bytes comes back next", "-s-", back_64 },
	{ "a freed block of 20 KiB comes back next", "-s-", back_20k },
	{ "blocks lie at equal distances in a row", "-s-", in_order },
	{ NULL, NULL, NULL },
};

const struct property access_properties[] = {
	{ "write past the end, small", ACCESS, past_small },
	{ "write past the end, large", ACCESS, past_large },
	{ "write before the start", ACCESS, before_start },
	{ "write after free", ACCESS, write_freed },
	{ "freed memory steers malloc", EXPOSURE, steering },
	{ "read after free shows old bytes", EXPOSURE, read_freed },
	{ "new memory shows old bytes", EXPOSURE, read_new },
	{ "placement can be guessed", EXPOSURE, guessing },
	{ NULL, CALL, NULL },
};
