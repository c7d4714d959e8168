#!/bin/sh
# The compiler: a big file at -O2 gives the very same object with and without
# the library.
. "$(dirname "$0")/lib.sh"
cc=${TEST_CC:-gcc}
need "$cc" awk
echo 'int x;' >small.c
check_bound "$cc" -c small.c -o small.o

n=40
[ "${TEST_LONG:-0}" = 0 ] || n=250
awk -v n=$n 'BEGIN {
	print "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>"
	for (i = 0; i < n; i++) {
		printf "struct s%d { int a[%d]; struct s%d *next; char t[%d]; };\n",
		    i, i % 17 + 1, i, i % 29 + 1
		printf "int f%d(struct s%d *p, int n)\n{\n\tint r = %d;\n", i, i, i
		print "\tfor (; p != NULL; p = p->next)"
		print "\t\tfor (int i = 0; i < n; i++)"
		printf "\t\t\tswitch ((p->a[i %% %d] + r) %% 7) {\n", i % 17 + 1
		for (j = 0; j < 7; j++)
			printf "\t\t\tcase %d: r = r * %d + (int)strlen(p->t) %% %d; break;\n",
			    j, i * 3 + j, j + 2
		print "\t\t\t}"
		if (i > 0)
			printf "\treturn r + f%d((struct s%d *)0, n + %d);\n}\n",
			    i - 1, i - 1, i
		else
			print "\treturn r;\n}"
	}
}' >big.c
"$cc" -O2 -g -c big.c -o plain.o || fail "$cc does not work, without the library"
preloaded "$cc" -O2 -g -c big.c -o ours.o 2>ours.err || {
	cat ours.err >&2
	fail 'the compiler failed'
}
[ -s ours.err ] && fail "the compiler said: $(head -n 1 ours.err)"
cmp plain.o ours.o || fail 'the object is not the same'
