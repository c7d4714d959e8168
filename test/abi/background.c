/* Threads that give memory back. */
#include "abi.h"

static int
set(const char *name, const void *value, size_t size)
{
	return mallctl(name, NULL, NULL, (void *)value, size);
}

int
main(void)
{
	bool on = true, off = false;
	size_t many = 4, zero = (size_t)1 << 40;

	printf("%d\n", READ(bool, "background_thread"));
	printf("%zu\n", READ(size_t, "max_background_threads"));
	printf("%d", set("max_background_threads", &many, sizeof(many)));
	printf(" %d\n", set("max_background_threads", &zero, sizeof(zero)));
	printf("%d", set("background_thread", &on, sizeof(on)));
	printf(" %d\n", READ(bool, "background_thread"));
	printf("%d\n", set("background_thread", &on, sizeof(on)));
	free(malloc(1000000));
	refresh();
	printf("%d\n", READ(size_t, "stats.background_thread.num_threads") > 0);
	printf("%d", set("background_thread", &off, sizeof(off)));
	printf(" %d\n", READ(bool, "background_thread"));
	return 0;
}
