#!/bin/sh
# Kernels that lack something, for a whole run: older ones answer EINVAL or
# ENOSYS, sandboxes EPERM. Programs must not notice, whatever is switched on.
start=$PWD
. "$(dirname "$0")/lib.sh"
stress=$start/test/stress
without=$stress/without
built "$without" "$stress/fault-workload" "$stress/contents"
"$without" EPERM brk -- true >out 2>&1
status=$?
skip_as out $status
[ $status -eq 0 ] || fail "without: status $status: $(head -n 1 out)"

# Advices: 4 DONTNEED, 8 FREE, 14 HUGEPAGE, 15 NOHUGEPAGE, 25 COLLAPSE; flag 4
# of mremap is DONTUNMAP.
kernels='EINVAL madvise:2=8
EINVAL madvise:2=14 madvise:2=15
EINVAL madvise:2=25
EPERM madvise:2=4
ENOSYS madvise
EINVAL mremap:3&4
ENOSYS mremap
ENOSYS membarrier getrandom getcpu sched_getaffinity
EPERM membarrier prctl brk
EINVAL madvise:2=8 madvise:2=14 madvise:2=15 madvise:2=25 mremap:3&4 ENOSYS membarrier getrandom'
confs='narenas:2
background_thread:true,dirty_decay_ms:50
tcache_trim:true,dirty_decay_ms:50
muzzy_decay_ms:50,dirty_decay_ms:50
dirty_decay_ms:0,retain:false
hpa:true,hpa_min_purge_interval_ms:0
thp:always,metadata_thp:always,dss:primary
percpu_arena:percpu,dirty_decay_ms:0,muzzy_decay_ms:0'

nruns=0
run() { # PROGRAM [ARGUMENT]: under $kernel with $conf
	# shellcheck disable=SC2086
	timeout 1500 "$without" $kernel -- env LD_PRELOAD="$lib" \
		MALLOC_CONF="$(strict "$conf")" "$@" >out 2>&1
	status=$?
	nruns=$((nruns + 1))
	[ $status -eq 0 ] && return
	tail -n 3 out >&2
	fail "${1##*/} without $kernel ($conf): status $status"
}

long=${TEST_LONG:-0}
IFS='
'
k=0
for kernel in $kernels; do
	k=$((k + 1)) c=0
	for conf in $confs; do
		c=$((c + 1))
		# All of them, or each kernel with two.
		[ "$long" = 1 ] || [ $((c % 4)) -eq $((k % 4)) ] || continue
		IFS=' '
		run "$stress/fault-workload" once
		i=0
		for program in contents thread-churn fork-storm cross-free; do
			i=$((i + 1))
			[ "$long" = 1 ] || [ $((k % 4 + 1 + 4 * (c / 5))) -eq $i ] ||
				continue
			# Here the kernel matters, not the length.
			length=
			[ "$long" = 1 ] || length=short
			# shellcheck disable=SC2086
			run "$stress/$program" $length
		done
		IFS='
'
	done
done
echo "$nruns runs"
