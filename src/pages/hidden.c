#include "pages/hidden.h"

#include <stdatomic.h>

#include "conf/options.h"
#include "os/pages.h"

static _Atomic unsigned count;

static void
count_one_more(void)
{
	atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
}

static void
count_one_less(void)
{
	atomic_fetch_sub_explicit(&count, 1, memory_order_relaxed);
}

void
hidden_hide(struct extent *e)
{
	if (e->size < HIDDEN_LEAST || hidden_count() >= HIDDEN_MOST ||
	    !pages_leave_out_of_core(e->addr, e->size))
		return;
	if (!e->hidden)
		count_one_more();
	e->hidden = true;
}

bool
hidden_forget(struct extent *e)
{
	if (likely(!e->hidden))
		return false;
	e->hidden = false;
	count_one_less();
	return true;
}

void
hidden_show(struct extent *e)
{
	if (unlikely(hidden_forget(e)))
		pages_keep_in_core(e->addr, e->size);
}

void
hidden_join(struct extent *e, struct extent *next)
{
	if (unlikely(hidden_forget(next)) && !e->hidden) {
		e->hidden = true;
		count_one_more();
	}
}

void
hidden_split(const struct extent *e, struct extent *rest)
{
	rest->hidden = e->hidden;
	if (unlikely(e->hidden))
		count_one_more();
}

unsigned
hidden_count(void)
{
	return atomic_load_explicit(&count, memory_order_relaxed);
}
