/*
 * glibc's own functions: malloc_trim mallinfo mallinfo2 malloc_stats
 * malloc_info mallopt reallocarray cfree. They act on this heap and describe
 * it, in the fields and formats that glibc documents.
 *
 * The meaning of glibc's words here:
 *
 *	arena		pages in memory that no large object occupies
 *	in use		objects that the program has, not those in thread caches
 *	mmap		large objects, which have pages of their own
 *	fast		free objects in thread caches, of all sizes
 *	rest		free regions in slabs, free pages not yet given back
 *	aspace		address space, given back or not
 *
 * So, as in glibc, arena = uordblks + fordblks, and arena + hblkhd is what the
 * program occupies. Address space without memory is in none of the fields.
 * Figures are read one after the other. They are exact if no other thread
 * allocates.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/boot.h"
#include "api/request.h"
#include "arena/arena.h"
#include "arena/arena_table.h"
#include "cache/quarantine.h"
#include "cache/tcache.h"
#include "cache/thread.h"
#include "os/message.h"
#include "util/bits.h"
#include "util/format.h"

/* The same as in <malloc.h>, which lacks mallinfo2 if it is old. */
struct glibc_mallinfo2 {
	size_t arena;
	size_t ordblks;
	size_t smblks;
	size_t hblks;
	size_t hblkhd;
	size_t usmblks;
	size_t fsmblks;
	size_t uordblks;
	size_t fordblks;
	size_t keepcost;
};

struct glibc_mallinfo {
	int arena;
	int ordblks;
	int smblks;
	int hblks;
	int hblkhd;
	int usmblks;
	int fsmblks;
	int uordblks;
	int fordblks;
	int keepcost;
};

/* The parameters of mallopt that matter here. */
enum { GLIBC_MXFAST = 1, GLIBC_ARENA_MAX = -8 };

/* Figures are read one after the other, so a difference could be negative. */
static size_t
less(size_t a, size_t b)
{
	return a > b ? a - b : 0;
}

static void
add_summary(struct arena *arena, void *sum)
{
	arena_summary_add(arena, sum);
}

static struct arena_summary
all_arenas(void)
{
	struct arena_summary sum = { .active = 0 };

	arena_table_each(add_summary, &sum);
	return sum;
}

/**
 * Gives unused memory back to the system: empties the calling thread's cache,
 * then purges the free pages of all arenas. The caches of other threads stay.
 * @param pad  if there are no more bytes of free pages than this, none is given
 *             back; else all are
 * @return     1 if memory went back, else 0
 * Errors:     none; errno is kept.
 */
EXPORT int
malloc_trim(size_t pad)
{
	struct thread *thread = boot_thread();
	struct arena_summary sum;
	uint64_t before;

	if (thread == NULL && !boot_ready())
		return 0;
	before = all_arenas().purged;
	if (thread != NULL) {
		quarantine_flush(&thread->tcache);
		tcache_flush(&thread->tcache);
	}
	sum = all_arenas();
	if (sum.dirty + sum.muzzy > pad) {
		arena_table_purge();
		sum = all_arenas();
	}
	return sum.purged > before;
}

/**
 * The state of the heap in bytes and numbers of blocks.
 *
 *	arena		bytes of pages in memory, without hblkhd
 *	ordblks		free regions in slabs, and free runs of pages
 *	smblks		objects in thread caches
 *	hblks, hblkhd	large objects (above 14336 bytes), their bytes
 *	usmblks		0
 *	fsmblks		bytes in thread caches, part of fordblks
 *	uordblks	bytes of small objects, by size class
 *	fordblks	arena - uordblks
 *	keepcost	bytes of free pages that malloc_trim(0) gives back
 *
 * Errors: none; errno is kept.
 */
EXPORT struct glibc_mallinfo2
mallinfo2(void)
{
	struct glibc_mallinfo2 info = { .arena = 0 };
	struct held_objects cached;
	struct arena_summary sum;

	if (!boot_ready())
		return info;
	sum = all_arenas();
	cached = thread_cached();
	info.hblks = less(sum.nlarge, cached.nlarge);
	info.hblkhd = less(sum.large_size, cached.large_size);
	info.uordblks = less(sum.small_size, cached.small_size);
	/* Pages may have gone since the objects in them were counted. */
	info.arena = max_size(less(sum.active + sum.dirty + sum.muzzy,
				  info.hblkhd),
	    info.uordblks);
	info.fordblks = less(info.arena, info.uordblks);
	info.ordblks = sum.nregions_free + sum.nextents_free;
	info.smblks = cached.nsmall + cached.nlarge;
	info.fsmblks = cached.small_size + cached.large_size;
	info.keepcost = sum.dirty + sum.muzzy;
	return info;
}

