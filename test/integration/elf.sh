#!/bin/sh
# The file itself: what it needs, how much thread-local data it asks for, and
# that nothing in it is writable and executable, or relocated in its text. And
# which functions of the C library it calls by name: others may replace them.
. "$(dirname "$0")/lib.sh"
need readelf awk

readelf -lW "$lib" >segments || fail 'not an ELF file'
readelf -dW "$lib" >dynamic

tls=$(awk '$1 == "TLS" { print $6 }' segments)
# Only debug builds, which say so in their messages, check the order of locks.
grep -qa 'lock order: rank' "$lib" || [ "$((${tls:-0}))" -le 16 ] ||
	fail "PT_TLS has $((tls)) bytes, more than 16: a late dlopen may fail"
grep -q 'RW[ E]*E' segments &&
	fail "a segment is writable and executable: $(grep 'RWE' segments)"
awk '$1 == "GNU_STACK" { found = 1; if ($7 ~ /E/) bad = 1 }
	END { exit !found || bad }' segments || fail 'executable stack'
grep -q GNU_RELRO segments || fail 'no relro'
grep -Eq 'BIND_NOW|FLAGS_1.*NOW' dynamic || fail 'not bound at load (-z now)'
grep -q TEXTREL dynamic && fail 'text relocations'
grep -Eq 'RPATH|RUNPATH' dynamic && fail "a run path: $(grep PATH dynamic)"
grep -q 'SONAME.*\[libjemalloc\.so\.2\]' dynamic || fail 'another soname'
needed=$(awk '/NEEDED/ { gsub(/[][]/, "", $NF); print $NF }' dynamic)
for name in $needed; do
	case $name in
	libc.so* | ld-linux*) ;;
	*) fail "needs $name; only libc is allowed" ;;
	esac
done

# doc/ARCHITECTURE.md says why each of these may be called. What is not here
# needs an answer there first: what if it is replaced, and allocates?
readelf --dyn-syms -W "$lib" |
	awk '$7 == "UND" && $5 == "GLOBAL" { sub(/@.*/, "", $8); print $8 }' \
	>called
while read -r name; do
	case $name in
	mem* | __mem* | bcmp | str* | __str* | stpcpy | sigemptyset | sigfillset) ;;
	sigdelset | sigismember | __libc_current_sigrt* | environ | __environ) ;;
	__errno_location | getauxval | pthread_self | __stack_chk_*) ;;
	pthread_attr_* | pthread_sigmask | pthread_setcancelstate) ;;
	pthread_create | pthread_join | pthread_detach | dlsym) ;;
	pthread_key_create | pthread_setspecific | atexit | __cxa_atexit) ;;
	__register_atfork | pthread_atfork | sigaction | sched_getcpu) ;;
	sbrk | dl_iterate_phdr | fputs | abort | _exit | __assert_fail) ;;
	syscall) ;;
	*) fail "calls $name of the C library" ;;
	esac
done <called
grep -q . called || fail 'calls nothing of the C library, says readelf'

# What a program may replace is called by its symbol (not linked -Bsymbolic).
readelf -rW "$lib" >relocations
for name in malloc realloc free _Znwm _Znam _ZdlPv _ZdaPv; do
	readelf --dyn-syms -W "$lib" | grep -q " $name\$" || continue
	grep -q " $name + 0" relocations ||
		fail "its own calls of $name don't reach a program's"
done

# Whatever the C library offers under a second name for programs is ours by both
# names, so that one frees what the other gave.
exported() { # LIBRARY
	readelf --dyn-syms -W "$1" |
		awk '$7 != "UND" && $8 !~ /@GLIBC_PRIVATE/ {
			sub(/@.*/, "", $8); print $8 }' | sort
}
libc=$(preloaded sh -c 'cat /proc/self/maps' |
	awk '$6 ~ /\/libc\.so\.6$/ { print $6; exit }')
exported "$lib" >ours
if [ -n "$libc" ]; then
	exported "$libc" >theirs
	grep -qx __libc_malloc theirs || fail "$libc has no __libc_malloc"
	grep -v '^_' ours | sed 's/^/__libc_/' | sort | comm -12 - theirs |
		comm -13 ours - >lacking
	[ ! -s lacking ] || fail "not exported: $(tr '\n' ' ' <lacking)"
fi

# In a running program no mapping is both writable and executable.
preloaded sh -c 'cat /proc/self/maps' >maps
grep -q " $lib\$" maps || fail 'not loaded'
grep -q '^[^ ]* rwx' maps && fail "$(grep '^[^ ]* rwx' maps | head -n 1)"
exit 0
