#include "os/pages.h"

#include <assert.h>
#include <errno.h>
#include <linux/mman.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "os/syscalls.h"
#include "os/system.h"
#include "util/bits.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MADV_FREE
#define MADV_FREE 8
#endif

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

enum feature { UNKNOWN, WORKS, MISSING };

static struct {
	_Atomic int purge_forced; /* does MADV_DONTNEED clear pages? */
	_Atomic int purge_lazy;
	_Atomic int move;
	_Atomic int huge;
	_Atomic bool come_locked; /* the last mapping was locked */
	_Atomic bool lock_limit;  /* see pages_lock_limit_hit() */
	_Atomic unsigned long calls;
} pages;

static long
count_call(long result)
{
	atomic_fetch_add_explicit(&pages.calls, 1, memory_order_relaxed);
	return result;
}

unsigned long
pages_calls(void)
{
	return atomic_load_explicit(&pages.calls, memory_order_relaxed);
}

static bool
is_error(long result)
{
	return result < 0 && result >= -4095;
}

static enum feature
state_of(const _Atomic int *feature)
{
	return atomic_load_explicit(feature, memory_order_relaxed);
}

static void
set_state(_Atomic int *feature, enum feature state)
{
	atomic_store_explicit(feature, state, memory_order_relaxed);
}

/* The state, from a test if it is not known yet. */
static enum feature
tested(_Atomic int *feature, enum feature (*test)(void))
{
	enum feature state = state_of(feature);

	if (unlikely(state == UNKNOWN)) {
		state = test();
		set_state(feature, state);
	}
	return state;
}

/* Remembers it if this kernel does not know a call. */
static void
note_refusal(_Atomic int *feature, long result)
{
	if (result == -EINVAL || result == -ENOSYS)
		set_state(feature, MISSING);
}

#if RACE_DETECTOR

/*
 * If pages are mapped again, a race detector must forget what it knows of the
 * old ones. It notices this only if the C library's function is called.
 */
static long
call_mmap(void *hint, size_t size, int protection, int flags)
{
	int saved = errno;
	void *addr = mmap(hint, size, protection, flags, -1, 0);
	long result = addr == MAP_FAILED ? -errno : (long)(uintptr_t)addr;

	errno = saved;
	return result;
}

#else

static long
call_mmap(void *hint, size_t size, int protection, int flags)
{
	return os_mmap(hint, size, protection, flags);
}

#endif

static void *
map_protected(void *hint, size_t size, int protection, int flags)
{
	long result = count_call(call_mmap(hint, size, protection,
	    MAP_PRIVATE | MAP_ANONYMOUS | flags));

	if (likely(!is_error(result)))
		return (void *)(uintptr_t)result;
	/* mmap() has this error for nothing else. */
	atomic_store_explicit(&pages.lock_limit, result == -EAGAIN,
	    memory_order_relaxed);
	return NULL;
}

bool
pages_lock_limit_hit(void)
{
	return atomic_load_explicit(&pages.lock_limit, memory_order_relaxed);
}

static void *
map_raw(void *hint, size_t size, int flags)
{
	return map_protected(hint, size, PROT_READ | PROT_WRITE, flags);
}

bool
pages_unmap(void *addr, size_t size)
{
	return !is_error(count_call(os_syscall3(SYS_munmap,
	    (long)(uintptr_t)addr, (long)size, 0)));
}

static void *
map_aligned(size_t size, size_t align, int protection)
{
	size_t page = system_info.page_size;
	uintptr_t raw, start;
	size_t over, lead, trail;

	raw = (uintptr_t)map_protected(NULL, size, protection, 0);
	/* Otherwise the cuts below would unmap other memory. */
	assert((raw & (page - 1)) == 0);
	if (raw == 0 || (raw & (align - 1)) == 0)
		return (void *)raw;
	/* Not aligned: maps more than needed, and cuts both ends off. */
	pages_unmap((void *)raw, size);
	if (__builtin_add_overflow(size, align - page, &over))
		return NULL;
	raw = (uintptr_t)map_protected(NULL, over, protection, 0);
	if (raw == 0)
		return NULL;
	start = round_up(raw, align);
	lead = start - raw;
	trail = over - lead - size;
	if (lead != 0)
		pages_unmap((void *)raw, lead);
	if (trail != 0)
		pages_unmap((void *)(start + size), trail);
	return (void *)start;
}

void *
pages_map(size_t size, size_t align)
{
	return map_aligned(size, align, PROT_READ | PROT_WRITE);
}

void *
pages_reserve(size_t size, size_t align)
{
	return map_aligned(size, align, PROT_NONE);
}

static bool
protect(void *addr, size_t size, int protection)
{
	return !is_error(count_call(os_syscall3(SYS_mprotect,
	    (long)(uintptr_t)addr, (long)size, protection)));
}

bool
pages_allow(void *addr, size_t size)
{
	return protect(addr, size, PROT_READ | PROT_WRITE);
}

bool
pages_forbid(void *addr, size_t size)
{
	return protect(addr, size, PROT_NONE);
}