static int
saturate(size_t figure)
{
	return figure > INT_MAX ? INT_MAX : (int)figure;
}

/* mallinfo2 for old programs. A larger figure than INT_MAX becomes INT_MAX. */
EXPORT struct glibc_mallinfo
mallinfo(void)
{
	struct glibc_mallinfo2 info = mallinfo2();

	return (struct glibc_mallinfo){
		.arena = saturate(info.arena),
		.ordblks = saturate(info.ordblks),
		.smblks = saturate(info.smblks),
		.hblks = saturate(info.hblks),
		.hblkhd = saturate(info.hblkhd),
		.usmblks = saturate(info.usmblks),
		.fsmblks = saturate(info.fsmblks),
		.uordblks = saturate(info.uordblks),
		.fordblks = saturate(info.fordblks),
		.keepcost = saturate(info.keepcost),
	};
}

/**
 * Prints, as glibc does, what each arena and all arenas together occupy and
 * have in use, to standard error or through malloc_message. Objects in thread
 * caches count as in use for an arena, but not in the total. "max mmap" is the
 * present value, because there is no record of a maximum.
 * Errors: none; errno is kept.
 */
EXPORT void
malloc_stats(void)
{
	struct glibc_mallinfo2 info;
	char text[256];

	if (!boot_ready())
		return;
	for (unsigned i = 0; i < arena_table_count(); i++) {
		struct arena_summary sum = { .active = 0 };

		if (!arena_table_visit(i, add_summary, &sum))
			continue;
		format_text(text, sizeof(text),
		    "Arena %u:\n"
		    "system bytes     = %10zu\n"
		    "in use bytes     = %10zu\n",
		    i, less(sum.active + sum.dirty + sum.muzzy, sum.large_size),
		    sum.small_size);
		message_write(text);
	}
	info = mallinfo2();
	format_text(text, sizeof(text),
	    "Total (incl. mmap):\n"
	    "system bytes     = %10zu\n"
	    "in use bytes     = %10zu\n"
	    "max mmap regions = %10zu\n"
	    "max mmap bytes   = %10zu\n",
	    info.arena + info.hblkhd, info.uordblks + info.hblkhd, info.hblks,
	    info.hblkhd);
	message_write(text);
}

/* --- malloc_info ------------------------------------------------------- */

struct writer {
	FILE *stream;
	bool failed;
};

static void PRINTF(2, 3)
put(struct writer *writer, const char *template, ...)
{
	char text[256];
	va_list args;

	va_start(args, template);
	format_text_va(text, sizeof(text), template, args);
	va_end(args);
	if (fputs(text, writer->stream) == EOF)
		writer->failed = true;
}

struct blocks {
	size_t count;
	size_t size; /* bytes */
};

/* A part that both <heap> and <malloc> have. */
static void
put_totals(struct writer *writer, struct blocks fast, struct blocks rest)
{
	put(writer,
	    "<total type=\"fast\" count=\"%zu\" size=\"%zu\"/>\n"
	    "<total type=\"rest\" count=\"%zu\" size=\"%zu\"/>\n",
	    fast.count, fast.size, rest.count, rest.size);
}

static void
put_space(struct writer *writer, size_t current, size_t mapped)
{
	put(writer,
	    "<system type=\"current\" size=\"%zu\"/>\n"
	    "<system type=\"max\" size=\"%zu\"/>\n"
	    "<aspace type=\"total\" size=\"%zu\"/>\n"
	    "<aspace type=\"mprotect\" size=\"%zu\"/>\n",
	    current, mapped, mapped, mapped);
}

/* The figures of an arena. They are read first, because writing may be slow. */
struct heap_figures {
	struct arena_summary sum;
	size_t free[SMALL_CLASSES_MAX]; /* regions, by class */
};

static void
read_heap(struct arena *arena, void *context)
{
	struct heap_figures *heap = context;

	arena_summary_add(arena, &heap->sum);
	/* Counted again, so that the total is the sum of <sizes>. */
	heap->sum.nregions_free = 0;
	for (unsigned i = 0; i < SMALL_CLASSES; i++) {
		heap->free[i] = arena_bin_usage(arena, i).free;
		heap->sum.nregions_free += heap->free[i];
	}
}

