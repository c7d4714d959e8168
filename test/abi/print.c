/* malloc_stats_print: prints the letters of its argument through a callback. */
#include "abi.h"

static void
write_text(void *opaque, const char *text)
{
	fputs(text, opaque);
}

int
main(int argc, char **argv)
{
	static char buffer[1 << 16];

	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	malloc_stats_print(write_text, stdout, argc > 1 ? argv[1] : NULL);
	return 0;
}
