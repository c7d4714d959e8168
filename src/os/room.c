#include "os/room.h"

#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>

#include "os/file.h"
#include "os/pages.h"
#include "os/syscalls.h"
#include "util/bits.h"

/* The end of what the kernel maps if no address is asked for, or above it. */
#if defined(__x86_64__)
#define LG_ADDRESSES 47
#else
#define LG_ADDRESSES 56
#endif

/*
 * The kernel refuses what is larger than memory and swap, unless it was told
 * to always allow it, or to count exactly.
 */
static bool
guesses(void)
{
	char mode[8];

	return file_read("/proc/sys/vm/overcommit_memory", mode,
		   sizeof(mode)) <= 0 ||
	    mode[0] == '0';
}

bool
room_is_too_large(size_t need)
{
	struct sysinfo machine = { .mem_unit = 0 };
	uint64_t all;

	if ((uint64_t)need >> LG_ADDRESSES != 0)
		return true;
	if (os_syscall3(SYS_sysinfo, (long)(uintptr_t)&machine, 0, 0) < 0)
		return false;
	all = ((uint64_t)machine.totalram + machine.totalswap) *
	    machine.mem_unit;
	return all != 0 && need > all && guesses();
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

size_t
room_lack(size_t need, size_t extra, size_t mapped)
{
	struct {
		const char *key; /* what it limits, in the status file */
		uint64_t limit, otherwise;
	} limits[] = {
		{ "\nVmSize:", limit_of(RLIMIT_AS), mapped },
		{ "\nVmData:", limit_of(RLIMIT_DATA), mapped },
		{ "\nVmLck:", UINT64_MAX, 0 },
	};
	uint64_t wanted = (uint64_t)need + extra, lack = 0;
	char status[4096] = "";

	if (pages_lock_limit_hit())
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
