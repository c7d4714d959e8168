#!/bin/sh
# A set-user-id program: it reads no option from its environment, says nothing,
# and writes no file, whoever starts it and with whichever descriptors closed.
. "$(dirname "$0")/lib.sh"
need gcc
[ "$(id -u)" = 0 ] || skip 'only root can make a program of another user'
id nobody >/dev/null 2>&1 || skip 'there is no user nobody'

chmod 755 "$tmp"
mkdir -m 755 lib
mkdir -m 777 out
cp "$lib" lib/libjemalloc.so.2
cat >program.c <<'END'
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

int mallctl(const char *, void *, size_t *, void *, size_t);

static bool is_on(const char *name)
{
	bool value = false;
	size_t size = sizeof(value);

	return mallctl(name, &value, &size, NULL, 0) == 0 && value;
}

/* 1: the options are those of the environment; 2: the process is not privileged. */
int main(int argc, char **argv)
{
	ssize_t decay = 0;
	size_t size = sizeof(decay);

	if (argc > 1 && getauxval(AT_SECURE) == 0)
		return 2;
	for (int i = 1; i < 20000; i++)
		if (i % 3 != 0)
			free(malloc((size_t)i));
		else if (malloc((size_t)i) == NULL)
			return 3;
	if (mallctl("opt.dirty_decay_ms", &decay, &size, NULL, 0) != 0)
		return 4;
	return decay == 77 || is_on("opt.stats_print") || is_on("opt.prof");
}
END
gcc -O1 -fno-builtin -o program program.c "$tmp/lib/libjemalloc.so.2" \
	-Wl,-rpath,"$tmp/lib" || fail 'the program does not build'
MALLOC_CONF=abort_conf:false,dirty_decay_ms:77,stats_print:true,prof:true,prof_final:true,lg_prof_sample:10,prof_prefix:$tmp/out/heap,no_such:1
export MALLOC_CONF

# Without the privilege each of these has its effect: this test can see them.
./program >ours.out 2>ours.err
[ $? = 1 ] || fail "as usual: status $? and not the options' effect"
grep -q 'no_such' ours.err || fail 'as usual: no word of no_such'
[ -n "$(ls out)" ] || fail 'as usual: no profile at the end'
rm -f out/*

cp program privileged
chown nobody privileged && chmod 4755 privileged || fail 'chown'
./privileged check >ours.out 2>ours.err
status=$?
[ $status != 2 ] || skip "programs are not privileged in $tmp (nosuid)"
[ $status = 0 ] || fail "privileged: status $status"
for descriptors in '' '0<&-' '1>&-' '2>&-' '0<&- 1>&- 2>&-'; do
	: >ours.out
	: >ours.err
	sh -c "./privileged check $descriptors" >ours.out 2>ours.err </dev/null
	status=$?
	[ $status = 0 ] || fail "privileged, $descriptors: status $status"
	[ ! -s ours.out ] && [ ! -s ours.err ] ||
		fail "privileged, $descriptors: says $(cat ours.out ours.err)"
	[ -z "$(ls out)" ] || fail "privileged, $descriptors: writes $(ls out)"
done
exit 0
