#include "os/room.h"

#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>

#include "os/file.h"
#include "os/pages.h"
#include "os/syscalls.h"
#include "os/system.h"
#include "util/bits.h"

/* The end of what the kernel maps if no address is asked for, or above it. */
#if defined(__x86_64__)
#define LG_ADDRESSES 47
#else
#define LG_ADDRESSES 56
#endif

/*
 * A sandbox may kill a process that asks later. So what can be known at the
 * start is asked there, and the rest only if there is a sign of a limit.
 */
static struct {
	uint64_t memory; /* of the machine with swap, in bytes; 0: not known */
	bool limited;    /* by the limits at the start */
} room;

/* The soft limit; UINT64_MAX: none, or not known. */
static uint64_t
limit_of(int resource)
{
	uint64_t limit[2] = { UINT64_MAX, UINT64_MAX };

	if (os_syscall4(SYS_prlimit64, 0, resource, 0, (long)(uintptr_t)limit) <
	    0)
		return UINT64_MAX;
	return limit[0];
}

AT_START void
room_init(void)
{
	struct sysinfo machine = { .mem_unit = 0 };

	if (os_syscall3(SYS_sysinfo, (long)(uintptr_t)&machine, 0, 0) >= 0)
		room.memory = ((uint64_t)machine.totalram + machine.totalswap) *
		    machine.mem_unit;
	room.limited = limit_of(RLIMIT_AS) != UINT64_MAX ||
	    limit_of(RLIMIT_DATA) != UINT64_MAX;
}

bool
room_is_too_large(size_t need)
{
	return (uint64_t)need >> LG_ADDRESSES != 0 ||
	    (room.memory != 0 && need > room.memory);
}

/*
 * Is there a sign that a limit stopped the last mapping? If a page can be
 * mapped, the process is below its limits. Then it can also map again what it
 * gives back, so it matters little how much that is.
 */
static bool
seems_limited(void)
{
	size_t page = system_info.page_size;
	void *probe;

	if (room.limited || pages_lock_limit_hit())
		return true;
	probe = pages_map(page, page);
	if (probe == NULL)
		return true;
	pages_unmap(probe, page);
	return false;
}

/* The bytes in a line of the status file; `otherwise` if it has none. */
static uint64_t
status_bytes(const char *status, const char *key, uint64_t otherwise)
{
	const char *p = strstr(status, key);
	uint64_t kib = 0;

	if (p == NULL)
		return otherwise;
	for (p += strlen(key); *p == ' ' || *p == '\t'; p++)
		;
	for (; *p >= '0' && *p <= '9'; p++)
		kib = kib * 10 + (unsigned)(*p - '0');
	return kib << 10;
}

size_t
room_lack(size_t need, size_t extra, size_t mapped)
{
	struct {
		const char *key; /* what it limits, in the status file */
		uint64_t limit, otherwise;
	} limits[] = {
		{ "\nVmSize:", UINT64_MAX, mapped },
		{ "\nVmData:", UINT64_MAX, mapped },
		{ "\nVmLck:", UINT64_MAX, 0 },
	};
	uint64_t wanted = (uint64_t)need + extra, lack = 0;
	char status[4096] = "";
	/* It is the last refusal that tells, and the probe may be refused. */
	bool lock = pages_lock_limit_hit();

	if (!seems_limited())
		return 0;
	limits[0].limit = limit_of(RLIMIT_AS);
	limits[1].limit = limit_of(RLIMIT_DATA);
	if (lock)
		limits[2].limit = limit_of(RLIMIT_MEMLOCK);
	/* What was mapped before mlockall() may not be locked. */
	if (need > limits[2].limit)
		return SIZE_MAX;
	for (unsigned i = 0; i < ARRAY_LEN(limits); i++) {
		uint64_t used;

		if (limits[i].limit == UINT64_MAX)
			continue;
		/*
		 * That of the process is empty once its first thread has
		 * ended. The field in `statm` would count the stack as data.
		 */
		if (status[0] == '\0')
			file_read("/proc/thread-self/status", status,
			    sizeof(status));
		used = status_bytes(status, limits[i].key, limits[i].otherwise);
		if (used + wanted > limits[i].limit &&
		    used + wanted - limits[i].limit > lack)
			lack = used + wanted - limits[i].limit;
	}
	return lack < SIZE_MAX ? (size_t)lack : SIZE_MAX;
}
