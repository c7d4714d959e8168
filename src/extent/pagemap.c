#include "extent/pagemap.h"

#include <assert.h>

#include "conf/options.h"
#include "extent/extent.h"
#include "os/dss.h"
#include "os/pages.h"
#include "os/system.h"

#define NO_HOME UINTPTR_MAX

SPARSE struct pagemap pagemap;
uintptr_t pagemap_home_slot = NO_HOME;
/* Until there is a leaf, unaligned addresses of slot 0 lead to zeros. */
uintptr_t pagemap_home_base = (uintptr_t)pagemap.zero_leaf;
uintptr_t pagemap_home_start = QUANTUM - 1;

static _Atomic size_t leaf_count;

static void
make_home(uintptr_t slot, const struct pagemap_leaf *leaf)
{
	SET_RELAXED(pagemap_home_base,
	    (uintptr_t)leaf->kind -
		((slot << (PAGEMAP_LG_LEAF - LG_UNIT)) *
		    sizeof(leaf->kind[0])));
	/*
	 * The slot is stored after the base. A thread that frees in this leaf
	 * got its pointer after this store, so it sees both.
	 */
	__atomic_store_n(&pagemap_home_slot, slot, __ATOMIC_RELEASE);
	__atomic_store_n(&pagemap_home_start, pagemap_slot_start(slot),
	    __ATOMIC_RELEASE);
}

/* There is more than one leaf. The base stays as it is. */
static void
leave_home(void)
{
	uintptr_t slot = READ_RELAXED(pagemap_home_slot);

	if (slot == NO_HOME)
		return;
	__atomic_store_n(&pagemap_home_start,
	    pagemap_slot_start(slot + 1) | (QUANTUM - 1), __ATOMIC_RELEASE);
	__atomic_store_n(&pagemap_home_slot, NO_HOME, __ATOMIC_RELEASE);
}

static bool
leaf_make(uintptr_t slot)
{
	size_t size = round_up(sizeof(struct pagemap_leaf),
	    system_info.page_size);
	void *leaf = pages_map(size, system_info.page_size);
	intptr_t none = 0;

	/* Without a leaf, memory from sbrk could not be used. */
	if (leaf == NULL && opt.dss != DSS_DISABLED)
		leaf = dss_take(size);
	if (leaf == NULL)
		return false;
	/* A small heap uses only a small part of its leaf: no huge pages. */
	if (system_info.thp == SYSTEM_THP_ALWAYS)
		pages_refuse_huge(leaf, size);
	/* After mlockall() all of it is in memory, but most is not needed. */
	if (unlikely(pages_are_locked(leaf)))
		REFUSAL_IS_HARMLESS(pages_purge_forced(leaf, size),
		    "it is zero, and stays in memory");
	/* Publishes the zeroed leaf; pairs with the load in pagemap_leaf(). */
	if (!__atomic_compare_exchange_n(&pagemap.root[slot], &none,
		(char *)leaf - (char *)pagemap.zero_leaf, false,
		__ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
		if (!dss_contains(leaf))
			pages_unmap(leaf, size);
	} else if (atomic_fetch_add_explicit(&leaf_count, 1,
		       memory_order_relaxed) == 0) {
		make_home(slot, leaf);
	} else {
		leave_home();
	}
	return true;
}

bool
pagemap_covers(const void *addr, size_t size)
{
	uintptr_t last;

	return !__builtin_add_overflow((uintptr_t)addr, size - 1, &last) &&
	    (uint64_t)last >> PAGEMAP_LG_SPACE == 0;
}

bool
pagemap_reserve(const void *addr, size_t size)
{
	uintptr_t first = pagemap_slot((uintptr_t)addr);
	uintptr_t last = pagemap_slot((uintptr_t)addr + size - 1);

	if (!pagemap_covers(addr, size))
		return false;
	for (uintptr_t slot = first; slot <= last; slot++)
		if (READ_RELAXED(pagemap.root[slot]) == 0 && !leaf_make(slot))
			return false;
	return true;
}

void
pagemap_set_unit(const void *addr, struct extent *e, uint16_t kind)
{
	struct pagemap_leaf *leaf = pagemap_leaf((uintptr_t)addr);
	size_t i = pagemap_index((uintptr_t)addr);

	atomic_store_explicit(&leaf->extent[i], e, memory_order_release);
	atomic_store_explicit(&leaf->kind[i], kind, memory_order_release);
}

void
pagemap_set_ends(struct extent *e, uint16_t kind)
{
	if (e->size > UNIT)
		pagemap_set_unit(extent_end(e) - UNIT, e, KIND_NONE);
	pagemap_set_unit(e->addr, e, kind);
}

void
pagemap_set_all(struct extent *e, uint16_t kind)
{
	for (size_t at = 0; at < e->size; at += UNIT)
		pagemap_set_unit(e->addr + at, e, kind);
}

void
pagemap_clear_all(struct extent *e)
{
	for (size_t at = 0; at < e->size; at += UNIT)
		pagemap_set_unit(e->addr + at, NULL, KIND_NONE);
}

void
pagemap_forget_ends(struct extent *e)
{
	pagemap_set_unit(e->addr, NULL, KIND_NONE);
	pagemap_set_unit(extent_end(e) - UNIT, NULL, KIND_NONE);
}

struct extent *
pagemap_find_any(const void *addr)
{
	uintptr_t a = round_down((uintptr_t)addr, UNIT);

	while ((uint64_t)a >> PAGEMAP_LG_SPACE == 0 && a != 0) {
		struct pagemap_leaf *leaf = pagemap_leaf(a);
		struct extent *e;

		if (leaf == NULL)
			return NULL;
		e = atomic_load_explicit(&leaf->extent[pagemap_index(a)],
		    memory_order_acquire);
		/* In the middle of an extent there may be stale entries. */
		if (e != NULL && e->addr <= (const char *)addr &&
		    extent_end(e) > (const char *)addr)
			return e;
		a -= UNIT;
	}
	return NULL;
}

struct extent *
pagemap_find_around(const void *addr)
{
	struct extent *e = pagemap_find_any(addr);

	return e != NULL && extent_state(e) == EXTENT_ACTIVE ? e : NULL;
}

size_t
pagemap_leaves(void)
{
	return atomic_load_explicit(&leaf_count, memory_order_relaxed);
}
