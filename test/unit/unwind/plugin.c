/*
 * plugin: an object to load and unload; FRAME is the size of a function's
 * frame.
 */

extern void (*plugin_start)(void *) __attribute__((weak));

__attribute__((constructor)) static void
begin(void)
{
	if (&plugin_start != 0 && plugin_start != 0)
		plugin_start(0);
}

int
plugin_call(void (*function)(void *), void *arg)
{
	volatile char frame[FRAME];

	/* Keeps all of it. */
	__asm__ volatile("" : : "r"(frame) : "memory");
	frame[0] = 1;
	function(arg);
	return frame[0];
}
