// A new-handler that throws ends the nothrow forms with a null pointer.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <new>

static int handled;

static void
handler()
{
	if (++handled == 3)
		throw std::bad_alloc();
}

int
main()
{
	volatile std::size_t huge = PTRDIFF_MAX;
	void *p;

	std::set_new_handler(handler);
	p = ::operator new(huge, std::nothrow);
	std::printf("%d %d\n", p == nullptr, handled);
	handled = 0;
	p = ::operator new[](huge, std::nothrow);
	std::printf("%d %d\n", p == nullptr, handled);
	handled = 0;
	p = ::operator new(huge, std::align_val_t(64), std::nothrow);
	std::printf("%d %d\n", p == nullptr, handled);
	return 0;
}