bool
pages_map_at(void *addr, size_t size)
{
	void *got = map_raw(addr, size, MAP_FIXED_NOREPLACE);

	if (got == addr)
		return true;
	/* A kernel that doesn't know the flag takes the address as a hint. */
	if (got != NULL)
		pages_unmap(got, size);
	return false;
}

static long
advise(void *addr, size_t size, int advice)
{
	return count_call(os_syscall3(SYS_madvise, (long)(uintptr_t)addr,
	    (long)size, advice));
}

/* Drops contents. From Linux 5.18 on, also those of locked pages. */
static bool
drop(void *addr, size_t size)
{
	long result = advise(addr, size, MADV_DONTNEED);

	if (result == -EINVAL)
		result = advise(addr, size, MADV_DONTNEED_LOCKED);
	return !is_error(result);
}

/* The largest page of this architecture. */
#if defined(__x86_64__) || defined(__i386__)
#define PAGE_LARGEST 4096
#else
#define PAGE_LARGEST 65536
#endif

/*
 * A page of the library's own data, for when the kernel maps no more. NULL: too
 * small.
 */
static void *
page_of_our_own(void)
{
	static SPARSE char room[2 * PAGE_LARGEST];
	uintptr_t page = system_info.page_size;

	return page > PAGE_LARGEST ? NULL
				   : room + (-(uintptr_t)room & (page - 1));
}

/*
 * Some emulators and sandboxes return 0 and do nothing. But purged pages are
 * handed out as zero, so test once whether the call really clears a page. If
 * the call fails, the answer stays unknown: perhaps only this page is locked.
 *
 * Threads may test the same page at once. Each writes its own mark. The page
 * was not cleared only if a thread finds its own mark again.
 */
static enum feature
probe_purge_forced(void)
{
	size_t page = system_info.page_size;
	void *mapped = map_raw(NULL, page, 0);
	_Atomic uintptr_t *word = mapped != NULL ? mapped : page_of_our_own();
	uintptr_t mark = (uintptr_t)&page, now;
	enum feature found = UNKNOWN;

	if (word == NULL)
		return UNKNOWN;
	atomic_store_explicit(word, mark, memory_order_relaxed);
	if (drop((void *)word, page)) {
		now = atomic_load_explicit(word, memory_order_relaxed);
		found = now == 0 ? WORKS : now == mark ? MISSING : UNKNOWN;
	}
	if (mapped != NULL)
		pages_unmap(mapped, page);
	return found;
}

static bool
advice_is_done(void)
{
	return tested(&pages.purge_forced, probe_purge_forced) == WORKS;
}

/*
 * Unlike advice_is_done(), this does not run the test, which is not needed if
 * the kernel refuses the advice.
 */
static bool
is_known_not_to_do_advice(void)
{
	return state_of(&pages.purge_forced) == MISSING;
}

bool
pages_purge_forced(void *addr, size_t size)
{
	return !is_known_not_to_do_advice() && drop(addr, size) &&
	    advice_is_done();
}

bool
pages_are_locked(void *addr)
{
	size_t page = system_info.page_size;
	/*
	 * The kernel refuses this for locked pages. But a sandbox may refuse
	 * all advice. So after a refusal, mincore() is asked whether the page
	 * is in memory.
	 */
	long result = advise(addr, page, MADV_DONTNEED);
	bool locked = is_error(result);
	unsigned char there;

	if (unlikely(locked) &&
	    !is_error(os_syscall3(SYS_mincore, (long)(uintptr_t)addr,
		(long)page, (long)(uintptr_t)&there)))
		locked = (there & 1) != 0;
	atomic_store_explicit(&pages.come_locked, locked, memory_order_relaxed);
	return locked;
}

bool
pages_come_locked(void)
{
	return atomic_load_explicit(&pages.come_locked, memory_order_relaxed);
}

bool
pages_purge_lazy(void *addr, size_t size)
{
	long result;

	if (state_of(&pages.purge_lazy) == MISSING ||
	    is_known_not_to_do_advice())
		return false;
	result = advise(addr, size, MADV_FREE);
	/*
	 * EINVAL may mean that these pages are locked, or that the kernel does
	 * not know this advice. If it takes MADV_DONTNEED, they are not locked.
	 */
	if (result == -ENOSYS ||
	    (result == -EINVAL && !is_error(advise(addr, size, MADV_DONTNEED))))
		set_state(&pages.purge_lazy, MISSING);
	return !is_error(result) && advice_is_done();
}

/* A kernel that was built without huge pages does not know the advice. */
static bool
advise_on_huge(void *addr, size_t size, int advice)
{
	long result;

	if (state_of(&pages.huge) == MISSING)
		return false;
	result = advise(addr, size, advice);
	note_refusal(&pages.huge, result);
	return !is_error(result);
}

bool
pages_want_huge(void *addr, size_t size)
{
	return advise_on_huge(addr, size, MADV_HUGEPAGE);
}

bool
pages_refuse_huge(void *addr, size_t size)
{
	return advise_on_huge(addr, size, MADV_NOHUGEPAGE);
}

