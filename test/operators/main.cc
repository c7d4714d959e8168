// Calls each form of operator new and delete, and prints which replaced ones
// (form.cc) were called on the way, what they gave, and what was thrown. What
// the default forms do is C++'s to say, so it is printed alike with whatever
// library has them. Arguments: main (take | pool | throw | huge | alone |
// wrong)...; alone is huge without a handler.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

struct Mine {
};

static bool throwing, own;
static char pool[1 << 20];
static std::size_t at;

extern "C" void
form_called(int form)
{
	std::printf(" %d", form);
}

extern "C" void *
form_take(std::size_t size, std::size_t align)
{
	if (throwing)
		throw Mine();
	if (size > PTRDIFF_MAX / 2)
		throw std::bad_alloc();
	if (!own)
		return align == 0 ? std::malloc(size)
				  : aligned_alloc(align, size);
	at = (at + align + 63) & -(align == 0 ? 16 : align);
	at += size;
	return pool + at - size;
}

extern "C" void
form_give(void *p)
{
	if (p < pool || p >= pool + sizeof(pool)) {
		if (own && p != nullptr)
			std::printf(" not-mine");
		std::free(p);
	}
}

static int handled;

static void
handler()
{
	std::printf(" handler");
	if (++handled % 3 == 0)
		throw std::bad_alloc();
}

template <typename F>
static void *
run(const char *name, F call)
{
	void *p = nullptr;

	std::printf("%s:", name);
	try {
		p = call();
		std::printf(p == nullptr ? " null" : " ok");
	} catch (const std::bad_alloc &) {
		std::printf(" bad_alloc");
	} catch (const Mine &) {
		std::printf(" mine");
	}
	std::printf("\n");
	if (p != nullptr)
		std::memset(p, 1, 64);
	return p;
}

#define GIVE(...) \
	if (p != nullptr) { \
		std::printf("%s:", #__VA_ARGS__); \
		__VA_ARGS__; \
		std::printf("\n"); \
	}

static void
each_form(const char *mode)
{
	std::size_t volatile size = 64;
	auto align = std::align_val_t(64);
	void *volatile p;

	throwing = std::strcmp(mode, "throw") == 0;
	own = std::strcmp(mode, "pool") == 0;
	if (std::strcmp(mode, "wrong") == 0) {
		// A size that is not the block's.
		p = ::operator new(1000);
		::operator delete(p, size);
		return;
	}
	bool handles = std::strcmp(mode, "huge") == 0;
	if (handles || std::strcmp(mode, "alone") == 0)
		size = PTRDIFF_MAX;
	handled = 0;
	std::set_new_handler(handles ? handler : nullptr);
#define TAKE(...) p = run(#__VA_ARGS__, [&] { return __VA_ARGS__; })
	TAKE(::operator new(size));
	GIVE(::operator delete(p));
	TAKE(::operator new(size));
	GIVE(::operator delete(p, size));
	TAKE(::operator new(size, std::nothrow));
	GIVE(::operator delete(p, std::nothrow));
	TAKE(::operator new[](size));
	GIVE(::operator delete[](p));
	TAKE(::operator new[](size));
	GIVE(::operator delete[](p, size));
	TAKE(::operator new[](size, std::nothrow));
	GIVE(::operator delete[](p, std::nothrow));
	TAKE(::operator new(size, align));
	GIVE(::operator delete(p, align));
	TAKE(::operator new(size, align));
	GIVE(::operator delete(p, size, align));
	TAKE(::operator new(size, align, std::nothrow));
	GIVE(::operator delete(p, align, std::nothrow));
	TAKE(::operator new[](size, align));
	GIVE(::operator delete[](p, align));
	TAKE(::operator new[](size, align));
	GIVE(::operator delete[](p, size, align));
	TAKE(::operator new[](size, align, std::nothrow));
	GIVE(::operator delete[](p, align, std::nothrow));
	p = nullptr;
	std::printf("null:");
	::operator delete(p);
	::operator delete(p, size);
	::operator delete[](p);
	::operator delete[](p, size);
	::operator delete(p, size, align);
	::operator delete[](p, size, align);
	std::printf("\n");
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		std::printf("-- %s\n", argv[i]);
		each_form(argv[i]);
	}
	return 0;
}
