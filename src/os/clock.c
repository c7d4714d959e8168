#include "os/clock.h"

#include <errno.h>
#include <time.h>

static uint64_t
clock_read_ns(clockid_t id)
{
	struct timespec ts = { 0, 0 };
	int saved = errno;

	if (clock_gettime(id, &ts) != 0)
		ts = (struct timespec){ 0, 0 };
	errno = saved;
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t
clock_coarse_ns(void)
{
	return clock_read_ns(CLOCK_MONOTONIC_COARSE);
}

uint64_t
clock_now_ns(void)
{
	return clock_read_ns(CLOCK_MONOTONIC);
}

uint64_t
clock_wall_ns(void)
{
	return clock_read_ns(CLOCK_REALTIME);
}