static void
put_heap(struct writer *writer, unsigned index, const struct heap_figures *heap)
{
	struct arena_summary sum = heap->sum;
	size_t current;

	current = less(sum.active + sum.dirty + sum.muzzy, sum.large_size);
	put(writer, "<heap nr=\"%u\">\n<sizes>\n", index);
	for (unsigned i = 0; i < SMALL_CLASSES; i++) {
		size_t size = small_class_size(i), count = heap->free[i];

		if (count != 0)
			put(writer,
			    "  <size from=\"%zu\" to=\"%zu\" "
			    "total=\"%zu\" count=\"%zu\"/>\n",
			    size, size, count * size, count);
	}
	put(writer, "</sizes>\n");
	put_totals(writer, (struct blocks){ 0, 0 },
	    (struct blocks){ sum.nregions_free + sum.nextents_free,
		less(current, sum.small_size) });
	put_space(writer, current, sum.mapped);
	put(writer, "</heap>\n");
}

static void
put_info(struct writer *writer)
{
	struct glibc_mallinfo2 info;

	put(writer, "<malloc version=\"1\">\n");
	for (unsigned i = 0; i < arena_table_count(); i++) {
		struct heap_figures heap = { .sum.active = 0 };

		if (arena_table_visit(i, read_heap, &heap))
			put_heap(writer, i, &heap);
	}
	info = mallinfo2();
	put_totals(writer, (struct blocks){ info.smblks, info.fsmblks },
	    (struct blocks){ info.ordblks, less(info.fordblks, info.fsmblks) });
	put(writer, "<total type=\"mmap\" count=\"%zu\" size=\"%zu\"/>\n",
	    info.hblks, info.hblkhd);
	put_space(writer, info.arena, all_arenas().mapped);
	put(writer, "</malloc>\n");
}

/**
 * Describes the heap as XML, as glibc does: a <heap> for each arena, then the
 * totals. <sizes> lists the free regions of small objects. For the largest size
 * that a heap ever had, its address space is given. No lock is held while
 * `stream` is written, because that may allocate.
 * @param options  must be 0
 * @return         0; EINVAL, also in errno, for other options; -1 with errno
 *                 as the stream has set it if writing failed
 */
EXPORT int
malloc_info(int options, FILE *stream)
{
	struct writer writer = { .stream = stream };
	int saved = errno, cancel;

	if (options != 0) {
		errno = EINVAL;
		return EINVAL;
	}
	if (!boot_ready())
		return -1;
	/* The thread must not be cancelled while it writes to the stream. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	put_info(&writer);
	pthread_setcancelstate(cancel, NULL);
	if (writer.failed)
		return -1;
	errno = saved;
	return 0;
}

/* --- mallopt ------------------------------------------------------------ */

/**
 * Changes a setting of glibc's malloc. Answers as glibc does, whether or not
 * this heap has such a setting: programs that check the answer must go on.
 *
 *	M_ARENA_MAX	the number of arenas for threads that start from now
 *			on; 0, negative = as many as at start, which is also
 *			the most
 *	M_MXFAST, M_ARENA_TEST, M_TOP_PAD, M_MMAP_MAX, M_MMAP_THRESHOLD
 *			no effect: this heap has no such structures
 *	M_TRIM_THRESHOLD  no effect: free pages go back by their age, not their
 *			number; see the option dirty_decay_ms
 *	M_PERTURB	no effect: see the option junk
 *	M_CHECK_ACTION	no effect, as in glibc: see safety, safety_action
 *
 * @return  1; 0 if glibc refuses the value, which it does for M_MXFAST only
 * Errors:  none; errno is kept.
 */
EXPORT int
mallopt(int parameter, int value)
{
	if (parameter == GLIBC_ARENA_MAX && boot_ready())
		arena_table_limit(value < 0 ? 0 : (unsigned)value);
	return parameter != GLIBC_MXFAST ||
	    (value >= 0 && (size_t)value <= 20 * sizeof(size_t));
}

/* --- calls of others ---------------------------------------------------- */

/*
 * As in glibc these call realloc() and free() by their symbols: a program that
 * has a malloc of its own need not have these two. So they are not in malloc.c,
 * whose functions call each other directly.
 */

/**
 * realloc(ptr, count * size). Fails if the product overflows.
 * @return  as realloc
 * Contract: POSIX 2024
 */
EXPORT void *
reallocarray(void *ptr, size_t count, size_t size)
{
	size_t total;

	if (unlikely(__builtin_mul_overflow(count, size, &total)))
		return request_failed(&(struct request){
		    .align = 1, .function = "reallocarray" });
	return realloc(ptr, total);
}

/* An old name for free. */
EXPORT void
cfree(void *ptr)
{
	free(ptr);
}

#if CONFIG_LIBC_NAMES
/* As glibc exports them, too: see malloc.c. */
EXPORT struct glibc_mallinfo __libc_mallinfo(void) ALIAS_OF(mallinfo);
EXPORT int __libc_mallopt(int parameter, int value) ALIAS_OF(mallopt);
#endif
