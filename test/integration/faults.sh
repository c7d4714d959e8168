#!/bin/sh
# Memory calls of the kernel fail, one after the other: in run N the Nth call
# to mmap, munmap, madvise, mremap or mprotect fails, until a run makes fewer
# calls than N. Then all calls from the Nth on fail. The program checks that
# a failed request changes nothing, and that all contents are intact.
start=$PWD
. "$(dirname "$0")/lib.sh"
faultrun=$start/test/stress/faultrun
workload=$start/test/stress/fault-workload
built "$faultrun" "$workload"
calls=mmap,munmap,madvise,mremap,mprotect

# The kernel is asked only once whether it permits this.
"$faultrun" -c count 0 ENOMEM "$calls" -- "$workload" once >out 2>&1
skip_as out $?

run() { # N ERRNO HOW [OPTION]: one run, with N in $n and the library's calls
	limit=$1 error=$2 how=$3
	shift 3
	# shellcheck disable=SC2154,SC2086
	"$faultrun" "$@" -c count $only "$limit" "$error" "$calls" -- \
		LD_PRELOAD="$lib" MALLOC_CONF="$(strict "$conf")" \
		"$workload" "$how" \
		>out 2>&1
	status=$?
	[ $status -eq 0 ] && return
	tail -n 3 out >&2
	fail "$error at call $limit $* ($conf): status $status"
}

nruns=0
each() { # ERRNO STEP: every STEPth call fails, one in each run
	n=1
	while :; do
		run "$n" "$1" once
		nruns=$((nruns + 1))
		made=$(cat count)
		[ "$made" -ge "$n" ] || break
		n=$((n + $2))
	done
	echo "$1, one call in each run ($conf): $made calls"
}
from_there() { # ERRNO STEP
	n=1
	while [ "$n" -le "$made" ]; do
		run "$n" "$1" many -a
		nruns=$((nruns + 1))
		n=$((n + $2))
	done
}

# Calls that the library makes itself; through the C library, all of them.
only="-m ${lib##*/}"
conf=
run 0 ENOMEM once
[ "$(cat count)" -gt 0 ] || only=

step=8
[ "${TEST_LONG:-0}" = 0 ] || step=1
each ENOMEM 1
from_there ENOMEM $step
for conf in dirty_decay_ms:0,muzzy_decay_ms:0 \
	dirty_decay_ms:0,retain:false tcache:false,narenas:1 \
	prof:true,lg_prof_sample:8,prof_recent_alloc_max:-1,prof_log:true; do
	run 0 ENOMEM once
	# A long run is sampled, so that 8 runs do, or all of them.
	made=$(cat count)
	each ENOMEM $((step == 1 ? 1 : made / 8 + 1))
done

# For ever, one call alone: from the first; at full length also from the middle,
# and from near the end, for which they are counted first.
# A run that hangs is ended by the program's watchdog.
for_ever() { # ERRNO CALLS...
	error=$1
	shift
	for calls in "$@"; do
		made=1
		[ $step -ne 1 ] || {
			run 0 "$error" many
			made=$(cat count)
		}
		for n in 1 $((made / 2 + 1)) $((made * 9 / 10 + 1)); do
			[ $n -le $made ] || continue
			run $n "$error" many -a
			nruns=$((nruns + 1))
			[ $step -eq 1 ] || break
		done
	done
}
for conf in '' background_thread:true,dirty_decay_ms:0 \
	hpa:true,dirty_decay_ms:20 retain:false,dirty_decay_ms:20 \
	dirty_decay_ms:20,muzzy_decay_ms:20 metadata_thp:auto,thp:always; do
	for_ever EPERM munmap madvise mremap munmap,madvise
	[ $step -eq 1 ] || [ -z "$conf" ] || continue
	for_ever ENOMEM mmap mprotect mincore
	for_ever EPERM membarrier sched_getaffinity openat readlinkat \
		getrandom prctl
	[ $step -ne 1 ] || for error in EINVAL EAGAIN ENOSYS; do
		for_ever $error munmap madvise mremap mprotect munmap,madvise
	done
done
calls=mmap,munmap,madvise,mremap,mprotect
[ $step -ne 1 ] || for error in EINVAL EAGAIN EPERM; do
	conf=
	each $error 1
	from_there "$error" 3
done
echo "$nruns runs"
exit 0
