#!/bin/sh
# The stress programs under other options than the default ones: caches off,
# one arena, memory given back at once, all of it kept, filled, checked.
start=$PWD
. "$(dirname "$0")/lib.sh"
programs=$start/test/stress
built "$programs/contents"

long=${TEST_LONG:-0}
run() { # CONF PROGRAM...
	conf=$1
	shift
	for program in "$@"; do
		# Here options matter: the full length is a test of its own.
		length=
		[ "$long" = 1 ] || case $program in
		arenas | dss | start-end) ;;
		*) length=short ;;
		esac
		TEST_LONG=0 MALLOC_CONF=$(strict "$conf") LD_PRELOAD=$lib \
			"$programs/$program" $length >out 2>&1
		status=$?
		skip_as out $status
		[ $status -eq 0 ] || {
			tail -n 3 out >&2
			fail "$program with $conf: status $status"
		}
	done
}

run tcache:false,narenas:1 contents
run narenas:1 contents
run dirty_decay_ms:0,muzzy_decay_ms:0 contents
run dirty_decay_ms:0,muzzy_decay_ms:-1 contents
run dirty_decay_ms:-1,retain:false contents
run dirty_decay_ms:0,retain:false contents spawn
run tcache_max:8388608 contents
run lg_tcache_max:8 contents
run junk:true contents signals
run zero:true contents
run percpu_arena:percpu contents arenas fork-storm
run percpu_arena:phycpu arenas thread-churn
run background_thread:true,dirty_decay_ms:1 contents atfork-handlers \
	start-end main-leaves fork-storm thread-churn tls-destructors
# With a limit less is worth a thread.
run background_thread:auto,limit_soft:8388608,dirty_decay_ms:100 contents \
	atfork-handlers start-end main-leaves fork-storm thread-churn \
	tls-destructors
run thp:always contents
run metadata_thp:always contents
run thp:never contents
run metadata_thp:auto contents
run hpa:true contents spawn arenas
run hpa:true,hpa_sec_nshards:0,hpa_hugify_style:eager,hpa_dirty_mult:0,hpa_min_purge_interval_ms:0,retain:false \
	contents
run hpa:true,hpa_slab_max_alloc:2097152,hpa_hugification_threshold:4096,hpa_hugify_delay_ms:0,hpa_hugify_sync:true \
	contents
run dss:primary contents dss fork-storm arenas
run dss:disabled dss
run oversize_threshold:65536 contents arenas
run oversize_threshold:0 arenas
run abort_conf:true,cache_oblivious:false contents
run safety:off contents tls-destructors
run safety:full contents tls-destructors main-leaves fork-storm thread-churn
run safety:full,guard_sample:3,prof:true,lg_prof_sample:10 contents
for part in canary:true zero_free:true uaf_check:true quarantine:1048576 \
	random_slots:true guard_large:true; do
	run "$part" contents tls-destructors
done
run san_guard_small:1,san_guard_large:1 contents
run prof:true,lg_prof_sample:16 contents
run prof:true,lg_prof_sample:0 contents
run prof:true,lg_prof_sample:0,tcache:false burst
run xmalloc:true,stats_print:true contents
[ "${TEST_LONG:-0}" = 0 ] || for conf in narenas:1 junk:true safety:full \
	background_thread:true dirty_decay_ms:0 percpu_arena:percpu hpa:true; do
	run "$conf" cross-free thread-churn fork-storm limits small-start \
		errno-kept bad-sizes
done
exit 0
