/*
 * Two allocators with objects, to look into from outside: prints one address of
 * each, and waits for the end of its input.
 */
#include <stdio.h>
#include <string.h>

#include "names.h"

int
main(void)
{
	void *a[20], *b[30];

	for (int i = 0; i < 20; i++)
		a[i] = memset(first.get(48), 1, 48);
	for (int i = 0; i < 30; i++)
		b[i] = memset(second.get(1000), 1, 1000);
	first.put(a[7]);
	second.put(b[7]);
	second.put(b[8]);
	printf("%p %p\n", a[0], b[0]);
	fflush(stdout);
	return getchar() != EOF;
}
