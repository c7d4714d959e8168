#include "prof/prof_stats.h"

#include "os/lock.h"
#include "util/size_class.h"

static struct {
	struct lock lock; /* protects all that follows */
	struct prof_class_stats size_class[SIZE_CLASSES];
} stats SPARSE;

AT_START void
prof_stats_init(void)
{
	lock_init_zeroed(&stats.lock, LOCK_PROF_STATS);
}

struct lock *
prof_stats_lock(void)
{
	return &stats.lock;
}

void
prof_stats_begin(size_t requested, size_t usable)
{
	struct prof_class_stats *class =
	    &stats.size_class[size_class_of(usable)];

	lock_acquire(&stats.lock);
	class->live.requested += requested;
	class->live.count++;
	class->ever.requested += requested;
	class->ever.count++;
	lock_release(&stats.lock);
}

void
prof_stats_end(size_t requested, size_t usable)
{
	struct prof_class_stats *class =
	    &stats.size_class[size_class_of(usable)];

	lock_acquire(&stats.lock);
	class->live.requested -= requested;
	class->live.count--;
	lock_release(&stats.lock);
}

struct prof_class_stats
prof_stats_read(unsigned size_class)
{
	struct prof_class_stats copy;

	lock_acquire(&stats.lock);
	copy = stats.size_class[size_class];
	lock_release(&stats.lock);
	return copy;
}
