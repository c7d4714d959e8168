// C++ operators, containers and exceptions.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include <jemalloc/jemalloc.h>

static int handled;

static void
handler()
{
	if (++handled == 3)
		throw std::bad_alloc();
}

struct alignas(256) Wide {
	char bytes[300];
};

template <typename F>
static bool
throws(F f)
{
	try {
		::operator delete(f());
	} catch (const std::bad_alloc &) {
		return true;
	}
	return false;
}

int
main()
{
	volatile std::size_t huge = PTRDIFF_MAX;
	Wide *wide = new Wide, *many = new Wide[3];
	void *p = ::operator new(0);

	std::printf("%d\n", p != nullptr);
	std::printf("%d %d\n", (int)((std::uintptr_t)wide % 256),
	    (int)((std::uintptr_t)many % 256));
	std::printf("%zu %zu\n", sallocx(p, 0), sallocx(wide, 0));
	::operator delete(p);
	delete wide;
	delete[] many;
	p = ::operator new(100, std::align_val_t(4096), std::nothrow);
	std::printf("%d\n", (int)((std::uintptr_t)p % 4096));
	::operator delete(p, 100, std::align_val_t(4096));
	p = ::operator new(1000);
	std::printf("%zu\n", sallocx(p, 0));
	::operator delete(p, std::size_t(1000));
	p = ::operator new[](1000, std::nothrow);
	::operator delete[](p, std::nothrow);

	std::printf("%d\n", throws([&] { return ::operator new(huge); }));
	std::printf("%d\n", throws([&] { return ::operator new[](huge); }));
	std::printf("%d\n",
	    throws([&] { return ::operator new(huge, std::align_val_t(64)); }));
	std::printf("%d\n", ::operator new(huge, std::nothrow) == nullptr);
	std::set_new_handler(handler);
	std::printf("%d", throws([&] { return ::operator new(huge); }));
	std::printf(" %d\n", handled);
	std::set_new_handler(nullptr);

	std::vector<std::thread> threads;
	std::vector<std::size_t> sums(4);
	for (std::size_t t = 0; t < 4; t++)
		threads.emplace_back([&sums, t] {
			std::map<std::string, std::vector<int>> map;
			for (int i = 0; i < 20000; i++)
				map["key" + std::to_string(i * 7919 % 997)]
				    .push_back(i);
			for (auto &pair : map)
				sums[t] += pair.first.size() *
				    pair.second.size();
		});
	for (auto &thread : threads)
		thread.join();
	std::printf("%zu %zu\n", sums[0], sums[3]);
	return 0;
}
