/*
 * plugin_throw: exceptions that pass frames with destructors.
 */

namespace
{

struct guard {
	int *count;
	void (*function)(void *);

	~guard()
	{
		function(nullptr);
		++*count;
	}
};

__attribute__((noinline)) void
descend(int depth, int *count, void (*function)(void *))
{
	guard guard{ count, function };

	if (depth == 0)
		throw depth;
	descend(depth - 1, count, function);
}

}

/* How many destructors an exception ran; each calls the function. */
extern "C" __attribute__((visibility("default"))) int
plugin_throw(int depth, void (*function)(void *))
{
	int count = 0;

	try {
		descend(depth, &count, function);
	} catch (int) {
		return count;
	}
	return -1;
}
