#!/bin/sh
# The addresses in a report about a guarded object are those of the calls, and
# of the access: addr2line names their lines.
. "$(dirname "$0")/lib.sh"
need cc addr2line
cat >bug.c <<'END'
#include <stdlib.h>
static char *volatile object;
static void take(void)
{
	object = malloc(100); /* allocated #0 */
}
static void drop(void)
{
	free(object); /* freed #0 */
}
static void use(void)
{
	object[50] = 1; /* access #0 */
}
int main(void)
{
	take(); /* allocated #1 */
	drop(); /* freed #1 */
	use(); /* access #1 */
	return 0;
}
END
cc -g -O0 -w -o bug bug.c || fail 'cc'
MALLOC_CONF=$(strict guard_sample:1) LD_PRELOAD=$lib ./bug 2>report
grep -q '^<jemalloc>: safety: use-after-free: ' report ||
	fail "no report: $(cat report)"
for stack in allocated freed access; do
	for frame in 0 1; do
		place=$(sed -n "/^$stack by /,/^[a-z]/s/^  #$frame .*bug+//p" report)
		named=$(addr2line -e bug "${place:-0}" | sed 's/.*://; s/ .*//')
		wanted=$(grep -n "/\* $stack #$frame \*/" bug.c | cut -d: -f1)
		[ "$named" = "$wanted" ] ||
			fail "$stack #$frame: $place is line $named, not $wanted: $(cat report)"
	done
done