bool
pages_leave_out_of_core(void *addr, size_t size)
{
	return !is_error(advise(addr, size, MADV_DONTDUMP));
}

void
pages_keep_in_core(void *addr, size_t size)
{
	advise(addr, size, MADV_DODUMP);
}

bool
pages_collapse(void *addr, size_t size)
{
	/* EINVAL may concern only this range, so it is tried each time. */
	return !is_error(advise(addr, size, MADV_COLLAPSE));
}

static long
remap(void *from, void *to, size_t size, int flags)
{
	return count_call(os_syscall6(SYS_mremap, (long)(uintptr_t)from,
	    (long)size, (long)size, MREMAP_MAYMOVE | flags, (long)(uintptr_t)to,
	    0));
}

/*
 * The first step moves a single mapping to a new place, or the kernel refuses
 * before it changes anything. The second step moves it to the target; this can
 * fail only if the kernel itself has no memory. From Linux 6.17 on, one step
 * moves several mappings to a target. But if it fails between two of them, the
 * first ones have moved, and nobody knows which.
 */
static long
move_in_two_steps(void *from, void *to, size_t size)
{
	long result = remap(from, NULL, size, MREMAP_DONTUNMAP);
	void *between = (void *)(uintptr_t)result;

	if (is_error(result))
		return result;
	result = remap(between, to, size, MREMAP_FIXED);
	if (is_error(result)) {
		memcpy(from, between, size);
		pages_unmap(between, size);
		/* The target may have been unmapped. */
		REFUSAL_IS_HARMLESS(pages_map_at(to, size),
		    "most likely because it is still there");
	}
	return result;
}

static bool
is_refused_as_not_mapped(void *addr)
{
	return advise(addr, system_info.page_size, MADV_DONTNEED) == -ENOMEM;
}

/*
 * Do pages that took part in a move still behave as pages do? An emulator may
 * believe that the old range is not mapped any more, and may do nothing if it
 * is told to drop the contents of either range.
 */
static bool
are_usable_after_move(volatile char *from, volatile char *to)
{
	if (is_refused_as_not_mapped((void *)(uintptr_t)from) ||
	    is_refused_as_not_mapped((void *)(uintptr_t)to))
		return false;
	*from = 3;
	*to = 3;
	return !drop((void *)(uintptr_t)from, system_info.page_size) ||
	    !drop((void *)(uintptr_t)to, system_info.page_size) ||
	    (*from == 0 && *to == 0);
}

static enum feature
probe_move_between(char *from, char *to)
{
	*from = 2;
	/* If this fails, so will the move that wants to know. */
	if (is_error(move_in_two_steps(from, to, system_info.page_size)))
		return WORKS;
	return *(volatile char *)to == 2 && are_usable_after_move(from, to)
	    ? WORKS
	    : MISSING;
}

static enum feature
probe_move(void)
{
	size_t size = system_info.page_size;
	char *from = map_raw(NULL, size, 0), *to = map_raw(NULL, size, 0);
	enum feature found = UNKNOWN;

	if (from != NULL && to != NULL)
		found = probe_move_between(from, to);
	if (from != NULL)
		pages_unmap(from, size);
	if (to != NULL)
		pages_unmap(to, size);
	return found;
}

static size_t
half_of(size_t size)
{
	return round_up(size / 2, system_info.page_size);
}

/*
 * The kernel refuses a range of several mappings with EFAULT and does not say
 * where they meet, so that place is searched for by halves: what could be moved
 * is moved. A block that was moved and has grown since is such a range.
 * @return  how many bytes were moved, from the start on
 */
static size_t
move_in_pieces(char *from, char *to, size_t size, long *error)
{
	size_t done = 0, piece = size;
	bool searching = false;

	while (done < size) {
		*error = move_in_two_steps(from + done, to + done, piece);
		if (!is_error(*error)) {
			done += piece;
			/*
			 * Twice the last piece was refused, so the mapping
			 * ends within another such piece; after a page, it
			 * ends here.
			 */
			if (piece == system_info.page_size)
				searching = false;
		} else if (*error == -EFAULT && piece > system_info.page_size) {
			searching = true;
		} else {
			break;
		}
		piece = searching ? half_of(piece) : size - done;
		if (piece > size - done)
			piece = size - done;
	}
	return done;
}

/* What can't be moved is copied, if something was moved already. */
static long
move_mappings(char *from, char *to, size_t size)
{
	long error = 0;
	size_t done = move_in_pieces(from, to, size, &error);

	if (done == 0)
		return error;
	if (done < size) {
		memcpy(to + done, from + done, size - done);
		if (!pages_purge_forced(from + done, size - done))
			memset(from + done, 0, size - done);
	}
	return 0;
}

bool
pages_move(void *from, void *to, size_t size)
{
	long result;

	if (tested(&pages.move, probe_move) != WORKS)
		return false;
	result = move_mappings(from, to, size);
	note_refusal(&pages.move, result);
	return !is_error(result);
}
